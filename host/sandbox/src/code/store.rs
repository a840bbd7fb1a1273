//! The compiled code of a sandbox's components: from the cache, or from the compiler, one compilation at a time.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::CodeCache;
use super::compiler::Compiler;
use super::error::CompileError;
use super::sealed;
use crate::limits;

/// A component that the engine can run.
pub(crate) struct CompiledComponent {
    pub component: Component,
    /// Its sealed code, if it is not in the cache yet.
    pub new_code: Option<Vec<u8>>,
}

pub(crate) struct CodeStore {
    engine: Engine,
    cache: Arc<CodeCache>,
    compiler: Compiler,
    /// One compilation at a time: its limits are for one.
    compiling: Semaphore,
}

impl CodeStore {
    /// Opens the cache in `directory`.
    ///
    /// # Errors
    /// As [`CodeCache::open`].
    pub(crate) fn open(directory: &Path, engine: &Engine, compiler: Compiler) -> io::Result<CodeStore> {
        let cache = Arc::new(CodeCache::open(directory, engine)?);
        Ok(CodeStore { engine: engine.clone(), cache, compiler, compiling: Semaphore::new(1) })
    }

    /// Compiles the component with this digest, or loads its code from the cache. Returns none if other compilations
    /// take longer than [`limits::COMPILE_WAIT`].
    pub(crate) async fn compile(
        &self,
        digest: &str,
        file: Arc<[u8]>,
    ) -> Result<Option<CompiledComponent>, CompileError> {
        if let Some(component) = self.load(digest).await? {
            return Ok(Some(CompiledComponent { component, new_code: None }));
        }
        let permit = tokio::time::timeout(limits::COMPILE_WAIT, self.compiling.acquire()).await;
        let Ok(permit) = permit else { return Ok(None) };
        let _permit = permit.map_err(|error| CompileError::Unavailable(error.to_string()))?;
        // The compilation before this one may have been of the same file.
        if let Some(component) = self.load(digest).await? {
            return Ok(Some(CompiledComponent { component, new_code: None }));
        }
        let code = self.compiler.compile(&self.cache, file).await?;
        let engine = self.engine.clone();
        let loaded = spawn_blocking(move || {
            let component = sealed::open(&engine, &code)?;
            Ok(Some(CompiledComponent { component, new_code: Some(code) }))
        });
        loaded.await.unwrap_or_else(|error| Err(CompileError::Crashed(error.to_string())))
    }

    /// Writes sealed code to the cache.
    pub(crate) async fn keep(&self, digest: &str, code: Vec<u8>) -> Result<(), CompileError> {
        let (cache, digest) = (Arc::clone(&self.cache), digest.to_owned());
        let kept = spawn_blocking(move || cache.store(&digest, &code)).await;
        kept.map_err(|error| CompileError::Crashed(error.to_string()))
    }

    /// Removes the code of all components but these. Blocks.
    pub(crate) fn keep_only(&self, digests: &HashSet<String>) -> io::Result<()> {
        self.cache.keep_only(digests)
    }

    async fn load(&self, digest: &str) -> Result<Option<Component>, CompileError> {
        let (cache, engine, digest) = (Arc::clone(&self.cache), self.engine.clone(), digest.to_owned());
        let loaded = spawn_blocking(move || cache.load(&engine, &digest)).await;
        loaded.map_err(|error| CompileError::Crashed(error.to_string()))
    }
}
