//! The spool: what an attempt has produced, on this machine's disk, until the server has it.
//!
//! One directory an attempt, `spool/<build>-<attempt>-<fence>/`: `journal` holds the records in order, `files/N` the
//! bytes of reports and artifacts, `pgid` the process group that runs now. The running attempt appends; delivery reads
//! the same file behind it, so memory stays bounded and a server that is away costs disk only. A file that a record
//! names is complete before the record is written; a tail that a crash has torn is cut at the last whole record.

mod directory;
mod format;
mod journal;
mod reader;
mod recovery;
mod writer;

pub use directory::SpoolError;
pub(crate) use directory::{GroupRecord, Spool};
pub(crate) use journal::{Journal, RawChunk};
pub(crate) use reader::{Entry, Reader};
pub(crate) use recovery::{Recovered, recover};
pub(crate) use writer::JournalWriter;
