//! What a runner says outside of its build's log: a little, to a file that goes with the spool directory.

use std::io::{self, Stderr, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing_subscriber::EnvFilter;

/// The most bytes that one runner says.
const MOST: usize = 256 * 1024;

static SAID: AtomicUsize = AtomicUsize::new(0);

/// Sends what is traced to stderr, up to 256 KiB. Does nothing where tracing is set up already.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("TESTHIDE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Bounded(io::stderr()))
        .with_ansi(false);
    // Somebody else's is as good.
    drop(log.try_init());
}

struct Bounded(Stderr);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if SAID.fetch_add(bytes.len(), Ordering::Relaxed) < MOST {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
