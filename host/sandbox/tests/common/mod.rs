//! What the sandbox's tests share: a daemon in memory, deliveries, the hostile plugin, components written by hand.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod far;
pub mod guest;
pub mod net;
pub mod pager;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use tidings_domain::delivery::{Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::grant::{Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::subscription::Style;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{
    Admitted, Batch, CallReport, ChannelHost, ChannelSettings, CompileLimits, Compiler, DeliveryLinks, DeliveryRequest,
    LogLevel, Plugin, Resolver, Sandbox, SandboxOptions, StateError, StreamAppend,
};

pub const MIB: usize = 1024 * 1024;

/// A sandbox whose compiled code goes away with it.
pub struct Place {
    pub sandbox: Sandbox,
    pub host: Arc<MemoryHost>,
    cache: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place::with(4, None)
    }

    pub fn with(max_instances: u32, tls_ca_file: Option<PathBuf>) -> Place {
        let cache = tempfile::tempdir().expect("a directory");
        let cache_dir = cache.path().join("code");
        let compiler = Compiler::InProcess;
        let options = SandboxOptions { cache_dir, tls_ca_file, max_instances, compiler };
        let sandbox = Sandbox::new(options).expect("a sandbox");
        Place { sandbox, host: Arc::default(), cache }
    }

    /// One in which these names are all that there are.
    pub fn among(names: &Arc<net::Names>) -> Place {
        Place::resolving(Arc::clone(names) as Arc<dyn Resolver>)
    }

    /// One in which names are looked up there.
    pub fn resolving(resolver: Arc<dyn Resolver>) -> Place {
        let cache = tempfile::tempdir().expect("a directory");
        let cache_dir = cache.path().join("code");
        let options = SandboxOptions { cache_dir, tls_ca_file: None, max_instances: 4, compiler: Compiler::InProcess };
        let sandbox = Sandbox::with_resolver(options, resolver).expect("a sandbox");
        Place { sandbox, host: Arc::default(), cache }
    }

    /// Another sandbox on the same compiled code that cannot compile.
    pub fn without_a_compiler(&self) -> Sandbox {
        let limits = CompileLimits::default();
        let compiler = Compiler::Child { program: "/nonexistent/compiler".into(), arguments: Vec::new(), limits };
        let cache_dir = self.cache.path().join("code");
        let options = SandboxOptions { cache_dir, tls_ca_file: None, max_instances: 4, compiler };
        Sandbox::new(options).expect("a sandbox")
    }

    /// How many components' code is kept.
    pub fn kept(&self) -> usize {
        std::fs::read_dir(self.cache.path().join("code")).expect("readable").count()
    }

    pub async fn hostile(&self) -> Admitted {
        self.sandbox.admit(&built("hostile.wasm")).await.expect("admitted")
    }

    pub fn plugin(&self, admitted: &Admitted, limits: PluginLimits, grants: Vec<Grant>, port: u16) -> Plugin {
        let config = [("host", "127.0.0.1".to_owned()), ("port", port.to_string())];
        let config = config.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let grants = Grants { reach: grants, credentials: Vec::new() };
        let settings = ChannelSettings { channel: "test".to_owned(), config, grants, limits };
        self.sandbox.plugin(admitted, settings, Arc::clone(&self.host) as Arc<dyn ChannelHost>)
    }
}

/// A component that `cargo xtask build-plugins` has built.
pub fn built(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}); run `cargo xtask build-plugins` first", path.display())
    })
}

/// Everything out of reach, so that a test can bring one limit near.
pub fn far() -> PluginLimits {
    PluginLimits {
        deadline_ms: 60_000,
        memory_bytes: 256 * MIB,
        table_elements: 100_000,
        hostcall_bytes: 256 * MIB,
        host_calls: u64::MAX,
        log_lines: u32::MAX,
        connections: 1000,
        network_bytes: u64::MAX,
        state_keys: u32::MAX,
        state_bytes: u64::MAX,
    }
}

pub fn crash_of(report: &CallReport) -> (CrashKind, &str) {
    let (kind, detail) = report.crash.as_ref().expect("a crash");
    (*kind, detail)
}

pub fn rejected(report: &CallReport) -> &str {
    match &report.outcomes[0] {
        Outcome::Rejected { reason } => reason,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

pub fn grant(capability: Capability, port: u16, private: bool, plain_http: bool) -> Grant {
    Grant { capability, host: "127.0.0.1".to_owned(), port, private, plain_http }
}

pub fn delivery(address: &str) -> Delivery {
    let body = br#"{"topic": "org.example.test", "msg": {}, "msg_id": "2026-1"}"#.to_vec();
    let envelope = Envelope::read(&Frame { topic: None, body }).expect("an envelope");
    let event = StoredEvent {
        id: envelope.id().clone(),
        topic: envelope.topic().to_owned(),
        timestamp: Timestamp::from_millis(1),
        application: None,
        title: "test".to_owned(),
        subtitle: "something happened".to_owned(),
        long_form: "something happened".to_owned(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: None,
        usernames: vec!["ralph".to_owned()],
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
        body: "{}".to_owned(),
    };
    Delivery {
        id: DeliveryId::derive(envelope.id(), "test", address),
        attempt: 1,
        accepted_at: Timestamp::from_millis(2),
        user: "ralph".to_owned(),
        address: address.to_owned(),
        filter: Some("all".to_owned()),
        style: Style::default(),
        content: Content::Single(Arc::new(event)),
    }
}

pub fn parcels(deliveries: &[Delivery]) -> Batch {
    let parcel = |delivery| DeliveryRequest {
        delivery: Arc::new(delivery),
        links: DeliveryLinks::default(),
        summary: Vec::new(),
    };
    deliveries.iter().cloned().map(parcel).collect()
}

/// The daemon, in memory: state within its bounds, every log line kept.
#[derive(Default)]
pub struct MemoryHost {
    state: Mutex<BTreeMap<String, Vec<u8>>>,
    pub entries: Mutex<Vec<StreamAppend>>,
    pub lines: Mutex<Vec<String>>,
}

#[async_trait]
impl ChannelHost for MemoryHost {
    async fn state_get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.state.lock().expect("a lock").get(key).cloned())
    }

    async fn state_set(&self, _: &str, key: &str, value: &[u8], keys: u32, bytes: u64) -> Result<(), StateError> {
        let mut state = self.state.lock().expect("a lock");
        let mut after = state.clone();
        after.insert(key.to_owned(), value.to_vec());
        let size: usize = after.iter().map(|(key, value)| key.len() + value.len()).sum();
        if after.len() > keys as usize || size as u64 > bytes {
            return Err(StateError::Limit(format!("more than {keys} keys or {bytes} bytes")));
        }
        *state = after;
        Ok(())
    }

    async fn state_delete(&self, _: &str, key: &str) -> Result<(), StateError> {
        self.state.lock().expect("a lock").remove(key);
        Ok(())
    }

    async fn state_keys(&self, _: &str, prefix: &str) -> Result<Vec<String>, StateError> {
        Ok(self.state.lock().expect("a lock").keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn append(&self, _: &str, entries: Vec<StreamAppend>) -> Result<(), StateError> {
        self.entries.lock().expect("a lock").extend(entries);
        Ok(())
    }

    async fn inbox(&self, _: &str, _: &str, text: &str) -> Vec<String> {
        vec![format!("you said {text}")]
    }

    fn log(&self, _: &str, _: LogLevel, line: &str) {
        self.lines.lock().expect("a lock").push(line.to_owned());
    }
}
