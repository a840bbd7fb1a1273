//! What one instance has of WASI: clocks and random numbers, no files, sockets or environment, and two output
//! streams that become lines of the plugin's log.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView};

use super::log_stream::LogStream;
use crate::limits;

/// The state of WASI in one instance.
pub(crate) struct WasiContext {
    context: WasiCtx,
    table: ResourceTable,
    stdout: LogStream,
    stderr: LogStream,
}

impl WasiContext {
    pub(crate) fn new() -> WasiContext {
        let (stdout, stderr) = (LogStream::default(), LogStream::default());
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::GUEST_HANDLES);
        let context = WasiCtx::builder()
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(u64::from(limits::RANDOM_BYTES))
            .build();
        WasiContext { context, table, stdout, stderr }
    }

    pub(crate) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }

    /// Takes the lines printed to standard output and standard error; with `unfinished`, also a line without its end.
    pub(crate) fn take_lines(&self, unfinished: bool) -> (Vec<String>, Vec<String>) {
        (self.stdout.take_lines(unfinished), self.stderr.take_lines(unfinished))
    }
}
