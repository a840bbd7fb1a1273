//! The engine's configuration: which code it accepts, how many instances, memories and tables it reserves, and the
//! thread that advances its epochs so that running guests yield.

use std::thread;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::SandboxError;
use crate::limits;

/// Starts an engine for at most `instances` live instances, and its epoch thread.
pub(crate) fn start(instances: u32) -> Result<Engine, SandboxError> {
    let engine = Engine::new(&config(instances)).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
    start_epochs(&engine)?;
    Ok(engine)
}

/// An engine that only compiles; its code runs in an engine that was started. It uses one thread, so that the needs of
/// a compilation do not depend on the number of processors.
pub(crate) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(code_config().parallel_compilation(false))
}

fn config(instances: u32) -> Config {
    let mut config = code_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    config
}

/// The settings that decide which code the compiler emits. Both engines must agree on them.
fn code_config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(limits::GUEST_STACK_BYTES)
        // Host functions run on the same fibre, beyond the guest's part of it.
        .async_stack_size(limits::GUEST_STACK_BYTES + limits::HOST_STACK_BYTES)
        .async_stack_zeroing(true)
        .wasm_memory64(false)
        // Adapters between the modules of a component access two memories. A module defines at most one (see `pool`).
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false);
    config
}

/// Address space, reserved once. Memory is used only where a guest touches it; a little of it stays mapped for the next
/// one.
fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(limits::CORE_INSTANCES))
        .total_memories(instances.saturating_mul(limits::CORE_MEMORIES))
        .total_tables(instances.saturating_mul(limits::CORE_TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(limits::CORE_INSTANCES)
        .max_memories_per_component(limits::CORE_MEMORIES)
        .max_tables_per_component(limits::CORE_TABLES)
        .max_tables_per_module(limits::CORE_TABLES)
        .max_memory_size(tidings_domain::limits::PLUGIN_MEMORY_CEILING)
        .table_elements(tidings_domain::limits::PLUGIN_TABLE_CEILING)
        .async_stack_keep_resident(limits::WARM_STACK_BYTES);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        // Linux 6.7 reports which pages a guest has written: those are reset and kept for the next guest. Without the
        // report all pages would have to be reset, which takes longer than a new mapping.
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(limits::WARM_MEMORY_BYTES)
            .table_keep_resident(limits::WARM_TABLE_BYTES)
            .max_unused_warm_slots(limits::WARM_SLOTS);
    }
    pool
}

/// Advances the epoch while the engine lives. It has its own thread: on an executor that a looping guest keeps busy,
/// ticks would be late.
fn start_epochs(engine: &Engine) -> Result<(), SandboxError> {
    let engine = engine.weak();
    let advance = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(limits::EPOCH_TICK);
        }
    };
    thread::Builder::new().name("epoch".to_owned()).spawn(advance).map(drop).map_err(SandboxError::Thread)
}
