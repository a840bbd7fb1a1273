//! What one channel gives its plugin, the same in each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_domain::grant::Grants;
use tidings_domain::limits::{self, PluginLimits};
use tidings_domain::outcome::Outcome;
use tidings_domain::secret::Redaction;
use tidings_domain::text::one_line;

use super::rate_limit::RateLimit;
use crate::channel_host::{ChannelHost, LogLevel};
use crate::credentials::TokenCache;
use crate::network::LookupPermits;

/// A channel's configuration, grants and limits, and what its calls share.
#[derive(Clone)]
pub(crate) struct ChannelContext {
    pub channel: Arc<str>,
    pub config: Arc<BTreeMap<String, String>>,
    pub grants: Arc<Grants>,
    /// Bearer tokens that were obtained with the grants' credentials.
    pub tokens: Arc<TokenCache>,
    /// Removes the channel's secrets from every text that leaves the sandbox.
    pub redaction: Redaction,
    pub lookups: LookupPermits,
    /// Limits the calls of the store.
    pub store_rate: Arc<RateLimit>,
    pub limits: PluginLimits,
    pub host: Arc<dyn ChannelHost>,
}

impl ChannelContext {
    /// Writes a line of the channel's log: redacted, escaped, cut.
    pub(crate) fn log(&self, level: LogLevel, text: String) {
        let line = one_line(&self.redaction.apply(text), limits::REASON_CHARS);
        self.host.log(&self.channel, level, &line);
    }

    /// The outcome without the channel's secrets in its texts.
    pub(crate) fn redacted(&self, outcome: Outcome) -> Outcome {
        outcome.reworded(|text| self.redaction.apply(text))
    }
}
