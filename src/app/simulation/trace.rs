//! What happened, in order: the last lines for people, all of it as one hash.

use super::dice::mix;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use tokio::time::Instant;

/// Lines that are kept for who reads why a seed failed.
const KEPT: usize = 400;

/// The trace of one run; clones write the same one.
#[derive(Clone)]
pub(super) struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    lines: VecDeque<String>,
    hash: u64,
    /// The first thing that must not be.
    failure: Option<String>,
    echo: bool,
}

impl Trace {
    /// Begins now.
    pub(super) fn new(echo: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            lines: VecDeque::new(),
            hash: 0,
            failure: None,
            echo,
        })))
    }

    /// Writes a line; it must say nothing that differs from run to run (ids).
    pub(super) fn line(&self, text: impl AsRef<str>) {
        let mut inner = self.0.lock();
        let at = inner.began.elapsed();
        let line = format!("{:>9.3} {}", at.as_secs_f64(), text.as_ref());
        inner.hash = line
            .bytes()
            .fold(inner.hash, |hash, byte| mix(hash ^ u64::from(byte)));
        if inner.echo {
            println!("{line}");
        }
        if inner.lines.len() == KEPT {
            inner.lines.pop_front();
        }
        inner.lines.push_back(line);
    }

    /// Bytes that went over the network: in the hash alone.
    pub(super) fn bytes(&self, link: usize, up: bool, count: usize) {
        let mut inner = self.0.lock();
        let at = u64::try_from(inner.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        inner.hash = [at, link as u64, u64::from(up), count as u64]
            .into_iter()
            .fold(inner.hash, |hash, word| mix(hash ^ word));
        if inner.echo {
            let way = if up { "up" } else { "down" };
            println!(
                "{:>9.3} link {link} {way} {count}",
                inner.began.elapsed().as_secs_f64()
            );
        }
    }

    /// Something is as it must not be. Only the first counts: what follows may follow from it.
    pub(super) fn fail(&self, what: impl Into<String>) {
        let what = what.into();
        self.line(format!("FAILS: {what}"));
        self.0.lock().failure.get_or_insert(what);
    }

    /// What failed, if something did.
    pub(super) fn failure(&self) -> Option<String> {
        self.0.lock().failure.clone()
    }

    /// Equal for equal runs.
    pub(super) fn hash(&self) -> u64 {
        self.0.lock().hash
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        let inner = self.0.lock();
        inner.lines.iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").expect("a string takes any text");
            text
        })
    }
}
