//! The records that are passed to a plugin, with the contract's fields in its order, borrowed from the domain's values.
//! A text is copied once, into the guest's memory. They are bound by hand because the generated records own their
//! texts.

use tidings_domain::delivery::{self, StoredEvent};
use wasmtime::component::{ComponentType, Lower};

use crate::delivery_request::DeliveryRequest;

/// For additions of later revisions; empty so far.
type Extra = &'static [(&'static str, &'static str)];

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct DeliveryRecord<'a> {
    id: &'a str,
    attempt: u32,
    #[component(name = "accepted-ms")]
    accepted_ms: u64,
    recipient: RecipientRecord<'a>,
    content: ContentRecord<'a>,
    extra: Extra,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct RecipientRecord<'a> {
    user: &'a str,
    address: &'a str,
    #[component(name = "filter-name")]
    filter_name: Option<&'a str>,
    #[component(name = "settings-link")]
    settings_link: Option<&'a str>,
    #[component(name = "unsubscribe-link")]
    unsubscribe_link: Option<&'a str>,
    markup: bool,
    #[component(name = "triggered-by")]
    triggered_by: bool,
    verbose: bool,
    extra: Extra,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
#[allow(clippy::large_enum_variant, reason = "nearly all are single, and none lives longer than its call")]
pub(super) enum ContentRecord<'a> {
    #[component(name = "single")]
    Single(EventRecord<'a>),
    #[component(name = "digest")]
    Digest(DigestRecord<'a>),
    #[component(name = "confirmation")]
    Confirmation(ConfirmationRecord<'a>),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct DigestRecord<'a> {
    events: Vec<EventRecord<'a>>,
    summary: &'a [String],
    omitted: u32,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct ConfirmationRecord<'a> {
    code: &'a str,
    #[component(name = "accept-link")]
    accept_link: &'a str,
    #[component(name = "reject-link")]
    reject_link: &'a str,
    #[component(name = "expires-ms")]
    expires_ms: u64,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct EventRecord<'a> {
    id: &'a str,
    topic: &'a str,
    application: &'a str,
    #[component(name = "timestamp-ms")]
    timestamp_ms: u64,
    title: &'a str,
    subtitle: &'a str,
    #[component(name = "long-form")]
    long_form: &'a str,
    link: Option<&'a str>,
    icon: Option<&'a str>,
    #[component(name = "secondary-icon")]
    secondary_icon: Option<&'a str>,
    agent: Option<&'a str>,
    usernames: &'a [String],
    packages: &'a [String],
    objects: &'a [String],
    thread: Option<&'a str>,
    body: &'a str,
    extra: Extra,
}

impl<'a> DeliveryRecord<'a> {
    pub(super) fn of(request: &'a DeliveryRequest) -> Self {
        let delivery = &request.delivery;
        DeliveryRecord {
            id: delivery.id.as_str(),
            attempt: delivery.attempt,
            accepted_ms: delivery.accepted_at.as_millis(),
            recipient: RecipientRecord {
                user: &delivery.user,
                address: &delivery.address,
                filter_name: delivery.filter.as_deref(),
                settings_link: request.links.settings.as_deref(),
                unsubscribe_link: request.links.unsubscribe.as_deref(),
                markup: delivery.style.markup,
                triggered_by: delivery.style.triggered_by,
                verbose: delivery.style.verbose,
                extra: &[],
            },
            content: ContentRecord::of(&delivery.content, &request.summary),
            extra: &[],
        }
    }
}

impl<'a> ContentRecord<'a> {
    fn of(content: &'a delivery::Content, summary: &'a [String]) -> Self {
        match content {
            delivery::Content::Single(event) => ContentRecord::Single(EventRecord::of(event)),
            delivery::Content::Digest { events, omitted } => {
                let events = events.iter().map(|event| EventRecord::of(event)).collect();
                ContentRecord::Digest(DigestRecord { events, summary, omitted: *omitted })
            }
            delivery::Content::Confirmation(question) => ContentRecord::Confirmation(ConfirmationRecord {
                code: &question.code,
                accept_link: &question.accept_link,
                reject_link: &question.reject_link,
                expires_ms: question.expires_at.as_millis(),
            }),
        }
    }
}

impl<'a> EventRecord<'a> {
    fn of(event: &'a StoredEvent) -> Self {
        EventRecord {
            id: event.id.as_str(),
            topic: &event.topic,
            application: event.application.as_deref().unwrap_or_default(),
            timestamp_ms: event.timestamp.as_millis(),
            title: &event.title,
            subtitle: &event.subtitle,
            long_form: &event.long_form,
            link: event.link.as_deref(),
            icon: event.icon.as_deref(),
            secondary_icon: event.secondary_icon.as_deref(),
            agent: event.agent.as_deref(),
            usernames: &event.usernames,
            packages: &event.packages,
            objects: &event.objects,
            thread: event.thread.as_deref(),
            body: &event.body,
            extra: &[],
        }
    }
}
