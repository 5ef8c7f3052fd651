//! Everything that is stored of builds, for tests that look at the whole.

use super::error::BuildsError;
use super::lose::{HeldLease, held};
use super::model::{AttemptRecord, BuildRecord};
use super::store::{ATTEMPTS, BUILDS, Builds, LEASES, QUEUE};
use testhide_protocol::api::{BuildState, JobDefinition};
use testhide_protocol::wire::Lease;
use testhide_protocol::{AgentId, BuildId};

/// The tables of builds at one moment.
pub(crate) struct Inspected {
    /// Every build, the oldest first.
    pub(crate) builds: Vec<InspectedBuild>,
    /// Every attempt, by build and number.
    pub(crate) attempts: Vec<InspectedAttempt>,
    /// Every lease.
    pub(crate) leases: Vec<HeldLease>,
    /// What waits: number and build.
    pub(crate) queue: Vec<(u64, BuildId)>,
}

/// A build.
pub(crate) struct InspectedBuild {
    pub(crate) record: BuildRecord,
    pub(crate) definition: JobDefinition,
    pub(crate) retries_left: u32,
    pub(crate) cancel_requested: bool,
}

/// An attempt.
pub(crate) struct InspectedAttempt {
    pub(crate) lease: Lease,
    pub(crate) agent: AgentId,
    pub(crate) state: BuildState,
    pub(crate) ended_by_agent: bool,
    pub(crate) reason: Option<String>,
    pub(crate) journal_seq: u64,
}

impl Builds {
    /// Everything that is stored of an attempt, as text; `None` when there is no such attempt.
    pub(crate) fn inspect_attempt(
        &self,
        build: BuildId,
        attempt: u32,
    ) -> Result<Option<String>, BuildsError> {
        let record: Option<AttemptRecord> = self
            .storage
            .read(|rtxn| ATTEMPTS.read(rtxn)?.get(&(build, attempt)))?;
        Ok(record.map(|record| format!("{record:?}")))
    }

    /// Looks at everything in one consistent view.
    pub(crate) fn inspect(&self) -> Result<Inspected, BuildsError> {
        self.storage.read(|rtxn| {
            let mut inspected = Inspected {
                builds: Vec::new(),
                attempts: Vec::new(),
                leases: Vec::new(),
                queue: Vec::new(),
            };
            for row in BUILDS.read(rtxn)?.all()? {
                let (_, record) = row?;
                inspected.builds.push(InspectedBuild {
                    definition: record.definition(),
                    retries_left: record.retries_left,
                    cancel_requested: record.cancel_requested.is_some(),
                    record,
                });
            }
            for row in ATTEMPTS.read(rtxn)?.all()? {
                let ((build, attempt), record) = row?;
                inspected.attempts.push(InspectedAttempt {
                    lease: Lease {
                        build,
                        attempt,
                        fence: record.fence,
                    },
                    agent: record.agent,
                    state: record.state,
                    ended_by_agent: record.ended_by_agent(),
                    reason: record.reason,
                    journal_seq: record.journal_seq,
                });
            }
            for row in LEASES.read(rtxn)?.all()? {
                inspected.leases.push(held(row?));
            }
            for row in QUEUE.read(rtxn)?.all()? {
                let (number, waiting) = row?;
                inspected.queue.push((number, waiting.build));
            }
            inspected.builds.sort_by_key(|build| build.record.number);
            Ok(inspected)
        })
    }
}
