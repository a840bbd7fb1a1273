//! What the sandbox costs: a batch through it against the same code called natively, a fresh instance, many live ones, and
//! a start from compiled code. One JSON object a line.
//!
//! All runs on one thread, as one channel's calls do; what depends on the machine comes as a ratio to a baseline of the same run.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark may fail as it does")]

#[path = "support/mod.rs"]
mod support;
#[path = "../../../plugins/bench/src/work.rs"]
mod work;

use std::hint::black_box;
use std::time::{Duration, Instant};

use support::{Ground, deliveries, median, parcels, resident_bytes, tell};
use tidings_domain::delivery::{Content, Delivery};
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{Batch, DeliveryRequest};
use work::Letter;

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

/// A batch natively, in a live instance, and in a fresh one, in turn: what else the machine does meets all three.
async fn ratios() {
    let ground = Ground::new(8);
    let plugin = ground.plugin("bench").await;
    let (resident, deliveries) = (plugin.reside(), deliveries(BATCH));
    let (batch, nothing) = (parcels(&deliveries), Batch::default());
    let expected = natively(&batch);
    assert_eq!(plugin.deliver(&batch).await.outcomes, expected, "both do the same");
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
    tell("sandbox_native_ns", native, "ns/delivery");
    tell("sandbox_reused_ns", reused, "ns/delivery");
    tell("sandbox_fresh_ns", fresh, "ns/delivery");
    tell("sandbox_reused_vs_native", reused / native, "ratio");
    tell("sandbox_fresh_vs_native", fresh / native, "ratio");
    // All of an instance's life: its store, itself, a call with nothing to deliver, and its end.
    tell("instantiate_us", median(empty).as_secs_f64() * 1e6, "us");
}

/// A thousand instances at the same time, each of which has delivered.
async fn memory() {
    let ground = Ground::new(LIVE as u32 + 8);
    let plugin = ground.plugin("bench").await;
    let one = deliveries(1);
    let batch = parcels(&one);
    // Once, so that what all instances share is there before.
    let warm = plugin.reside();
    assert_eq!(warm.deliver(&batch).await.crash, None);
    let before = resident_bytes();
    let mut live = Vec::with_capacity(LIVE);
    for _ in 0..LIVE {
        let resident = plugin.reside();
        assert_eq!(resident.deliver(&batch).await.crash, None);
        live.push(resident);
    }
    let alive = live.iter().filter(|resident| resident.stats().alive).count();
    assert_eq!(alive, LIVE, "all of them live");
    tell("instances_1000_mb", resident_bytes().saturating_sub(before) as f64 / 1e6, "MB");
}

/// A start with three plugins whose code is in the cache: the engine, its certificates, and each plugin asked what it is.
async fn starts() {
    let names = ["email", "webhook", "matrix"];
    let ground = Ground::new(64);
    for name in names {
        ground.plugin(name).await;
    }
    let mut times = Vec::new();
    for _ in 0..11 {
        let began = Instant::now();
        let again = ground.again();
        for name in names {
            again.admit(&ground.file(name)).await.expect("admitted");
        }
        times.push(began.elapsed());
    }
    tell("sandbox_start_cached_ms", median(times).as_secs_f64() * 1e3, "ms");
}

/// What the plugin does, by the same code, from the same deliveries.
fn natively(batch: &[DeliveryRequest]) -> Vec<Outcome> {
    batch.iter().map(|parcel| Outcome::Delivered { receipt: Some(work::receipt(&letter(&parcel.delivery))) }).collect()
}

fn letter(delivery: &Delivery) -> Letter<'_> {
    let Content::Single(event) = &delivery.content else { panic!("only single events are measured") };
    Letter {
        id: delivery.id.as_str(),
        address: &delivery.address,
        topic: &event.topic,
        subject: &event.subtitle,
        text: &event.long_form,
        link: event.link.as_deref(),
    }
}
