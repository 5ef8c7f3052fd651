//! Failures that a reporter prints, found in the raw output of a step.
//!
//! `testhide-pytest-plugin` prints `[testhide_fail_info][<node id>]: fail_id=<md5>` for each failing attempt of a test, wherever the
//! cursor stands. A report that shows such a test as passed hides a failed attempt. The bytes are looked at as they were read,
//! before anything is masked; a search for the marker is all that is done to output without one.

use std::collections::HashSet;

use memchr::memmem::Finder;
use testhide_protocol::wire::{MAX_PRINTED_FAILURES, PrintedFailure, RecordBody};

const MARKER: &[u8] = b"[testhide_fail_info][";

/// Between node id and failure id.
const MIDDLE: &[u8] = b"]: fail_id=";

/// Length of an MD5 in hex.
const FAIL_ID: usize = 32;

/// Longest node id that is taken.
const NODE_ID_MAX: usize = 4096;

/// Longest entry behind its marker.
const ENTRY_MAX: usize = NODE_ID_MAX + MIDDLE.len() + FAIL_ID;

/// Bytes of JSON in one record: a text frame may have 64 KiB.
const RECORD_BYTES: usize = 48 * 1024;

/// What one attempt's steps have printed so far.
pub(crate) struct Harvest {
    finder: Finder<'static>,
    /// What the last read of each pipe ended with, when an entry may go on behind it.
    open: [Vec<u8>; 2],
    found: Vec<PrintedFailure>,
    /// Keys of all that were found in the attempt.
    known: HashSet<[u8; 8]>,
    more: u64,
}

impl Harvest {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            finder: Finder::new(MARKER),
            open: [Vec::new(), Vec::new()],
            found: Vec::new(),
            known: HashSet::new(),
            more: 0,
        }
    }

    /// Looks at the next bytes of a pipe, 0 or 1.
    pub(crate) fn read(&mut self, pipe: usize, bytes: &[u8]) {
        if self.open[pipe].is_empty() {
            let rest = self.scan(bytes);
            self.open[pipe].extend_from_slice(&bytes[rest..]);
        } else {
            let mut joined = std::mem::take(&mut self.open[pipe]);
            joined.extend_from_slice(bytes);
            let rest = self.scan(&joined);
            joined.drain(..rest);
            self.open[pipe] = joined;
        }
    }

    /// What was found since the last call, as records of `step`.
    pub(crate) fn take(&mut self, step: u32) -> Vec<RecordBody> {
        self.open = [Vec::new(), Vec::new()];
        let mut records = Vec::new();
        let mut failures = Vec::new();
        let mut bytes = 0;
        let record = |failures, more| RecordBody::FailuresPrinted {
            step,
            failures,
            more,
        };
        for failure in self.found.drain(..) {
            let size = serde_json::to_string(&failure)
                .expect("three texts are JSON")
                .len()
                + 1;
            if bytes + size > RECORD_BYTES {
                records.push(record(std::mem::take(&mut failures), 0));
                bytes = 0;
            }
            bytes += size;
            failures.push(failure);
        }
        let more = std::mem::take(&mut self.more);
        if !failures.is_empty() || more > 0 {
            records.push(record(failures, more));
        }
        records
    }

    /// Notes every whole entry; answers from where on bytes are needed again.
    fn scan(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(found) = self.finder.find(&bytes[at..]) {
            let start = at + found;
            let behind = start + MARKER.len();
            match entry(&bytes[behind..]) {
                Entry::Whole {
                    nodeid,
                    fail_id,
                    length,
                } => {
                    at = behind + length;
                    self.note(nodeid, fail_id);
                }
                Entry::None => at = behind,
                Entry::Unfinished => return start,
            }
        }
        let from = at.max(bytes.len().saturating_sub(MARKER.len() - 1));
        (from..bytes.len())
            .find(|start| MARKER.starts_with(&bytes[*start..]))
            .unwrap_or(bytes.len())
    }

    fn note(&mut self, nodeid: &[u8], fail_id: &[u8]) {
        let key = key_of(nodeid);
        if self.known.contains(&key) {
            return;
        }
        if self.known.len() >= MAX_PRINTED_FAILURES {
            self.more += 1;
            return;
        }
        self.known.insert(key);
        self.found.push(PrintedFailure {
            key: data_encoding::HEXLOWER.encode(&key),
            nodeid: String::from_utf8_lossy(nodeid).into_owned(),
            fail_id: String::from_utf8_lossy(fail_id).into_owned(),
        });
    }
}

fn key_of(nodeid: &[u8]) -> [u8; 8] {
    let hash = ring::digest::digest(&ring::digest::SHA256, nodeid);
    *hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

enum Entry<'a> {
    Whole {
        nodeid: &'a [u8],
        fail_id: &'a [u8],
        length: usize,
    },
    Unfinished,
    None,
}

/// Reads what stands behind a marker. A node id may hold anything but a line end, brackets too.
fn entry(behind: &[u8]) -> Entry<'_> {
    let window = &behind[..behind.len().min(ENTRY_MAX)];
    let line_end = memchr::memchr(b'\n', window);
    let line = &window[..line_end.unwrap_or(window.len())];
    let goes_on = line_end.is_none() && behind.len() < ENTRY_MAX;
    for middle in memchr::memmem::find_iter(line, MIDDLE) {
        let fail_id = &line[middle + MIDDLE.len()..];
        let digits = &fail_id[..fail_id.len().min(FAIL_ID)];
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            continue;
        }
        if digits.len() == FAIL_ID {
            // Another process may have begun to print before the first was done.
            let nodeid = memchr::memmem::rfind(&line[..middle], MARKER);
            return Entry::Whole {
                nodeid: &line[nodeid.map_or(0, |at| at + MARKER.len())..middle],
                fail_id: digits,
                length: middle + MIDDLE.len() + FAIL_ID,
            };
        }
        if goes_on {
            return Entry::Unfinished;
        }
    }
    if goes_on {
        Entry::Unfinished
    } else {
        Entry::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "d08b4eda5aa5220269ec4a0588dca42c";

    fn names(harvest: &mut Harvest) -> Vec<String> {
        let mut names = Vec::new();
        for record in harvest.take(0) {
            let RecordBody::FailuresPrinted { failures, .. } = record else {
                panic!("only printed failures are told")
            };
            assert!(failures.iter().all(|failure| failure.fail_id == ID));
            names.extend(failures.into_iter().map(|failure| failure.nodeid));
        }
        names
    }

    #[test]
    fn an_entry_is_found_wherever_it_stands() {
        let check = |output: &str, expected: &[&str]| {
            let mut harvest = Harvest::new();
            harvest.read(0, output.as_bytes());
            assert_eq!(names(&mut harvest), expected, "{output}");
        };
        let line = |nodeid: &str| format!("[testhide_fail_info][{nodeid}]: fail_id={ID}");
        check(&format!("t.py .{}\nF", line("t.py::a")), &["t.py::a"]);
        check(
            &format!("{} | jira=A-1\n", line("t.py::a[x]")),
            &["t.py::a[x]"],
        );
        check(&line("t.py::a[]: fail_id=x]"), &["t.py::a[]: fail_id=x]"]);
        check(&format!("{0}{0}", line("t.py::a")), &["t.py::a"]);
        check(&format!("{}{}", line("a"), line("b")), &["a", "b"]);
        check(&format!("[testhide_fail_info][a{}", line("b")), &["b"]);
        check("[testhide_fail_info][a]: fail_id=short\n", &[]);
        check("[testhide_fail_info][a\n]: fail_id=", &[]);
        check(&line(&"x".repeat(NODE_ID_MAX)), &[&"x".repeat(NODE_ID_MAX)]);
        check(&line(&"x".repeat(NODE_ID_MAX + 1)), &[]);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut harvest = Harvest::new();
        for number in 0..MAX_PRINTED_FAILURES + 7 {
            harvest.read(
                0,
                format!("[testhide_fail_info][{number}]: fail_id={ID}\n").as_bytes(),
            );
        }
        let records = harvest.take(3);
        let mut told = (0, 0);
        for record in &records {
            let bytes = serde_json::to_string(record).unwrap().len();
            assert!(bytes < 60 * 1024, "{bytes}");
            let RecordBody::FailuresPrinted {
                step: 3,
                failures,
                more,
            } = record
            else {
                panic!("{record:?}")
            };
            told = (told.0 + failures.len(), told.1 + more);
        }
        assert_eq!(told, (MAX_PRINTED_FAILURES, 7));
        assert!(harvest.take(4).is_empty());
    }

    proptest! {
        #[test]
        fn however_the_output_is_cut_the_same_is_found(
            parts in proptest::collection::vec(prop_oneof![
                "[a-z\\[\\]:=. ]{0,8}\n?",
                "[a-z\\[\\]]{1,12}".prop_map(|id| format!("[testhide_fail_info][{id}]: fail_id={ID}")),
                Just("[testhide_fail".to_owned()),
                Just("[testhide_fail_info][x]: fail_id=12".to_owned()),
            ], 0..12),
            cuts in proptest::collection::vec(1usize..20, 1..40),
        ) {
            let output = parts.concat();
            let (mut whole, mut cut) = (Harvest::new(), Harvest::new());
            whole.read(0, output.as_bytes());
            let mut rest = output.as_bytes();
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, behind) = rest.split_at((*size).min(rest.len()));
                cut.read(1, part);
                rest = behind;
            }
            prop_assert_eq!(names(&mut whole), names(&mut cut));
        }
    }
}
