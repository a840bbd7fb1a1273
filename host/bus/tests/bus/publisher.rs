//! Tests of the bytes that the publisher sends.

use crate::support::*;
use serde_json::{Value, json};
use tidings_bus::{EndpointState, PublishError, Publisher};
use tidings_domain::canonical;

const TOPIC: &str = "org.fedoraproject.dev.fmn.preference.update";

#[tokio::test(flavor = "multi_thread")]
async fn a_published_message_has_the_two_parts_of_fedmsg_in_canonical_json() {
    let publisher = Publisher::bind("tcp://127.0.0.1:0", "tidings").await.unwrap();
    let mut bus = Bus::start(&[publisher.endpoint()], &[], SHORT_TIMEOUTS);
    bus.reached(EndpointState::Subscribed).await;
    publisher.joined().await;
    let msg = json!({"openid": "ralph", "context": "irc", "changed": "enabled", "é": "☃ 😀", "f": 1.0});
    let ids = [publisher.publish(TOPIC, msg.clone()).await.unwrap(), publisher.publish(TOPIC, msg).await.unwrap()];

    for (n, id) in ids.iter().enumerate() {
        let frame = bus.next().await.frame;
        assert_eq!(frame.topic.unwrap(), TOPIC.as_bytes());
        let body = String::from_utf8(frame.body).unwrap();
        let value: Value = serde_json::from_str(&body).unwrap();
        let timestamp = value["timestamp"].as_u64().expect("whole seconds");
        let expected = format!(
            r#"{{"i":{},"msg":{{"changed":"enabled","context":"irc","f":1.0,"openid":"ralph","\u00e9":"\u2603 \ud83d\ude00"}},"msg_id":"{id}","timestamp":{timestamp},"topic":"{TOPIC}","username":"tidings"}}"#,
            n + 1
        );
        assert_eq!(body, expected);
        assert_eq!(body, canonical::to_string(&value));
        let (year, uuid) = id.split_once('-').unwrap();
        assert!(year.parse::<u32>().unwrap() >= 2024, "{id}");
        assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'4', "{id}");
    }
    assert_ne!(ids[0], ids[1]);
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_published_before_closing_arrive_and_the_port_is_free_again() {
    let publisher = Publisher::bind("tcp://127.0.0.1:0", "tidings").await.unwrap();
    let address = publisher.endpoint().to_owned();
    let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
    publisher.joined().await;
    for _ in 0..1000 {
        publisher.send(TOPIC, numbered(1)).await.unwrap();
    }
    publisher.close().await;
    for _ in 0..1000 {
        bus.next().await;
    }
    let again = Publisher::bind(&address, "tidings").await.unwrap();
    assert_eq!(again.endpoint(), address);
    bus.stop().await;
}

#[tokio::test]
async fn the_error_names_an_address_that_cannot_be_bound() {
    let (_taken, address) = listener().await;
    let taken = Publisher::bind(&address, "tidings").await.err().unwrap();
    assert!(matches!(&taken, PublishError::Bind { address: named, .. } if *named == address), "{taken}");
    let other = Publisher::bind("ipc:///tmp/tidings", "tidings").await.err().unwrap();
    assert!(matches!(other, PublishError::Address(_)), "{other}");
}
