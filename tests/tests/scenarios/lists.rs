//! Messages and their access lists, from a package database over HTTP: one request however many need a list, nobody else
//! waits, order stays, a change on the bus holds for the next message, and a service that is down stops nothing.

use bytes::Bytes;
use hyper::Method;
use serde_json::json;
use tidings_api_types::DeliveryInfo;
use tidings_tests::channel;
use tidings_tests::pkgdb::PkgdbServer;
use tidings_tests::samples::SampleMessage;
use tidings_tests::scene::{LIMIT, Scene, about, rule, subscription};
use tidings_tests::settings::AclSection;
use tidings_tests::wait;

/// A daemon that asks the service. Its lists, and messages for them, may take so long.
async fn scene(service: &PkgdbServer, timeout: &str, wait: &str) -> Scene {
    let acl = AclSection { timeout: Some(timeout.into()), wait: Some(wait.into()), ..AclSection::pkgdb(&service.url) };
    Scene::set_with(|settings| settings.acl = Some(acl)).await.unwrap()
}

/// The user wants to hear of the packages that are his.
async fn wants_own_packages(scene: &Scene, user: &str) {
    let mine = rule("user_package_filter", Some(("fasnick", user)));
    let address = format!("{user}@example.org");
    channel::subscribe(&scene.client, &subscription(user, "email", &[&address], mine)).await.unwrap();
}

async fn publish(scene: &mut Scene, package: &str) -> String {
    scene.publisher.send(&about(package)).await.unwrap()
}

/// What the package database says when somebody's rights change.
async fn announce_change(scene: &mut Scene, package: &str) {
    let listing = json!({"package": {"name": package}, "collection": {"branchname": "master"}});
    let msg = json!({"agent": "hyun", "acl": "commit", "package_listing": listing});
    let message = SampleMessage::new("org.fedoraproject.dev.pkgdb.acl.update", msg);
    scene.publisher.send(&message).await.unwrap();
}

/// The user's messages in the order in which they were accepted, when there are so many.
async fn told(scene: &Scene, user: &str, count: usize) -> Vec<String> {
    let path = format!("/api/v1/deliveries?channel=email&user={user}&limit=1000");
    wait::until(&format!("{count} messages for {user}"), LIMIT, async || {
        let rows: Vec<DeliveryInfo> = scene.client.list(&path).await?;
        let ids = rows.iter().rev().map(|row| row.message_id.clone());
        Ok((rows.len() >= count).then(|| ids.collect()))
    })
    .await
    .unwrap()
}

/// A counter of the daemon's.
async fn counter(scene: &Scene, name: &str) -> u64 {
    let text = scene.client.send(Method::GET, "/metrics", Bytes::new()).await.unwrap().success().unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    value.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_cause_one_request_and_wait_in_order_while_others_pass() {
    let service = PkgdbServer::start().await.unwrap();
    for (package, user) in [("warm", "amara"), ("cold", "bjorn"), ("ice", "bjorn")] {
        service.contact(package, user);
    }
    let mut scene = scene(&service, "60s", "60s").await;
    wants_own_packages(&scene, "amara").await;
    wants_own_packages(&scene, "bjorn").await;
    scene.wants_everything("gustav", "email", &["gustav@example.org"]).await.unwrap();
    publish(&mut scene, "warm").await;
    told(&scene, "amara", 1).await;

    service.hold("cold");
    service.hold("ice");
    let (mut cold, mut ice) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        cold.push(publish(&mut scene, "cold").await);
        ice.push(publish(&mut scene, "ice").await);
        publish(&mut scene, "warm").await;
        scene.publisher.send(&SampleMessage::new("org.fedoraproject.dev.kettle.tick", json!({}))).await.unwrap();
    }
    // The others arrive: 21 about the warm package, 20 without one.
    scene.sink.mails.wait("the others", LIMIT, |mails| (mails.len() >= 21 + 41).then_some(())).await.unwrap();
    assert_eq!(told(&scene, "amara", 21).await.len(), 21);
    assert_eq!((told(&scene, "gustav", 41).await.len(), told(&scene, "bjorn", 0).await.len()), (41, 0));
    assert_eq!(counter(&scene, "tidings_messages_waited_total").await, 1 + 40);

    service.release("ice");
    assert_eq!(told(&scene, "bjorn", 20).await, ice, "one package's messages do not wait for another's");
    service.release("cold");
    assert_eq!(told(&scene, "bjorn", 40).await, [ice, cold].concat());
    assert_eq!(["warm", "cold", "ice"].map(|package| service.asked(package)), [1, 1, 1]);
    assert_eq!(told(&scene, "gustav", 81).await.len(), 81);
    assert_eq!(counter(&scene, "tidings_messages_without_lists_total").await, 0);
    assert!(scene.queue_empty("email").await.unwrap().balance());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_bus_tells_of_holds_for_the_next_message() {
    let service = PkgdbServer::start().await.unwrap();
    service.contact("quillpad", "amara");
    let mut scene = scene(&service, "60s", "60s").await;
    wants_own_packages(&scene, "amara").await;
    wants_own_packages(&scene, "bjorn").await;
    let first = publish(&mut scene, "quillpad").await;
    assert_eq!(told(&scene, "amara", 1).await, [first]);

    service.contact("quillpad", "bjorn");
    let second = publish(&mut scene, "quillpad").await;
    assert_eq!(told(&scene, "amara", 2).await[1], second, "nobody said that it changed");
    announce_change(&mut scene, "quillpad").await;
    let third = publish(&mut scene, "quillpad").await;
    // The announcement is itself about the package, and for its new holder.
    assert_eq!(told(&scene, "bjorn", 2).await[1], third);
    assert_eq!((told(&scene, "amara", 2).await.len(), service.asked("quillpad")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_service_is_down_the_last_known_list_serves_and_an_unknown_one_is_done_without_and_counted() {
    let service = PkgdbServer::start().await.unwrap();
    service.contact("quillpad", "amara");
    service.contact("lanternd", "amara");
    let mut scene = scene(&service, "1s", "2s").await;
    wants_own_packages(&scene, "amara").await;
    scene.wants_everything("gustav", "email", &["gustav@example.org"]).await.unwrap();
    publish(&mut scene, "quillpad").await;
    told(&scene, "amara", 1).await;

    service.down(true);
    announce_change(&mut scene, "quillpad").await;
    publish(&mut scene, "quillpad").await;
    told(&scene, "amara", 3).await;
    assert_eq!(counter(&scene, "tidings_messages_without_lists_total").await, 0);

    publish(&mut scene, "lanternd").await;
    told(&scene, "gustav", 4).await;
    assert_eq!(counter(&scene, "tidings_messages_without_lists_total").await, 1);
    assert_eq!(told(&scene, "amara", 3).await.len(), 3, "nobody is known to hold it");

    service.down(false);
    let after = publish(&mut scene, "lanternd").await;
    assert_eq!(told(&scene, "amara", 4).await[3], after, "it was not remembered that there is no list");
    assert!(scene.queue_empty("email").await.unwrap().balance());
}
