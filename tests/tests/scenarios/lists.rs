//! Access lists from a package database over HTTP: messages that need the same list cause one request, other messages do not
//! wait, messages stay in order, a change on the bus applies to the next message, and an unavailable service stops nothing.

use bytes::Bytes;
use hyper::Method;
use serde_json::json;
use tidings_api_types::DeliveryInfo;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT, about, rule, subscription};
use tidings_tests::pkgdb::PkgdbServer;
use tidings_tests::samples::SampleMessage;
use tidings_tests::settings::AclSection;
use tidings_tests::wait;

/// Starts a daemon that uses the service, with these time limits for a list and for a message that waits for one.
async fn harness(service: &PkgdbServer, timeout: &str, wait: &str) -> Harness {
    let acl = AclSection { timeout: Some(timeout.into()), wait: Some(wait.into()), ..AclSection::pkgdb(&service.url) };
    Harness::start_with(|settings| settings.acl = Some(acl)).await.unwrap()
}

/// Subscribes the user to messages about the packages of that user.
async fn wants_own_packages(harness: &Harness, user: &str) {
    let mine = rule("user_package_filter", Some(("fasnick", user)));
    let address = format!("{user}@example.org");
    channel::subscribe(&harness.client, &subscription(user, "email", &[&address], mine)).await.unwrap();
}

async fn publish(harness: &mut Harness, package: &str) -> String {
    harness.publisher.send(&about(package)).await.unwrap()
}

/// Publishes the message of the package database about a change of rights.
async fn announce_change(harness: &mut Harness, package: &str) {
    let listing = json!({"package": {"name": package}, "collection": {"branchname": "master"}});
    let msg = json!({"agent": "hyun", "acl": "commit", "package_listing": listing});
    let message = SampleMessage::new("org.fedoraproject.dev.pkgdb.acl.update", msg);
    harness.publisher.send(&message).await.unwrap();
}

/// Waits until the user has `count` messages; returns their ids in the order of acceptance.
async fn messages_for(harness: &Harness, user: &str, count: usize) -> Vec<String> {
    let path = format!("/api/v1/deliveries?channel=email&user={user}&limit=1000");
    wait::until(&format!("{count} messages for {user}"), LIMIT, async || {
        let rows: Vec<DeliveryInfo> = harness.client.list(&path).await?;
        let ids = rows.iter().rev().map(|row| row.message_id.clone());
        Ok((rows.len() >= count).then(|| ids.collect()))
    })
    .await
    .unwrap()
}

/// The value of a counter of the daemon.
async fn counter(harness: &Harness, name: &str) -> u64 {
    let text = harness.client.send(Method::GET, "/metrics", Bytes::new()).await.unwrap().success().unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    value.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_need_one_list_cause_one_request_and_wait_in_order_while_others_are_delivered() {
    let service = PkgdbServer::start().await.unwrap();
    for (package, user) in [("warm", "amara"), ("cold", "bjorn"), ("ice", "bjorn")] {
        service.contact(package, user);
    }
    let mut harness = harness(&service, "60s", "60s").await;
    wants_own_packages(&harness, "amara").await;
    wants_own_packages(&harness, "bjorn").await;
    harness.wants_everything("gustav", "email", &["gustav@example.org"]).await.unwrap();
    publish(&mut harness, "warm").await;
    messages_for(&harness, "amara", 1).await;

    service.hold("cold");
    service.hold("ice");
    let (mut cold, mut ice) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        cold.push(publish(&mut harness, "cold").await);
        ice.push(publish(&mut harness, "ice").await);
        publish(&mut harness, "warm").await;
        harness.publisher.send(&SampleMessage::new("org.fedoraproject.dev.kettle.tick", json!({}))).await.unwrap();
    }
    // The other messages arrive: 21 about the warm package, 20 without a package.
    harness.sink.mails.wait("the others", LIMIT, |mails| (mails.len() >= 21 + 41).then_some(())).await.unwrap();
    assert_eq!(messages_for(&harness, "amara", 21).await.len(), 21);
    assert_eq!(
        (messages_for(&harness, "gustav", 41).await.len(), messages_for(&harness, "bjorn", 0).await.len()),
        (41, 0)
    );
    assert_eq!(counter(&harness, "tidings_messages_waited_total").await, 1 + 40);

    service.release("ice");
    assert_eq!(messages_for(&harness, "bjorn", 20).await, ice, "messages do not wait for the list of another package");
    service.release("cold");
    assert_eq!(messages_for(&harness, "bjorn", 40).await, [ice, cold].concat());
    assert_eq!(["warm", "cold", "ice"].map(|package| service.requests(package)), [1, 1, 1]);
    assert_eq!(messages_for(&harness, "gustav", 81).await.len(), 81);
    assert_eq!(counter(&harness, "tidings_messages_without_lists_total").await, 0);
    assert!(harness.queue_empty("email").await.unwrap().balance());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_announced_on_the_bus_applies_to_the_next_message() {
    let service = PkgdbServer::start().await.unwrap();
    service.contact("quillpad", "amara");
    let mut harness = harness(&service, "60s", "60s").await;
    wants_own_packages(&harness, "amara").await;
    wants_own_packages(&harness, "bjorn").await;
    let first = publish(&mut harness, "quillpad").await;
    assert_eq!(messages_for(&harness, "amara", 1).await, [first]);

    service.contact("quillpad", "bjorn");
    let second = publish(&mut harness, "quillpad").await;
    assert_eq!(messages_for(&harness, "amara", 2).await[1], second, "the change is not announced yet");
    announce_change(&mut harness, "quillpad").await;
    let third = publish(&mut harness, "quillpad").await;
    // The announcement itself is about the package, so its new owner gets it too.
    assert_eq!(messages_for(&harness, "bjorn", 2).await[1], third);
    assert_eq!((messages_for(&harness, "amara", 2).await.len(), service.requests("quillpad")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_service_is_down_the_last_known_list_is_used_and_a_message_without_a_list_is_counted() {
    let service = PkgdbServer::start().await.unwrap();
    service.contact("quillpad", "amara");
    service.contact("lanternd", "amara");
    let mut harness = harness(&service, "1s", "2s").await;
    wants_own_packages(&harness, "amara").await;
    harness.wants_everything("gustav", "email", &["gustav@example.org"]).await.unwrap();
    publish(&mut harness, "quillpad").await;
    messages_for(&harness, "amara", 1).await;

    service.down(true);
    announce_change(&mut harness, "quillpad").await;
    publish(&mut harness, "quillpad").await;
    messages_for(&harness, "amara", 3).await;
    assert_eq!(counter(&harness, "tidings_messages_without_lists_total").await, 0);

    publish(&mut harness, "lanternd").await;
    messages_for(&harness, "gustav", 4).await;
    assert_eq!(counter(&harness, "tidings_messages_without_lists_total").await, 1);
    assert_eq!(messages_for(&harness, "amara", 3).await.len(), 3, "its owners are not known");

    service.down(false);
    let after = publish(&mut harness, "lanternd").await;
    assert_eq!(messages_for(&harness, "amara", 4).await[3], after, "the missing list was not cached");
    assert!(harness.queue_empty("email").await.unwrap().balance());
}
