//! The only room that knows wasmtime. It admits components, instantiates them under limits and grants, calls them, and
//! turns whatever happens (answer, trap, timeout, nonsense) into an outcome. It knows neither the store, nor the
//! dispatcher, nor the API: what a plugin needs of the daemon comes through [`ChannelHost`].

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::Digest as _;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::CrashKind;
use tidings_domain::secret::Redaction;
use tidings_domain::text::one_line;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

mod abi;
mod admission;
mod cache;
mod call;
mod capabilities;
mod compiler;
mod credentials;
mod engine;
mod growth;
mod guest_executor;
mod host;
mod instance_state;
pub mod limits;
mod network;
mod plugin;
mod rate_limit;
mod report;
mod resident;
mod violation;
mod wasi;

pub use admission::AdmissionError;
pub use compiler::{CompileError, CompileLimits, Compiler, DOES_NOT_COMPILE, compile_as_child};
pub use credentials::{CredentialProblem, check_credential};
pub use host::{ChannelHost, LogLevel, StateError, StreamAppend};
pub use network::Resolver;
pub use plugin::{Admitted, Batch, ChannelSettings, DeliveryLinks, DeliveryRequest, Plugin};
pub use report::{CallReport, CallStats};
pub use resident::{ResidentHandle, ResidentStats};

use cache::CodeCache;
use call::Call;
use guest_executor::GuestExecutor;
use instance_state::{ChannelContext, InstanceState};
use network::{Egress, Lookups, System, Tls};

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where compiled code is kept; made private to this user.
    pub cache_dir: PathBuf,
    /// Certificates (PEM) to trust beside the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// Instances that live at the same time, all channels together; [`limits::SANDBOX_INSTANCES`] unless set otherwise.
    pub max_instances: u32,
    pub compiler: Compiler,
}

/// Why there is no sandbox. All of them stop the daemon before it does anything.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the engine does not start: {0}")]
    Engine(String),
    #[error("no thread for the engine's clock")]
    Thread(#[source] io::Error),
    #[error("cannot use the cache of compiled code in {}", path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error("TLS cannot be set up")]
    Tls(#[from] tidings_tls::TlsError),
}

/// The engine and all that its plugins share. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    linker: Linker<InstanceState>,
    cache: Arc<CodeCache>,
    compiler: Compiler,
    tls: Arc<Tls>,
    resolver: Arc<dyn Resolver>,
    places: Arc<Semaphore>,
    /// One compilation at a time: what it may take is for one.
    compiling: Semaphore,
}

impl Sandbox {
    /// Starts the engine. Blocks for some milliseconds: it reserves address space and reads certificates.
    pub fn new(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
        Sandbox::with_resolver(options, Arc::new(System))
    }

    /// The same, with host names resolved by `resolver` instead of by the system.
    pub fn with_resolver(options: SandboxOptions, resolver: Arc<dyn Resolver>) -> Result<Sandbox, SandboxError> {
        let instances = options.max_instances.max(1);
        let engine = engine::start(instances)?;
        let linker = abi::linker(&engine).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let path = options.cache_dir;
        let cache = CodeCache::open(&path, &engine).map_err(|source| SandboxError::Cache { path, source })?;
        let tls = Arc::new(Tls::new(options.tls_ca_file.as_deref())?);
        let places = Arc::new(Semaphore::new(instances as usize));
        let compiling = Semaphore::new(1);
        let (cache, compiler) = (Arc::new(cache), options.compiler);
        let shared = Shared { engine, linker, cache, compiler, tls, resolver, places, compiling };
        Ok(Sandbox { shared: Arc::new(shared) })
    }

    /// Checks a component file, compiles it (or takes its code from the cache), links it and asks it what it is, without
    /// configuration, grants or network. The same file is admitted the same way every time.
    pub async fn admit(&self, file: &[u8]) -> Result<Admitted, AdmissionError> {
        let file: Arc<[u8]> = file.into();
        // Looking at every byte of a large file takes a while: not on a thread that others wait for.
        let looked = aside({
            let file = Arc::clone(&file);
            move || Ok((admission::inspect(&file)?, hex::encode(sha2::Sha256::digest(&file))))
        });
        let (outline, digest) = looked.await?;
        let (component, fresh) = self.compile(&digest, file).await?;
        let linked = outline.version.link(&self.shared.linker, &component);
        let linked = linked.map(Arc::new).map_err(|error| {
            AdmissionError::Contract(one_line(&format!("{error:#}"), tidings_domain::limits::REASON_CHARS))
        })?;
        let manifest = self.describe(&linked).await.ok_or(AdmissionError::Busy)?;
        let manifest = manifest.map_err(|(kind, detail)| AdmissionError::Describe { kind, detail })?;
        manifest.check()?;
        if manifest.lifetime != outline.lifetime {
            let (said, exported) = (manifest.lifetime.as_str(), outline.lifetime.as_str());
            return Err(AdmissionError::Lifetime { said, exported });
        }
        if let Some(code) = fresh {
            // Only now: what is refused leaves nothing behind.
            let (shared, digest) = (Arc::clone(&self.shared), digest.clone());
            aside(move || {
                shared.cache.keep(&digest, &code);
                Ok(())
            })
            .await?;
        }
        let imports = outline.imports;
        Ok(Admitted { inner: Arc::new(plugin::Inner { digest, imports, manifest, linked }) })
    }

    /// Forgets the compiled code of all components but these. It may be called at any time: what is still needed is compiled
    /// again.
    pub async fn keep_only(&self, digests: HashSet<String>) {
        let shared = Arc::clone(&self.shared);
        let swept = tokio::task::spawn_blocking(move || shared.cache.keep_only(&digests)).await;
        if let Err(error) = swept.unwrap_or_else(|error| Err(error.into())) {
            tracing::warn!(%error, "compiled code that nobody needs could not be removed");
        }
    }

    /// The plugin of one channel. Settings are fixed in it: a change of them makes a new one.
    pub fn plugin(&self, admitted: &Admitted, settings: ChannelSettings, host: Arc<dyn ChannelHost>) -> Plugin {
        let fields = admitted.manifest().config.iter().filter(|field| field.secret);
        let values = fields.filter_map(|field| settings.config.get(&field.name));
        let credentials = settings.grants.credentials.iter().map(|credential| credential.value.expose());
        let furniture = ChannelContext {
            redaction: Redaction::new(values.chain(credentials).map(String::as_str)),
            channel: settings.channel.into(),
            config: Arc::new(settings.config),
            grants: Arc::new(settings.grants),
            tokens: Arc::default(),
            lookups: Lookups::default(),
            pace: Arc::default(),
            limits: settings.limits,
            host,
        };
        Plugin { sandbox: self.clone(), admitted: admitted.clone(), furniture, lane: Arc::default() }
    }

    /// Asks for the manifest; none where there is no place for an instance.
    async fn describe(&self, linked: &Arc<abi::LinkedComponent>) -> Option<Result<Manifest, (CrashKind, String)>> {
        let time = limits::QUESTION_DEADLINE;
        let mut call = self.call(nobody(), Batch::default(), time).await?;
        let linked = Arc::clone(linked);
        let question = async move {
            let answer = Call::within(time, linked.describe(call.store())).await;
            call.leave(answer).0
        };
        Some(GuestExecutor::default().run(question).await)
    }

    /// The component; and its sealed code, where that is not in the cache.
    async fn compile(&self, digest: &str, file: Arc<[u8]>) -> Result<(Component, Option<Vec<u8>>), AdmissionError> {
        if let Some(component) = self.cached(digest).await? {
            return Ok((component, None));
        }
        let turn = tokio::time::timeout(limits::COMPILE_WAIT, self.shared.compiling.acquire()).await;
        let turn = turn.map_err(|_| AdmissionError::Busy)?;
        let _turn = turn.map_err(|error| CompileError::Unavailable(error.to_string()))?;
        // Whoever had the turn before may have compiled the same file.
        if let Some(component) = self.cached(digest).await? {
            return Ok((component, None));
        }
        let code = self.shared.compiler.compile(&self.shared.cache, file).await?;
        let shared = Arc::clone(&self.shared);
        aside(move || Ok((cache::open_sealed(&shared.engine, &code)?, Some(code)))).await
    }

    async fn cached(&self, digest: &str) -> Result<Option<Component>, AdmissionError> {
        let (shared, digest) = (Arc::clone(&self.shared), digest.to_owned());
        aside(move || Ok(shared.cache.load(&shared.engine, &digest))).await
    }

    /// A fresh store for one call; none where no place for its instance became free within [`limits::INSTANCE_WAIT`].
    async fn call(&self, furniture: ChannelContext, batch: Batch, time: Duration) -> Option<Call> {
        let place = Arc::clone(&self.shared.places).acquire_owned();
        let place = tokio::time::timeout(limits::INSTANCE_WAIT, place).await.ok()?.ok()?;
        let egress = Egress::new(Arc::clone(&self.shared.tls), &furniture.limits);
        let egress = egress.resolving(Arc::clone(&self.shared.resolver), furniture.lookups.clone());
        let room = InstanceState::new(furniture, egress, batch, time);
        let call = Call::new(&self.shared.engine, room, place);
        call.inspect_err(|error| tracing::error!(%error, "no store for a plugin's call")).ok()
    }
}

/// Does work that takes the processor for a while on a thread of its own.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdmissionError> + Send + 'static,
) -> Result<T, AdmissionError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(CompileError::Crashed(error.to_string()).into()))
}

/// What a plugin gets that is only asked what it is.
fn nobody() -> ChannelContext {
    ChannelContext {
        channel: "".into(),
        config: Arc::default(),
        grants: Arc::default(),
        tokens: Arc::default(),
        redaction: Redaction::default(),
        lookups: Lookups::default(),
        pace: Arc::default(),
        limits: PluginLimits { connections: 0, ..PluginLimits::default() },
        host: Arc::new(Nobody),
    }
}

/// The daemon as seen before there is a channel: nothing is kept, nobody answers.
struct Nobody;

#[async_trait]
impl ChannelHost for Nobody {
    async fn state_get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }

    async fn state_set(&self, _: &str, _: &str, _: &[u8], _: u32, _: u64) -> Result<(), StateError> {
        Err(StateError::Unavailable("there is no channel yet".to_owned()))
    }

    async fn state_delete(&self, _: &str, _: &str) -> Result<(), StateError> {
        Ok(())
    }

    async fn state_keys(&self, _: &str, _: &str) -> Result<Vec<String>, StateError> {
        Ok(Vec::new())
    }

    async fn append(&self, _: &str, _: Vec<StreamAppend>) -> Result<(), StateError> {
        Err(StateError::Unavailable("there is no channel yet".to_owned()))
    }

    async fn inbox(&self, _: &str, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn log(&self, _: &str, level: LogLevel, line: &str) {
        tracing::debug!(?level, line, "a plugin that is being admitted says");
    }
}
