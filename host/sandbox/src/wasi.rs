//! The part of WASI 0.2 that cannot reach the outside, for toolchains whose components import it: clocks, random
//! numbers, standard output (lines of the plugin's log), and empty sets of files, sockets, arguments and environment
//! variables. Its calls and bytes are limited and counted like those of the contract's own imports.

use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtxView, WasiView, p2};

use crate::channel_host::LogLevel;
use crate::instance::{InstanceState, WasiContext};

/// The interfaces that a component may import, as `package/interface`, in any version 0.2.
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

/// Whether a component may import the interface with this full name.
pub(crate) fn offers(name: &str) -> bool {
    let Some((interface, version)) = name.strip_prefix("wasi:").and_then(|name| name.split_once('@')) else {
        return false;
    };
    let patch = version.strip_prefix("0.2.").unwrap_or_default();
    INTERFACES.contains(&interface) && !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())
}

/// Adds WASI to the linker. Admission refuses imports beyond [`INTERFACES`] before anything is linked.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)
}

impl WasiView for InstanceState {
    /// Every function of WASI starts here, so this counts the host call. It cannot end the call; a guest beyond its
    /// limit ends at its next tick.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.stats.host_calls += 1;
        self.log_printed(false);
        self.wasi.get_or_insert_with(|| Box::new(WasiContext::new())).view()
    }
}

impl InstanceState {
    /// Writes printed lines to the plugin's log; with `unfinished`, also a line without its end.
    pub(crate) fn log_printed(&mut self, unfinished: bool) {
        let Some(wasi) = &self.wasi else { return };
        let (stdout, stderr) = wasi.take_lines(unfinished);
        for (level, lines) in [(LogLevel::Info, stdout), (LogLevel::Warning, stderr)] {
            for line in lines {
                self.log_line(level, &line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_without_outside_access_are_offered() {
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
