//! Disabling a channel holds its deliveries at once; enabling lets them go.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_tests::channel;
use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::sink::{Act, Phase, ScriptRule};
use tokio::time::sleep;

const MESSAGES: u64 = 400;
/// Long enough for hundreds of mails, were any still on their way.
const QUIET: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn after_disable_not_one_further_mail_and_after_enable_the_held_ones_go_out() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    scene.sink.script.add(ScriptRule::at(Phase::Body, Act::Wait(Duration::from_millis(5))));
    scene.publish((0..MESSAGES / 2).map(|number| format!("early-{number:04}"))).await.unwrap();
    scene.sink.mails.wait("the first mails", LIMIT, |mails| (mails.len() >= 20).then_some(())).await.unwrap();

    channel::switch(&scene.client, "email", false).await.unwrap();
    let at_disable = scene.sink.mails.count();
    scene.publish((0..MESSAGES / 2).map(|number| format!("late-{number:04}"))).await.unwrap();
    scene.dealt_with(MESSAGES).await.unwrap();
    sleep(QUIET).await;
    assert_eq!(scene.sink.mails.count(), at_disable, "mails after disable returned");
    let held = scene.books("email").await.unwrap();
    assert_eq!((held.accepted, held.pending), (MESSAGES, MESSAGES - held.delivered), "{held:?}");
    assert!(held.pending >= MESSAGES / 2, "disable came under load: {held:?}");

    channel::switch(&scene.client, "email", true).await.unwrap();
    let books = scene.queue_empty("email").await.unwrap();
    assert_eq!((books.delivered, books.dead, books.cancelled), (MESSAGES, 0, 0));
    let mails = scene.sink.mails.all();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!((mails.len() as u64, ids.len() as u64), (MESSAGES, MESSAGES), "each mail once");
}
