//! Limits of one plugin, which an administrator may change for each channel.

use super::{CALL_DEADLINE, CALL_DEADLINE_MAX_MS, PLUGIN_MEMORY_CEILING, PLUGIN_TABLE_CEILING};

/// What one plugin may use. Every limit is always in force; an administrator may change it for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// One call, guest code and host calls together.
    ///
    /// When hit: the call is interrupted and counts as a crash by timeout.
    pub deadline_ms: u64,
    /// Linear memory of one instance.
    ///
    /// When hit: the call is ended and counts as a crash by memory.
    pub memory_bytes: usize,
    /// Elements of all tables of one instance.
    ///
    /// When hit: the call is ended and counts as a crash by memory.
    pub table_elements: usize,
    /// Bytes that the plugin may pass to the host in each host call, and as the answer of its own call.
    ///
    /// When hit: the call is ended and counts as a crash by host calls.
    pub hostcall_bytes: usize,
    /// Host calls of one call of the plugin.
    ///
    /// When hit: the call is ended and counts as a crash by host calls.
    pub host_calls: u64,
    /// Lines that the plugin may log in one call.
    ///
    /// When hit: further lines are counted, not kept.
    pub log_lines: u32,
    /// Open connections at the same time.
    ///
    /// When hit: the connection fails with an error of the kind `limit`.
    pub connections: u32,
    /// Bytes sent and received over the network in one call.
    ///
    /// When hit: the operation fails with an error of the kind `limit`.
    pub network_bytes: u64,
    /// Keys, and bytes of keys and values, in the `state` of the plugin.
    ///
    /// When hit: the host call returns an error of the kind `limit`.
    pub state_keys: u32,
    pub state_bytes: u64,
}

impl PluginLimits {
    /// The limits that the sandbox cannot enforce, each with the valid range. Zero host calls or connections are valid:
    /// such a plugin can only compute.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        let mut errors = Vec::new();
        let mut check = |name, value: usize, least: usize, most: usize| {
            if !(least..=most).contains(&value) {
                errors.push((name, format!("must be {least} to {most}")));
            }
        };
        check("deadline_ms", usize::try_from(self.deadline_ms).unwrap_or(usize::MAX), 100, CALL_DEADLINE_MAX_MS);
        check("memory_bytes", self.memory_bytes, 1024 * 1024, PLUGIN_MEMORY_CEILING);
        check("table_elements", self.table_elements, 100, PLUGIN_TABLE_CEILING);
        check("hostcall_bytes", self.hostcall_bytes, 64 * 1024, PLUGIN_MEMORY_CEILING);
        check("log_lines", self.log_lines as usize, 0, 100_000);
        check("connections", self.connections as usize, 0, 1000);
        errors
    }
}

impl Default for PluginLimits {
    fn default() -> Self {
        PluginLimits {
            deadline_ms: CALL_DEADLINE.as_millis() as u64,
            memory_bytes: 64 * 1024 * 1024,
            table_elements: 20_000,
            hostcall_bytes: 16 * 1024 * 1024,
            host_calls: 1_000_000,
            log_lines: 200,
            connections: 8,
            network_bytes: 256 * 1024 * 1024,
            state_keys: 1000,
            state_bytes: 1024 * 1024,
        }
    }
}
