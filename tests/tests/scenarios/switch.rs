//! Disabling a channel holds its deliveries at once; enabling it releases them.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT, about};
use tidings_tests::sink::{Phase, ScriptRule, SmtpFault};

const MESSAGES: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_channel_sends_no_mail_and_once_enabled_it_sends_what_was_held() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    harness.sink.script.add(ScriptRule::at(Phase::Body, SmtpFault::Wait(Duration::from_millis(5))));
    harness.publish((0..MESSAGES / 2).map(|number| format!("early-{number:04}"))).await.unwrap();
    harness.sink.mails.wait("the first mails", LIMIT, |mails| (mails.len() >= 20).then_some(())).await.unwrap();

    channel::switch(&harness.client, "email", false).await.unwrap();
    let mails_for_amara = || harness.sink.mails.to("amara@example.org").len();
    let at_disable = mails_for_amara();
    // Another channel sends the same messages to the same server: meanwhile a late mail of the first would arrive.
    channel::install_email(&harness.client, "control", harness.sink.smtp).await.unwrap();
    harness.wants_everything("lena", "control", &["lena@example.org"]).await.unwrap();
    for number in 0..MESSAGES / 2 {
        harness.publisher.send(&about(&format!("late-{number:04}"))).await.unwrap();
    }
    harness.wait_processed(MESSAGES).await.unwrap();
    assert_eq!(harness.queue_empty("control").await.unwrap().delivered, MESSAGES / 2);
    assert_eq!(mails_for_amara(), at_disable, "no mail after disable returned");
    let held = harness.books("email").await.unwrap();
    assert_eq!((held.accepted, held.pending), (MESSAGES, MESSAGES - held.delivered), "{held:?}");
    assert!(held.pending >= MESSAGES / 2, "the channel was disabled under load: {held:?}");

    channel::switch(&harness.client, "email", true).await.unwrap();
    let books = harness.queue_empty("email").await.unwrap();
    assert_eq!((books.delivered, books.dead, books.cancelled), (MESSAGES, 0, 0));
    let mails = harness.sink.mails.to("amara@example.org");
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!((mails.len() as u64, ids.len() as u64), (MESSAGES, MESSAGES), "each mail once");
}
