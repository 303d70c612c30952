//! The metrics of the store.

use super::Usage;
use crate::telemetry::exposition::Sample;
use crate::telemetry::metric::Metric;

impl Usage {
    /// The sizes and counts as samples for `/metrics`.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples: Vec<Sample> = [
            (Metric::MemoryBytes, self.memory_bytes),
            (Metric::MemoryCapacity, self.memory_capacity),
            (Metric::MemoryRecords, self.memory_records),
            (Metric::DiskCapacity, self.disk_capacity),
            (Metric::DiskDropped, self.disk_dropped),
            (Metric::DiskErrors, self.disk_errors),
            (Metric::DiskAtOnce, self.disk_at_once),
            (Metric::LedgerEntries, self.ledger_entries),
            (Metric::Listed, self.listed),
        ]
        .into_iter()
        .map(|(metric, value)| Sample::whole(metric, value))
        .collect();
        if self.disk_capacity > 0 {
            samples.push(Sample::whole(Metric::DiskHealthy, self.disk_healthy.into()));
        }
        samples
    }
}
