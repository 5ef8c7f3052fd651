//! Suites that are open, and tests held back until no teardown can change them any more.
//!
//! Robot writes a test with its own outcome. When a suite's teardown fails afterwards, every test below the suite has failed,
//! and only the reader of the file can say so. Tests are held back for that up to a budget; those that had to go before are
//! stood for by a row of the suite itself, so that a failed teardown is never a green report.

use std::sync::Arc;

use super::read::Word;
use super::step::Failure;
use crate::reports::parse::input::Text;
use crate::reports::parse::model::{Outcome, ParsedCase, SuiteInfo};
use crate::reports::parse::output::{Halt, Output};

/// Bytes of tests that are held back.
const BUDGET: usize = 8 << 20;

/// What a held test costs beside its texts.
const CASE_COST: usize = 600;

/// Bytes of a joined name; deeper suites keep the name of the one around them.
const LONGEST_NAME: usize = 4 << 10;

/// A suite that is open.
pub(super) struct OpenSuite {
    pub(super) info: SuiteInfo,
    /// Names joined as Robot does: `Shop.Cart`.
    long_name: String,
    /// Its teardown, if that did not pass.
    pub(super) teardown: Option<(Word, Failure)>,
    /// The first of its tests among those held back.
    held_from: usize,
    /// Some of its tests could not be held back.
    released: bool,
}

/// What is held back, in the order of the document.
enum Held {
    Test(Box<ParsedCase>),
    /// A suite that has ended: it is told after its tests.
    Suite(Box<SuiteInfo>),
}

/// All open suites.
#[derive(Default)]
pub(super) struct Suites {
    open: Vec<OpenSuite>,
    held: Vec<Held>,
    held_bytes: usize,
    /// The outcomes in the file already say what teardowns did.
    pub(super) settled: bool,
}

impl Suites {
    /// Opens a suite inside the innermost one.
    pub(super) fn open(&mut self, name: &str, source: Option<String>) {
        let outer = self.open.last();
        let join = |outer: &str, between: &str| {
            if outer.is_empty() {
                name.to_owned()
            } else if outer.len() + name.len() > LONGEST_NAME {
                outer.to_owned()
            } else {
                format!("{outer}{between}{name}")
            }
        };
        let suite = OpenSuite {
            long_name: join(outer.map_or("", |outer| &outer.long_name), "."),
            info: SuiteInfo {
                name: join(outer.map_or("", |outer| &outer.info.name), " > ").into(),
                file: source.or_else(|| outer.and_then(|outer| outer.info.file.clone())),
                ..SuiteInfo::default()
            },
            teardown: None,
            held_from: self.held.len(),
            released: false,
        };
        self.open.push(suite);
    }

    pub(super) fn innermost(&mut self) -> Option<&mut OpenSuite> {
        self.open.last_mut()
    }

    /// The suite, long name and file of a test that begins here.
    pub(super) fn place(&mut self) -> (Arc<str>, String, Option<String>) {
        match self.open.last_mut() {
            Some(suite) => {
                suite.info.cases += 1;
                let info = &suite.info;
                (
                    info.name.clone(),
                    suite.long_name.clone(),
                    info.file.clone(),
                )
            }
            None => (Arc::from(""), String::new(), None),
        }
    }

    /// Takes a finished test.
    pub(super) fn add(&mut self, case: ParsedCase, out: &mut Output<'_>) -> Result<(), Halt> {
        if self.settled || self.open.is_empty() {
            return out.case(case);
        }
        self.hold(cost(&case), Held::Test(Box::new(case)), out)
    }

    /// Holds back one more, and lets all go if that is too much.
    fn hold(&mut self, cost: usize, held: Held, out: &mut Output<'_>) -> Result<(), Halt> {
        self.held_bytes += cost;
        self.held.push(held);
        if self.held_bytes > BUDGET {
            for suite in &mut self.open {
                suite.released |= suite.held_from < self.held.len();
                suite.held_from = 0;
            }
            self.release(out)?;
        }
        Ok(())
    }

    /// Closes the innermost suite.
    pub(super) fn close(&mut self, line: u64, out: &mut Output<'_>) -> Result<(), Halt> {
        let Some(suite) = self.open.pop() else {
            return Ok(());
        };
        if let Some((word, failure)) = suite.teardown.as_ref().filter(|_| !self.settled) {
            for held in &mut self.held[suite.held_from..] {
                if let Held::Test(case) = held {
                    torn_down(case, *word, failure);
                }
            }
            if suite.released {
                out.warn(
                    line,
                    "late_teardown",
                    "added a row for the suite itself",
                    || {
                        format!(
                            "the teardown of `{}` came after too many tests",
                            suite.long_name
                        )
                    },
                );
                let row = row_of_teardown(&suite, line, *word, failure);
                self.hold(cost(&row), Held::Test(Box::new(row)), out)?;
            }
        }
        self.hold(
            cost_of_suite(&suite.info),
            Held::Suite(Box::new(suite.info)),
            out,
        )?;
        if self.open.is_empty() {
            self.release(out)?;
        }
        Ok(())
    }

    fn release(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        self.held_bytes = 0;
        for held in std::mem::take(&mut self.held) {
            match held {
                Held::Test(case) => out.case(*case)?,
                Held::Suite(suite) => out.suite(*suite),
            }
        }
        Ok(())
    }
}

/// What a failed teardown makes of a test, in Robot's own words.
fn torn_down(case: &mut ParsedCase, word: Word, failure: &Failure) {
    let why = &failure.message;
    let earlier = case.message.take();
    case.message = Some(match (word, earlier) {
        (Word::Skip, None) => format!("Skipped in parent suite teardown:\n{why}"),
        (Word::Skip, Some(earlier)) => {
            format!("Skipped in parent suite teardown:\n{why}\n\nEarlier message:\n{earlier}")
        }
        (_, None) => format!("Parent suite teardown failed:\n{why}"),
        (_, Some(earlier)) => format!("{earlier}\n\nAlso parent suite teardown failed:\n{why}"),
    });
    if word == Word::Skip {
        case.outcome = Outcome::Skipped;
    } else if case.outcome != Outcome::Skipped {
        case.outcome = Outcome::Failed;
        case.trace = case.trace.take().or_else(|| failure.text());
    }
}

fn row_of_teardown(suite: &OpenSuite, line: u64, word: Word, failure: &Failure) -> ParsedCase {
    let mut case = ParsedCase {
        report_line: line,
        suite: suite.info.name.clone(),
        classname: suite.long_name.clone(),
        name: "(suite teardown)".to_owned(),
        file: suite.info.file.clone(),
        attempt: 1,
        ..ParsedCase::default()
    };
    torn_down(&mut case, word, failure);
    case
}

/// About how much memory a test takes.
fn cost(case: &ParsedCase) -> usize {
    let texts = [&case.trace, &case.stdout, &case.stderr];
    let long: usize = texts
        .into_iter()
        .flatten()
        .map(|text| text.value.len())
        .sum();
    let lists: usize = case
        .properties
        .iter()
        .chain(&case.extra)
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let short = case.name.len()
        + case.classname.len()
        + case.message.as_ref().map_or(0, String::len)
        + case.docstring.as_ref().map_or(0, String::len);
    CASE_COST + long + lists + short
}

/// About how much memory a suite takes.
fn cost_of_suite(suite: &SuiteInfo) -> usize {
    let properties = suite.properties.iter();
    CASE_COST
        + properties
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>()
}

/// A text, if there is anything in it.
pub(super) fn given(text: Text) -> Option<Text> {
    (!text.value.trim().is_empty()).then_some(text)
}
