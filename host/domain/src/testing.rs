//! Sample values for the tests of all crates, behind the feature `test-support`. A test names only the fields that it
//! is about and takes the others from here: `StoredEvent { body, ..stored_event("m1") }`. Never part of a release
//! build.

use crate::delivery::{Recipient, StoredEvent};
use crate::message::MessageId;
use crate::subscription::Style;
use crate::time::Timestamp;

/// An event with this id whose optional fields are absent and whose lists are empty.
pub fn stored_event(id: &str) -> StoredEvent {
    StoredEvent {
        id: MessageId::made(id),
        topic: "org.example.topic".to_owned(),
        timestamp: Timestamp::from_millis(1),
        application: None,
        title: "topic".to_owned(),
        subtitle: format!("subtitle of {id}"),
        long_form: String::new(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: None,
        usernames: Vec::new(),
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
        body: "{}".to_owned(),
    }
}

/// The user's address `<user>@example.org` on a channel, matched by the filter `mine`; delivered alone, not in a
/// digest.
pub fn recipient(user: &str, channel: &str) -> Recipient {
    Recipient {
        user: user.to_owned(),
        channel: channel.to_owned(),
        address: format!("{user}@example.org"),
        filter: "mine".to_owned(),
        oneshot: false,
        style: Style::default(),
        digest: None,
    }
}
