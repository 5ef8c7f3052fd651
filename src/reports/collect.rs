//! From the parser's cases to rows and results: pure, block by block, with some three hundred bytes in memory a test.

use super::block::{BLOCK_BYTES, Packed, pack};
use super::evidence::{Evidence, PrintedFailures};
use super::model::{CompactRow, ResultBlock, RowBlock, bits_of};
use super::parse::{Attempts, ParsedCase, Sink, Stop, SuiteInfo, TestVerdict};
use super::rows::{ends_of, fit, outcome_of, row_of, size_of_row};
use super::rules::severity;
use crate::history::{Identity, NewRun, identify, test_id};
use crate::ml::{Signature, signature};
use crate::storage::StorageError;
use testhide_protocol::api::{Outcome, OutcomeCounts};
use testhide_protocol::{ProjectId, TestId};

/// Most ids of rows that a result keeps.
const FAIL_IDS: usize = 17;

/// Longest id of a row that a result keeps.
const FAIL_ID_MAX: usize = 64;

/// Properties that tell apart two tests of one name.
const VARIANTS: [&str; 3] = ["browser", "device", "project"];

/// Bytes of a trace that its signature looks at, half from its head and half from its tail.
const SIGNED_TRACE: usize = 64 * 1024;

/// Longest name of a test that is kept in bytes; its identity is made of the whole.
const NAME_MAX: usize = 1024;

/// Bytes of all names of a report that are kept so; later ones are kept as [`SHORT_NAME`].
const NAMES_MAX: usize = 128 * 1024 * 1024;

/// Bytes of a name in a report that has too many.
const SHORT_NAME: usize = 96;

/// Where finished blocks go; an error ends the parse.
pub(super) type Out<'a> = &'a mut dyn FnMut(Block) -> Result<(), Stop>;

/// A finished block.
#[derive(Debug)]
pub(super) enum Block {
    /// Of rows.
    Rows(Packed),
    /// Of results.
    Results(Packed),
}

/// Takes cases, gives blocks of rows at once and results at the end.
pub(super) struct Collector<'a> {
    project: ProjectId,
    attempts: Attempts,
    tests: Vec<Gathered>,
    block: RowBlock,
    block_bytes: usize,
    rows: u32,
    out: Out<'a>,
    /// Why a block could not be packed.
    failure: Option<StorageError>,
    /// Rows that were too large to keep whole.
    pub cut_rows: u64,
    /// Tests whose names were cut, because those before them are long enough.
    pub cut_names: u64,
    /// Bytes of names that may still be kept.
    names_left: usize,
    /// The report's own words on where it comes from.
    pub branch: Option<String>,
    /// As above.
    pub commit: Option<String>,
    /// What was printed before the report was written.
    pub printed: PrintedFailures,
    has_nodeids: bool,
}

/// What the rows of one test say so far.
struct Gathered {
    test: TestId,
    identity: Identity,
    attempt: u32,
    /// Of the worst row of the last attempt.
    outcome: Outcome,
    row: u32,
    signature: Option<Signature>,
    /// Milliseconds of the last attempt.
    duration_ms: Option<u64>,
    /// The last failure in any attempt.
    failed: Option<(u32, Option<Signature>)>,
    /// The reporter's ids of its rows, each once.
    fail_ids: Vec<String>,
    /// The key of its printed failure, and whether the step that printed it succeeded.
    printed: Option<(u64, bool)>,
}

/// What a report comes to.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub counts: OutcomeCounts,
    pub runs: Vec<NewRun>,
    pub evidence: Evidence,
}

impl<'a> Collector<'a> {
    pub(super) fn new(project: ProjectId, out: Out<'a>) -> Self {
        Self {
            project,
            attempts: Attempts::new(),
            tests: Vec::new(),
            block: RowBlock::default(),
            block_bytes: 0,
            rows: 0,
            out,
            failure: None,
            cut_rows: 0,
            cut_names: 0,
            names_left: NAMES_MAX,
            branch: None,
            commit: None,
            printed: PrintedFailures::default(),
            has_nodeids: false,
        }
    }

    /// Writes the last rows and all results.
    ///
    /// # Errors
    /// A block that could not be packed; `None` when the receiver wants no more.
    pub(super) fn finish(mut self) -> Result<Collected, Option<StorageError>> {
        if self.write_rows().is_err() {
            return Err(self.failure);
        }
        let verdicts = self.attempts.finish();
        let mut collected = Collected::default();
        collected.evidence.has_nodeids = self.has_nodeids;
        let fails = verdicts
            .iter()
            .any(|verdict| outcome_of(verdict.outcome).is_failure());
        let mut block = ResultBlock::default();
        let (mut first, mut bytes, mut outcomes) = (0, 0, 0);
        for (number, (test, verdict)) in (0..).zip(self.tests.into_iter().zip(verdicts)) {
            let printed = test.printed;
            let (result, run) = settle(number, test, &verdict, fails);
            note(&mut collected.evidence, &result, &verdict, printed);
            collected.counts.add(result.outcome);
            collected.runs.push(run);
            bytes += result.display_name.len() + 48;
            outcomes |= bits_of(&result);
            block.results.push(result);
            if bytes >= BLOCK_BYTES {
                let packed = pack(first, outcomes, &block).map_err(Some)?;
                (self.out)(Block::Results(packed)).map_err(|Stop| None)?;
                (first, bytes, outcomes) = (number + 1, 0, 0);
                block.results.clear();
            }
        }
        if !block.results.is_empty() {
            let packed = pack(first, outcomes, &block).map_err(Some)?;
            (self.out)(Block::Results(packed)).map_err(|Stop| None)?;
        }
        Ok(collected)
    }

    /// Why the parse was stopped, when the reason lies here.
    pub(super) fn into_failure(self) -> Option<StorageError> {
        self.failure
    }

    fn write_rows(&mut self) -> Result<(), Stop> {
        if self.block.rows.is_empty() {
            return Ok(());
        }
        let first = self.rows
            - u32::try_from(self.block.rows.len()).expect("a block has fewer rows than the report");
        let packed = pack(first, 0, &self.block).map_err(|error| {
            self.failure = Some(error);
            Stop
        })?;
        self.block.rows.clear();
        self.block_bytes = 0;
        (self.out)(Block::Rows(packed))
    }

    /// The test that a row belongs to.
    fn gathered(&mut self, number: usize, case: &ParsedCase) -> &mut Gathered {
        if number == self.tests.len() {
            let (test, mut identity) = identity_of(self.project, case);
            if identity.text_bytes() > self.names_left {
                self.cut_names += 1;
                identity = identity.shortened(SHORT_NAME);
            }
            self.names_left = self.names_left.saturating_sub(identity.text_bytes());
            self.has_nodeids |= case.nodeid.is_some();
            self.tests.push(Gathered {
                test,
                identity,
                attempt: 0,
                outcome: Outcome::NotRun,
                row: 0,
                signature: None,
                duration_ms: None,
                failed: None,
                fail_ids: Vec::new(),
                printed: self.printed.of(case.nodeid.as_deref()),
            });
        }
        &mut self.tests[number]
    }
}

impl Gathered {
    /// Keeps a row's id; not more of them than anybody would read.
    fn note_fail_id(&mut self, id: &str) {
        let new = !id.is_empty() && id.len() <= FAIL_ID_MAX;
        if new && self.fail_ids.len() < FAIL_IDS && !self.fail_ids.iter().any(|known| known == id) {
            self.fail_ids.push(id.to_owned());
        }
    }
}

impl Sink for Collector<'_> {
    fn suite(&mut self, suite: SuiteInfo) {
        for (name, value) in suite.properties {
            match name.as_str() {
                "branch" => self.branch = Some(value),
                "commit" => self.commit = Some(value),
                _ => {}
            }
        }
    }

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        let place = self.attempts.place(&case.key());
        if place.copy {
            return Ok(());
        }
        let number = self.rows;
        let outcome = outcome_of(case.outcome);
        let failed = failure_of(&case, outcome);
        let duration = case.duration_ms;
        let test = self.gathered(place.test as usize, &case);
        let next_attempt = place.attempt > test.attempt;
        if next_attempt || severity(outcome) > severity(test.outcome) {
            test.outcome = outcome;
            test.row = number;
            test.signature = failed.flatten().filter(|_| outcome.is_failure());
        }
        test.duration_ms = match (test.duration_ms.filter(|_| !next_attempt), duration) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        test.attempt = place.attempt;
        if let Some(signature) = failed {
            test.failed = Some((number, signature));
        }
        test.note_fail_id(case.fail_id.as_deref().unwrap_or_default());
        let mut row = row_of(case, place.test, place.attempt);
        self.cut_rows += u64::from(fit(&mut row));
        self.block_bytes += size_of_row(&row);
        self.block.rows.push(row);
        self.rows += 1;
        if self.block_bytes >= BLOCK_BYTES {
            self.write_rows()
        } else {
            Ok(())
        }
    }
}

/// Notes what speaks for or against the report.
fn note(
    evidence: &mut Evidence,
    result: &CompactRow,
    verdict: &TestVerdict,
    printed: Option<(u64, bool)>,
) {
    let name = &result.display_name;
    if result.outcome.is_failure() {
        evidence.failing.add(name);
    }
    let looked_passed = verdict.attempts > 1
        && verdict.outcome_of_attempt(1, super::parse::Outcome::Passed)
            != super::parse::Outcome::Passed;
    if looked_passed && result.recovered {
        evidence.rerun.add(name);
    }
    if let Some((key, _)) = printed {
        evidence.printed.push(key);
        if result.outcome == Outcome::Passed {
            evidence.printed_passed.add(name);
        }
    }
}

/// What a test comes to; `fails` says whether a test of the report does.
fn settle(number: u32, test: Gathered, verdict: &TestVerdict, fails: bool) -> (CompactRow, NewRun) {
    let outcome = outcome_of(verdict.outcome);
    // A failure was printed and the last attempt passed. Where the step failed and no row says why, it may be this test that the
    // report shows too green, so that nothing is claimed.
    let hidden = test
        .printed
        .is_some_and(|(_, step_succeeded)| step_succeeded || fails);
    let recovered = verdict.flaky || (hidden && outcome == Outcome::Passed);
    let failed = test.failed.filter(|_| recovered);
    let signature = if outcome.is_failure() {
        test.signature
    } else {
        failed.and_then(|(_, signature)| signature)
    };
    let result = CompactRow {
        test: test.test,
        display_name: test.identity.display.clone(),
        outcome,
        recovered,
        attempts: verdict.attempts,
        duration_ms: test.duration_ms,
        signature,
        row: test.row,
        failed_row: failed.map(|(row, _)| row),
        fail_ids: test.fail_ids,
    };
    let run = NewRun {
        test: test.test,
        identity: test.identity,
        row: number,
        outcome,
        recovered,
        signature,
        duration_ms: test.duration_ms,
    };
    (result, run)
}

pub(super) fn identity_of(project: ProjectId, case: &ParsedCase) -> (TestId, Identity) {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    // A name alone would meet across suites.
    let alone = case.classname.is_empty() && !given(&case.nodeid) && !given(&case.file);
    let mut identity = identify(
        case.nodeid.as_deref(),
        case.file.as_deref(),
        if alone { &case.suite } else { &case.classname },
        &case.name,
    );
    let value = |name: &&str| {
        case.properties
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let variants: Vec<&str> = VARIANTS
        .iter()
        .filter_map(value)
        .filter(|value| !value.is_empty())
        .collect();
    if !variants.is_empty() {
        identity.display = format!("{} [{}]", identity.display, variants.join(", "));
    }
    let labelled: Vec<String> = VARIANTS
        .iter()
        .filter_map(|name| Some((name, value(name).filter(|value| !value.is_empty())?)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let labelled: Vec<&str> = labelled.iter().map(String::as_str).collect();
    let test = test_id(project, &identity.key, &labelled);
    (test, identity.shortened(NAME_MAX))
}

/// Whether a row tells of a failure, its own or that of an attempt inside it, and that failure's signature.
pub(super) fn failure_of(case: &ParsedCase, outcome: Outcome) -> Option<Option<Signature>> {
    let sign = |kind: &Option<String>, message: &Option<String>, trace: Option<&str>| {
        Some(signature(
            kind.as_deref(),
            message.as_deref().unwrap_or_default(),
            &ends_of(trace.unwrap_or_default(), SIGNED_TRACE),
        ))
    };
    if outcome.is_failure() {
        return Some(sign(
            &case.kind,
            &case.message,
            case.trace.as_ref().map(|text| text.value.as_str()),
        ));
    }
    let retry = case
        .retries
        .iter()
        .rev()
        .find(|retry| outcome_of(retry.outcome).is_failure())?;
    Some(sign(
        &retry.kind,
        &retry.message,
        retry.trace.as_ref().map(|text| text.value.as_str()),
    ))
}

impl Block {
    /// What is in it.
    pub(super) fn packed(&self) -> &Packed {
        match self {
            Self::Rows(packed) | Self::Results(packed) => packed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Collector, NAME_MAX, NAMES_MAX, SHORT_NAME, identity_of};
    use crate::reports::parse::{ParsedCase, Sink, Stop};
    use testhide_protocol::ProjectId;

    fn case(name: String, properties: &[(&str, &str)]) -> ParsedCase {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ParsedCase {
            classname: "c".to_owned(),
            name,
            properties: properties.iter().map(pair).collect(),
            attempt: 1,
            ..ParsedCase::default()
        }
    }

    #[test]
    fn an_empty_property_tells_nothing_apart() {
        let id = |properties: &[(&str, &str)]| {
            identity_of(
                ProjectId::from_bytes([1; 16]),
                &case("t".to_owned(), properties),
            )
            .0
        };
        assert_eq!(id(&[]), id(&[("browser", "")]));
        assert_ne!(id(&[]), id(&[("browser", "firefox")]));
        assert_ne!(id(&[("device", "firefox")]), id(&[("browser", "firefox")]));
    }

    #[test]
    fn names_of_a_hostile_report_are_cut_and_stay_apart() {
        let long = "x".repeat(64 * 1024);
        let mut out = |_: Block| Ok::<_, Stop>(());
        let mut collector = Collector::new(ProjectId::from_bytes([1; 16]), &mut out);
        collector.names_left = 3 * 2 * NAME_MAX;
        assert!(NAMES_MAX > collector.names_left);
        for number in 0..9 {
            let case = case(format!("{long}{number}"), &[("browser", &long)]);
            assert!(collector.case(case).is_ok());
        }
        assert_eq!(collector.cut_names, 6);
        let names: Vec<_> = collector.tests.iter().map(|test| &test.identity).collect();
        assert!(names[..3].iter().all(|name| name.display.len() == NAME_MAX));
        assert!(
            names[3..]
                .iter()
                .all(|name| name.display.len() <= SHORT_NAME)
        );
        let collected = collector.finish().unwrap();
        let mut tests: Vec<_> = collected.runs.iter().map(|run| run.test).collect();
        tests.sort_unstable();
        tests.dedup();
        assert_eq!(tests.len(), 9);
    }
}
