//! A file is parsed and packed into the volumes, before anything of it is in the state.

use super::collect::{Block, Collected, Collector};
use super::error::ReportsError;
use super::evidence::{Evidence, PrintedFailures};
use super::model::{StoredBlock, StoredReport, StoredWarning};
use super::parse::{Limits, ParseError, Stop, Summary, Warning, parse_seekable};
use super::store::Reports;
use crate::history::{BuildOrigin, NewRun, Origin, new_report_id};
use crate::storage::{FileReader, StorageError, StoredFile};
use bytes::Bytes;
use testhide_protocol::api::{Outcome, OutcomeCounts, ParseWarning};
use testhide_protocol::{ProjectId, ReportId, TestId, Timestamp, UserId};
use tokio::sync::mpsc;

/// Packed blocks that wait for the disk; as many are appended at once.
const QUEUE: usize = 64;

/// Longest file name that is kept, in characters.
const NAME_MAX: usize = 255;

/// What is taken of one report. Some three hundred bytes a test stay in memory until the report is stored.
fn limits() -> Limits {
    Limits {
        cases: 1_000_000,
        ..Limits::default()
    }
}

/// A report whose rows are on disk and which nobody can see yet. Dropped, it leaves garbage that is swept.
#[derive(Debug)]
pub struct PreparedReport {
    pub(super) id: ReportId,
    pub(super) report: StoredReport,
    pub(super) rows: Vec<(u32, StoredBlock)>,
    pub(super) results: Vec<(u32, StoredBlock)>,
    pub(super) runs: Vec<NewRun>,
    /// What speaks for or against it.
    pub(super) evidence: Evidence,
    /// What was sent, as one hash.
    pub(super) request: [u8; 32],
    pub(super) key: Option<(UserId, String)>,
}

impl PreparedReport {
    /// The id that it will have.
    #[must_use]
    pub fn id(&self) -> ReportId {
        self.id
    }

    /// Tests by outcome; several attempts of one test count once.
    #[must_use]
    pub fn counts(&self) -> OutcomeCounts {
        self.report.counts
    }

    /// Every test with its outcome.
    pub fn tests(&self) -> impl Iterator<Item = (TestId, Outcome)> {
        self.runs.iter().map(|run| (run.test, run.outcome))
    }

    /// What speaks for or against it.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// File name as it is kept.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.report.name
    }

    /// The reporter and its version, where the file says.
    #[must_use]
    pub fn reporter(&self) -> Option<&str> {
        self.report.reporter.as_deref()
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &StoredFile {
        &self.report.file
    }

    /// The build and attempt that it comes from.
    #[must_use]
    pub fn build(&self) -> Option<&BuildOrigin> {
        self.report.origin.build.as_ref()
    }

    /// What the parser repaired or assumed.
    #[must_use]
    pub fn warnings(&self) -> Vec<ParseWarning> {
        self.report
            .warnings
            .iter()
            .cloned()
            .map(ParseWarning::from)
            .collect()
    }

    /// Whether the file broke off.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.report.truncated
    }

    /// The same under an `Idempotency-Key`: when a report was stored under it before, [`super::store`] answers that one and stores
    /// nothing; its id then differs from [`PreparedReport::id`].
    #[must_use]
    pub fn keyed(self, user: UserId, key: String) -> Self {
        Self {
            key: Some((user, key)),
            ..self
        }
    }
}

impl Reports {
    /// Parses a file and packs its rows into the volumes; nothing is in the state yet.
    ///
    /// # Errors
    /// A file that cannot be read as a report (with line and reason), a disk that is getting full, failures of the store.
    pub async fn prepare(
        &self,
        origin: Origin,
        name: String,
        file: StoredFile,
    ) -> Result<PreparedReport, ReportsError> {
        self.prepare_with(origin, name, file, PrintedFailures::default())
            .await
    }

    /// As [`Reports::prepare`], with failures that were printed before the file was written: a test that passed all the same has recovered.
    ///
    /// # Errors
    /// As [`Reports::prepare`].
    pub async fn prepare_with(
        &self,
        origin: Origin,
        name: String,
        file: StoredFile,
        printed: PrintedFailures,
    ) -> Result<PreparedReport, ReportsError> {
        if file.size == 0 {
            return Err(ReportsError::Empty);
        }
        let (sender, mut blocks) = mpsc::channel(QUEUE);
        let input = FileReader::new(self.volumes.clone(), &file);
        let project = origin.project;
        let reading = tokio::task::spawn_blocking(move || read(input, project, printed, &sender));
        let placed = self.place(&mut blocks).await;
        // The parser stops at its next block when nobody takes them.
        drop(blocks);
        let read = reading
            .await
            .map_err(|error| ReportsError::Panicked(error.to_string()))?;
        let (rows, results) = placed?;
        Ok(put_together(origin, &name, file, read?, rows, results))
    }

    /// Appends blocks to the volumes while the parser goes on; answers where those of rows and of results lie.
    async fn place(
        &self,
        blocks: &mut mpsc::Receiver<Block>,
    ) -> Result<(Placed, Placed), StorageError> {
        let (mut rows, mut results) = (Vec::new(), Vec::new());
        let mut batch = Vec::new();
        while blocks.recv_many(&mut batch, QUEUE).await > 0 {
            let bytes: Vec<Bytes> = batch
                .iter()
                .map(|block| block.packed().bytes.clone())
                .collect();
            let places = self.volumes.append_file(bytes).await?;
            for (block, place) in batch.drain(..).zip(places) {
                let packed = block.packed();
                let stored = StoredBlock {
                    place,
                    raw_len: packed.raw_len,
                    outcomes: packed.outcomes,
                };
                match &block {
                    Block::Rows(packed) => rows.push((packed.first, stored)),
                    Block::Results(packed) => results.push((packed.first, stored)),
                }
            }
        }
        Ok((rows, results))
    }
}

type Placed = Vec<(u32, StoredBlock)>;

/// What the parser's thread answers.
struct Read {
    summary: Summary,
    collected: Collected,
    cut_rows: u64,
    cut_names: u64,
    branch: Option<String>,
    commit: Option<String>,
}

fn read(
    input: FileReader,
    project: ProjectId,
    printed: PrintedFailures,
    blocks: &mpsc::Sender<Block>,
) -> Result<Read, ReportsError> {
    let mut out = |block: Block| blocks.blocking_send(block).map_err(|_| Stop);
    let mut collector = Collector::new(project, &mut out);
    collector.printed = printed;
    let parsed = parse_seekable(input, &limits(), &mut collector);
    let summary = match parsed {
        Ok(summary) => summary,
        Err(ParseError::Stopped { .. }) => return Err(gave_up(collector.into_failure())),
        Err(error) => return Err(error.into()),
    };
    let (cut_rows, cut_names, branch, commit) = (
        collector.cut_rows,
        collector.cut_names,
        collector.branch.take(),
        collector.commit.take(),
    );
    let collected = collector.finish().map_err(gave_up)?;
    Ok(Read {
        summary,
        collected,
        cut_rows,
        cut_names,
        branch,
        commit,
    })
}

/// The reason why blocks were no longer made, or no longer taken; whoever did not take them has the better one.
fn gave_up(failure: Option<StorageError>) -> ReportsError {
    failure.unwrap_or(StorageError::Closing).into()
}

fn put_together(
    mut origin: Origin,
    name: &str,
    file: StoredFile,
    read: Read,
    rows: Placed,
    results: Placed,
) -> PreparedReport {
    let name = plain_name(name);
    let request = request_of(&origin, &name, &file);
    if origin.build.is_none() {
        let said = |name: &str| {
            read.summary
                .properties
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let usable = |text: &String| {
            !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control)
        };
        if origin.branch.is_empty() {
            let branch = read
                .branch
                .or_else(|| said("branch"))
                .or_else(|| said("branchName"));
            origin.branch = branch.filter(usable).unwrap_or_default();
        }
        origin.commit = origin
            .commit
            .or_else(|| read.commit.or_else(|| said("commit")).filter(usable));
    }
    let report = StoredReport {
        origin,
        name,
        format: read.summary.format.as_str().to_owned(),
        reporter: reporter_of(&read.summary),
        rows: rows_of(&read.summary),
        counts: read.collected.counts,
        warnings: warnings_of(&read.summary, read.cut_rows, read.cut_names),
        truncated: read.summary.truncated,
        file,
        created_at: Timestamp(0),
    };
    let mut runs = read.collected.runs;
    runs.sort_by_key(|run| (run.test, run.row));
    let evidence = Evidence {
        declared: read.summary.declared.map(|declared| declared.total),
        rows: read.summary.counts.total,
        ..read.collected.evidence
    };
    PreparedReport {
        id: new_report_id(),
        report,
        rows,
        results,
        runs,
        evidence,
        request,
        key: None,
    }
}

fn rows_of(summary: &Summary) -> OutcomeCounts {
    let counts = &summary.counts;
    OutcomeCounts {
        passed: counts.passed,
        failed: counts.failed,
        error: counts.error,
        skipped: counts.skipped,
        known_issue: counts.known_issue,
        not_run: counts.not_run,
        total: counts.total,
    }
}

/// A name without control characters, not too long.
pub(super) fn plain_name(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(NAME_MAX)
        .collect()
}

/// What a repeated upload has to be equal in. Branch and commit of a build may become known in between.
pub(super) fn request_of(origin: &Origin, name: &str, file: &StoredFile) -> [u8; 32] {
    let commit = origin.commit.as_deref().unwrap_or_default();
    let (build, branch, commit) = match &origin.build {
        Some(build) => (build.id.bytes(), "", ""),
        None => ([0; 16], origin.branch.as_str(), commit),
    };
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&origin.project.bytes())
        .update(&build)
        .update(&file.blake3);
    for text in [name, branch, commit] {
        hasher
            .update(&(text.len() as u64).to_le_bytes())
            .update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn reporter_of(summary: &Summary) -> Option<String> {
    let reporter = summary.reporter.as_ref()?;
    Some(match &summary.reporter_version {
        Some(version) => format!("{reporter} {version}"),
        None => reporter.clone(),
    })
}

fn warnings_of(summary: &Summary, cut_rows: u64, cut_names: u64) -> Vec<StoredWarning> {
    let kept = |warning: &Warning| StoredWarning {
        line: Some(warning.line),
        what: warning.what.clone(),
        assumed: warning.assumed.to_owned(),
    };
    let mut warnings: Vec<StoredWarning> = summary.warnings.iter().map(kept).collect();
    let mut say = |what: String, assumed: &str| {
        warnings.push(StoredWarning {
            line: None,
            what,
            assumed: assumed.to_owned(),
        });
    };
    let more = summary
        .warnings_total
        .saturating_sub(summary.warnings.len() as u64);
    if more > 0 {
        say(format!("{more} more warnings"), "as those above");
    }
    if cut_rows > 0 {
        say(
            format!("{cut_rows} rows of more than 8 MiB"),
            "left out properties and the output of inner attempts",
        );
    }
    if cut_names > 0 {
        say(
            format!("the names of {cut_names} tests, after 128 MiB of names"),
            "shortened them in lists; the tests stay apart",
        );
    }
    if summary.counts.total == 0 {
        say("the report has no tests".to_owned(), "kept it as it is");
    }
    if summary.truncated && warnings.is_empty() {
        warnings.push(StoredWarning {
            line: None,
            what: "the report breaks off".to_owned(),
            assumed: "kept what stands before".to_owned(),
        });
    }
    warnings
}
