//! What the sandbox's benchmarks share: a sandbox with plugins, deliveries, and the output of a figure.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{collections::BTreeMap, fs};

use async_trait::async_trait;
use serde_json::json;
use tempfile::TempDir;
use tidings_domain::delivery::{Delivery, StoredEvent};
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_sandbox::{
    Batch, ChannelHost, ChannelSettings, Compiler, LogLevel, Plugin, Sandbox, SandboxOptions, StateError, StreamAppend,
};

#[path = "../../tests/common/deliveries.rs"]
mod sample;

/// A sandbox. Its cache of compiled code is removed with it.
pub struct BenchSandbox {
    sandbox: Sandbox,
    cache: TempDir,
    instances: u32,
}

impl BenchSandbox {
    pub fn new(instances: u32) -> BenchSandbox {
        let cache = tempfile::tempdir().expect("a directory");
        BenchSandbox { sandbox: start(cache.path(), instances), cache, instances }
    }

    /// Starts another sandbox on the same cache.
    pub fn restart(&self) -> Sandbox {
        start(self.cache.path(), self.instances)
    }

    /// The component file of a plugin of this repository.
    pub fn file(&self, name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(format!("{name}.wasm"));
        fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask build-plugins` makes it", path.display()))
    }

    pub async fn plugin(&self, name: &str) -> Plugin {
        let admitted = self.sandbox.admit(&self.file(name)).await.expect("admitted");
        let settings = ChannelSettings {
            channel: name.to_owned(),
            config: BTreeMap::new(),
            grants: Grants::default(),
            limits: PluginLimits::default(),
        };
        self.sandbox.plugin(&admitted, settings, Arc::new(UnusedHost))
    }
}

fn start(cache: &Path, max_instances: u32) -> Sandbox {
    let cache_dir = cache.join("code");
    Sandbox::new(SandboxOptions { cache_dir, tls_ca_file: None, max_instances, compiler: Compiler::InProcess })
        .expect("a sandbox")
}

/// Different events of about a kilobyte of text, for different people.
pub fn deliveries(count: usize) -> Vec<Delivery> {
    (0..count).map(delivery).collect()
}

fn delivery(number: usize) -> Delivery {
    let line = format!("{number:4}: the build of a package has ended, and this line is as long as lines are.\n");
    let event = StoredEvent {
        topic: "org.fedoraproject.prod.buildsys.build.state.change".to_owned(),
        application: Some("buildsys".to_owned()),
        title: "buildsys.build.state.change".to_owned(),
        subtitle: format!("ralph's package-{number}-1.0-1.fc22 completed"),
        long_form: line.repeat(1024 / line.len() + 1),
        link: Some(format!("https://koji.example.org/koji/buildinfo?buildID={number}")),
        agent: Some("ralph".to_owned()),
        packages: vec![format!("package-{number}")],
        ..sample::event(&format!("2026-{number}"))
    };
    let delivery = sample::delivery_of(event, &format!("ralph{number}@example.org"));
    Delivery { user: format!("ralph{number}"), ..delivery }
}

pub fn requests(deliveries: &[Delivery]) -> Batch {
    sample::requests_with(deliveries, &[])
}

/// One figure, as a line of JSON.
pub fn print_figure(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The resident memory of this process, in bytes, as Linux counts it.
pub fn resident_bytes() -> usize {
    let text = fs::read_to_string("/proc/self/status").expect("the status of the process");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line for resident memory");
    let kilobytes = line.trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().expect("a number") * 1024
}

/// A daemon that the plugin does not use.
struct UnusedHost;

#[async_trait]
impl ChannelHost for UnusedHost {
    async fn state_get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }

    async fn state_set(&self, _: &str, _: &str, _: &[u8], _: u32, _: u64) -> Result<(), StateError> {
        Ok(())
    }

    async fn state_delete(&self, _: &str, _: &str) -> Result<(), StateError> {
        Ok(())
    }

    async fn state_keys(&self, _: &str, _: &str) -> Result<Vec<String>, StateError> {
        Ok(Vec::new())
    }

    async fn append(&self, _: &str, _: Vec<StreamAppend>) -> Result<(), StateError> {
        Ok(())
    }

    async fn inbox(&self, _: &str, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn log(&self, _: &str, _: LogLevel, _: &str) {}
}
