//! Upgrades of a plugin (rows 16f, 35, 38): under load, with faulty releases, with canaries and rollbacks.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_api_types::{ChannelStateInfo, LogLineInfo, UpgradeRequest};
use tidings_domain::plugin_life::CanaryPlan;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT};

use crate::plugin_versions::{
    candidate, channel_runs, each_once, events, faulty, next_email, runs, upgrade, upgrade_channel, versions, view,
};

/// The messages of the test under load.
const MESSAGES: u64 = 400;
/// The time limit for the rollback of a version that traps.
const ROLL_BACK: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_under_load_delivers_each_mail_once_and_can_be_rolled_back() {
    let mut harness = Harness::start().await.unwrap();
    let client = harness.client.clone();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&client, "email").await.component;
    let new = client.install(next_email("2")).await.unwrap().digest;
    harness.publish((0..MESSAGES / 2).map(|number| format!("early-{number:04}"))).await.unwrap();
    harness.sink.mails.wait("the first mails", LIMIT, |mails| (mails.len() >= 20).then_some(())).await.unwrap();
    let canary = Some(CanaryPlan { share_percent: 20, min_calls: 5, ..CanaryPlan::default() });
    let channel = upgrade(&client, UpgradeRequest { component: new.clone(), canary, ..Default::default() }).await;
    assert_eq!((&channel.component, candidate(&channel)), (&old, Some(new.as_str())));
    harness.publish((0..MESSAGES / 2).map(|number| format!("late-{number:04}"))).await.unwrap();
    runs(&harness, &new, LIMIT).await;
    let books = harness.queue_empty("email").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (MESSAGES, MESSAGES), "{books:?}");
    each_once(&harness, MESSAGES);
    let events = events(&client, "email").await;
    assert_eq!(events[0], ("promoted".to_owned(), new.clone()));
    assert_eq!(events[1], ("canary_started".to_owned(), new.clone()));
    let metrics = client.text("/metrics").await.unwrap();
    for component in [&old, &new] {
        let label = format!("component=\"{}\"", &component[..12]);
        let counted = |line: &&str| line.starts_with("tidings_version_calls_total") && line.contains(&label);
        assert!(metrics.lines().any(|line| counted(&line)), "both versions were called: {label}");
    }
    let figures = client.channel_versions("email").await.unwrap();
    for component in [&old, &new] {
        let version = figures.iter().find(|one| one.component == **component).unwrap();
        let stats = version.stats.as_ref().unwrap();
        assert!(stats.cpu_seconds > 0.0 && stats.memory_peak_bytes > 0 && stats.calls > 0, "{figures:?}");
        let timed: u64 = stats.latency.iter().map(|bucket| bucket.count).sum();
        assert_eq!(timed, stats.calls, "{figures:?}");
    }
    // One request rolls the upgrade back.
    client.post("/api/v1/channels/email/rollback", "").await.unwrap();
    runs(&harness, &old, LIMIT).await;
    let states = versions(&client).await;
    assert!(states.contains(&(old, "active".into())) && states.contains(&(new, "failed".into())), "{states:?}");
    harness.publish(["after".to_owned()]).await.unwrap();
    harness.wait_processed(MESSAGES + 1).await.unwrap();
    harness.queue_empty("email").await.unwrap();
    each_once(&harness, MESSAGES + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_traps_is_rolled_back_automatically_and_no_delivery_fails() {
    for now in [false, true] {
        let mut harness = Harness::start().await.unwrap();
        let client = harness.client.clone();
        harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
        let old = view(&client, "email").await.component;
        let bad = faulty(&client).await;
        let began = Instant::now();
        upgrade(&client, UpgradeRequest { component: bad.clone(), now, ..Default::default() }).await;
        harness.publish((0..200).map(|number| format!("package-{number:04}"))).await.unwrap();
        runs(&harness, &old, ROLL_BACK.saturating_sub(began.elapsed())).await;
        harness.wait_processed(200).await.unwrap();
        let books = harness.queue_empty("email").await.unwrap();
        assert_eq!((books.accepted, books.delivered, books.dead), (200, 200, 0), "{books:?}");
        each_once(&harness, 200);
        let rows = harness.deliveries("email").await.unwrap();
        assert!(rows.iter().all(|row| row.attempts == 1), "the faulty release counts as no attempt");
        let (event, component) = events(&client, "email").await.swap_remove(0);
        let expected = if now { "rolled_back" } else { "fell_back" };
        assert_eq!((event.as_str(), component.as_str()), (expected, bad.as_str()));
        assert!(versions(&client).await.contains(&(bad, "failed".into())));
        let log = client.channel_log("email").await.unwrap();
        let logged = |line: &LogLineInfo| line.version == "99.0.0" && line.line.contains("about to trap");
        assert!(log.iter().any(logged), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_cannot_change_a_setting_that_the_active_version_reads() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let before = view(&harness.client, "email").await;
    let new = harness.client.install(next_email("settings")).await.unwrap().digest;
    let path = "/api/v1/channels/email/upgrade";
    let body = |config: Value, now: bool| json!({"component": new, "config": config, "now": now, "unproven": true});
    for config in [json!({"tls": "implicit"}), json!({"from": null})] {
        let body = body(config.clone(), false).to_string();
        let response = harness.client.send("POST".parse().unwrap(), path, body.into()).await.unwrap();
        let error = String::from_utf8_lossy(&response.body).into_owned();
        assert!(response.status == 422 && error.contains("the active version reads it too"), "{config}: {error}");
        let after = view(&harness.client, "email").await;
        assert_eq!((&after.config, &after.candidate), (&before.config, &None), "{config}");
    }
    // An upgrade without a canary can, and a rollback restores the values.
    let config = json!({"from": "other@tidings.example"});
    harness.client.post(path, body(config, true).to_string()).await.unwrap();
    assert_eq!(view(&harness.client, "email").await.config["from"], "other@tidings.example");
    harness.client.post("/api/v1/channels/email/rollback", "").await.unwrap();
    let after = view(&harness.client, "email").await;
    assert_eq!((&after.config, &after.component), (&before.config, &before.component));
    harness.publish(["after".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    harness.queue_empty("email").await.unwrap();
    each_once(&harness, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_delivery_is_enough_to_roll_back_a_release_that_traps() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&harness.client, "email").await.component;
    let bad = faulty(&harness.client).await;
    upgrade(&harness.client, UpgradeRequest { component: bad, now: true, ..Default::default() }).await;
    let began = Instant::now();
    harness.publish(["alone".to_owned()]).await.unwrap();
    runs(&harness, &old, ROLL_BACK.saturating_sub(began.elapsed())).await;
    let books = harness.queue_empty("email").await.unwrap();
    assert_eq!((books.delivered, books.dead), (1, 0), "{books:?}");
    each_once(&harness, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_without_calls_is_not_promoted_by_time_and_the_first_call_after_that_time_promotes_it() {
    let mut harness = Harness::start().await.unwrap();
    let client = harness.client.clone();
    let old = view(&client, "email").await.component;
    let new = client.install(next_email("quiet")).await.unwrap().digest;
    let canary = Some(CanaryPlan { max_seconds: 1, ..CanaryPlan::default() });
    upgrade(&client, UpgradeRequest { component: new.clone(), canary, ..Default::default() }).await;
    // Another channel measures the time: its canaries have the same plan, begin later and get a call.
    channel::install_email(&client, "clock", harness.sink.smtp).await.unwrap();
    harness.wants_everything("lena", "clock", &["lena@example.org"]).await.unwrap();
    for on in [false, true] {
        channel::switch(&client, "email", on).await.unwrap();
        let component = client.install(next_email(&format!("clock-{on}"))).await.unwrap().digest;
        upgrade_channel(
            &client,
            "clock",
            UpgradeRequest { component: component.clone(), canary, ..Default::default() },
        )
        .await;
        harness.publish([format!("clock-{on}")]).await.unwrap();
        channel_runs(&harness, "clock", &component, LIMIT).await;
        let view = view(&client, "email").await;
        assert_eq!((&view.component, candidate(&view)), (&old, Some(new.as_str())), "it had no call");
    }
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    harness.publish(["first".to_owned()]).await.unwrap();
    runs(&harness, &new, LIMIT).await;
    harness.wait_processed(3).await.unwrap();
    harness.queue_empty("email").await.unwrap();
    assert_eq!(harness.sink.mails.to("amara@example.org").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_violates_the_contract_is_refused_and_gets_no_delivery() {
    let harness = Harness::start().await.unwrap();
    let before = view(&harness.client, "email").await;
    let body = json!({"component": faulty(&harness.client).await}).to_string();
    let path = "/api/v1/channels/email/upgrade";
    let response = harness.client.send("POST".parse().unwrap(), path, body.into()).await.unwrap();
    let (status, error) = (response.status, String::from_utf8_lossy(&response.body).into_owned());
    assert!(status == 422 && error.contains("a single message: no answer (trap)"), "{status} {error}");
    let after = view(&harness.client, "email").await;
    assert_eq!((&after.component, &after.candidate), (&before.component, &None));
    // A release that keeps the contract becomes a canary.
    let good = harness.client.install(next_email("proven")).await.unwrap().digest;
    harness.client.post(path, json!({"component": good}).to_string()).await.unwrap();
    assert_eq!(candidate(&view(&harness.client, "email").await), Some(good.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkill_during_an_upgrade_leaves_the_old_version_or_the_new_one() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&harness.client, "email").await.component;
    for turn in 0..3u64 {
        let new = harness.client.install(next_email(&turn.to_string())).await.unwrap().digest;
        let client = harness.client.clone();
        let body = json!({"component": new, "now": true, "unproven": true}).to_string();
        let request = tokio::spawn(async move { client.post("/api/v1/channels/email/upgrade", body).await });
        // Each kill is at another point of the upgrade.
        tokio::time::sleep(Duration::from_millis(2 * turn)).await;
        harness = harness.kill_and_restart().await.unwrap();
        let succeeded = request.await.unwrap().is_ok();
        let view = view(&harness.client, "email").await;
        assert_eq!(view.state, ChannelStateInfo::Running, "{view:?}");
        let active = view.component;
        assert!(active == new || (active == old && !succeeded), "{active}");
        let states = versions(&harness.client).await;
        assert_eq!(states.iter().filter(|(_, state)| state == "active").count(), 1, "{states:?}");
        assert!(states.contains(&(active.clone(), "active".into())), "{states:?}");
        if active == new {
            harness.client.post("/api/v1/channels/email/rollback", "").await.unwrap();
        }
    }
    harness.daemon.subscribed(LIMIT).await.unwrap();
    harness.publish(["still-there".to_owned()]).await.unwrap();
    harness.sink.mails.wait("the mail", LIMIT, |mails| (mails.len() == 1).then_some(())).await.unwrap();
}
