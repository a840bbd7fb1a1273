//! The cost of the sandbox: a batch compared with the same code called natively, a fresh instance, many live instances,
//! and a start from cached code. One JSON object per line.
//!
//! Everything runs on one thread, as one channel's calls do. Figures that depend on the machine are ratios to a
//! baseline of the same run.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark may fail as it does")]

#[path = "support/mod.rs"]
mod support;
#[path = "../../../plugins/bench/src/work.rs"]
mod work;

use std::hint::black_box;
use std::time::{Duration, Instant};

use support::{BenchSandbox, deliveries, median, print_figure, requests, resident_bytes};
use tidings_domain::delivery::{Content, Delivery};
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{Batch, DeliveryRequest};
use work::MailInput;

/// Deliveries in a batch.
const BATCH: usize = 100;
const ROUNDS: usize = 301;
/// Instances that live at the same time.
const LIVE: usize = 1000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        memory().await;
        ratios().await;
        starts().await;
    });
}

/// A batch natively, in a live instance, and in a fresh one, in turn, so that other load affects all three.
async fn ratios() {
    let sandbox = BenchSandbox::new(8);
    let plugin = sandbox.plugin("bench").await;
    let (resident, deliveries) = (plugin.start_resident(), deliveries(BATCH));
    let (batch, nothing) = (requests(&deliveries), Batch::default());
    let expected = natively(&batch);
    assert_eq!(plugin.deliver(&batch).await.outcomes, expected, "the guest computes what the native code does");
    assert_eq!(resident.deliver(&batch).await.outcomes, expected, "a live instance too");
    let (mut native, mut reused, mut fresh, mut empty) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(natively(black_box(&batch)));
        native.push(began.elapsed());
        let began = Instant::now();
        black_box(resident.deliver(&batch).await);
        reused.push(began.elapsed());
        let began = Instant::now();
        black_box(plugin.deliver(&batch).await);
        fresh.push(began.elapsed());
    }
    for _ in 0..10 * ROUNDS {
        let began = Instant::now();
        assert_eq!(plugin.deliver(&nothing).await.crash, None);
        empty.push(began.elapsed());
    }
    let each = |times: Vec<Duration>| median(times).as_secs_f64() * 1e9 / BATCH as f64;
    let (native, reused, fresh) = (each(native), each(reused), each(fresh));
    print_figure("sandbox_native_ns", native, "ns/delivery");
    print_figure("sandbox_reused_ns", reused, "ns/delivery");
    print_figure("sandbox_fresh_ns", fresh, "ns/delivery");
    print_figure("sandbox_reused_vs_native", reused / native, "ratio");
    print_figure("sandbox_fresh_vs_native", fresh / native, "ratio");
    // The whole life of an instance: its store, its start, a call without deliveries, its end.
    print_figure("instantiate_us", median(empty).as_secs_f64() * 1e6, "us");
}

/// A thousand live instances, each of which has delivered.
async fn memory() {
    let sandbox = BenchSandbox::new(LIVE as u32 + 8);
    let plugin = sandbox.plugin("bench").await;
    let one = deliveries(1);
    let batch = requests(&one);
    // Allocates what all instances share before the measurement.
    let warm = plugin.start_resident();
    assert_eq!(warm.deliver(&batch).await.crash, None);
    let before = resident_bytes();
    let mut live = Vec::with_capacity(LIVE);
    for _ in 0..LIVE {
        let resident = plugin.start_resident();
        assert_eq!(resident.deliver(&batch).await.crash, None);
        live.push(resident);
    }
    let alive = live.iter().filter(|resident| resident.stats().alive).count();
    assert_eq!(alive, LIVE, "all of them live");
    print_figure("instances_1000_mb", resident_bytes().saturating_sub(before) as f64 / 1e6, "MB");
}

/// A start with three plugins whose code is cached: the engine, the certificates, and the manifest of each plugin.
async fn starts() {
    let names = ["email", "webhook", "matrix"];
    let sandbox = BenchSandbox::new(64);
    for name in names {
        sandbox.plugin(name).await;
    }
    let mut times = Vec::new();
    for _ in 0..11 {
        let began = Instant::now();
        let restarted = sandbox.restart();
        for name in names {
            restarted.admit(&sandbox.file(name)).await.expect("admitted");
        }
        times.push(began.elapsed());
    }
    print_figure("sandbox_start_cached_ms", median(times).as_secs_f64() * 1e3, "ms");
}

/// What the plugin does, with the same code and deliveries.
fn natively(batch: &[DeliveryRequest]) -> Vec<Outcome> {
    batch
        .iter()
        .map(|request| Outcome::Delivered { receipt: Some(work::receipt(&mail_input(&request.delivery))) })
        .collect()
}

fn mail_input(delivery: &Delivery) -> MailInput<'_> {
    let Content::Single(event) = &delivery.content else { panic!("only single events are measured") };
    MailInput {
        id: delivery.id.as_str(),
        address: &delivery.address,
        topic: &event.topic,
        subject: &event.subtitle,
        text: &event.long_form,
        link: event.link.as_deref(),
    }
}
