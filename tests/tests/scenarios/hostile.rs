//! A plugin that misbehaves (rows 23 to 34): each behaviour ends in its outcome, and meanwhile another channel delivers.

use std::time::Duration;
use tidings_api_types::DeliveryInfo;

use serde_json::json;
use tidings_tests::channel;
use tidings_tests::paths;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};
use tidings_tests::settings::DaemonSettings;
use tidings_tests::wait;

/// What a behaviour must come to: the delivery's state, and words of its note.
const OUTCOMES: &[(&str, &str, &str)] = &[
    ("trap", "dead", "crashed (trap)"),
    ("recurse", "dead", "crashed (trap)"),
    ("memory", "dead", "crashed (memory)"),
    ("log-flood", "dead", "crashed (host_calls)"),
    ("random-huge", "dead", "crashed ("),
    ("short", "dead", "crashed (nonsense)"),
    ("long", "dead", "crashed (nonsense)"),
    ("connect", "dead", "Denied"),
    ("http", "dead", "Denied"),
    ("tls", "dead", "Denied"),
    ("leak", "dead", "0 forgotten, then"),
    ("steal", "dead", "no grant of `http`"),
    ("fetch", "dead", "the URL does not parse"),
    ("dial", "dead", "no grant of `net` for example.org:80"),
    ("clock-flood", "dead", "crashed (host_calls)"),
    ("random-flood", "dead", "crashed (host_calls)"),
    ("config-flood", "dead", "crashed (host_calls)"),
    ("inbox-flood", "dead", "crashed (host_calls)"),
    ("connect-flood", "dead", "crashed (host_calls)"),
    ("http-flood", "dead", "crashed (host_calls)"),
    ("settle-flood", "delivered", ""),
    ("inbox-huge", "dead", "crashed (host_calls)"),
    ("memory+log", "dead", "crashed (memory)"),
    ("recurse+clock", "dead", "crashed (trap)"),
    ("state-odd", "dead", "kept"),
    ("state-read-flood", "dead", "crashed (host_calls)"),
    ("state-write-flood", "dead", "crashed (host_calls)"),
    ("state-flood", "dead", "keys, then"),
    ("log-forged", "delivered", ""),
    ("garbage-retry", "pending", "harmless"),
    ("garbage-receipt", "delivered", "harmless"),
    ("progress-then-trap", "delivered", "settled"),
    ("slow", "dead", "Denied"),
    ("huge-result", "dead", "crashed (host_calls)"),
    ("progress-beyond", "dead", "crashed (nonsense)"),
    ("stream-beyond", "dead", "crashed (nonsense)"),
    ("stream-huge", "dead", "an entry has at most"),
    ("stream-flood", "dead", "crashed (host_calls)"),
    ("counter", "delivered", "count 1"),
    ("ok", "delivered", ""),
];

/// Messages that both channels deliver before one of them misbehaves.
const CALM: usize = 50;

/// What the allocator's threads may keep beside a tenth, in bytes, on a machine with other work: alone it is within the tenth.
const SLACK: u64 = 4 * 1024 * 1024;

/// All of it at once, in executors that yield to whatever else the machine does.
const ROUND: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_alone_ends_in_its_outcome_while_another_channel_delivers() {
    let settings = |settings: &mut DaemonSettings| {
        // A plugin that misbehaves as much as this one would be quarantined before the end.
        settings.dispatch.quarantine_crashes = Some(0);
        // The first of a batch says what becomes of all: one that asks to be tried again would never part with the others.
        settings.dispatch.batch = 1;
    };
    let mut scene = Scene::set_with(settings).await.unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let (plugin, nothing) = (paths::plugin("hostile").unwrap(), json!({"reach": []}));
    for name in ["hostile", "endless"] {
        channel::install(&scene.client, name, &plugin, &json!({}), &nothing).await.unwrap();
    }
    let few = json!({"host_calls": 150, "state_keys": 100});
    scene.client.put("/api/v1/channels/hostile/limits", &few).await.unwrap();
    // One that does not return for as long as the default lets it, all the while.
    wants_only(&scene, "loop", "endless").await;
    scene.publish(["loop".to_owned()]).await.unwrap();
    for (behaviour, _, _) in OUTCOMES.iter().chain([&("fine", "delivered", "")]) {
        wants_only(&scene, behaviour, "hostile").await;
    }
    // A daemon at work: each channel has delivered what it should.
    scene.publish((0..CALM).map(|_| "fine".to_owned())).await.unwrap();
    let arrived = scene.sink.mails.wait("fine", LIMIT, |all| (all.len() > CALM).then_some(()));
    arrived.await.unwrap();
    scene.queue_empty("hostile").await.unwrap();
    let calm = scene.daemon.memory().unwrap();
    for (before, (behaviour, state, note)) in OUTCOMES.iter().enumerate() {
        let before = before + 1 + CALM;
        scene.publish([(*behaviour).to_owned()]).await.unwrap();
        // The other channel first: nothing of the plugin's holds it up.
        let arrived = scene.sink.mails.wait(behaviour, LIMIT, |all| (all.len() > before).then_some(()));
        arrived.await.unwrap();
        let row = settled(&scene, behaviour, state).await;
        let text = row.note.as_deref().unwrap_or_default();
        assert!(text.contains(note), "{behaviour}: {row:?}");
        assert!(!text.chars().any(char::is_control) && text.chars().count() <= 600, "{behaviour}: {row:?}");
    }
    // All of them again, several at a time: what they took is given back.
    scene.publish(OUTCOMES.iter().map(|(behaviour, ..)| (*behaviour).to_owned())).await.unwrap();
    let sent = (2 * OUTCOMES.len() + CALM) as u64;
    let retried = OUTCOMES.iter().filter(|(_, state, _)| *state == "pending").count() as u64;
    wait::until("all have misbehaved again", ROUND, async || {
        let books = scene.books("hostile").await?;
        Ok((books.accepted == sent && books.pending == 2 * retried).then_some(()))
    })
    .await
    .unwrap();
    let most = calm + calm / 10 + SLACK;
    wait::until(&format!("the memory is back from {calm} bytes to {most}"), LIMIT, async || {
        Ok((scene.daemon.memory()? <= most).then_some(()))
    })
    .await
    .unwrap();
    eprintln!("from {calm} bytes of memory to {}", scene.daemon.memory().unwrap());
    an_endless_call_ends_by_a_shorter_deadline(&mut scene, sent).await;
}

/// The endless behaviour again, with a deadline of half a second; `sent` deliveries went to the channel before.
async fn an_endless_call_ends_by_a_shorter_deadline(scene: &mut Scene, sent: u64) {
    scene.client.put("/api/v1/channels/hostile/limits", &json!({"deadline_ms": 500})).await.unwrap();
    wants_only(scene, "loop", "hostile").await;
    scene.publish(["loop".to_owned()]).await.unwrap();
    let row = settled(scene, "loop", "dead").await;
    assert!(row.note.as_deref().unwrap_or_default().contains("crashed (timeout)"), "{row:?}");
    let books = scene.books("hostile").await.unwrap();
    assert!(books.balance() && books.accepted == sent + 1, "{books:?}");
    let all = sent + 2;
    wait::until("the other channel has delivered all", LIMIT, async || {
        Ok((scene.books("email").await?.delivered == all).then_some(()))
    })
    .await
    .unwrap();
    // A call that does not end holds up no administrator, and its deliveries are held, not lost.
    channel::switch(&scene.client, "endless", false).await.unwrap();
    let books = scene.books("endless").await.unwrap();
    assert_eq!((books.accepted, books.pending), (2, 2), "{books:?}");
}

/// A user named like the behaviour wants messages about a package of that name, at an address that asks for it.
async fn wants_only(scene: &Scene, behaviour: &str, channel: &str) {
    let only = rule("package_filter", Some(("package", behaviour)));
    let address = format!("{behaviour}@example.org");
    channel::subscribe(&scene.client, &subscription(&user(behaviour), channel, &[&address], only)).await.unwrap();
}

/// A name for a URL.
fn user(behaviour: &str) -> String {
    behaviour.replace('+', "-")
}

/// Waits until the delivery of that behaviour was tried and is in `state`.
async fn settled(scene: &Scene, behaviour: &str, state: &str) -> DeliveryInfo {
    let path = format!("/api/v1/deliveries?channel=hostile&user={}", user(behaviour));
    wait::until(&format!("{behaviour} is {state}"), LIMIT, async || {
        let rows: Vec<DeliveryInfo> = scene.client.list(&path).await?;
        Ok(rows.into_iter().find(|row| row.state.as_str() == state && row.attempts > 0))
    })
    .await
    .unwrap()
}
