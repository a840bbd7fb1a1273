//! A plugin that misbehaves (rows 23 to 34): each behaviour ends with its outcome, while another channel delivers.

use std::time::Duration;
use tidings_api_types::DeliveryInfo;

use serde_json::json;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::paths;
use tidings_tests::settings::DaemonSettings;
use tidings_tests::wait;

/// The result of each behaviour: the state of the delivery, and a part of its note.
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

/// The messages that both channels deliver before one of them misbehaves.
const WARM_UP: usize = 50;

/// The memory that the allocator may keep, in bytes, in addition to a tenth of the memory before. On an idle machine the
/// tenth is enough.
const SLACK: u64 = 4 * 1024 * 1024;

/// The time limit of all behaviours together. The executors have a low priority, so a busy machine delays them.
const ROUND: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_ends_with_its_outcome_while_another_channel_delivers() {
    let settings = |settings: &mut DaemonSettings| {
        // Otherwise the channel of the plugin would be quarantined.
        settings.dispatch.quarantine_crashes = Some(0);
        // The first delivery of a batch selects the behaviour for all of them. With larger batches, one that is tried again
        // would take others with it.
        settings.dispatch.batch = 1;
    };
    let mut harness = Harness::start_with(settings).await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let (plugin, nothing) = (paths::plugin("hostile").unwrap(), json!({"reach": []}));
    for name in ["hostile", "endless"] {
        channel::install(&harness.client, name, &plugin, &json!({}), &nothing).await.unwrap();
    }
    let few = json!({"host_calls": 150, "state_keys": 100});
    harness.client.put("/api/v1/channels/hostile/limits", &few).await.unwrap();
    // Meanwhile, a call on another channel runs until the default deadline.
    wants_only(&harness, "loop", "endless").await;
    harness.publish(["loop".to_owned()]).await.unwrap();
    for (behaviour, _, _) in OUTCOMES.iter().chain([&("fine", "delivered", "")]) {
        wants_only(&harness, behaviour, "hostile").await;
    }
    // Before the memory is measured, each channel has made deliveries.
    harness.publish((0..WARM_UP).map(|_| "fine".to_owned())).await.unwrap();
    let arrived = harness.sink.mails.wait("fine", LIMIT, |all| (all.len() > WARM_UP).then_some(()));
    arrived.await.unwrap();
    harness.queue_empty("hostile").await.unwrap();
    let memory_before = harness.daemon.memory().unwrap();
    for (before, (behaviour, state, note)) in OUTCOMES.iter().enumerate() {
        let before = before + 1 + WARM_UP;
        harness.publish([(*behaviour).to_owned()]).await.unwrap();
        // The mail of the other channel arrives first: the plugin does not delay it.
        let arrived = harness.sink.mails.wait(behaviour, LIMIT, |all| (all.len() > before).then_some(()));
        arrived.await.unwrap();
        let row = settled(&harness, behaviour, state).await;
        let text = row.note.as_deref().unwrap_or_default();
        assert!(text.contains(note), "{behaviour}: {row:?}");
        assert!(!text.chars().any(char::is_control) && text.chars().count() <= 600, "{behaviour}: {row:?}");
    }
    // All of them again, several at a time. Afterwards the daemon has freed their memory.
    harness.publish(OUTCOMES.iter().map(|(behaviour, ..)| (*behaviour).to_owned())).await.unwrap();
    let sent = (2 * OUTCOMES.len() + WARM_UP) as u64;
    let retried = OUTCOMES.iter().filter(|(_, state, _)| *state == "pending").count() as u64;
    wait::until("the second round has ended", ROUND, async || {
        let books = harness.books("hostile").await?;
        Ok((books.accepted == sent && books.pending == 2 * retried).then_some(()))
    })
    .await
    .unwrap();
    let limit = memory_before + memory_before / 10 + SLACK;
    wait::until(&format!("the memory, {memory_before} bytes before, is at most {limit}"), LIMIT, async || {
        Ok((harness.daemon.memory()? <= limit).then_some(()))
    })
    .await
    .unwrap();
    eprintln!("memory before and after: {memory_before} and {} bytes", harness.daemon.memory().unwrap());
    an_endless_call_ends_by_a_shorter_deadline(&mut harness, sent).await;
}

/// Requests the behaviour `loop` with a deadline of half a second; the channel had `sent` deliveries before.
async fn an_endless_call_ends_by_a_shorter_deadline(harness: &mut Harness, sent: u64) {
    harness.client.put("/api/v1/channels/hostile/limits", &json!({"deadline_ms": 500})).await.unwrap();
    wants_only(harness, "loop", "hostile").await;
    harness.publish(["loop".to_owned()]).await.unwrap();
    let row = settled(harness, "loop", "dead").await;
    assert!(row.note.as_deref().unwrap_or_default().contains("crashed (timeout)"), "{row:?}");
    let books = harness.books("hostile").await.unwrap();
    assert!(books.balance() && books.accepted == sent + 1, "{books:?}");
    let all = sent + 2;
    wait::until("the other channel has delivered all", LIMIT, async || {
        Ok((harness.books("email").await?.delivered == all).then_some(()))
    })
    .await
    .unwrap();
    // The endless call does not delay a change of its channel, and its deliveries are held.
    channel::switch(&harness.client, "endless", false).await.unwrap();
    let books = harness.books("endless").await.unwrap();
    assert_eq!((books.accepted, books.pending), (2, 2), "{books:?}");
}

/// Subscribes a user with the name of the behaviour to messages about a package of that name, with the address that requests
/// the behaviour.
async fn wants_only(harness: &Harness, behaviour: &str, channel: &str) {
    let only = rule("package_filter", Some(("package", behaviour)));
    let address = format!("{behaviour}@example.org");
    channel::subscribe(&harness.client, &subscription(&user(behaviour), channel, &[&address], only)).await.unwrap();
}

/// The name of the user for a behaviour; valid in a URL.
fn user(behaviour: &str) -> String {
    behaviour.replace('+', "-")
}

/// Waits until the delivery for this behaviour was tried and has this state.
async fn settled(harness: &Harness, behaviour: &str, state: &str) -> DeliveryInfo {
    let path = format!("/api/v1/deliveries?channel=hostile&user={}", user(behaviour));
    wait::until(&format!("{behaviour} is {state}"), LIMIT, async || {
        let rows: Vec<DeliveryInfo> = harness.client.list(&path).await?;
        Ok(rows.into_iter().find(|row| row.state.as_str() == state && row.attempts > 0))
    })
    .await
    .unwrap()
}
