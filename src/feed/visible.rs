//! What a caller may hear of.

use crate::accounts::{Accounts, Principal, Visible};
use crate::events::{Consumers, EventLog};
use crate::kit::Tasks;
use crate::storage::StorageError;
use crate::web::{Turn, Viewers};
use std::time::Duration;
use testhide_protocol::api::{Event, EventRecord};

/// Events looked at for one page, so that a page of rare matches ends.
const MAX_SCAN: usize = 5_000;

/// The feed; clones share it.
#[derive(Clone)]
pub struct Feed {
    pub(super) log: EventLog,
    pub(super) consumers: Consumers,
    pub(super) accounts: Accounts,
    pub(super) tasks: Tasks,
    pub(super) viewers: Viewers,
}

/// Events that a caller may hear of, and how far the log was read for them.
#[derive(Default)]
pub(super) struct Heard {
    pub events: Vec<EventRecord>,
    pub reached: u64,
}

impl Feed {
    /// The feed of `log`.
    #[must_use]
    pub fn new(
        log: EventLog,
        consumers: Consumers,
        accounts: Accounts,
        tasks: Tasks,
        viewers: Viewers,
    ) -> Self {
        Self {
            log,
            consumers,
            accounts,
            tasks,
            viewers,
        }
    }

    /// Up to `limit` events after `seq` that `principal` may hear of; waits up to `patience` for the first. Says how far it read also when
    /// there was nothing to hear.
    pub(super) async fn hear(
        &self,
        principal: &Principal,
        seq: u64,
        limit: usize,
        patience: Duration,
    ) -> Result<Heard, StorageError> {
        let mut over = std::pin::pin!(tokio::time::sleep(patience));
        let stopping = self.tasks.stopping();
        let mut from = seq;
        loop {
            let (feed, principal) = (self.clone(), principal.clone());
            let reading = tokio::task::spawn_blocking(move || feed.read(&principal, from, limit));
            let heard = reading.await.unwrap_or(Err(StorageError::Closing))?;
            if !heard.events.is_empty() || patience.is_zero() {
                return Ok(heard);
            }
            from = heard.reached;
            tokio::select! {
                () = &mut over => return Ok(heard),
                () = stopping.cancelled() => return Ok(heard),
                woken = self.log.wait_after(from, patience) => woken?,
            }
            self.viewers.turn(Turn::Feed).await;
        }
    }

    fn read(&self, principal: &Principal, seq: u64, limit: usize) -> Result<Heard, StorageError> {
        let visible = principal.visible_projects();
        let mut heard = Heard {
            events: Vec::new(),
            reached: seq,
        };
        let mut scanned = 0;
        while scanned < MAX_SCAN {
            let batch = self.log.after(heard.reached, limit.max(100))?;
            if batch.is_empty() {
                return Ok(heard);
            }
            for record in batch {
                scanned += 1;
                heard.reached = record.seq;
                if may_hear(principal, &visible, &record) {
                    heard.events.push(record);
                    if heard.events.len() == limit {
                        return Ok(heard);
                    }
                }
            }
        }
        Ok(heard)
    }
}

fn may_hear(principal: &Principal, visible: &Visible, record: &EventRecord) -> bool {
    match (record.project_id, &record.event) {
        (Some(project), _) => visible.contains(project),
        (
            None,
            Event::AgentEnrolled { .. }
            | Event::AgentModeChanged { .. }
            | Event::AgentKeyRotated { .. }
            | Event::AgentRemoved { .. }
            | Event::AgentConnected { .. }
            | Event::AgentDisconnected { .. },
        ) => true,
        (None, _) => principal.is_superuser(),
    }
}
