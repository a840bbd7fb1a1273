//! Messages that need an uncached access list from a slow service, among messages that do not need it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time::sleep;

use super::{LIMIT, quantile, report, start_harness_with};
use crate::channel;
use crate::harness::{Harness, about, rule, subscription};
use crate::pkgdb::PkgdbServer;
use crate::samples::SampleMessage;
use crate::settings::AclSection;
use crate::sink::Mail;

const MESSAGES: usize = 20;
/// The response time of the service.
const RESPONSE_TIME: Duration = Duration::from_secs(15);
const KEEPER: &str = "keeper@example.org";
const WATCHER: &str = "watcher@example.org";

/// Measures the time from the first of these messages until all are matched and sent, and the times of the other messages
/// meanwhile, from the publisher to the mail server. The baseline is the other messages when no message waits.
pub(super) async fn cold() -> Result<()> {
    let service = Arc::new(PkgdbServer::start().await?);
    service.contact("warm", "keeper");
    service.contact("cold", "keeper");
    let mut harness = start_harness_with(|settings| settings.acl = Some(AclSection::pkgdb(&service.url))).await?;
    let mine = rule("user_package_filter", Some(("fasnick", "keeper")));
    channel::subscribe(&harness.client, &subscription("keeper", "email", &[KEEPER], mine)).await?;
    harness.wants_everything("watcher", "email", &[WATCHER]).await?;
    let mut alone = others(&mut harness, Instant::now() + Duration::from_secs(5)).await?;

    service.hold("cold");
    let began = Instant::now();
    harness.publish(std::iter::repeat_n("cold".to_owned(), MESSAGES)).await?;
    let release = tokio::spawn({
        let service = Arc::clone(&service);
        async move {
            while service.requests("cold") == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(RESPONSE_TIME).await;
            service.release("cold");
        }
    });
    let mut beside = others(&mut harness, began + RESPONSE_TIME - Duration::from_secs(1)).await?;
    let counts = harness.client.status().await?.messages;
    let waiting = counts.received - counts.settled();
    ensure!(waiting == MESSAGES as u64, "{waiting} messages wait");
    // Every second one of the other messages has the keeper as a recipient.
    let others = [alone.len(), beside.len()];
    let for_keeper = others.map(|count| count.div_ceil(2)).iter().sum::<usize>() + MESSAGES;
    let everything = others.iter().sum::<usize>() + MESSAGES;
    let complete =
        |mails: &[Arc<Mail>]| (to(mails, KEEPER) == for_keeper && to(mails, WATCHER) == everything).then_some(());
    harness.sink.mails.wait("all mails", LIMIT, complete).await?;
    let took = began.elapsed();
    release.await?;
    ensure!(service.requests("cold") == 1, "the service got {} requests instead of one", service.requests("cold"));
    report("cold_acl_s", took.as_secs_f64(), "s");
    report("cold_acl_vs_answer", took.as_secs_f64() / RESPONSE_TIME.as_secs_f64(), "ratio");
    report("cold_acl_requests", service.requests("cold") as f64, "requests");
    let [alone, beside] = [&mut alone, &mut beside].map(|times| quantile(times, 0.99));
    report("cold_acl_others_p99_ms", beside, "ms");
    report("cold_acl_others_p99_alone_ms", alone, "ms");
    report("cold_acl_others_ratio", beside / alone, "ratio");
    harness.daemon.terminate().await.map(drop)
}

/// Publishes messages one after the other until `end`, in turn about a package with a cached list and without a package;
/// returns the time of each, in milliseconds.
async fn others(harness: &mut Harness, end: Instant) -> Result<Vec<f64>> {
    let messages = [about("warm"), SampleMessage::new("org.fedoraproject.dev.bench.tick", json!({"agent": "hyun"}))];
    let mut times = Vec::new();
    for message in messages.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        let before = harness.sink.mails.to(WATCHER).len();
        let began = Instant::now();
        harness.publisher.send(message).await?;
        let arrived = |mails: &[Arc<Mail>]| (to(mails, WATCHER) > before).then_some(());
        harness.sink.mails.wait("the message", LIMIT, arrived).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        sleep(Duration::from_millis(10)).await;
    }
    Ok(times)
}

/// Counts the mails for an address.
fn to(mails: &[Arc<Mail>], address: &str) -> usize {
    mails.iter().filter(|mail| mail.is_for(address)).count()
}
