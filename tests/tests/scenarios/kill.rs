//! Promises P1 to P3 after SIGKILL: each accepted delivery arrives, at most the batches in flight twice, and the second time
//! with the same Message-ID.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::sink::{Phase, ScriptRule, SmtpFault};
use tokio::time::{sleep, timeout};

const KILLS: u64 = 20;
const BATCH: usize = 5;
const WINDOW: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_delivery_arrives_although_the_daemon_is_killed_twenty_times_under_load() {
    let mut harness = Harness::start_with(|settings| {
        settings.dispatch.batch = BATCH;
        settings.dispatch.window = WINDOW;
    })
    .await
    .unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org", "amara+2@example.org"]).await.unwrap();
    // Slow enough that calls are in flight at each kill.
    harness.sink.script.add(ScriptRule::at(Phase::Body, SmtpFault::Wait(Duration::from_millis(2))));
    let mut names = (0..).map(|number| format!("load-{number:05}"));
    for kill in 0..KILLS {
        // Kills in different positions of a batch.
        let enough = harness.sink.mails.count() + 3 + kill * 7 % 23;
        let load = async {
            while harness.sink.mails.count() < enough {
                harness.publish(names.next()).await.unwrap();
                sleep(Duration::from_millis(3)).await;
            }
        };
        timeout(LIMIT, load).await.expect("mail arrives while messages are published");
        harness = harness.kill_and_restart().await.unwrap();
    }
    let books = harness.queue_empty("email").await.unwrap();
    assert!(books.balance() && books.accepted == books.delivered, "{books:?}");

    let rows = harness.deliveries("email").await.unwrap();
    let accepted: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(accepted.len() as u64, books.accepted);
    let mails = harness.sink.mails.all();
    let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
    let mut identities: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for mail in &mails {
        let id = mail.message_id.split('@').next().unwrap();
        *copies.entry(id).or_default() += 1;
        identities.entry((&mail.recipients[0], &mail.subject)).or_default().insert(&mail.message_id);
    }
    let arrived: BTreeSet<&str> = copies.keys().copied().collect();
    assert_eq!(arrived, accepted, "the accepted and the arrived deliveries");
    let repeated = mails.len() - arrived.len();
    assert!(repeated <= KILLS as usize * BATCH * WINDOW, "{repeated} mails arrived more than once");
    for (mail, ids) in identities {
        assert_eq!(ids.len(), 1, "{mail:?} arrived with different Message-IDs: {ids:?}");
    }
    println!("{} deliveries, {repeated} mails twice", accepted.len());
}
