//! When what an attempt did is on the disk for good.

use std::time::Duration;

use testhide_protocol::wire::RecordBody;

use super::session::script;
use super::{Scratch, assignment, entries, lease, within};
use crate::MachineRules;
use crate::clock::WorkClock;
use crate::run::{Attempt, Home, StopSwitch, Workspaces};
use crate::spool::{Entry, JournalWriter, Room};

#[tokio::test]
async fn a_step_that_is_over_is_durable_before_the_next_one_begins() {
    let scratch = Scratch::new();
    let lease = lease(1);
    let (spool, journal) = scratch.open_journal(lease);
    let (disk, clock) = (journal.disk(), WorkClock::start());
    let room = Room::endless(spool.dir().clone());
    let (_switch, stop) = StopSwitch::new();
    let attempt = Attempt {
        assignment: assignment(lease, ["echo 1", "true", "exit 1"].map(script).to_vec()),
        spool: spool.dir().clone(),
        journal: JournalWriter::start(journal, room, clock.clone(), |error| panic!("{error}")),
        stop,
        workspaces: Workspaces::new(scratch.path().to_owned()),
        git_limit: Duration::from_secs(60),
        clock,
        machine: MachineRules::default(),
        home: Home::Shared,
    };
    within(Box::pin(attempt.run())).await;
    let entries = entries(&spool);
    let is_end = |entry: &Entry| {
        matches!(
            entry,
            Entry::Record(RecordBody::StepFinished { .. } | RecordBody::Ended { .. })
        )
    };
    let ends = (1u64..).zip(&entries).filter(|(_, entry)| is_end(entry));
    let ends: Vec<u64> = ends.map(|(seq, _)| seq).collect();
    assert_eq!(ends.len(), 4);
    let syncs = disk.syncs();
    assert!(
        ends.iter().all(|end| syncs.contains(end)),
        "{ends:?} {syncs:?}"
    );
}
