//! One plugin under trial: calls of it against a far side, and what was seen of all of them together.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_domain::delivery::Delivery;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Lifetime, Manifest};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{Admitted, ChannelHost, ChannelSettings, Plugin, Report, Sandbox};

use crate::far::{AS_JSON, Far, Manner};
use crate::finding::{Case, Findings, Verdict};
use crate::host::MemoryHost;
use crate::sample::{Refused, Sample, Setup, deliveries, setup};

/// A call in a trial, in milliseconds: far more than a healthy plugin needs for what it is given here, and few enough
/// that one that never answers is found out soon. All other limits are those of production.
pub const DEADLINE_MS: u64 = 6_000;
/// The same where the far side says nothing, so that the plugin runs into its own timeouts.
pub const MUTE_DEADLINE_MS: u64 = 2_000;
/// For a resident plugin's last words.
const GRACE: Duration = Duration::from_millis(300);
/// The channel's name in a trial.
const CHANNEL: &str = "conformance";

/// What goes on, and what was seen so far.
pub struct Trial<'a> {
    sandbox: &'a Sandbox,
    admitted: &'a Admitted,
    sample: &'a Sample,
    findings: Findings,
    pub seen: Seen,
}

/// What is judged over all calls.
#[derive(Default)]
pub struct Seen {
    /// Texts of outcomes that had line breaks or other control characters.
    pub odd_texts: Vec<String>,
    /// Places that were reached for without a grant.
    pub denied: Vec<String>,
    /// Where a secret was found.
    pub leaks: Vec<String>,
    /// A call did not end by itself: further ones would not either, and are not made.
    pub hung: bool,
}

/// A channel of the plugin, and its far side.
pub struct Channel {
    pub plugin: Plugin,
    pub far: Far,
    pub setup: Setup,
    pub host: Arc<MemoryHost>,
}

impl<'a> Trial<'a> {
    pub fn new(sandbox: &'a Sandbox, admitted: &'a Admitted, sample: &'a Sample) -> Trial<'a> {
        Trial { sandbox, admitted, sample, findings: Findings::default(), seen: Seen::default() }
    }

    pub fn manifest(&self) -> &Manifest {
        self.admitted.manifest()
    }

    /// A channel whose far side is there and behaves like this.
    pub async fn channel(&self, manner: Manner, deadline_ms: u64) -> Result<Channel, Refused> {
        self.open(Far::start(manner).await, deadline_ms)
    }

    /// A channel whose far side refuses connections.
    pub fn refused(&self) -> Result<Channel, Refused> {
        self.open(Far::refusing(), DEADLINE_MS)
    }

    /// The settings for a far side on this port.
    pub fn setup_at(&self, port: u16) -> Result<Setup, Refused> {
        setup(self.manifest(), self.sample, port)
    }

    fn open(&self, far: io::Result<Far>, deadline_ms: u64) -> Result<Channel, Refused> {
        let far = far.map_err(|error| Refused(format!("no port for the far side: {error}")))?;
        let setup = self.setup_at(far.port())?;
        let settings = ChannelSettings {
            channel: CHANNEL.to_owned(),
            config: setup.config.clone(),
            grants: setup.grants.clone(),
            limits: PluginLimits { deadline_ms, ..PluginLimits::default() },
        };
        let host = Arc::<MemoryHost>::default();
        let plugin = self.sandbox.plugin(self.admitted, settings, Arc::clone(&host) as Arc<dyn ChannelHost>);
        Ok(Channel { plugin, far, setup, host })
    }

    /// Delivers, as a channel of this lifetime does, and notes what is judged over all calls.
    pub async fn deliver(&mut self, channel: &Channel, batch: &[Delivery]) -> Report {
        let parcels = deliveries::parcels(batch);
        let report = match channel.plugin.lifetime() {
            Lifetime::PerCall => channel.plugin.deliver(&parcels).await,
            Lifetime::Resident => {
                let resident = channel.plugin.reside();
                let report = resident.deliver(&parcels).await;
                resident.stop(GRACE).await;
                report
            }
        };
        self.seen.note(&report, channel);
        report
    }

    /// Writes down what came of a case.
    pub fn note(&mut self, name: &str, began: Instant, verdict: impl Into<Verdict>) {
        let case = Case { name: name.to_owned(), verdict: verdict.into(), took: began.elapsed() };
        self.findings.cases.push(case);
    }

    pub fn end(self) -> Findings {
        self.findings
    }
}

impl Seen {
    fn note(&mut self, report: &Report, channel: &Channel) {
        self.hung |= matches!(report.crash, Some((CrashKind::Timeout, _)));
        for text in report.outcomes.iter().flat_map(texts) {
            // The sandbox has escaped it: what is escaped here was a control character there, unless it is quoted from a far
            // side that writes it so itself.
            let own = text.replace(AS_JSON, "");
            if ["\\n", "\\r", "\\t", "\\u{"].iter().any(|escape| own.contains(escape)) {
                self.odd_texts.push(text.to_owned());
            }
            self.leak("an outcome", text, &channel.setup);
        }
        for (_, line) in channel.host.take_lines() {
            if let Some(why) = line.strip_prefix("refused: ").filter(|_| report.stats.egress_denials > 0) {
                self.denied.push(why.to_owned());
            }
            self.leak("a line of its log", &line, &channel.setup);
        }
    }

    fn leak(&mut self, place: &str, text: &str, setup: &Setup) {
        if setup.secrets.iter().any(|secret| text.contains(secret.as_str())) {
            self.leaks.push(place.to_owned());
        }
    }
}

/// What the plugin wrote into an outcome.
fn texts(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Delivered { receipt } => receipt.iter().map(String::as_str).collect(),
        Outcome::Retry { reason, .. } | Outcome::Rejected { reason } | Outcome::ChannelTrouble { reason, .. } => {
            vec![reason]
        }
        Outcome::AddressGone { replacement, reason } => {
            replacement.iter().chain([reason]).map(String::as_str).collect()
        }
        // The sandbox's own words.
        Outcome::Crash { .. } => Vec::new(),
    }
}
