//! The confirmation of an address: the channel sends a question to the address, and a link in it confirms.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tidings_tests::harness::{Harness, LIMIT};

/// The path of the link to a page in a mail.
fn link(mail: &str, page: &str) -> String {
    let start = mail.find(&format!("/{page}/")).unwrap_or_else(|| panic!("no link to /{page}/ in {mail}"));
    let rest = &mail[start..];
    rest[..rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len())].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_address_before_its_owner_has_confirmed_it() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &[]).await.unwrap();
    let client = harness.client.clone();
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
    assert_eq!(ask("not an address").await.0, 422);
    let mails = harness.sink.mails.clone();
    let mail = mails.wait("the question", LIMIT, |mails| mails.first().map(|mail| mail.text.clone())).await.unwrap();
    let (yes, no) = (link(&mail, "confirm"), link(&mail, "reject"));

    harness.publish(["lantern0".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    assert_eq!(harness.books("email").await.unwrap().accepted, 0, "not confirmed");
    let page = harness.client.text(&yes).await.unwrap();
    assert!(page.contains("amara") && page.contains("Amara@example.org"), "{page}");
    let subscription = harness.client.subscription("amara", "email").await.unwrap();
    assert_eq!(subscription.addresses, [""; 0], "opening the link does not confirm");

    harness.client.post(&yes, "").await.unwrap();
    assert!(harness.client.post(&no, "").await.is_err(), "the question is already answered");
    assert_eq!(ask("amara@example.org").await.0, 200, "after an answer the next question may be sent at once");
    harness.publish(["lantern1".to_owned()]).await.unwrap();
    harness.wait_processed(2).await.unwrap();
    let books = harness.queue_empty("email").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (1, 1));
}
