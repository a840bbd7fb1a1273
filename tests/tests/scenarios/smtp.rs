//! Failures of a mail server (rows 39, 40): each affects only its own delivery, and a repeated mail has the same Message-ID.

use std::collections::BTreeSet;
use std::time::Duration;
use tidings_domain::delivery::DeliveryState;

use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::sink::{Phase, ScriptRule, SmtpFault};

fn reply(text: &str) -> SmtpFault {
    SmtpFault::Reply(text.to_owned())
}

/// Starts the harness and delivers one message to `amara` and one to `bjorn`, with these rules for the mail server.
async fn sent_under(rules: impl IntoIterator<Item = ScriptRule>) -> Harness {
    let mut harness = Harness::start().await.unwrap();
    for user in ["amara", "bjorn"] {
        harness.wants_everything(user, "email", &[&format!("{user}@example.org")]).await.unwrap();
    }
    for rule in rules {
        harness.sink.script.add(rule);
    }
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    harness.queue_empty("email").await.unwrap();
    harness
}

/// Counts the mails to an address, and their distinct Message-IDs.
fn received(harness: &Harness, address: &str) -> (usize, usize) {
    let mails = harness.sink.mails.to(address);
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    (mails.len(), ids.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_refusal_of_one_recipient_is_tried_again_and_delays_no_other_recipient() {
    let later =
        ScriptRule::at(Phase::Recipient, reply("450 4.2.1 mailbox busy")).for_recipient("amara@example.org").times(1);
    let harness = sent_under([later]).await;
    assert_eq!(received(&harness, "amara@example.org"), (1, 1));
    assert_eq!(received(&harness, "bjorn@example.org"), (1, 1));
    let mails = harness.sink.mails.all();
    assert!(mails[0].is_for("bjorn@example.org"), "the mail to the busy mailbox arrives second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_refusal_of_one_recipient_ends_only_that_delivery() {
    let never =
        ScriptRule::at(Phase::Recipient, reply("550 5.2.1 mailbox disabled")).for_recipient("amara@example.org");
    let harness = sent_under([never]).await;
    assert_eq!(received(&harness, "bjorn@example.org"), (1, 1));
    let books = harness.books("email").await.unwrap();
    assert_eq!((books.delivered, books.dead, books.cancelled), (1, 1, 0));
    let rows = harness.deliveries("email").await.unwrap();
    let dead = rows.iter().find(|row| row.state == DeliveryState::Dead).unwrap();
    assert_eq!(dead.address, "amara@example.org");
    assert!(dead.note.as_deref().unwrap().contains("mailbox disabled"), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_reply_is_lost_is_sent_again_with_the_same_message_id() {
    let lost = ScriptRule::at(Phase::Body, SmtpFault::LoseReply).for_recipient("amara@example.org").times(1);
    let harness = sent_under([lost]).await;
    assert_eq!(received(&harness, "amara@example.org"), (2, 1));
    assert_eq!(received(&harness, "bjorn@example.org"), (1, 1));
    let books = harness.books("email").await.unwrap();
    assert_eq!((books.delivered, books.pending), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mail_is_lost_if_the_connection_closes_before_the_server_accepts_it() {
    for phase in [Phase::Greeting, Phase::Hello, Phase::Sender, Phase::Data, Phase::Body] {
        let harness = sent_under([ScriptRule::at(phase, SmtpFault::Drop).times(1)]).await;
        assert_eq!(received(&harness, "amara@example.org"), (1, 1), "{phase:?}");
        assert_eq!(received(&harness, "bjorn@example.org"), (1, 1), "{phase:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reply_of_421_the_channel_waits_and_then_delivers_everything() {
    let harness = sent_under([ScriptRule::at(Phase::Sender, reply("421 4.3.2 going down")).times(1)]).await;
    assert_eq!(received(&harness, "amara@example.org"), (1, 1));
    assert_eq!(received(&harness, "bjorn@example.org"), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_waits_for_a_slow_greeting() {
    let harness = sent_under([ScriptRule::at(Phase::Greeting, SmtpFault::Wait(Duration::from_secs(5)))]).await;
    let both = harness.sink.mails.wait("both mails", LIMIT, |mails| (mails.len() == 2).then_some(())).await;
    both.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_subjects_beyond_ascii_arrive_unchanged() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("zoe", "email", &["zoë@example.org"]).await.unwrap();
    harness.publish(["naïve-café-✓".to_owned()]).await.unwrap();
    let wanted = |mails: &[std::sync::Arc<tidings_tests::sink::Mail>]| mails.first().cloned();
    let mail = harness.sink.mails.wait("the mail", LIMIT, wanted).await.unwrap();
    assert_eq!(mail.recipients, ["zoë@example.org"]);
    assert!(mail.subject.contains("naïve-café-✓"), "{}", mail.subject);
}
