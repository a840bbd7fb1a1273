//! Limits the linear memory and the tables of an instance, each summed over all its core modules. GrowthLimiter beyond
//! the limit ends the call with a typed error, which names the cause.

use tidings_domain::limits::{PLUGIN_MEMORY_CEILING, PLUGIN_TABLE_CEILING, PluginLimits};
use wasmtime::ResourceLimiter;

use crate::limits;
use crate::violation::Violation;

/// Memory and table elements of one instance against their limits.
pub(crate) struct GrowthLimiter {
    memory: Usage,
    tables: Usage,
}

#[derive(Clone, Copy)]
struct Usage {
    used: usize,
    peak: usize,
    limit: usize,
}

impl GrowthLimiter {
    pub(crate) fn new(limits: &PluginLimits) -> GrowthLimiter {
        let usage = |limit, ceiling: usize| Usage { used: 0, peak: 0, limit: ceiling.min(limit) };
        GrowthLimiter {
            memory: usage(limits.memory_bytes, PLUGIN_MEMORY_CEILING),
            tables: usage(limits.table_elements, PLUGIN_TABLE_CEILING),
        }
    }

    /// The peak of linear memory, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        self.memory.peak
    }
}

impl Usage {
    /// Grows one of the items that are counted together from `current` to `desired`. Fails with the sum that it would
    /// have reached if that exceeds the limit.
    fn grow(&mut self, current: usize, desired: usize) -> Result<(), usize> {
        let wanted = self.used.saturating_sub(current).saturating_add(desired);
        if wanted > self.limit {
            return Err(wanted);
        }
        self.used = wanted;
        self.peak = self.peak.max(wanted);
        Ok(())
    }
}

impl ResourceLimiter for GrowthLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // GrowthLimiter beyond the memory's own maximum fails anyway and uses nothing.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let limit = self.memory.limit;
        self.memory.grow(current, desired).map_err(|wanted| Violation::Memory { wanted, limit })?;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let limit = self.tables.limit;
        self.tables.grow(current, desired).map_err(|wanted| Violation::Tables { wanted, limit })?;
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        limits::CORE_TABLES as usize
    }

    fn memories(&self) -> usize {
        limits::CORE_MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn limiter() -> GrowthLimiter {
        GrowthLimiter::new(&PluginLimits { memory_bytes: 3 * MIB, table_elements: 10, ..PluginLimits::default() })
    }

    #[test]
    fn memories_are_limited_together() {
        let mut growth = limiter();
        assert!(growth.memory_growing(0, MIB, None).is_ok_and(|allowed| allowed));
        assert!(growth.memory_growing(0, MIB, None).is_ok_and(|allowed| allowed));
        assert!(growth.memory_growing(MIB, 2 * MIB, None).is_ok_and(|allowed| allowed));
        let error = growth.memory_growing(0, 1, None).expect_err("over the limit");
        assert_eq!(error.downcast_ref::<Violation>(), Some(&Violation::Memory { wanted: 3 * MIB + 1, limit: 3 * MIB }));
        assert_eq!(growth.peak_memory(), 3 * MIB);
    }

    #[test]
    fn growth_beyond_the_memorys_own_maximum_fails_without_a_crash() {
        let mut growth = limiter();
        assert!(growth.memory_growing(0, 2 * MIB, Some(MIB)).is_ok_and(|allowed| !allowed));
        assert_eq!(growth.peak_memory(), 0);
    }

    #[test]
    fn tables_are_limited_together() {
        let mut growth = limiter();
        assert!(growth.table_growing(0, 6, None).is_ok_and(|allowed| allowed));
        let error = growth.table_growing(0, 5, None).expect_err("over the limit");
        assert_eq!(error.downcast_ref::<Violation>(), Some(&Violation::Tables { wanted: 11, limit: 10 }));
    }

    #[test]
    fn limits_cannot_exceed_the_ceiling() {
        let limits = PluginLimits { memory_bytes: usize::MAX, table_elements: usize::MAX, ..PluginLimits::default() };
        let growth = GrowthLimiter::new(&limits);
        assert_eq!(growth.memory.limit, PLUGIN_MEMORY_CEILING);
        assert_eq!(growth.tables.limit, PLUGIN_TABLE_CEILING);
    }
}
