//! The engine and how it is set up: what code may contain, how much of everything there is, and the thread that makes
//! running guests yield.

use std::thread;

use crate::limits;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::SandboxError;

/// An engine for at most `instances` live plugins, with its epoch running.
pub(crate) fn start(instances: u32) -> Result<Engine, SandboxError> {
    let engine = Engine::new(&config(instances)).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
    tick(&engine)?;
    Ok(engine)
}

/// An engine that only compiles, for the same machine: what it makes runs in an engine that was started. It takes one
/// thread, so that what a compilation needs does not depend on the machine's processors, and leaves the others alone.
pub(crate) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(code().parallel_compilation(false))
}

fn config(instances: u32) -> Config {
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    config
}

/// What decides which code comes out, and how it expects to be run.
fn code() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(limits::GUEST_STACK_BYTES)
        // Host functions run on the same fibre, behind the guest's part of it.
        .async_stack_size(limits::GUEST_STACK_BYTES + limits::HOST_STACK_BYTES)
        .async_stack_zeroing(true)
        .wasm_memory64(false)
        // The glue between the parts of a component sees the memories of two; a module has one of its own at most (pool).
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false);
    config
}

/// Address space, reserved once; memory is used only where a guest touches it, and a little of it stays for the next one.
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
        // Linux tells which pages a guest has written (since 6.7): those are put back as they were, and the next guest finds
        // them there. Where it does not tell, all of them would have to be written, which takes longer than mapping anew.
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(limits::WARM_MEMORY_BYTES)
            .table_keep_resident(limits::WARM_TABLE_BYTES)
            .max_unused_warm_slots(limits::WARM_PLACES);
    }
    pool
}

/// Advances the epoch for as long as the engine lives. A thread of its own: on a busy executor a tick would come late, and
/// a looping guest is what makes an executor busy.
fn tick(engine: &Engine) -> Result<(), SandboxError> {
    let engine = engine.weak();
    let beat = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(limits::EPOCH_TICK);
        }
    };
    thread::Builder::new().name("epoch".to_owned()).spawn(beat).map(drop).map_err(SandboxError::Thread)
}
