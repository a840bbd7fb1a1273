//! An address enters a subscription by its owner's word: the question goes by the channel, the answer by a link in it.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tidings_tests::scene::{LIMIT, Scene};

/// The link in a mail that leads to that page.
fn link(mail: &str, page: &str) -> String {
    let place = mail.find(&format!("/{page}/")).unwrap_or_else(|| panic!("no link to /{page}/ in {mail}"));
    let rest = &mail[place..];
    rest[..rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len())].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_an_address_before_its_owner_said_yes() {
    let mut scene = Scene::set().await.unwrap();
    scene.wants_everything("amara", "email", &[]).await.unwrap();
    let client = scene.client.clone();
    let ask = async |address: &str| {
        let body = json!({"address": address}).to_string();
        let path = "/api/v1/subscriptions/amara/email/confirmations";
        let answer = client.send(Method::POST, path, Bytes::from(body)).await.unwrap();
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let (status, answer) = ask("Amara@EXAMPLE.org").await;
    assert_eq!(
        (status, &answer["outcome"], &answer["address"]),
        (200, &json!("delivered"), &json!("Amara@example.org"))
    );
    assert_eq!(ask("mallory@example.org").await.0, 429, "one question at a time");
    assert_eq!(ask("no address").await.0, 422);
    let mails = scene.sink.mails.clone();
    let mail = mails.wait("the question", LIMIT, |mails| mails.first().map(|mail| mail.text.clone())).await.unwrap();
    let (yes, no) = (link(&mail, "confirm"), link(&mail, "reject"));

    scene.publish(["lantern0".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    assert_eq!(scene.books("email").await.unwrap().accepted, 0, "not confirmed");
    let page = scene.client.text(&yes).await.unwrap();
    assert!(page.contains("amara") && page.contains("Amara@example.org"), "{page}");
    let subscription = scene.client.subscription("amara", "email").await.unwrap();
    assert_eq!(subscription.addresses, [""; 0], "opening a link only asks");

    scene.client.post(&yes, "").await.unwrap();
    assert!(scene.client.post(&no, "").await.is_err(), "it was answered");
    assert_eq!(ask("amara@example.org").await.0, 200, "asked again after an answer, without a rest");
    scene.publish(["lantern1".to_owned()]).await.unwrap();
    scene.dealt_with(2).await.unwrap();
    let books = scene.queue_empty("email").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (1, 1));
}
