//! The life of a plugin (rows 16f, 35, 38): upgrades under load, bad releases, the way back, quarantine, and what becomes of
//! deliveries that a broken channel keeps waiting.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_api_types::{ChannelInfo, ChannelStateInfo, LogLineInfo, UpgradeRequest};
use tidings_domain::plugin_life::CanaryPlan;
use tidings_tests::channel;
use tidings_tests::client::TestClient;
use tidings_tests::paths;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};
use tidings_tests::wait;

/// Messages of the test under load.
const MESSAGES: u64 = 400;
/// Within this a version that traps is rolled back.
const ROLL_BACK: Duration = Duration::from_secs(10);

/// Another build of the mail plugin: the same code, and a custom section that nobody reads.
fn next_email(word: &str) -> Vec<u8> {
    let mut file = std::fs::read(paths::plugin("email").unwrap()).unwrap();
    let name = format!("build-{word}");
    file.extend([0, u8::try_from(name.len() + 1).unwrap(), u8::try_from(name.len()).unwrap()]);
    file.extend(name.bytes());
    file
}

async fn faulty(client: &TestClient) -> String {
    client.install(std::fs::read(paths::plugin("faulty").unwrap()).unwrap()).await.unwrap().digest
}

/// Without the trial against the contract, which would find out what these releases are.
async fn upgrade(client: &TestClient, request: UpgradeRequest) -> ChannelInfo {
    let request = UpgradeRequest { unproven: true, ..request };
    let body = serde_json::to_vec(&request).unwrap();
    let answer = client.post("/api/v1/channels/email/upgrade", body).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

async fn view(client: &TestClient, name: &str) -> ChannelInfo {
    client.channel(name).await.unwrap()
}

/// The component on trial.
fn candidate(channel: &ChannelInfo) -> Option<&str> {
    channel.candidate.as_ref().map(|candidate| candidate.component.as_str())
}

/// Waits until the channel `email` runs that component, with nothing on trial.
async fn runs(scene: &Scene, component: &str, within: Duration) {
    wait::until("the version is the active one", within, async || {
        let view = view(&scene.client, "email").await;
        Ok((view.component == component && view.candidate.is_none()).then_some(()))
    })
    .await
    .unwrap();
}

async fn events(client: &TestClient, name: &str) -> Vec<(String, String)> {
    let events = client.channel_events(name).await.unwrap().into_iter();
    events.map(|event| (event.event.as_str().to_owned(), event.component)).collect()
}

/// The states of the channel's versions, by component.
async fn versions(client: &TestClient) -> Vec<(String, String)> {
    let versions = client.channel_versions("email").await.unwrap().into_iter();
    versions.map(|version| (version.component, version.state.as_str().to_owned())).collect()
}

/// Each message arrived, and none twice.
fn each_once(scene: &Scene, messages: u64) {
    let mails = scene.sink.mails.all();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!((ids.len() as u64, mails.len() as u64), (messages, messages), "each mail once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_under_load_loses_nothing_and_doubles_nothing_and_can_be_taken_back() {
    let mut scene = Scene::set().await.unwrap();
    let client = scene.client.clone();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&client, "email").await.component;
    let new = client.install(next_email("2")).await.unwrap().digest;
    scene.publish((0..MESSAGES / 2).map(|number| format!("early-{number:04}"))).await.unwrap();
    scene.sink.mails.wait("the first mails", LIMIT, |mails| (mails.len() >= 20).then_some(())).await.unwrap();
    let canary = Some(CanaryPlan { share_percent: 20, min_calls: 5, ..CanaryPlan::default() });
    let trial = upgrade(&client, UpgradeRequest { component: new.clone(), canary, ..Default::default() }).await;
    assert_eq!((&trial.component, candidate(&trial)), (&old, Some(new.as_str())));
    scene.publish((0..MESSAGES / 2).map(|number| format!("late-{number:04}"))).await.unwrap();
    runs(&scene, &new, LIMIT).await;
    let books = scene.queue_empty("email").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (MESSAGES, MESSAGES), "{books:?}");
    each_once(&scene, MESSAGES);
    let told = events(&client, "email").await;
    assert_eq!(told[0], ("promoted".to_owned(), new.clone()));
    assert_eq!(told[1], ("canary_started".to_owned(), new.clone()));
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
    // And back in one call.
    client.post("/api/v1/channels/email/rollback", "").await.unwrap();
    runs(&scene, &old, LIMIT).await;
    let states = versions(&client).await;
    assert!(states.contains(&(old, "active".into())) && states.contains(&(new, "failed".into())), "{states:?}");
    scene.publish(["after".to_owned()]).await.unwrap();
    scene.dealt_with(MESSAGES + 1).await.unwrap();
    scene.queue_empty("email").await.unwrap();
    each_once(&scene, MESSAGES + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_traps_is_rolled_back_by_itself_and_burns_no_delivery() {
    for now in [false, true] {
        let mut scene = Scene::set().await.unwrap();
        let client = scene.client.clone();
        scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
        let old = view(&client, "email").await.component;
        let bad = faulty(&client).await;
        let began = Instant::now();
        upgrade(&client, UpgradeRequest { component: bad.clone(), now, ..Default::default() }).await;
        scene.publish((0..200).map(|number| format!("package-{number:04}"))).await.unwrap();
        runs(&scene, &old, ROLL_BACK.saturating_sub(began.elapsed())).await;
        scene.dealt_with(200).await.unwrap();
        let books = scene.queue_empty("email").await.unwrap();
        assert_eq!((books.accepted, books.delivered, books.dead), (200, 200, 0), "{books:?}");
        each_once(&scene, 200);
        let rows = scene.deliveries("email").await.unwrap();
        assert!(rows.iter().all(|row| row.attempts == 1), "an attempt was used up by the bad release");
        let (event, component) = events(&client, "email").await.swap_remove(0);
        let expected = if now { "rolled_back" } else { "fell_back" };
        assert_eq!((event.as_str(), component.as_str()), (expected, bad.as_str()));
        assert!(versions(&client).await.contains(&(bad, "failed".into())));
        let log = client.channel_log("email").await.unwrap();
        let said = |line: &LogLineInfo| line.version == "99.0.0" && line.line.contains("about to trap");
        assert!(log.iter().any(said), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_changes_nothing_that_the_active_version_reads() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let before = view(&scene.client, "email").await;
    let new = scene.client.install(next_email("settings")).await.unwrap().digest;
    let path = "/api/v1/channels/email/upgrade";
    let body = |config: Value, now: bool| json!({"component": new, "config": config, "now": now, "unproven": true});
    for config in [json!({"tls": "implicit"}), json!({"from": null})] {
        let body = body(config.clone(), false).to_string();
        let answer = scene.client.send("POST".parse().unwrap(), path, body.into()).await.unwrap();
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 422 && said.contains("the active version reads it too"), "{config}: {said}");
        let after = view(&scene.client, "email").await;
        assert_eq!((&after.config, &after.candidate), (&before.config, &None), "{config}");
    }
    // At once it may, and with the version its values go as well.
    let config = json!({"from": "other@tidings.example"});
    scene.client.post(path, body(config, true).to_string()).await.unwrap();
    assert_eq!(view(&scene.client, "email").await.config["from"], "other@tidings.example");
    scene.client.post("/api/v1/channels/email/rollback", "").await.unwrap();
    let back = view(&scene.client, "email").await;
    assert_eq!((&back.config, &back.component), (&before.config, &before.component));
    scene.publish(["after".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    scene.queue_empty("email").await.unwrap();
    each_once(&scene, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_delivery_is_enough_to_roll_back_a_release_that_traps() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&scene.client, "email").await.component;
    let bad = faulty(&scene.client).await;
    upgrade(&scene.client, UpgradeRequest { component: bad, now: true, ..Default::default() }).await;
    let began = Instant::now();
    scene.publish(["alone".to_owned()]).await.unwrap();
    runs(&scene, &old, ROLL_BACK.saturating_sub(began.elapsed())).await;
    let books = scene.queue_empty("email").await.unwrap();
    assert_eq!((books.delivered, books.dead), (1, 0), "{books:?}");
    each_once(&scene, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_as_old_as_its_running_and_ends_with_the_first_call_at_the_earliest() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&scene.client, "email").await.component;
    let new = scene.client.install(next_email("quiet")).await.unwrap().digest;
    let canary = Some(CanaryPlan { max_seconds: 1, ..CanaryPlan::default() });
    upgrade(&scene.client, UpgradeRequest { component: new.clone(), canary, ..Default::default() }).await;
    for on in [false, true] {
        channel::switch(&scene.client, "email", on).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let view = view(&scene.client, "email").await;
        assert_eq!((&view.component, candidate(&view)), (&old, Some(new.as_str())), "nobody called it");
    }
    scene.publish(["first".to_owned()]).await.unwrap();
    runs(&scene, &new, LIMIT).await;
    scene.dealt_with(1).await.unwrap();
    scene.queue_empty("email").await.unwrap();
    each_once(&scene, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_breaks_the_contract_meets_no_delivery() {
    let scene = Scene::set().await.unwrap();
    let before = view(&scene.client, "email").await;
    let body = json!({"component": faulty(&scene.client).await}).to_string();
    let path = "/api/v1/channels/email/upgrade";
    let answer = scene.client.send("POST".parse().unwrap(), path, body.into()).await.unwrap();
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status == 422 && said.contains("a single message: no answer (trap)"), "{} {said}", answer.status);
    let after = view(&scene.client, "email").await;
    assert_eq!((&after.component, &after.candidate), (&before.component, &None));
    // A good one passes, and is on trial.
    let good = scene.client.install(next_email("proven")).await.unwrap().digest;
    scene.client.post(path, json!({"component": good}).to_string()).await.unwrap();
    assert_eq!(candidate(&view(&scene.client, "email").await), Some(good.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_the_middle_of_an_upgrade_leaves_the_old_version_or_the_new_one() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let old = view(&scene.client, "email").await.component;
    for turn in 0..3u64 {
        let new = scene.client.install(next_email(&turn.to_string())).await.unwrap().digest;
        let client = scene.client.clone();
        let body = json!({"component": new, "now": true, "unproven": true}).to_string();
        let asked = tokio::spawn(async move { client.post("/api/v1/channels/email/upgrade", body).await });
        tokio::time::sleep(Duration::from_millis(2 * turn)).await;
        scene = scene.kill_and_restart().await.unwrap();
        let answered = asked.await.unwrap().is_ok();
        let view = view(&scene.client, "email").await;
        assert_eq!(view.state, ChannelStateInfo::Running, "{view:?}");
        let active = view.component;
        assert!(active == new || (active == old && !answered), "{active}");
        let states = versions(&scene.client).await;
        assert_eq!(states.iter().filter(|(_, state)| state == "active").count(), 1, "{states:?}");
        assert!(states.contains(&(active.clone(), "active".into())), "{states:?}");
        if active == new {
            scene.client.post("/api/v1/channels/email/rollback", "").await.unwrap();
        }
    }
    scene.daemon.subscribed(LIMIT).await.unwrap();
    scene.publish(["still-there".to_owned()]).await.unwrap();
    scene.sink.mails.wait("the mail", LIMIT, |mails| (mails.len() == 1).then_some(())).await.unwrap();
}

/// A channel `broken`, whose plugin traps with everything from its first day.
async fn broken(scene: &Scene) {
    let (plugin, nothing) = (paths::plugin("faulty").unwrap(), json!({"reach": []}));
    channel::install(&scene.client, "broken", &plugin, &json!({}), &nothing).await.unwrap();
    scene.wants_everything("amara", "broken", &["amara@example.org"]).await.unwrap();
}

/// Waits until the channel `broken` is in quarantine for the so-manieth time; returns the reason.
async fn is_quarantined(scene: &Scene, times: usize) -> String {
    wait::until("the channel is quarantined", LIMIT, async || {
        let view = view(&scene.client, "broken").await;
        let events = events(&scene.client, "broken").await;
        let so_often = events.iter().filter(|(event, _)| event == "quarantined").count() == times;
        match view.state {
            ChannelStateInfo::Quarantined { reason, .. } if so_often => Ok(Some(reason)),
            _ => Ok(None),
        }
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_crashes_again_and_again_is_quarantined_and_its_queue_is_held_until_a_good_version_comes() {
    let mut scene = Scene::set().await.unwrap();
    broken(&scene).await;
    scene.publish((0..30).map(|number| format!("package-{number:04}"))).await.unwrap();
    scene.dealt_with(30).await.unwrap();
    let quarantined = is_quarantined(&scene, 1).await;
    assert!(quarantined.contains("calls crashed"), "{quarantined}");
    // It stays so over a restart, and says so.
    let scene = scene.kill_and_restart().await.unwrap();
    let now = view(&scene.client, "broken").await;
    assert!(matches!(now.state, ChannelStateInfo::Quarantined { .. }) && now.enabled, "{now:?}");
    let metrics = scene.client.text("/metrics").await.unwrap();
    assert!(metrics.contains("tidings_channel_quarantined{channel=\"broken\"} 1"), "an alarm");
    let books = scene.books("broken").await.unwrap();
    assert_eq!((books.accepted, books.pending, books.dead), (30, 30, 0), "{books:?}");
    // Released as it is, it comes back; with a version that works everything held goes out.
    scene.client.post("/api/v1/channels/broken/release", "").await.unwrap();
    is_quarantined(&scene, 2).await;
    let good = scene.client.install(next_email("good")).await.unwrap().digest;
    scene.client.put("/api/v1/channels/broken/grants", &channel::loopback(scene.sink.smtp)).await.unwrap();
    let config = json!({
        "host": scene.sink.smtp.ip().to_string(),
        "port": scene.sink.smtp.port().to_string(),
        "tls": "none",
        "from": "notifications@tidings.example",
    });
    let body = json!({"component": good, "config": config, "unproven": true}).to_string();
    scene.client.post("/api/v1/channels/broken/upgrade", body).await.unwrap();
    let books = scene.queue_empty("broken").await.unwrap();
    assert_eq!((books.delivered, books.dead), (30, 0), "{books:?}");
    each_once(&scene, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_channel_keeps_waiting_goes_by_another_channel_or_is_given_up_as_its_policy_says() {
    let mut scene = Scene::set().await.unwrap();
    broken(&scene).await;
    // A filter that never matches: the address is there for the other channel's sake alone.
    let never = rule("package_filter", Some(("package", "no-such-package")));
    let by_mail = subscription("amara", "email", &["amara@example.org"], never);
    channel::subscribe(&scene.client, &by_mail).await.unwrap();
    scene.wants_everything("lena", "broken", &["lena@example.org"]).await.unwrap();
    let policy = json!({"policy": "fall_back", "channel": "email", "after_seconds": 3600});
    scene.client.put("/api/v1/channels/broken/policy", &policy).await.unwrap();
    scene.publish((0..12).map(|number| format!("package-{number:04}"))).await.unwrap();
    scene.dealt_with(12).await.unwrap();
    is_quarantined(&scene, 1).await;
    // amara's go by mail, each once; lena has no address there, and hers are held.
    wait::until("all of amara's are there", LIMIT, async || Ok((scene.sink.mails.count() >= 12).then_some(())))
        .await
        .unwrap();
    scene.queue_empty("email").await.unwrap();
    each_once(&scene, 12);
    let books = scene.books("broken").await.unwrap();
    assert_eq!((books.accepted, books.cancelled, books.pending), (24, 12, 12), "{books:?}");
    let drop = json!({"policy": "drop_after", "after_seconds": 1});
    scene.client.put("/api/v1/channels/broken/policy", &drop).await.unwrap();
    let books = scene.queue_empty("broken").await.unwrap();
    assert!(books.balance() && books.dead == 12, "{books:?}");
    let rows = scene.deliveries("broken").await.unwrap();
    let dropped = rows.iter().filter(|row| row.note.as_deref().unwrap_or_default().starts_with("dropped by the failure policy")).count();
    assert_eq!(dropped, 12, "{rows:?}");
}
