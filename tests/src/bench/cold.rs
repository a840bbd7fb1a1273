//! Twenty messages that need the same access list, which nobody has yet and whose service takes its time, among others
//! that need it not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time::sleep;

use super::{LIMIT, quantile, stage_with, tell};
use crate::channel;
use crate::pkgdb::PkgdbServer;
use crate::samples::SampleMessage;
use crate::scene::{Scene, about, rule, subscription};
use crate::settings::AclSection;
use crate::sink::Mail;

const MESSAGES: usize = 20;
/// What the service takes to answer.
const ANSWER: Duration = Duration::from_secs(15);
const KEEPER: &str = "keeper@example.org";
const WATCHER: &str = "watcher@example.org";

/// From the first of the twenty until all are matched and sent; and what others take meanwhile, from the publisher to the
/// mail server, against what they take when nothing waits.
pub(super) async fn cold() -> Result<()> {
    let service = Arc::new(PkgdbServer::start().await?);
    service.contact("warm", "keeper");
    service.contact("cold", "keeper");
    let mut scene = stage_with(|settings| settings.acl = Some(AclSection::pkgdb(&service.url))).await?;
    let mine = rule("user_package_filter", Some(("fasnick", "keeper")));
    channel::subscribe(&scene.client, &subscription("keeper", "email", &[KEEPER], mine)).await?;
    scene.wants_everything("watcher", "email", &[WATCHER]).await?;
    let mut alone = others(&mut scene, Instant::now() + Duration::from_secs(5)).await?;

    service.hold("cold");
    let began = Instant::now();
    scene.publish(std::iter::repeat_n("cold".to_owned(), MESSAGES)).await?;
    let release = tokio::spawn({
        let service = Arc::clone(&service);
        async move {
            while service.asked("cold") == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(ANSWER).await;
            service.release("cold");
        }
    });
    let mut beside = others(&mut scene, began + ANSWER - Duration::from_secs(1)).await?;
    let seen = scene.client.status().await?.messages;
    let waiting = seen.received - seen.settled();
    ensure!(waiting == MESSAGES as u64, "{waiting} messages wait");
    // The keeper hears of every other one.
    let others = [alone.len(), beside.len()];
    let told = others.map(|count| count.div_ceil(2)).iter().sum::<usize>() + MESSAGES;
    let everything = others.iter().sum::<usize>() + MESSAGES;
    let complete = |mails: &[Arc<Mail>]| (to(mails, KEEPER) == told && to(mails, WATCHER) == everything).then_some(());
    scene.sink.mails.wait("the twenty", LIMIT, complete).await?;
    let took = began.elapsed();
    release.await?;
    ensure!(service.asked("cold") == 1, "it was asked {} times", service.asked("cold"));
    tell("cold_acl_s", took.as_secs_f64(), "s");
    tell("cold_acl_vs_answer", took.as_secs_f64() / ANSWER.as_secs_f64(), "ratio");
    tell("cold_acl_requests", service.asked("cold") as f64, "requests");
    let [alone, beside] = [&mut alone, &mut beside].map(|times| quantile(times, 0.99));
    tell("cold_acl_others_p99_ms", beside, "ms");
    tell("cold_acl_others_p99_alone_ms", alone, "ms");
    tell("cold_acl_others_ratio", beside / alone, "ratio");
    scene.daemon.terminate().await.map(drop)
}

/// Messages about a package whose list is known and without a package in turns, one after the other until `end`; what
/// each took, in milliseconds.
async fn others(scene: &mut Scene, end: Instant) -> Result<Vec<f64>> {
    let messages = [about("warm"), SampleMessage::new("org.fedoraproject.dev.bench.tick", json!({"agent": "hyun"}))];
    let mut times = Vec::new();
    for message in messages.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        let before = scene.sink.mails.to(WATCHER).len();
        let began = Instant::now();
        scene.publisher.send(message).await?;
        let arrived = |mails: &[Arc<Mail>]| (to(mails, WATCHER) > before).then_some(());
        scene.sink.mails.wait("the message", LIMIT, arrived).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        sleep(Duration::from_millis(10)).await;
    }
    Ok(times)
}

fn to(mails: &[Arc<Mail>], address: &str) -> usize {
    mails.iter().filter(|mail| mail.is_for(address)).count()
}
