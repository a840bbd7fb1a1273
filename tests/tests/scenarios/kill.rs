//! Promises P1 to P3 under kill -9: what was accepted is delivered, at most the batches in flight twice, and the second
//! time with the same Message-ID.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::sink::{Act, Phase, ScriptRule};
use tokio::time::{sleep, timeout};

const KILLS: u64 = 20;
const BATCH: usize = 5;
const WINDOW: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_delivery_arrives_though_the_daemon_is_killed_twenty_times_under_load() {
    let mut scene = Scene::set_with(|settings| {
        settings.dispatch.batch = BATCH;
        settings.dispatch.window = WINDOW;
    })
    .await
    .unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org", "amara+2@example.org"]).await.unwrap();
    // Slow enough that a kill finds calls in flight.
    scene.sink.script.add(ScriptRule::at(Phase::Body, Act::Wait(Duration::from_millis(2))));
    let mut names = (0..).map(|number| format!("load-{number:05}"));
    for kill in 0..KILLS {
        // Not always at the same place of a batch.
        let enough = scene.sink.mails.count() + 3 + kill * 7 % 23;
        let load = async {
            while scene.sink.mails.count() < enough {
                scene.publish(names.next()).await.unwrap();
                sleep(Duration::from_millis(3)).await;
            }
        };
        timeout(LIMIT, load).await.expect("mail arrives while messages are published");
        scene = scene.kill_and_restart().await.unwrap();
    }
    let books = scene.queue_empty("email").await.unwrap();
    assert!(books.balance() && books.accepted == books.delivered, "{books:?}");

    let rows = scene.deliveries("email").await.unwrap();
    let accepted: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(accepted.len() as u64, books.accepted);
    let mails = scene.sink.mails.all();
    let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
    let mut identities: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for mail in &mails {
        let id = mail.message_id.split('@').next().unwrap();
        *copies.entry(id).or_default() += 1;
        identities.entry((&mail.recipients[0], &mail.subject)).or_default().insert(&mail.message_id);
    }
    let arrived: BTreeSet<&str> = copies.keys().copied().collect();
    assert_eq!(arrived, accepted, "what was accepted and what arrived");
    let twice = mails.len() - arrived.len();
    assert!(twice <= KILLS as usize * BATCH * WINDOW, "{twice} mails came more than once");
    for (what, ids) in identities {
        assert_eq!(ids.len(), 1, "{what:?} came with different Message-IDs: {ids:?}");
    }
    println!("{} deliveries, {twice} mails twice", accepted.len());
}
