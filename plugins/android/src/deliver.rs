//! Goes through a batch: each delivery to FCM or to its UnifiedPush endpoint.

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

/// Sends them in order. A push server that does not answer in time is not asked again in this batch: others wait behind it.
pub fn deliver(host: &impl Host, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    let mut silent = BTreeSet::new();
    batch::one_by_one(host, deliveries, |delivery| {
        let address = Address::parse(&delivery.recipient.address, settings.plain_http);
        match (address, &settings.fcm) {
            (Ok(Address::Token(token)), Some(project)) => {
                match host.send(&fcm::request(settings, project, &token, delivery, host.now_ms())) {
                    Ok(response) => fcm::judge(&response, &token, host.now_ms()),
                    // Also where the host got no token for the service account: its words say which.
                    Err(Error::Denied(why)) => Outcome::trouble(None, format!("not sent: {why}")),
                    Err(error) => web::failure(&error, Server::Channel),
                }
            }
            (Ok(Address::Token(_)), None) => Outcome::Rejected("this channel has no Firebase project any more".into()),
            (Ok(Address::Endpoint { url, .. }), _) if silent.contains(origin(&url)) => {
                Outcome::retry("the push server did not answer in time just before")
            }
            (Ok(Address::Endpoint { url, keys }), _) => {
                let answer = publish(host, settings, (&url, keys.as_ref()), delivery);
                if matches!(answer, Ok(Err(Error::Timeout))) {
                    silent.insert(origin(&url).to_owned());
                }
                match answer {
                    Ok(Ok(response)) => push::judge(&response, host.now_ms()),
                    Ok(Err(error)) => web::failure(&error, Server::Recipient),
                    Err(reason) => Outcome::Rejected(reason),
                }
            }
            (Err(error), _) => Outcome::Rejected(format!("no address any more: {error}")),
        }
    })
}

/// The push server's answer; to a message that it finds too large, its answer to a shorter one. The outer error is that no
/// message could be made.
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
        answer => Ok(answer),
    }
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let path = url.find("://").and_then(|at| url[at + 3..].find(['/', '?']).map(|path| at + 3 + path));
    &url[..path.unwrap_or(url.len())]
}
