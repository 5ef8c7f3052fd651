//! The spool: what an attempt has produced, on this machine's disk, until the server has it.
//!
//! One directory an attempt, `spool/<build>-<attempt>-<fence>/`. The runner of the attempt writes it and the agent delivers it; they
//! are two processes, and all their talk goes through these files, so that either may die:
//!
//! ```text
//! assignment.json   what to do; the runner takes it away
//! runner.lock       held by the runner as long as it lives
//! journal-<first>   the records in order, in segments; those that the server has are deleted
//! segment.new       the next segment, before it has its head and its name
//! files/N           bytes of reports and artifacts, until the server has them
//! progress          how far the journal is written
//! stop              why the attempt is to end before its own end
//! pgid              the process group that runs now
//! runner.log        what the runner says outside of the build's log
//! ```
//!
//! A file that a record names is complete before the record is written; a tail that a crash has torn is cut at the last whole record.

mod boot;
mod directory;
mod format;
mod held;
mod journal;
mod order;
mod progress;
mod reader;
mod recovery;
mod room;
mod segment;
mod slot;
#[cfg(test)]
mod trial;
mod writer;

pub use boot::Boot;
#[cfg(feature = "simulation")]
pub(crate) use directory::RunnerLock;
pub use directory::SpoolError;
pub(crate) use directory::{GroupRecord, SpoolDir, directories, is_full};
pub(crate) use held::{Spool, delete};
pub(crate) use journal::{Journal, RawChunk, SEGMENT_BYTES};
pub use order::StopOrder;
pub(crate) use order::{Order, Settings};
pub(crate) use reader::{Entry, Reader};
pub(crate) use recovery::{Recovered, Stored, Survival, recover, recover_cut, survival};
pub(crate) use room::Room;
#[cfg(test)]
pub(crate) use trial::Disk;
pub(crate) use writer::{JournalWriter, Patience};
