//! What users change is announced on the bus, as FMN did: `<prefix>.<environment>.fmn.<class>.update` with the user. The
//! announcement is for others; this daemon applies its own changes directly.

use serde_json::{Value, json};
use tidings_bus::Publisher;
use tidings_domain::message::Envelope;

/// Announces changes, where `bus.publish` is set.
pub struct Changes {
    publisher: Option<Publisher>,
    topic_prefix: String,
}

impl Changes {
    /// `topic_prefix` includes the environment.
    pub fn new(publisher: Option<Publisher>, topic_prefix: String) -> Changes {
        Changes { publisher, topic_prefix }
    }

    /// The user's subscription for a channel changed; `what` is FMN's word for it (`filters`, `details`, `enabled`). A
    /// failure is logged: the change is committed and in force here.
    pub async fn preference(&self, user: &str, channel: &str, what: &str) {
        let Some(publisher) = &self.publisher else { return };
        let topic = format!("{}.fmn.preference.update", self.topic_prefix);
        let msg = json!({ "openid": format!("{user}.id.fedoraproject.org"), "context": channel, "changed": what });
        if let Err(error) = publisher.publish(&topic, msg).await {
            tracing::warn!(user, channel, error = %error, "a change could not be announced on the bus");
        }
    }
}

/// The user whose rules a message says have changed: old FMN's `fmn.<class>.update` and new FMN's `fmn.rule.*`.
pub fn changed_user(envelope: &Envelope) -> Option<&str> {
    let (_, kind) = envelope.topic().split_once(".fmn.")?;
    let msg = envelope.msg();
    if kind.starts_with("rule.") && kind.ends_with(".v1") {
        return msg.pointer("/user/name").and_then(Value::as_str);
    }
    let openid = kind.ends_with(".update").then(|| msg.get("openid")).flatten().and_then(Value::as_str)?;
    Some(openid.split_once('.').map_or(openid, |(user, _)| user))
}

#[cfg(test)]
mod tests {
    use tidings_domain::message::Frame;

    use super::*;

    #[test]
    fn a_change_names_its_user() {
        for (topic, msg, user) in [
            ("org.fedoraproject.prod.fmn.filter.update", r#"{"openid":"ralph.id.fedoraproject.org"}"#, Some("ralph")),
            ("org.fedoraproject.prod.fmn.rule.update", r#"{"openid":"ralph"}"#, Some("ralph")),
            ("org.fedoraproject.prod.fmn.rule.update.v1", r#"{"user":{"name":"lena"},"rule":{"id":1}}"#, Some("lena")),
            ("org.fedoraproject.prod.fmn.rule.delete.v1", r#"{"user":{"name":"lena"}}"#, Some("lena")),
            ("org.fedoraproject.prod.fmn.filter.update", r#"{"openid":7}"#, None),
            ("org.fedoraproject.prod.fmn.filter.update", "[]", None),
            ("org.fedoraproject.prod.git.receive", r#"{"openid":"ralph"}"#, None),
        ] {
            let body = format!(r#"{{"topic":"{topic}","msg":{msg}}}"#);
            let envelope = Envelope::read(&Frame { topic: None, body: body.into_bytes() }).expect("it is a message");
            assert_eq!(changed_user(&envelope), user, "{topic} {msg}");
        }
    }
}
