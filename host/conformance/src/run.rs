//! One plugin under trial: calls of it against a far side, and what was seen of all of them together.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_domain::delivery::Delivery;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Capability, Lifetime, Manifest};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{Admitted, CallReport, ChannelHost, ChannelSettings, Plugin, Sandbox};

use crate::far::{FirstSpeaker, RemoteServer, ServerBehaviour};
use crate::finding::{CaseReport, CaseResult, ConformanceReport};
use crate::host::MemoryHost;
use crate::sample::{NoSettings, Sample, TestSettings, deliveries, setup};

/// A call in a trial, in milliseconds: far more than a healthy plugin needs for what it is given here, and few enough
/// that one that never answers is found out soon. All other limits are those of production.
pub const DEADLINE_MS: u64 = 6_000;
/// The same where the far side says nothing, so that the plugin runs into its own timeouts.
pub const MUTE_DEADLINE_MS: u64 = 2_000;
/// For a resident plugin's last words.
const GRACE: Duration = Duration::from_millis(300);
/// What plugins import that write event streams.
const EVENT_STREAM: &str = "/event-stream@";
/// The channel's name in a trial.
const CHANNEL: &str = "conformance";

/// What goes on, and what was seen so far.
pub struct ConformanceRun<'a> {
    sandbox: &'a Sandbox,
    admitted: &'a Admitted,
    sample: &'a Sample,
    findings: ConformanceReport,
    pub seen: Observations,
}

/// What is judged over all calls.
#[derive(Default)]
pub struct Observations {
    /// Places that were reached for without a grant.
    pub denied: Vec<String>,
    /// Where a secret was found.
    pub leaks: Vec<String>,
    /// A call did not end by itself: further ones would not either, and are not made.
    pub hung: bool,
    /// A single message made it connect to the far side.
    pub connects: bool,
    /// A single message was delivered: with these settings the plugin works.
    pub delivers: bool,
}

/// A channel of the plugin, and its far side.
pub struct TestChannel {
    pub plugin: Plugin,
    pub far: RemoteServer,
    pub setup: TestSettings,
    pub host: Arc<MemoryHost>,
}

impl<'a> ConformanceRun<'a> {
    pub fn new(sandbox: &'a Sandbox, admitted: &'a Admitted, sample: &'a Sample) -> ConformanceRun<'a> {
        ConformanceRun {
            sandbox,
            admitted,
            sample,
            findings: ConformanceReport::default(),
            seen: Observations::default(),
        }
    }

    pub fn manifest(&self) -> &Manifest {
        self.admitted.manifest()
    }

    /// A channel whose far side is there and behaves like this.
    pub async fn channel(&self, manner: ServerBehaviour, deadline_ms: u64) -> Result<TestChannel, NoSettings> {
        // In HTTP the client begins, however late; only other protocols may have it otherwise.
        let net = self.manifest().grants.iter().any(|grant| grant.capability == Capability::Net);
        let opening = if net { FirstSpeaker::Either } else { FirstSpeaker::Client };
        self.open(RemoteServer::start(manner, opening).await, deadline_ms)
    }

    /// Whether what it delivers can be seen: it may reach the far side, or writes event streams.
    pub fn can_be_heard(&self, channel: &TestChannel) -> bool {
        let streams = || self.admitted.imports().iter().any(|import| import.contains(EVENT_STREAM));
        !channel.setup.grants.reach.is_empty() || streams()
    }

    /// A channel whose far side refuses connections.
    pub fn refused(&self) -> Result<TestChannel, NoSettings> {
        self.open(RemoteServer::refusing(), DEADLINE_MS)
    }

    /// The settings for a far side on this port.
    pub fn setup_at(&self, port: u16) -> Result<TestSettings, NoSettings> {
        setup(self.manifest(), self.sample, port)
    }

    /// What it asks for beyond the far side, whatever the port of that.
    pub fn unreached(&self) -> Vec<String> {
        self.setup_at(1).map(|setup| setup.foreign).unwrap_or_default()
    }

    fn open(&self, far: io::Result<RemoteServer>, deadline_ms: u64) -> Result<TestChannel, NoSettings> {
        let far = far.map_err(|error| NoSettings(format!("no port for the far side: {error}")))?;
        let setup = self.setup_at(far.port())?;
        let settings = ChannelSettings {
            channel: CHANNEL.to_owned(),
            config: setup.config.clone(),
            grants: setup.grants.clone(),
            limits: PluginLimits { deadline_ms, ..PluginLimits::default() },
        };
        let host = Arc::<MemoryHost>::default();
        let plugin = self.sandbox.plugin(self.admitted, settings, Arc::clone(&host) as Arc<dyn ChannelHost>);
        Ok(TestChannel { plugin, far, setup, host })
    }

    /// Delivers, and notes what is judged over all calls.
    pub async fn deliver(&mut self, channel: &TestChannel, batch: &[Delivery]) -> CallReport {
        let report = channel.deliver(batch).await;
        self.seen.note(&report, channel);
        report
    }

    /// Writes down what came of a case.
    pub fn note(&mut self, name: &str, began: Instant, verdict: impl Into<CaseResult>) {
        let case = CaseReport { name: name.to_owned(), verdict: verdict.into(), took: began.elapsed() };
        self.findings.cases.push(case);
    }

    pub fn end(self) -> ConformanceReport {
        ConformanceReport { unreached: self.unreached(), ..self.findings }
    }
}

impl TestChannel {
    /// Delivers, as a channel of this lifetime does.
    pub async fn deliver(&self, batch: &[Delivery]) -> CallReport {
        let parcels = deliveries::parcels(batch);
        match self.plugin.lifetime() {
            Lifetime::PerCall => self.plugin.deliver(&parcels).await,
            Lifetime::Resident => {
                let resident = self.plugin.reside();
                let report = resident.deliver(&parcels).await;
                resident.stop(GRACE).await;
                report
            }
        }
    }
}

impl Observations {
    fn note(&mut self, report: &CallReport, channel: &TestChannel) {
        self.hung |= matches!(report.crash, Some((CrashKind::Timeout, _)));
        for text in report.outcomes.iter().flat_map(texts) {
            self.leak("an outcome", text, &channel.setup);
        }
        for (_, line) in channel.host.take_lines() {
            if let Some(why) = line.strip_prefix("refused: ").filter(|_| report.stats.egress_denials > 0) {
                self.denied.push(why.to_owned());
            }
            self.leak("a line of its log", &line, &channel.setup);
        }
    }

    fn leak(&mut self, place: &str, text: &str, setup: &TestSettings) {
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
