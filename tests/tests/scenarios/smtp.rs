//! What a mail server may do to us and what follows (rows 39, 40): each trouble is its own delivery's, and whatever is
//! sent again is sent with the same Message-ID.

use std::collections::BTreeSet;
use std::time::Duration;
use tidings_domain::delivery::DeliveryState;

use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::sink::{Act, Phase, ScriptRule};

fn reply(text: &str) -> Act {
    Act::Reply(text.to_owned())
}

/// A scene in which one message for `amara` and one for `bjorn` went out under these rules.
async fn sent_under(rules: impl IntoIterator<Item = ScriptRule>) -> Scene {
    let mut scene = Scene::set().await.unwrap();
    for user in ["amara", "bjorn"] {
        scene.wants_everything(user, "email", &[&format!("{user}@example.org")]).await.unwrap();
    }
    for rule in rules {
        scene.sink.script.add(rule);
    }
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    scene.queue_empty("email").await.unwrap();
    scene
}

/// How many mails an address got, and under how many Message-IDs.
fn received(scene: &Scene, address: &str) -> (usize, usize) {
    let mails = scene.sink.mails.to(address);
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    (mails.len(), ids.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_refusal_of_one_recipient_is_tried_again_and_delays_nobody_else() {
    let later =
        ScriptRule::at(Phase::Recipient, reply("450 4.2.1 mailbox busy")).for_recipient("amara@example.org").times(1);
    let scene = sent_under([later]).await;
    assert_eq!(received(&scene, "amara@example.org"), (1, 1));
    assert_eq!(received(&scene, "bjorn@example.org"), (1, 1));
    let mails = scene.sink.mails.all();
    assert!(mails[0].is_for("bjorn@example.org"), "the busy mailbox came second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_refusal_of_one_recipient_is_the_death_of_that_delivery_alone() {
    let never =
        ScriptRule::at(Phase::Recipient, reply("550 5.2.1 mailbox disabled")).for_recipient("amara@example.org");
    let scene = sent_under([never]).await;
    assert_eq!(received(&scene, "bjorn@example.org"), (1, 1));
    let books = scene.books("email").await.unwrap();
    assert_eq!((books.delivered, books.dead, books.cancelled), (1, 1, 0));
    let rows = scene.deliveries("email").await.unwrap();
    let dead = rows.iter().find(|row| row.state == DeliveryState::Dead).unwrap();
    assert_eq!(dead.address, "amara@example.org");
    assert!(dead.note.as_deref().unwrap().contains("mailbox disabled"), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_lost_after_the_mail_was_taken_means_a_second_one_with_the_same_message_id() {
    let lost = ScriptRule::at(Phase::Body, Act::LoseReply).for_recipient("amara@example.org").times(1);
    let scene = sent_under([lost]).await;
    assert_eq!(received(&scene, "amara@example.org"), (2, 1));
    assert_eq!(received(&scene, "bjorn@example.org"), (1, 1));
    let books = scene.books("email").await.unwrap();
    assert_eq!((books.delivered, books.pending), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_before_the_mail_was_taken_loses_nothing() {
    for phase in [Phase::Greeting, Phase::Hello, Phase::Sender, Phase::Data, Phase::Body] {
        let scene = sent_under([ScriptRule::at(phase, Act::Drop).times(1)]).await;
        assert_eq!(received(&scene, "amara@example.org"), (1, 1), "{phase:?}");
        assert_eq!(received(&scene, "bjorn@example.org"), (1, 1), "{phase:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_421_is_left_alone_and_gets_everything_afterwards() {
    let scene = sent_under([ScriptRule::at(Phase::Sender, reply("421 4.3.2 going down")).times(1)]).await;
    assert_eq!(received(&scene, "amara@example.org"), (1, 1));
    assert_eq!(received(&scene, "bjorn@example.org"), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_greeting_is_waited_for() {
    let scene = sent_under([ScriptRule::at(Phase::Greeting, Act::Wait(Duration::from_secs(5)))]).await;
    let both = scene.sink.mails.wait("both mails", LIMIT, |mails| (mails.len() == 2).then_some(())).await;
    both.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_subjects_beyond_ascii_arrive_as_they_were_written() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("zoe", "email", &["zoë@example.org"]).await.unwrap();
    scene.publish(["naïve-café-✓".to_owned()]).await.unwrap();
    let wanted = |mails: &[std::sync::Arc<tidings_tests::sink::Mail>]| mails.first().cloned();
    let mail = scene.sink.mails.wait("the mail", LIMIT, wanted).await.unwrap();
    assert_eq!(mail.recipients, ["zoë@example.org"]);
    assert!(mail.subject.contains("naïve-café-✓"), "{}", mail.subject);
}
