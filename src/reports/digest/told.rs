//! A test with all its attempts in one list, however the files tell of them: in rows of their own, or inside a row.

use super::model::{Digest, Row, RowAttempt, Test};
use crate::reports::parse::names_spec_file;
use std::collections::BTreeMap;
use std::io;
use testhide_protocol::api::Outcome;

/// A test as a writer needs it.
#[derive(Debug)]
pub struct ToldTest<'a> {
    /// The test.
    pub test: &'a Test,
    /// The row that says how it ended; its own attempts stand in `attempts`.
    pub row: Row,
    /// Other rows of the last attempt: theory rows without their parameters, body and tearDown.
    pub siblings: Vec<Row>,
    /// All attempts but the last one, by number.
    pub earlier: Vec<ToldAttempt>,
    /// The last attempt.
    pub last: ToldAttempt,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldAttempt {
    /// What is known of it.
    pub said: RowAttempt,
    /// Its own row, where it has one.
    pub row: Option<u32>,
    /// It looks passed in the file and failed.
    pub hidden_failure: bool,
}

impl Digest {
    /// A test with its attempts. Attempts of which a file says nothing (a retry that is only counted) are left out.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn told<'a>(&self, test: &'a Test) -> io::Result<ToldTest<'a>> {
        let mut attempts: BTreeMap<u32, ToldAttempt> = BTreeMap::new();
        let mut rows: Vec<(u32, Row)> = Vec::new();
        for number in self.rows_of(test) {
            let place = self.places[number as usize];
            if place.copy {
                continue;
            }
            let mut row = self.row(number)?;
            // The row's own count begins anew; what other rows told before it is added.
            let shift = place.attempt.saturating_sub(row.own_attempt);
            for mut retry in std::mem::take(&mut row.retries) {
                retry.attempt = retry.attempt.saturating_add(shift);
                attempts.insert(
                    retry.attempt,
                    ToldAttempt {
                        said: retry,
                        row: None,
                        hidden_failure: false,
                    },
                );
            }
            let said = said_by(&row, place.attempt);
            let worse = attempts
                .get(&place.attempt)
                .is_none_or(|known| severity(known.said.outcome) < severity(said.outcome));
            if worse {
                attempts.insert(
                    place.attempt,
                    ToldAttempt {
                        said,
                        row: Some(number),
                        hidden_failure: place.hidden_failure,
                    },
                );
            }
            rows.push((number, row));
        }
        let (_, last) = attempts
            .pop_last()
            .ok_or_else(|| io::Error::other("a test without a row"))?;
        let at = rows
            .iter()
            .position(|(number, _)| *number == test.decisive)
            .unwrap_or(rows.len() - 1);
        let (decisive, row) = rows.swap_remove(at);
        let attempt = self.places[decisive as usize].attempt;
        let mut siblings: Vec<_> = rows
            .into_iter()
            .filter(|(number, _)| self.places[*number as usize].attempt == attempt)
            .collect();
        siblings.sort_by_key(|(number, _)| *number);
        Ok(ToldTest {
            test,
            row,
            siblings: siblings.into_iter().map(|(_, row)| row).collect(),
            earlier: attempts.into_values().collect(),
            last,
        })
    }
}

impl Digest {
    /// Whether readers of Testhide XML take each row of this test as an attempt. What cannot be read is taken as none.
    #[must_use]
    pub fn rows_are_attempts(&self, test: &Test) -> bool {
        self.row(test.decisive).is_ok_and(|row| {
            let file = row.file.as_deref().unwrap_or_default();
            row.nodeid.is_none() && row.retries.is_empty() && names_spec_file(&row.classname, file)
        })
    }
}

impl ToldAttempt {
    /// What a row tells of its own attempt.
    #[must_use]
    pub fn of_row(row: &Row) -> Self {
        Self {
            said: said_by(row, row.own_attempt),
            row: None,
            hidden_failure: false,
        }
    }

    /// A failed attempt of which nothing is known but what `message` says.
    #[must_use]
    pub fn untold(message: &str) -> Self {
        Self {
            said: RowAttempt {
                attempt: 1,
                outcome: Outcome::Failed,
                duration_ms: None,
                kind: None,
                message: Some(message.to_owned()),
                trace: None,
                stdout: None,
                stderr: None,
            },
            row: None,
            hidden_failure: false,
        }
    }

    /// How it ended, also where the file hides it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.hidden_failure {
            Outcome::Failed
        } else {
            self.said.outcome
        }
    }
}

fn said_by(row: &Row, attempt: u32) -> RowAttempt {
    RowAttempt {
        attempt,
        outcome: row.outcome,
        duration_ms: row.duration_ms,
        kind: row.kind.clone(),
        message: row.message.clone(),
        trace: row.trace.clone(),
        stdout: row.stdout.clone(),
        stderr: row.stderr.clone(),
    }
}

fn severity(outcome: Outcome) -> u8 {
    crate::reports::rules::severity(outcome)
}
