//! The harmless part of WASI 0.2, for components of toolchains that cannot do without: clocks, random numbers, standard
//! output, which becomes lines of the plugin's log, and files, sockets, arguments and an environment of which there are
//! none. Nothing here reaches the outside, and what it uses is bounded and counted like the contract's own imports.

mod stdio;

use crate::limits;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, p2};

use crate::host::LogLevel;
use crate::instance_state::InstanceState;
use stdio::LogStream;

/// What a component may import, as `package/interface`, of any version 0.2.
const INTERFACES: &[&str] = &[
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// Whether a component may import what has this name.
pub(crate) fn offers(name: &str) -> bool {
    let Some((interface, version)) = name.strip_prefix("wasi:").and_then(|name| name.split_once('@')) else {
        return false;
    };
    let patch = version.strip_prefix("0.2.").unwrap_or_default();
    INTERFACES.contains(&interface) && !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())
}

/// Offers it to components. What is linked beyond [`INTERFACES`] cannot be imported: admission comes first.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)
}

/// What one instance has of it.
pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    out: LogStream,
    err: LogStream,
}

impl Wasi {
    fn new() -> Wasi {
        let (out, err) = (LogStream::default(), LogStream::default());
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::GUEST_HANDLES);
        let context = WasiCtx::builder()
            .stdout(out.clone())
            .stderr(err.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(u64::from(limits::RANDOM_BYTES))
            .build();
        Wasi { context, table, out, err }
    }
}

impl WasiView for InstanceState {
    /// Every function of WASI begins here, so this is where it counts as a host call. An end to the call cannot be told
    /// from here; a guest that has had too many ends at its next tick.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.stats.host_calls += 1;
        self.print(false);
        let wasi = self.wasi.get_or_insert_with(|| Box::new(Wasi::new()));
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

impl InstanceState {
    /// Puts what the plugin has printed into its log, line by line; with `all`, also a line that has not ended.
    pub(crate) fn print(&mut self, all: bool) {
        let Some(wasi) = &self.wasi else { return };
        let (out, err) = (wasi.out.lines(all), wasi.err.lines(all));
        for (level, lines) in [(LogLevel::Info, out), (LogLevel::Warning, err)] {
            for line in lines {
                self.line(level, &line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_harmless_part_is_offered() {
        for (name, offered) in [
            ("wasi:cli/environment@0.2.0", true),
            ("wasi:sockets/tcp@0.2.12", true),
            ("wasi:io/streams@0.2.99", true),
            ("wasi:io/streams", false),
            ("wasi:io/streams@0.2.", false),
            ("wasi:io/streams@0.2.+1", false),
            ("wasi:io/streams@0.2.0-rc-2023-11-10", false),
            ("wasi:io/streams@0.3.0", false),
            ("wasi:cli/run@0.2.6", false),
            ("wasi:http/outgoing-handler@0.2.6", false),
            ("wasi:keyvalue/store@0.2.0", false),
            ("tidings:channel/log@1.0.0", false),
        ] {
            assert_eq!(offers(name), offered, "{name}");
        }
    }
}
