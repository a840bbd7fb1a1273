//! The settings `bus.*`: where messages come from, and where changes are announced.

use std::time::Duration;

use serde::Deserialize;

/// Topics, sources and the publisher.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusConfig {
    /// The part of a topic before the environment.
    pub topic_prefix: String,
    pub environment: String,
    /// Messages older than this are refused as stale; without it age does not matter.
    #[serde(with = "humantime_serde")]
    pub max_message_age: Option<Duration>,
    pub zeromq: Vec<ZeromqConfig>,
    pub publish: Option<PublishConfig>,
}

impl Default for BusConfig {
    fn default() -> Self {
        BusConfig {
            topic_prefix: "org.fedoraproject".into(),
            environment: "prod".into(),
            max_message_age: None,
            zeromq: Vec::new(),
            publish: None,
        }
    }
}

/// Publishers to subscribe to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeromqConfig {
    /// `tcp://host:port`.
    pub endpoints: Vec<String>,
    /// Topic prefixes; `""` is all.
    #[serde(default = "all_topics")]
    pub topics: Vec<String>,
    /// A silence after which the connection is replaced: the protocol cannot tell a quiet publisher from a dead connection.
    #[serde(default = "idle_timeout", with = "humantime_serde")]
    pub idle_timeout: Duration,
}

fn all_topics() -> Vec<String> {
    vec![String::new()]
}

const fn idle_timeout() -> Duration {
    tidings_bus::limits::BUS_IDLE
}

/// Where changes of users' rules are announced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishConfig {
    /// `tcp://host:port` of the PUB socket.
    pub bind: String,
}

impl BusConfig {
    /// The invalid settings, one line each.
    pub(super) fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        let mut check = |valid: bool, error: &str| {
            if !valid {
                errors.push(error.to_owned());
            }
        };
        check(is_word_path(&self.topic_prefix), "bus.topic_prefix must be words joined by dots");
        check(is_word_path(&self.environment), "bus.environment must be a word");
        for source in &self.zeromq {
            check(!source.endpoints.is_empty(), "bus.zeromq.endpoints must not be empty");
            check(!source.topics.is_empty(), "bus.zeromq.topics must not be empty; [\"\"] is all topics");
            check(source.idle_timeout >= Duration::from_secs(1), "bus.zeromq.idle_timeout must be at least 1s");
            for endpoint in &source.endpoints {
                check(is_endpoint(endpoint), &format!("bus.zeromq.endpoints: {endpoint} is not tcp://host:port"));
            }
        }
        if let Some(publish) = &self.publish {
            check(is_endpoint(&publish.bind), &format!("bus.publish.bind: {} is not tcp://host:port", publish.bind));
        }
        errors
    }
}

fn is_word_path(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    text.split('.').all(word)
}

fn is_endpoint(text: &str) -> bool {
    text.strip_prefix("tcp://")
        .and_then(|rest| rest.rsplit_once(':'))
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}
