//! Tests of the ZeroMQ source against publishers that start late, restart, break the protocol or stop answering.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::*;
use serde_json::json;
use tidings_bus::{EndpointState, Publisher, ZmqSettings};
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const TOPIC: &str = "org.fedoraproject.dev.bodhi.update.comment";

async fn publish(publisher: &Publisher, count: u64) {
    for n in 0..count {
        publisher.publish(TOPIC, json!({ "n": n })).await.unwrap();
    }
}

/// Binds a publisher and waits for the subscriber.
async fn joined(address: &str) -> Publisher {
    let publisher = Publisher::bind(address, "apache").await.unwrap();
    timeout(TEST_TIMEOUT, publisher.joined()).await.expect("a subscriber within the timeout");
    publisher
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_subscribes_to_a_publisher_that_starts_later() {
    let address = free_address().await;
    let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
    until("the first attempt fails", || bus.status().trouble.is_some()).await;
    assert_ne!(bus.status().state, EndpointState::Subscribed);

    let publisher = joined(&address).await;
    publish(&publisher, 3).await;
    for i in 1..=3 {
        assert_eq!(number(&bus.next().await), i);
    }
    let status = bus.status();
    assert_eq!((status.state, status.messages, status.reconnects), (EndpointState::Subscribed, 3, 0));
    assert_eq!(bus.stop().await, [EndpointState::Ended]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_2_no_message_published_after_the_new_subscription_to_a_restarted_publisher_is_lost() {
    let address = free_address().await;
    let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
    for restarts in 0..3 {
        let publisher = joined(&address).await;
        publish(&publisher, 200).await;
        for i in 1..=200 {
            let received = bus.next().await;
            assert_eq!(number(&received), i);
            let envelope = Envelope::read(&received.frame).unwrap();
            received.origin.endpoint.observe(received.origin.connection, &envelope);
        }
        let status = bus.status();
        assert_eq!((status.reconnects, status.restarts, status.gaps, status.missing), (restarts, restarts, 0, 0));
        drop(publisher);
        bus.reached(EndpointState::Connecting).await;
    }
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_are_absent_unresponsive_or_lost_do_not_affect_the_others() {
    let (unresponsive, unresponsive_address) = listener().await;
    let (steady, brief) = (Publisher::bind("tcp://127.0.0.1:0", "a").await.unwrap(), free_address().await);
    let absent = free_address().await;
    let mut bus = Bus::start(&[steady.endpoint(), &brief, &unresponsive_address, &absent], &[], SHORT_TIMEOUTS);
    // Accepted without a handshake, and kept open until the test ends.
    let (_open, _) = timeout(TEST_TIMEOUT, unresponsive.accept()).await.unwrap().unwrap();
    timeout(TEST_TIMEOUT, steady.joined()).await.unwrap();
    drop(joined(&brief).await);

    for i in 1..=20 {
        publish(&steady, 1).await;
        let received = bus.next().await;
        assert_eq!((number(&received), received.origin.endpoint.name()), (i, steady.endpoint()));
    }
    until("the unresponsive one is reported", || bus.endpoints[2].status().trouble.is_some()).await;
    let returned = joined(&brief).await;
    publish(&returned, 1).await;
    assert_eq!(bus.next().await.origin.endpoint.name(), brief);

    assert_eq!(bus.status().reconnects, 0);
    assert!(bus.endpoints[2..].iter().all(|endpoint| endpoint.status().state != EndpointState::Subscribed));
    assert_eq!(bus.stop().await, [EndpointState::Ended; 4], "the endpoints that are still connecting end as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_publisher_that_does_not_answer_is_tried_again() {
    let (listener, address) = listener().await;
    let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
    drop(accept(&listener).await);
    let (_unresponsive, _) = timeout(TEST_TIMEOUT, listener.accept()).await.unwrap().unwrap();
    let mut healthy = timeout(TEST_TIMEOUT, accept(&listener)).await.unwrap();
    healthy.write_all(&wire(&[b"org.test", &numbered(7)])).await.unwrap();
    assert_eq!(number(&bus.next().await), 7);
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_topics_with_a_requested_prefix_arrive() {
    let publisher = Publisher::bind("tcp://127.0.0.1:0", "apache").await.unwrap();
    let mut bus = Bus::start(&[publisher.endpoint()], &["org.a.", "org.b.x"], SHORT_TIMEOUTS);
    timeout(TEST_TIMEOUT, publisher.joined()).await.unwrap();
    for topic in ["org.a.one", "org.c.two", "org.b.x", "org.b.three", "org.a", "org.a.last"] {
        publisher.send(topic, topic).await.unwrap();
    }
    for expected in ["org.a.one", "org.b.x", "org.a.last"] {
        assert_eq!(bus.next().await.frame.topic.unwrap(), expected.as_bytes());
    }
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_8_a_message_with_a_wrong_shape_is_counted_and_the_connection_continues() {
    let (listener, address) = listener().await;
    let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
    let mut publisher = accept(&listener).await;
    let huge = vec![b'x'; 5 * limits::MESSAGE_BYTES];
    let shapes: [&[&[u8]]; 4] = [&[b"one"], &[b"a", b"b", b"c"], &[b"topic", &huge], &[b"", b""]];
    for parts in shapes {
        publisher.write_all(&wire(parts)).await.unwrap();
    }
    publisher.write_all(&wire(&[b"org.test", &numbered(1)])).await.unwrap();

    let empty = bus.next().await.frame;
    assert_eq!((empty.topic, empty.body), (Some(vec![]), vec![]), "the source does not check the content of the parts");
    assert_eq!(number(&bus.next().await), 1);
    let status = bus.status();
    let refused = |reason| status.refused.iter().find(|c| c.reason == reason).map_or(0, |c| c.count);
    assert_eq!((refused(Refusal::WrongParts), refused(Refusal::TooLarge), status.reconnects), (2, 1, 0));
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_the_protocol_is_replaced_and_the_status_has_the_reason() {
    let oversized_frame = [&[2u8][..], &u64::MAX.to_be_bytes()].concat();
    let heartbeat = b"\x04\x07\x04PING\x00\x00".to_vec();
    let cut_short = wire(&[b"org.test", &numbered(1)])[..20].to_vec();
    for (bytes, reason) in [(oversized_frame, "broke"), (heartbeat, "ZMQ_HEARTBEAT_IVL"), (cut_short, "broke")] {
        let (listener, address) = listener().await;
        let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
        let mut broken = accept(&listener).await;
        broken.write_all(&bytes).await.unwrap();
        broken.shutdown().await.unwrap();
        let mut healthy = timeout(TEST_TIMEOUT, accept(&listener)).await.expect("a new connection");
        healthy.write_all(&wire(&[b"org.test", &numbered(2)])).await.unwrap();
        assert_eq!(number(&bus.next().await), 2);
        let status = bus.status();
        let trouble = status.trouble.unwrap();
        assert!(trouble.contains(reason), "{trouble}");
        assert_eq!(status.reconnects, 1);
        bus.stop().await;
    }
}

/// Writes numbered messages until writing blocks for a second; returns the number of bytes written.
async fn flood(publisher: &mut TcpStream, next: &mut u64, padding: &[u8]) -> usize {
    let mut written = 0;
    loop {
        let body = [&numbered(*next)[..], padding].concat();
        let bytes = wire(&[b"org.test", &body]);
        // The last message is incomplete, so it never arrives.
        match timeout(Duration::from_secs(1), publisher.write_all(&bytes)).await {
            Ok(done) => done.unwrap(),
            Err(_) => return written,
        }
        written += bytes.len();
        *next += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_11_messages_that_intake_does_not_take_wait_at_the_publisher_and_not_in_memory() {
    let (listener, address) = listener().await;
    let mut bus = Bus::start(&[&address], &[], SHORT_TIMEOUTS);
    let mut publisher = accept(&listener).await;
    let (mut next, padding) = (0, vec![b' '; 4096]);
    let written = flood(&mut publisher, &mut next, &padding).await;
    assert_eq!(bus.queue.len(), tidings_bus::limits::BUS_BUFFER);
    let bound = tidings_bus::limits::BUS_BUFFER * (padding.len() + 200) + 24 * 1024 * 1024;
    assert!(written < bound, "{written} bytes: more than this buffer and those of the kernel hold");
    assert!(bus.status().waits > 0);

    for i in 0..next {
        assert_eq!(number(&bus.next().await), i, "messages sent before the block keep their order");
    }
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_a_peer_that_vanished_without_closing_is_detected_and_its_gap_counted() {
    let publisher = Publisher::bind("tcp://127.0.0.1:0", "apache").await.unwrap();
    let proxy = Proxy::start(publisher.endpoint()).await;
    let mut bus =
        Bus::start(&[&proxy.address], &[], ZmqSettings { idle: Duration::from_millis(500), ..SHORT_TIMEOUTS });
    timeout(TEST_TIMEOUT, publisher.joined()).await.unwrap();
    let publishing = tokio::spawn(async move {
        loop {
            publish(&publisher, 1).await;
            sleep(Duration::from_millis(10)).await;
        }
    });
    let mut seen = BTreeSet::new();
    let mut record = |received: tidings_bus::Received| {
        let envelope = Envelope::read(&received.frame).unwrap();
        received.origin.endpoint.observe(received.origin.connection, &envelope);
        seen.insert(number(&received));
        received.origin.connection
    };
    for _ in 0..20 {
        assert_eq!(record(bus.next().await), 1);
    }
    proxy.freeze();
    while record(bus.next().await) == 1 {}
    for _ in 0..20 {
        assert_eq!(record(bus.next().await), 2);
    }
    publishing.abort();

    let status = bus.status();
    assert_eq!((status.renewals, status.reconnects, status.gaps), (1, 0, 1));
    let span = seen.last().unwrap() - seen.first().unwrap() + 1;
    assert_eq!(status.missing, span - seen.len() as u64);
    assert!(status.missing >= 30, "half a second without messages, one every 10 ms: {} missing", status.missing);
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_the_connection_to_a_working_but_idle_publisher_loses_nothing() {
    let (listener, address) = listener().await;
    let mut bus = Bus::start(&[&address], &[], ZmqSettings { idle: Duration::from_millis(300), ..SHORT_TIMEOUTS });
    let mut old = accept(&listener).await;
    let (fresh, _) = timeout(TEST_TIMEOUT, listener.accept()).await.expect("a second connection").unwrap();
    let message = |i| wire(&[b"org.test", &numbered(i)]);

    // A publisher sends to each subscription that it has: first the second one does not exist yet, then both exist,
    // then only the second one does.
    old.write_all(&message(1)).await.unwrap();
    let mut fresh = handshake(fresh).await;
    old.write_all(&message(2)).await.unwrap();
    fresh.write_all(&message(2)).await.unwrap();
    for (i, connection) in [(1, 1), (2, 1), (2, 2)] {
        let received = bus.next().await;
        assert_eq!((number(&received), received.origin.connection), (i, connection));
        received.origin.endpoint.observe(connection, &Envelope::read(&received.frame).unwrap());
    }
    let left = timeout(TEST_TIMEOUT, old.read(&mut [0u8; 1])).await.expect("the old connection is closed").unwrap();
    assert_eq!(left, 0);
    fresh.write_all(&message(3)).await.unwrap();
    let received = bus.next().await;
    assert_eq!(number(&received), 3);
    received.origin.endpoint.observe(received.origin.connection, &Envelope::read(&received.frame).unwrap());

    let status = bus.status();
    assert_eq!((status.renewals, status.reconnects, status.gaps, status.restarts), (1, 0, 0, 0));
    bus.stop().await;
}
