//! The sandbox as the daemon sees it: it is set up once and makes the plugin of each channel. Admission of component
//! files is in `admission`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use tidings_domain::secret::Redaction;
use tokio::sync::Semaphore;

use crate::abi;
use crate::admitted::Admitted;
use crate::channel_host::ChannelHost;
use crate::code::{CodeStore, Compiler};
use crate::engine;
use crate::error::SandboxError;
use crate::instance::ChannelContext;
use crate::network::{LookupPermits, Resolver, SystemResolver, Tls};
use crate::plugin::{ChannelSettings, Plugin};
use crate::runtime::Runtime;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where compiled code is kept. The sandbox makes it private to this user.
    pub cache_dir: PathBuf,
    /// Certificates (PEM) to trust in addition to the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// Instances that live at the same time, all channels together; [`limits::SANDBOX_INSTANCES`] unless set otherwise.
    ///
    /// [`limits::SANDBOX_INSTANCES`]: crate::limits::SANDBOX_INSTANCES
    pub max_instances: u32,
    pub compiler: Compiler,
}

/// The engine and everything that its plugins share. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) code: Arc<CodeStore>,
}

impl Sandbox {
    /// Starts the engine. Blocks for some milliseconds: it reserves address space and reads certificates.
    ///
    /// # Errors
    /// The engine does not start, or the cache or the certificates cannot be read.
    pub fn new(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
        Sandbox::with_resolver(options, Arc::new(SystemResolver))
    }

    /// The same, with host names resolved by `resolver` instead of the system.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub fn with_resolver(options: SandboxOptions, resolver: Arc<dyn Resolver>) -> Result<Sandbox, SandboxError> {
        let instances = options.max_instances.max(1);
        let engine = engine::start(instances)?;
        let linker = abi::linker(&engine).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let path = options.cache_dir;
        let code =
            CodeStore::open(&path, &engine, options.compiler).map_err(|source| SandboxError::Cache { path, source })?;
        let tls = Arc::new(Tls::new(options.tls_ca_file.as_deref())?);
        let instance_permits = Arc::new(Semaphore::new(instances as usize));
        let runtime = Runtime { engine, linker, tls, resolver, instance_permits };
        Ok(Sandbox { runtime: Arc::new(runtime), code: Arc::new(code) })
    }

    /// Removes the compiled code of all components but these. It may be called at any time: code that is needed again
    /// is compiled again.
    pub async fn keep_only(&self, digests: HashSet<String>) {
        let code = Arc::clone(&self.code);
        let removed = tokio::task::spawn_blocking(move || code.keep_only(&digests)).await;
        if let Err(error) = removed.unwrap_or_else(|error| Err(error.into())) {
            tracing::warn!(%error, "cannot remove unused compiled code; the next start or change tries again");
        }
    }

    /// The plugin of one channel. It holds the settings: a change of them needs a new one.
    pub fn plugin(&self, admitted: &Admitted, settings: ChannelSettings, host: Arc<dyn ChannelHost>) -> Plugin {
        let fields = admitted.manifest().config.iter().filter(|field| field.secret);
        let values = fields.filter_map(|field| settings.config.get(&field.name));
        let credentials = settings.grants.credentials.iter().map(|credential| credential.value.expose());
        let context = ChannelContext {
            redaction: Redaction::new(values.chain(credentials).map(String::as_str)),
            channel: settings.channel.into(),
            config: Arc::new(settings.config),
            grants: Arc::new(settings.grants),
            tokens: Arc::default(),
            lookups: LookupPermits::default(),
            store_rate: Arc::default(),
            limits: settings.limits,
            host,
        };
        Plugin::new(Arc::clone(&self.runtime), admitted.clone(), context)
    }
}
