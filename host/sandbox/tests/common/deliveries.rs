//! Sample deliveries: one event, one delivery, and requests from them. Tests and benchmarks change what they need.

use std::sync::Arc;

use tidings_domain::delivery::{Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::message::MessageId;
use tidings_domain::subscription::Style;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{Batch, DeliveryLinks, DeliveryRequest};

/// An event of the message with this id.
pub fn event(id: &str) -> StoredEvent {
    StoredEvent {
        id: MessageId::made(id),
        topic: "org.example.test".to_owned(),
        timestamp: Timestamp::from_millis(1),
        application: None,
        title: "test".to_owned(),
        subtitle: "something happened".to_owned(),
        long_form: "something happened".to_owned(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: None,
        usernames: vec!["ralph".to_owned()],
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
        body: "{}".to_owned(),
    }
}

/// The first attempt to deliver an event to an address.
pub fn delivery_of(event: StoredEvent, address: &str) -> Delivery {
    Delivery {
        id: DeliveryId::derive(&event.id, "test", address),
        attempt: 1,
        accepted_at: Timestamp::from_millis(2),
        user: "ralph".to_owned(),
        address: address.to_owned(),
        filter: Some("all".to_owned()),
        style: Style::default(),
        content: Content::Single(Arc::new(event)),
    }
}

/// The deliveries as they are handed to a plugin, without links; each with this summary.
pub fn requests_with(deliveries: &[Delivery], summary: &[&str]) -> Batch {
    let request = |delivery: &Delivery| DeliveryRequest {
        delivery: Arc::new(delivery.clone()),
        links: DeliveryLinks::default(),
        summary: summary.iter().map(ToString::to_string).collect(),
    };
    deliveries.iter().map(request).collect()
}
