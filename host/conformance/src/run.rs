//! A conformance run of one plugin: its calls against a test server, and what was observed over all of them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_domain::delivery::Delivery;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Capability, Lifetime, Manifest};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{Admitted, CallReport, ChannelHost, ChannelSettings, Plugin, Sandbox};

use crate::memory_host::MemoryHost;
use crate::remote_server::{FirstSpeaker, RemoteServer, ServerBehaviour};
use crate::report::{CaseReport, CaseResult, ConformanceReport};
use crate::sample::{Sample, SettingsError, TestSettings, deliveries, setup};

/// The deadline of a call in milliseconds: more than a working plugin needs for these deliveries, and short enough to
/// find a plugin that never answers. All other limits are those of production.
pub const DEADLINE_MS: u64 = 6_000;
/// The same for a silent server, where the plugin must rely on its own timeouts.
pub const SILENT_DEADLINE_MS: u64 = 2_000;
/// The time for a resident plugin's last call.
const STOP_GRACE: Duration = Duration::from_millis(300);
/// The name of the channel.
const CHANNEL: &str = "conformance";

/// The plugin, the results so far, and the observations.
pub struct ConformanceRun<'a> {
    sandbox: &'a Sandbox,
    admitted: &'a Admitted,
    sample: &'a Sample,
    report: ConformanceReport,
    pub observed: Observations,
}

/// What is observed over all calls.
#[derive(Default)]
pub struct Observations {
    /// Denied hosts: the plugin asked for them without a grant.
    pub denied: Vec<String>,
    /// The kinds of text in which a secret was found.
    pub leaks: Vec<String>,
    /// A call did not end before its deadline. Further calls would not either, so they are skipped.
    pub hung: bool,
    /// A single message made the plugin connect to the server.
    pub connects: bool,
    /// A single message was delivered: with these settings the plugin works.
    pub delivers: bool,
}

/// A channel of the plugin, and its server.
pub struct TestChannel {
    pub plugin: Plugin,
    pub server: RemoteServer,
    pub setup: TestSettings,
    pub host: Arc<MemoryHost>,
}

impl<'a> ConformanceRun<'a> {
    pub fn new(sandbox: &'a Sandbox, admitted: &'a Admitted, sample: &'a Sample) -> ConformanceRun<'a> {
        ConformanceRun {
            sandbox,
            admitted,
            sample,
            report: ConformanceReport::default(),
            observed: Observations::default(),
        }
    }

    pub fn manifest(&self) -> &Manifest {
        self.admitted.manifest()
    }

    /// A channel whose server behaves like this.
    pub async fn channel(&self, behaviour: ServerBehaviour, deadline_ms: u64) -> Result<TestChannel, SettingsError> {
        // In HTTP the client sends first, however late. In other protocols the server may.
        let net = self.manifest().grants.iter().any(|grant| grant.capability == Capability::Net);
        let first_speaker = if net { FirstSpeaker::Either } else { FirstSpeaker::Client };
        self.open(RemoteServer::start(behaviour, first_speaker).await, deadline_ms)
    }

    /// Whether a delivery is observable: the plugin may reach the server, or appends to event streams.
    pub fn delivery_is_observable(&self, channel: &TestChannel) -> bool {
        !channel.setup.grants.reach.is_empty() || self.admitted.writes_streams()
    }

    /// A channel whose server refuses connections.
    pub fn refusing_channel(&self) -> Result<TestChannel, SettingsError> {
        self.open(RemoteServer::refusing(), DEADLINE_MS)
    }

    /// The settings for a server on this port.
    pub fn setup_for(&self, port: u16) -> Result<TestSettings, SettingsError> {
        setup(self.manifest(), self.sample, port)
    }

    /// What the plugin asks to reach beyond the server.
    pub fn unreached(&self) -> Vec<String> {
        self.setup_for(1).map(|setup| setup.unreached).unwrap_or_default()
    }

    fn open(&self, server: io::Result<RemoteServer>, deadline_ms: u64) -> Result<TestChannel, SettingsError> {
        let server = server.map_err(|error| SettingsError(format!("no port for the test server: {error}")))?;
        let setup = self.setup_for(server.port())?;
        let settings = ChannelSettings {
            channel: CHANNEL.to_owned(),
            config: setup.config.clone(),
            grants: setup.grants.clone(),
            limits: PluginLimits { deadline_ms, ..PluginLimits::default() },
        };
        let host = Arc::<MemoryHost>::default();
        let plugin = self.sandbox.plugin(self.admitted, settings, Arc::clone(&host) as Arc<dyn ChannelHost>);
        Ok(TestChannel { plugin, server, setup, host })
    }

    /// Delivers, and records the observations.
    pub async fn deliver(&mut self, channel: &TestChannel, batch: &[Delivery]) -> CallReport {
        let report = channel.deliver(batch).await;
        self.observed.record(&report, channel);
        report
    }

    /// Records the result of a case.
    pub fn record(&mut self, name: &str, started: Instant, result: impl Into<CaseResult>) {
        let case = CaseReport { name: name.to_owned(), verdict: result.into(), took: started.elapsed() };
        self.report.cases.push(case);
    }

    pub fn finish(self) -> ConformanceReport {
        ConformanceReport { unreached: self.unreached(), ..self.report }
    }
}

impl TestChannel {
    /// Delivers, as a channel of this lifetime does.
    pub async fn deliver(&self, batch: &[Delivery]) -> CallReport {
        let requests = deliveries::requests(batch);
        match self.plugin.lifetime() {
            Lifetime::PerCall => self.plugin.deliver(&requests).await,
            Lifetime::Resident => {
                let resident = self.plugin.start_resident();
                let report = resident.deliver(&requests).await;
                resident.stop(STOP_GRACE).await;
                report
            }
        }
    }
}

impl Observations {
    fn record(&mut self, report: &CallReport, channel: &TestChannel) {
        self.hung |= matches!(report.crash, Some((CrashKind::Timeout, _)));
        for text in report.outcomes.iter().flat_map(texts) {
            self.find_secret("an outcome", text, &channel.setup);
        }
        for (_, line) in channel.host.take_lines() {
            if let Some(reason) = line.strip_prefix("refused: ").filter(|_| report.stats.egress_denials > 0) {
                self.denied.push(reason.to_owned());
            }
            self.find_secret("a line of its log", &line, &channel.setup);
        }
    }

    fn find_secret(&mut self, kind: &str, text: &str, setup: &TestSettings) {
        if setup.secrets.iter().any(|secret| text.contains(secret.as_str())) {
            self.leaks.push(kind.to_owned());
        }
    }
}

/// The plugin's texts in an outcome.
fn texts(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Delivered { receipt } => receipt.iter().map(String::as_str).collect(),
        Outcome::Retry { reason, .. } | Outcome::Rejected { reason } | Outcome::ChannelTrouble { reason, .. } => {
            vec![reason]
        }
        Outcome::AddressGone { replacement, reason } => {
            replacement.iter().chain([reason]).map(String::as_str).collect()
        }
        // A text of the sandbox, not of the plugin.
        Outcome::Crash { .. } => Vec::new(),
    }
}
