//! What the sandbox's benchmarks stand on: a sandbox with plugins, deliveries, and how a figure is told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{collections::BTreeMap, fs};

use async_trait::async_trait;
use serde_json::json;
use tempfile::TempDir;
use tidings_domain::delivery::{Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::subscription::Style;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{
    Batch, ChannelHost, ChannelSettings, Compiler, DeliveryLinks, DeliveryRequest, LogLevel, Plugin, Sandbox,
    SandboxOptions, StateError, StreamAppend,
};

/// A sandbox whose compiled code goes away with it.
pub struct Ground {
    sandbox: Sandbox,
    cache: TempDir,
    instances: u32,
}

impl Ground {
    pub fn new(instances: u32) -> Ground {
        let cache = tempfile::tempdir().expect("a directory");
        Ground { sandbox: start(cache.path(), instances), cache, instances }
    }

    /// Another sandbox on the same cache of code.
    pub fn again(&self) -> Sandbox {
        start(self.cache.path(), self.instances)
    }

    /// The component of a plugin of this repository.
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
        self.sandbox.plugin(&admitted, settings, Arc::new(Nobody))
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
    let body = format!(r#"{{"topic": "org.example.test", "msg": {{}}, "msg_id": "2026-{number}"}}"#).into_bytes();
    let envelope = Envelope::read(&Frame { topic: None, body }).expect("an envelope");
    let line = format!("{number:4}: the build of a package has ended, and this line is as long as lines are.\n");
    let address = format!("ralph{number}@example.org");
    let event = StoredEvent {
        id: envelope.id().clone(),
        topic: "org.fedoraproject.prod.buildsys.build.state.change".to_owned(),
        timestamp: Timestamp::from_millis(1),
        application: Some("buildsys".to_owned()),
        title: "buildsys.build.state.change".to_owned(),
        subtitle: format!("ralph's package-{number}-1.0-1.fc22 completed"),
        long_form: line.repeat(1024 / line.len() + 1),
        link: Some(format!("https://koji.example.org/koji/buildinfo?buildID={number}")),
        icon: None,
        secondary_icon: None,
        agent: Some("ralph".to_owned()),
        usernames: vec!["ralph".to_owned()],
        packages: vec![format!("package-{number}")],
        objects: Vec::new(),
        thread: None,
        body: "{}".to_owned(),
    };
    Delivery {
        id: DeliveryId::derive(envelope.id(), "bench", &address),
        attempt: 1,
        accepted_at: Timestamp::from_millis(2),
        user: format!("ralph{number}"),
        address,
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

/// One figure, as a line of JSON.
pub fn tell(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Memory of this process that is in use, in bytes: Linux's count of its pages.
pub fn resident_bytes() -> usize {
    let text = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is among them");
    let kilobytes = line.trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().expect("a number") * 1024
}

/// A daemon that the plugin asks for nothing.
struct Nobody;

#[async_trait]
impl ChannelHost for Nobody {
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
