//! Growth of linear memory and tables, summed over all of an instance: beyond the limit the call ends with a typed error,
//! so that it is known why.

use crate::limits;
use tidings_domain::limits::PluginLimits;
use wasmtime::ResourceLimiter;

use crate::violation::Violation;

/// Memory and table elements of one instance, and their limits.
pub(crate) struct Growth {
    memory: Gauge,
    tables: Gauge,
}

#[derive(Clone, Copy)]
struct Gauge {
    used: usize,
    peak: usize,
    limit: usize,
}

impl Growth {
    pub(crate) fn new(limits: &PluginLimits) -> Growth {
        let gauge = |limit, ceiling: usize| Gauge { used: 0, peak: 0, limit: ceiling.min(limit) };
        Growth {
            memory: gauge(limits.memory_bytes, tidings_domain::limits::PLUGIN_MEMORY_CEILING),
            tables: gauge(limits.table_elements, tidings_domain::limits::PLUGIN_TABLE_CEILING),
        }
    }

    /// The most linear memory that the instance had, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        self.memory.peak
    }
}

impl Gauge {
    /// Grows one of the things that are counted together; the sum that it would have reached where that is too much.
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

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Beyond a maximum of its own the growth fails anyway, and nothing is used.
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

    fn growth() -> Growth {
        Growth::new(&PluginLimits { memory_bytes: 3 * MIB, table_elements: 10, ..PluginLimits::default() })
    }

    #[test]
    fn memories_are_limited_together() {
        let mut growth = growth();
        assert!(growth.memory_growing(0, MIB, None).is_ok_and(|allowed| allowed));
        assert!(growth.memory_growing(0, MIB, None).is_ok_and(|allowed| allowed));
        assert!(growth.memory_growing(MIB, 2 * MIB, None).is_ok_and(|allowed| allowed));
        let error = growth.memory_growing(0, 1, None).expect_err("over the limit");
        assert_eq!(error.downcast_ref::<Violation>(), Some(&Violation::Memory { wanted: 3 * MIB + 1, limit: 3 * MIB }));
        assert_eq!(growth.peak_memory(), 3 * MIB);
    }

    #[test]
    fn a_growth_beyond_the_memorys_own_maximum_fails_without_a_crash() {
        let mut growth = growth();
        assert!(growth.memory_growing(0, 2 * MIB, Some(MIB)).is_ok_and(|allowed| !allowed));
        assert_eq!(growth.peak_memory(), 0);
    }

    #[test]
    fn tables_are_limited_together() {
        let mut growth = growth();
        assert!(growth.table_growing(0, 6, None).is_ok_and(|allowed| allowed));
        let error = growth.table_growing(0, 5, None).expect_err("over the limit");
        assert_eq!(error.downcast_ref::<Violation>(), Some(&Violation::Tables { wanted: 11, limit: 10 }));
    }

    #[test]
    fn an_administrator_cannot_go_beyond_the_ceiling() {
        let limits = PluginLimits { memory_bytes: usize::MAX, table_elements: usize::MAX, ..PluginLimits::default() };
        let growth = Growth::new(&limits);
        assert_eq!(growth.memory.limit, tidings_domain::limits::PLUGIN_MEMORY_CEILING);
        assert_eq!(growth.tables.limit, tidings_domain::limits::PLUGIN_TABLE_CEILING);
    }
}
