//! An archive of a folder of Allure results, read in three passes in constant memory but for a small key of each result.
//!
//! The directory says what is there. Then the keys: results with the same `historyId` are attempts of one test, in the order in
//! which they began, while their names and places in the archive are random. Then the rows, in the order of the archive, with
//! tests of several attempts last. Containers say which fixtures failed: that is told at the tests in them that failed; where
//! none did, it is a row of its own, because a suite whose `@AfterClass` broke is not green.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::container::{Failure, failed_fixtures, global_errors};
use super::entries::{Entries, Entry, Kind};
use super::key::{Hash, Key, key};
use super::result::row;
use super::single::{note, object};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::Json;
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::warnings::Repairs;

/// Results of tests with several attempts that are put in order; reading them jumps through the archive.
const ORDERED: usize = 20_000;

/// Bytes of failed fixtures that are kept until their tests come.
const FIXTURE_BYTES: usize = 8 << 20;

/// Children of containers that are remembered.
const CHILDREN: usize = 200_000;

/// Reads an archive of Allure results into `sink`; anything else in it is left alone, archives within it too.
///
/// # Errors
/// As [`crate::reports::parse::parse`]; an archive without a result is [`ParseError::NotRecognised`].
pub fn parse_archive<R: Read + Seek>(
    input: R,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut out = Output::new(Format::Allure, limits, sink);
    let (mut entries, list) = Entries::new(input, &mut out)?;
    let mut archive = Archive {
        keys: Vec::new(),
        told: HashMap::new(),
        failures: Vec::new(),
        bytes: 0,
        repairs: Repairs::at_line(1),
        seen: HashMap::new(),
    };
    archive.look(&mut entries, &list, &mut out)?;
    let end = archive.rows(&mut entries, &list, &mut out)?;
    out.finish(end, 1, &archive.repairs)
}

struct Archive {
    /// One a readable result, with its number in the list.
    keys: Vec<(usize, Key)>,
    /// Tests whose fixtures failed, and which.
    told: HashMap<Hash, Vec<u32>>,
    /// Failed fixtures, with whether a failed test told of them.
    failures: Vec<(Failure, bool)>,
    bytes: usize,
    repairs: Repairs,
    /// Attempts so far of tests with several.
    seen: HashMap<Hash, u32>,
}

impl Archive {
    /// Reads keys, containers and globals.
    fn look<R: Read + Seek>(
        &mut self,
        entries: &mut Entries<R>,
        list: &[Entry],
        out: &mut Output<'_>,
    ) -> Result<(), ParseError> {
        for (number, entry) in list.iter().enumerate() {
            if entry.kind == Kind::Result {
                let read = entries.read(entry, out, |file, _| key(file))?;
                if let Some(Ok(key)) = read {
                    self.keys.push((number, key));
                }
                continue;
            }
            let most = out.limits.properties;
            let repairs = &mut self.repairs;
            let read = entries.read(entry, out, |file, out| {
                let mut json = Json::new(file, out.limits.attribute_bytes);
                std::mem::swap(&mut json.repairs, repairs);
                let members = object(&mut json, CHILDREN * 5 / 4, out, "a container");
                std::mem::swap(&mut json.repairs, repairs);
                members
            })?;
            let Some(Ok(members)) = read else { continue };
            let (children, failures) = match entry.kind {
                Kind::Globals => (Vec::new(), global_errors(members, most)),
                _ => failed_fixtures(members, CHILDREN),
            };
            self.remember(&children, failures, out);
        }
        Ok(())
    }

    fn remember(&mut self, children: &[Hash], failures: Vec<Failure>, out: &mut Output<'_>) {
        for failure in failures {
            self.bytes += failure.message.len() + failure.trace.len() + failure.what.len() + 64;
            if self.bytes > FIXTURE_BYTES || self.told.len() > CHILDREN {
                out.warn(1, "too_much_output", "left them out", || {
                    format!("failed fixtures take more than {FIXTURE_BYTES} bytes")
                });
                return;
            }
            let number = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
            self.failures.push((failure, false));
            for child in children.iter().take(CHILDREN) {
                let of_child = self.told.entry(*child).or_default();
                self.bytes += 4;
                of_child.push(number);
            }
        }
    }

    /// Hands on every row.
    fn rows<R: Read + Seek>(
        &mut self,
        entries: &mut Entries<R>,
        list: &[Entry],
        out: &mut Output<'_>,
    ) -> Result<Result<(), Halt>, ParseError> {
        let keys = std::mem::take(&mut self.keys);
        let mut counted: HashMap<Hash, u32> = HashMap::new();
        for history in keys.iter().filter_map(|(_, key)| key.history) {
            *counted.entry(history).or_default() += 1;
        }
        counted.retain(|_, count| *count > 1);
        let repeated = |key: &Key| {
            key.history
                .is_some_and(|history| counted.contains_key(&history))
        };
        let (mut later, first): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|(_, key)| repeated(key));
        if later.len() > ORDERED {
            out.warn(
                1,
                "too_many_attempts",
                "took them in the order of the archive",
                || format!("more than {ORDERED} results are attempts of tests with several"),
            );
        } else {
            later.sort_by_key(|(number, key)| (key.start_ms, *number));
        }
        for (number, key) in first.into_iter().chain(later) {
            let attempt = key.history.filter(|_| repeated(&key));
            if let Err(halt) = self.row(entries, &list[number], &key, attempt, out)? {
                return Ok(Err(halt));
            }
        }
        for (failure, told) in std::mem::take(&mut self.failures) {
            if !told && let Err(halt) = out.case(failure.into_case()) {
                return Ok(Err(halt));
            }
        }
        Ok(Ok(()))
    }

    fn row<R: Read + Seek>(
        &mut self,
        entries: &mut Entries<R>,
        entry: &Entry,
        key: &Key,
        attempt: Option<Hash>,
        out: &mut Output<'_>,
    ) -> Result<Result<(), Halt>, ParseError> {
        let repairs = &mut self.repairs;
        let read = entries.read(entry, out, |file, out| {
            let mut json = Json::new(file, out.limits.text_bytes);
            std::mem::swap(&mut json.repairs, repairs);
            let members = object(&mut json, out.limits.json_values, out, "a result");
            std::mem::swap(&mut json.repairs, repairs);
            // To the end of the file, where its checksum is compared.
            let end = json.ends_here();
            members.and_then(|members| end.map(|_| members).map_err(Halt::from))
        })?;
        let Some(Ok(members)) = read else {
            return Ok(Ok(()));
        };
        let mut row = row(members, out.limits, &mut self.repairs);
        note(&row, out, "a result");
        if let Some(history) = attempt {
            let count = self.seen.entry(history).or_default();
            if *count > 0 {
                row.case.repeat = Repeat::Attempt;
            }
            *count += 1;
        }
        if key.failed {
            self.tell(&mut row.case, key.uuid);
        }
        Ok(out.case(row.case))
    }

    /// Tells at a failed test of the fixtures around it that failed.
    fn tell(&mut self, case: &mut ParsedCase, uuid: Hash) {
        for number in self.told.get(&uuid).into_iter().flatten() {
            let (failure, told) = &mut self.failures[*number as usize];
            *told |= matches!(
                case.outcome,
                Outcome::Failed | Outcome::Error | Outcome::KnownIssue
            );
            case.extra.push(("fixture".to_owned(), failure.told()));
        }
    }
}
