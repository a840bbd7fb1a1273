//! Sends a batch: each delivery to FCM or to its UnifiedPush endpoint. It must not know the format of either.

use std::collections::BTreeSet;

use tidings_plugin::batch;
use tidings_plugin::host::Host;
use tidings_plugin::http::{Error, Response};
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Delivery, Outcome};

use crate::address::{Address, Keys};
use crate::content::{MESSAGE_OCTETS, SHORT_OCTETS};
use crate::settings::Settings;
use crate::{fcm, push};

/// Sends the deliveries in order. A push server that times out gets no more requests in this batch, so that it does not
/// delay the other deliveries again.
pub fn deliver(host: &impl Host, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    let mut timed_out = BTreeSet::new();
    batch::one_by_one(host, deliveries, |delivery| {
        let address = Address::parse(&delivery.recipient.address, settings.plain_http);
        match (address, &settings.fcm) {
            (Ok(Address::Token(token)), Some(project)) => {
                match host.send(&fcm::request(settings, project, &token, delivery, host.now_ms())) {
                    Ok(response) => fcm::outcome(&response, &token, host.now_ms()),
                    // Also if the host got no access token for the service account; the reason says so.
                    Err(Error::Denied(reason)) => Outcome::trouble(None, format!("not sent: {reason}")),
                    Err(error) => web::failure(&error, Server::Channel),
                }
            }
            (Ok(Address::Token(_)), None) => Outcome::Rejected("this channel no longer has a Firebase project".into()),
            (Ok(Address::Endpoint { url, .. }), _) if timed_out.contains(origin(&url)) => {
                Outcome::retry("not sent: the push server timed out earlier in this batch")
            }
            (Ok(Address::Endpoint { url, keys }), _) => {
                let result = publish(host, settings, (&url, keys.as_ref()), delivery);
                if matches!(result, Ok(Err(Error::Timeout))) {
                    timed_out.insert(origin(&url).to_owned());
                }
                match result {
                    Ok(Ok(response)) => push::outcome(&response, host.now_ms()),
                    Ok(Err(error)) => web::failure(&error, Server::Recipient),
                    Err(reason) => Outcome::Rejected(reason),
                }
            }
            (Err(error), _) => Outcome::Rejected(format!("the address is no longer valid: {error}")),
        }
    })
}

/// Sends one message and returns the response of the push server. If the message is too large for it, sends a shorter one.
/// The outer error is that the message cannot be encrypted.
fn publish(
    host: &impl Host,
    settings: &Settings,
    endpoint: (&str, Option<&Keys>),
    delivery: &Delivery,
) -> Result<Result<Response, Error>, String> {
    let send = |octets| {
        let request = push::request(settings, endpoint, delivery, octets, host.now_ms())?;
        Ok::<_, String>(host.send(&request))
    };
    match send(MESSAGE_OCTETS)? {
        Ok(response) if response.status == 413 => send(SHORT_OCTETS),
        result => Ok(result),
    }
}

/// The scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let path = url.find("://").and_then(|at| url[at + 3..].find(['/', '?']).map(|path| at + 3 + path));
    &url[..path.unwrap_or(url.len())]
}
