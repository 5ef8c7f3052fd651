//! Files of environment variables, `.env`: read, written, and looked through for secrets before they are imported.
//!
//! [`parse`] reads what people and tools write, and says of each line that it cannot read why. [`write`](write()) writes what `parse` reads back.
//! [`looks_secret`] tells by name and shape which values should not be seen, and [`preview`] shows an import before anything is
//! stored: kinds, masked values, and warnings. All of this is pure.

mod looks;
mod parse;
mod preview;
mod write;

pub use looks::{Why, looks_secret};
pub use parse::{Entry, EnvFile, Problem, Wrong, parse};
pub use preview::{Kind, Preview, PreviewRow, Warning, preview};
pub use write::{Unwritable, write};
