//! How agents' machines were over the last day: samples come with heartbeats, wait in memory, and are stored in blocks.
//!
//! A block is written when its first sample is five minutes old, so a server that is killed loses at most that.

use super::error::AgentsError;
use super::store::{AGENTS, Agents};
use crate::storage::{Record, StorageError, Table, WriteTxn};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use testhide_protocol::api::{HostMetrics, HostSample};
use testhide_protocol::{AgentId, Timestamp};

/// Blocks by (agent, time of their first sample).
pub(super) const METRICS: Table<(AgentId, u64), StoredSamples> = Table::new("agent_metrics");

/// Samples closer to each other than this are left out: an agent does not fill the store.
const LEAST_MILLIS: i64 = 5_000;

/// Age of a block's first sample at which it is stored.
const BLOCK_MILLIS: i64 = 5 * 60_000;

/// Samples that wait in memory at most, should the store be away.
const WAITING_MAX: usize = 1_000;

/// How long samples are kept.
const KEPT_MILLIS: i64 = 24 * 60 * 60_000;

/// Most samples in an answer; of more, one in so many is told.
const ANSWER_MAX: usize = 1_000;

/// Samples in their order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct StoredSamples {
    samples: Vec<HostSample>,
}
impl Record for StoredSamples {}

/// Samples that are not stored yet.
#[derive(Default)]
pub(super) struct Metrics(Mutex<HashMap<AgentId, Vec<HostSample>>>);

impl Metrics {
    /// Takes a sample of an agent's machine; one that comes too early or says the impossible is left out. Says whether it is possible.
    pub(super) fn note(&self, agent: AgentId, time: Timestamp, metrics: HostMetrics) -> bool {
        let possible = metrics.cpu_percent <= 100
            && metrics.memory_used <= metrics.memory_total
            && metrics.disk_free <= metrics.disk_total;
        let mut waiting = self.0.lock();
        let waiting = waiting.entry(agent).or_default();
        let early = waiting
            .last()
            .is_some_and(|last| (0..LEAST_MILLIS).contains(&(time.0 - last.time.0)));
        if possible && !early && waiting.len() < WAITING_MAX {
            waiting.push(HostSample { time, metrics });
        }
        possible
    }

    fn waiting(&self, agent: AgentId) -> Vec<HostSample> {
        self.0.lock().get(&agent).cloned().unwrap_or_default()
    }

    /// Samples that are due to be stored, by agent.
    fn due(&self, now: Timestamp) -> Vec<(AgentId, Vec<HostSample>)> {
        let waiting = self.0.lock();
        let due = waiting.iter().filter(|(_, samples)| {
            samples
                .first()
                .is_some_and(|first| now.0 - first.time.0 >= BLOCK_MILLIS)
        });
        due.map(|(agent, samples)| (*agent, samples.clone()))
            .collect()
    }

    /// Forgets an agent.
    pub(super) fn forget(&self, agent: AgentId) {
        self.0.lock().remove(&agent);
    }

    /// Forgets the first `count` samples of an agent: they are stored.
    fn stored(&self, agent: AgentId, count: usize) {
        let mut waiting = self.0.lock();
        if let Some(samples) = waiting.get_mut(&agent) {
            samples.drain(..count.min(samples.len()));
            if samples.is_empty() {
                waiting.remove(&agent);
            }
        }
    }
}

impl Agents {
    /// Stores blocks that are due and removes those that are older than a day.
    ///
    /// # Errors
    /// Failures of the store; what waits stays then.
    pub async fn store_metrics(&self) -> Result<(), AgentsError> {
        let now = self.clock.now();
        for (agent, samples) in self.metrics.due(now) {
            let count = samples.len();
            self.storage
                .write(move |wtxn| {
                    // It was removed meanwhile, and its samples with it.
                    if !AGENTS.read(wtxn)?.contains(&agent)? {
                        return Ok(());
                    }
                    let mut table = METRICS.write(wtxn)?;
                    let mut old = Vec::new();
                    for row in table.prefix(&agent)? {
                        let (key, block) = row?;
                        let last = block.samples.last().map_or(0, |sample| sample.time.0);
                        if now.0 - last > KEPT_MILLIS {
                            old.push(key);
                        }
                    }
                    for key in old {
                        table.remove(&key)?;
                    }
                    let first = samples.first().map_or(0, |sample| sample.time.0);
                    let block = StoredSamples {
                        samples: samples.clone(),
                    };
                    table.put(&(agent, first.unsigned_abs()), &block)?;
                    Ok::<_, AgentsError>(())
                })
                .await?;
            self.metrics.stored(agent, count);
        }
        Ok(())
    }

    /// Samples of the last `minutes` (at most a day), oldest first, thinned to at most 1,000.
    ///
    /// # Errors
    /// [`AgentsError::NotFound`], failures of the store.
    pub fn metrics_of(&self, agent: &str, minutes: u32) -> Result<Vec<HostSample>, AgentsError> {
        let agent = self.find(agent)?.id;
        let from = self.clock.now().0 - (i64::from(minutes) * 60_000).min(KEPT_MILLIS);
        let mut samples = self.storage.read(|rtxn| {
            let table = METRICS.read(rtxn)?;
            let mut samples = Vec::new();
            for row in table.prefix(&agent)? {
                samples.extend(row?.1.samples);
            }
            Ok::<_, AgentsError>(samples)
        })?;
        // What was stored between the two looks is in both.
        let last = samples.last().map(|sample| sample.time);
        let waiting = self.metrics.waiting(agent);
        samples.extend(
            waiting
                .into_iter()
                .filter(|sample| last.is_none_or(|last| sample.time > last)),
        );
        samples.retain(|sample| sample.time.0 >= from);
        let step = samples.len().div_ceil(ANSWER_MAX).max(1);
        // Counted from the end, so that the newest is always there.
        let mut thin: Vec<HostSample> = samples.into_iter().rev().step_by(step).collect();
        thin.reverse();
        Ok(thin)
    }

    /// The newest sample that waits in memory.
    pub(super) fn latest_metrics(&self, agent: AgentId) -> Option<HostSample> {
        let waiting = self.metrics.0.lock();
        waiting.get(&agent)?.last().copied()
    }
}

/// Removes all stored samples of an agent.
///
/// # Errors
/// Failures of the store.
pub(super) fn remove_all(wtxn: &WriteTxn, agent: AgentId) -> Result<(), StorageError> {
    let mut table = METRICS.write(wtxn)?;
    let keys = table.prefix(&agent)?.map(|row| row.map(|(key, _)| key));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    for key in keys {
        table.remove(&key)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu_percent: u32) -> HostMetrics {
        HostMetrics {
            cpu_percent,
            load_hundredths: 0,
            memory_used: 1,
            memory_total: 2,
            disk_free: 1,
            disk_total: 2,
        }
    }

    #[test]
    fn what_comes_too_fast_or_is_impossible_is_left_out() {
        let (metrics, agent) = (Metrics::default(), AgentId::generate());
        let cpu = || {
            let waiting = metrics.waiting(agent);
            waiting
                .iter()
                .map(|sample| sample.metrics.cpu_percent)
                .collect::<Vec<_>>()
        };
        metrics.note(agent, Timestamp(0), sample(1));
        metrics.note(agent, Timestamp(4_999), sample(2));
        assert!(!metrics.note(agent, Timestamp(5_000), sample(101)));
        metrics.note(agent, Timestamp(6_000), sample(3));
        assert_eq!(cpu(), [1, 3]);
        // A clock that was set back does not silence an agent.
        metrics.note(agent, Timestamp(1_000), sample(4));
        assert_eq!(cpu(), [1, 3, 4]);
        assert!(metrics.due(Timestamp(BLOCK_MILLIS - 1)).is_empty());
        assert_eq!(metrics.due(Timestamp(BLOCK_MILLIS)).len(), 1);
        metrics.stored(agent, 2);
        assert_eq!(cpu(), [4]);
    }
}
