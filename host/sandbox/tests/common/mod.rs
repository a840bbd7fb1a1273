//! What the sandbox's tests share: a sandbox with a daemon in memory, deliveries, servers, the hostile plugin, and
//! components from WebAssembly text.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod deliveries;
pub mod guest;
pub mod http_server;
pub mod net;
pub mod pager;
mod recording_host;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tidings_domain::delivery::Delivery;
use tidings_domain::grant::{Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{
    Admitted, Batch, CallReport, ChannelHost, ChannelSettings, CompileLimits, Compiler, Plugin, Resolver, Sandbox,
    SandboxOptions,
};

use recording_host::RecordingHost;

pub const MIB: usize = 1024 * 1024;

/// A sandbox with a daemon in memory. Its cache of compiled code is removed with it.
pub struct SandboxFixture {
    pub sandbox: Sandbox,
    pub host: Arc<RecordingHost>,
    cache: TempDir,
}

impl SandboxFixture {
    pub fn new() -> SandboxFixture {
        SandboxFixture::with(4, None)
    }

    pub fn with(max_instances: u32, tls_ca_file: Option<PathBuf>) -> SandboxFixture {
        let cache = tempfile::tempdir().expect("a directory");
        let options = SandboxOptions { tls_ca_file, max_instances, ..options(&cache) };
        let sandbox = Sandbox::new(options).expect("a sandbox");
        SandboxFixture { sandbox, host: Arc::default(), cache }
    }

    /// A sandbox whose host names `resolver` resolves.
    pub fn with_resolver<R: Resolver + 'static>(resolver: &Arc<R>) -> SandboxFixture {
        let cache = tempfile::tempdir().expect("a directory");
        let resolver = Arc::clone(resolver) as Arc<dyn Resolver>;
        let sandbox = Sandbox::with_resolver(options(&cache), resolver).expect("a sandbox");
        SandboxFixture { sandbox, host: Arc::default(), cache }
    }

    /// Another sandbox on the same compiled code that cannot compile.
    pub fn without_compiler(&self) -> Sandbox {
        let limits = CompileLimits::default();
        let compiler = Compiler::Child { program: "/nonexistent/compiler".into(), arguments: Vec::new(), limits };
        Sandbox::new(SandboxOptions { compiler, ..options(&self.cache) }).expect("a sandbox")
    }

    /// How many components have cached code.
    pub fn cached(&self) -> usize {
        std::fs::read_dir(self.cache.path().join("code")).expect("readable").count()
    }

    /// The lines of the plugin's log.
    pub fn log_lines(&self) -> Vec<String> {
        self.host.lines.lock().expect("a lock").clone()
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

fn options(cache: &TempDir) -> SandboxOptions {
    let cache_dir = cache.path().join("code");
    SandboxOptions { cache_dir, tls_ca_file: None, max_instances: 4, compiler: Compiler::InProcess }
}

/// A component that `cargo xtask build-plugins` has built.
pub fn built(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}); run `cargo xtask build-plugins` first", path.display())
    })
}

/// Limits that no test reaches, so that a test can lower the one that it is about.
pub fn high_limits() -> PluginLimits {
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

/// One event for this address.
pub fn delivery(address: &str) -> Delivery {
    deliveries::delivery_of(deliveries::event("2026-1"), address)
}

/// The deliveries as they are handed to a plugin.
pub fn requests(deliveries: &[Delivery]) -> Batch {
    deliveries::requests_with(deliveries, &[])
}
