//! Reports from body to answers, over a real store.

use super::generator::junit;
use super::parse::{Attempts, Limits, ParsedCase, Sink, Stop, SuiteInfo, parse_seekable};
use super::{PreparedReport, Reports, ReportsError, Upload, store};
use crate::accounts::{Principal, Refusal};
use crate::events::EventLog;
use crate::history::{BuildOrigin, History, Origin, last_runs_before, result_id};
use crate::kit::Clock;
use crate::storage::{OpenOptions, Storage};
use bytes::Bytes;
use futures_util::stream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use testhide_protocol::api::{Event, Outcome, OutcomeCounts, ProjectPermission, Report};
use testhide_protocol::{BuildId, JobId, ProjectId, Timestamp, UserId};

struct Bench {
    runtime: tokio::runtime::Runtime,
    storage: Storage,
    reports: Reports,
    history: History,
    project: ProjectId,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let reports = Reports::new(storage.clone(), volumes, Clock::manual(Timestamp(1_000)));
        let history = History::new(storage.clone());
        Self {
            runtime,
            storage,
            reports,
            history,
            project: ProjectId::generate(),
            _dir: dir,
        }
    }

    fn origin(&self, branch: &str) -> Origin {
        Origin {
            project: self.project,
            build: None,
            branch: branch.to_owned(),
            commit: None,
            agent: None,
        }
    }

    fn prepare(&self, origin: Origin, body: &[u8]) -> Result<PreparedReport, ReportsError> {
        let parts: Vec<_> = body
            .chunks(700)
            .map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)))
            .collect();
        self.runtime.block_on(async {
            let file = self.reports.intake(stream::iter(parts), 1 << 24).await?;
            self.reports
                .prepare(origin, "report.xml".to_owned(), file)
                .await
        })
    }

    fn add(&self, origin: Origin, body: &[u8]) -> Report {
        let prepared = Arc::new(self.prepare(origin, body).unwrap());
        self.runtime
            .block_on(
                self.storage
                    .write(move |wtxn| store(wtxn, &prepared, Timestamp(2_000))),
            )
            .unwrap()
    }

    fn upload(
        &self,
        principal: &Principal,
        upload: Upload,
        body: &str,
    ) -> Result<super::Uploaded, ReportsError> {
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(body.to_owned()))]);
        self.runtime
            .block_on(self.reports.upload(principal, self.project, upload, body))
    }

    fn state(&self) -> u64 {
        EventLog::new(self.storage.clone()).last().unwrap()
    }
}

fn build(number: u64, attempt: u32) -> BuildOrigin {
    BuildOrigin {
        id: BuildId::generate(),
        number,
        attempt,
        job: JobId::generate(),
        job_name: "unit".to_owned(),
    }
}

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    let mut found: Vec<_> = [root.clone(), root.join("native")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    // Formats of lines, and archives.
    for folder in ["go_test", "libtest", "tap", "allure"] {
        found.extend(
            std::fs::read_dir(root.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| !path.to_string_lossy().ends_with(".expected.json")),
        );
    }
    found.sort();
    assert!(found.len() > 20);
    found
}

#[derive(Default)]
struct Cases(Vec<ParsedCase>);

impl Sink for Cases {
    fn suite(&mut self, _: SuiteInfo) {}

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        self.0.push(case);
        Ok(())
    }
}

#[test]
fn fixtures_give_what_they_hold() {
    let bench = Bench::new();
    for path in fixtures() {
        let what = path.display();
        let bytes = std::fs::read(&path).unwrap();
        let mut cases = Cases::default();
        parse_seekable(std::io::Cursor::new(&bytes), &Limits::default(), &mut cases).unwrap();
        let mut attempts = Attempts::new();
        let placed: Vec<_> = cases
            .0
            .iter()
            .map(|case| attempts.place(&case.key()))
            .collect();
        let verdicts = attempts.finish();

        let report = bench.add(bench.origin("main"), &bytes);
        let mut counts = OutcomeCounts::default();
        verdicts
            .iter()
            .for_each(|verdict| counts.add(super::rows::outcome_of(verdict.outcome)));
        assert_eq!(report.tests, counts, "{what}");
        assert_eq!(report.size, bytes.len() as u64, "{what}");
        assert_eq!(bench.reports.get(report.id).unwrap(), report, "{what}");
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path.with_extension("expected.json")).unwrap())
                .unwrap();
        if verdicts.len() == cases.0.len() && expected["counts"].is_object() {
            for outcome in [
                "passed",
                "failed",
                "error",
                "skipped",
                "known_issue",
                "total",
            ] {
                assert_eq!(
                    serde_json::to_value(report.counts).unwrap()[outcome],
                    expected["counts"][outcome],
                    "{what}"
                );
            }
        }

        let listed = bench
            .reports
            .results(report.id, None, None, 10_000)
            .unwrap();
        assert_eq!(listed.len(), verdicts.len(), "{what}");
        for (number, verdict) in verdicts.iter().enumerate() {
            let whole = bench.reports.result(listed[number].id).unwrap();
            assert_eq!(whole.id, result_id(report.id, number as u32));
            assert_eq!(
                (whole.attempts, whole.recovered),
                (verdict.attempts, verdict.flaky),
                "{what} {number}"
            );
            let own: Vec<_> = cases
                .0
                .iter()
                .zip(&placed)
                .filter(|(_, place)| place.test as usize == number)
                .collect();
            let source = own.iter().find(|(case, _)| {
                case.name == whole.name
                    && case.stdout.as_ref().map(|text| &text.value) == whole.stdout.as_ref()
                    && case.properties == whole.properties
            });
            assert!(
                source.is_some(),
                "{what} {number}: shows no row of the file"
            );
            assert_eq!(
                whole.outcome.is_failure() || (whole.recovered && whole.trace.is_some()),
                !whole.signature.is_empty(),
                "{what} {number}"
            );
            let run = &bench
                .history
                .runs(whole.test_id, None, None, 100)
                .unwrap()
                .runs[0];
            assert!(
                run.report == report.id,
                "{what} {number}: the newest run is of this report"
            );
        }
        let failing = bench.reports.failures_of(report.id, None, 10_000).unwrap();
        let expected = verdicts.iter().filter(|verdict| {
            verdict.flaky || super::rows::outcome_of(verdict.outcome).is_failure()
        });
        assert_eq!(failing.len(), expected.count(), "{what}");
        assert_eq!(
            bench.reports.compact_rows(report.id).unwrap().len(),
            verdicts.len(),
            "{what}"
        );
    }
}

#[test]
fn many_tests_page_and_filter() {
    let bench = Bench::new();
    let tests = 3_000;
    let prepared = bench.runtime.block_on(async {
        let file = bench
            .reports
            .intake(stream::iter(junit(tests, 10)), 1 << 24)
            .await
            .unwrap();
        bench
            .reports
            .prepare(bench.origin("main"), "many.xml".to_owned(), file)
            .await
            .unwrap()
    });
    assert!(
        prepared.rows.len() > 3 && prepared.results.len() > 3,
        "more than one block of each"
    );
    let prepared = Arc::new(prepared);
    let report = bench
        .runtime
        .block_on(
            bench
                .storage
                .write(move |wtxn| store(wtxn, &prepared, Timestamp(7))),
        )
        .unwrap();
    assert_eq!((report.counts.total, report.counts.failed), (3_000, 300));

    let walk = |outcome: Option<Outcome>| {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let page = bench
                .reports
                .results(report.id, outcome, after, 137)
                .unwrap();
            let Some(last) = page.last() else {
                return names;
            };
            assert!(page.iter().all(|result| result.stdout.is_none()));
            after = Some(last.id);
            names.extend(page.into_iter().map(|result| result.name));
        }
    };
    let name = |number: usize| format!("test_{number}");
    assert_eq!(walk(None), (0..tests).map(name).collect::<Vec<_>>());
    assert_eq!(
        walk(Some(Outcome::Failed)),
        (0..tests).step_by(10).map(name).collect::<Vec<_>>()
    );
    assert_eq!(walk(Some(Outcome::Skipped)), Vec::<String>::new());

    let one = bench.reports.result(result_id(report.id, 2_990)).unwrap();
    assert_eq!(
        (one.name.as_str(), one.stdout.as_deref()),
        ("test_2990", Some("output of 2990"))
    );
    assert_eq!(one.message.as_deref(), Some("wrong 2990"));
    let missing = bench.reports.result(result_id(report.id, 3_000));
    assert!(
        matches!(missing, Err(ReportsError::ResultNotFound(_))),
        "{missing:?}"
    );
    let missing = bench
        .reports
        .result(result_id(crate::history::new_report_id(), 0));
    assert!(
        matches!(missing, Err(ReportsError::ResultNotFound(_))),
        "{missing:?}"
    );
    let failures = bench
        .reports
        .failures_of(report.id, Some(result_id(report.id, 2_980)), 10)
        .unwrap();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].trace.as_deref().unwrap().contains("in sell"));
}

const RETRIED: &str = r#"<testsuites><testsuite name="s">
    <testcase classname="c" name="came back" time="0.5"><flakyFailure type="E" message="once"><stackTrace>at a.b (x.js:1:1)</stackTrace></flakyFailure></testcase>
    <testcase classname="c" name="fine" time="0.1"/>
</testsuite></testsuites>"#;

#[test]
fn a_test_that_recovered_tells_from_what() {
    let bench = Bench::new();
    let report = bench.add(bench.origin("main"), RETRIED.as_bytes());
    assert_eq!((report.tests.passed, report.tests.failed), (2, 0));
    let failures = bench.reports.failures_of(report.id, None, 10).unwrap();
    let told: Vec<_> = failures
        .iter()
        .map(|one| (one.outcome, one.recovered, one.message.as_deref()))
        .collect();
    assert_eq!(told, [(Outcome::Passed, true, Some("once"))]);
    assert!(failures[0].signature.is_some());
    let whole = bench.reports.result(failures[0].id).unwrap();
    assert_eq!(
        (whole.outcome, whole.recovered, whole.message.as_deref()),
        (Outcome::Passed, true, Some("once"))
    );
    let run = &bench
        .history
        .runs(failures[0].test, None, None, 1)
        .unwrap()
        .runs[0];
    assert!(run.recovered && run.outcome == Outcome::Passed);
    let seen = bench
        .storage
        .read(|rtxn| last_runs_before(rtxn, failures[0].test, None, report.id, 5))
        .unwrap();
    assert_eq!(seen, []);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let bench = Bench::new();
    let check = |body: &str, code: &str, line: Option<u64>| {
        let error = bench
            .prepare(bench.origin(""), body.as_bytes())
            .unwrap_err();
        let found = match &error {
            ReportsError::Parse(error) => Some(error.line()),
            _ => None,
        };
        assert_eq!(found, line, "{body}");
        let problem = crate::web::ApiError::from(error);
        assert_eq!((problem.status(), problem.code()), (422, code), "{body}");
    };
    check("", "report_empty", None);
    check("hello", "report_not_recognised", Some(1));
    check("<html><body/></html>", "report_not_recognised", Some(1));
    check(
        "<testsuites>\n<!DOCTYPE x [<!ENTITY a \"b\">]>\n",
        "report_refused",
        Some(2),
    );
    check(
        "<!DOCTYPE testsuites>\n<testsuites/>",
        "report_refused",
        Some(1),
    );
    check(
        "<testsuites>\n<testsuite name=\"a",
        "report_broken",
        Some(2),
    );
    assert_eq!(bench.state(), 0, "no event");
    assert_eq!(
        bench.reports.of_project(bench.project, None, 10).unwrap(),
        []
    );
    let many = "x".repeat(100);
    let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(many))]);
    let error = bench
        .runtime
        .block_on(bench.reports.intake(body, 99))
        .unwrap_err();
    assert_eq!(crate::web::ApiError::from(error).status(), 413);
    let broken = stream::iter([
        Ok(Bytes::from_static(b"<testsuites>")),
        Err(std::io::Error::other("gone")),
    ]);
    let error = bench
        .runtime
        .block_on(bench.reports.intake(broken, 99))
        .unwrap_err();
    assert_eq!(crate::web::ApiError::from(error).code(), "body_broken_off");
}

#[test]
fn a_cut_report_keeps_what_stands_before() {
    let bench = Bench::new();
    let body = "<testsuite name=\"s\"><testcase classname=\"c\" name=\"a\"/><testcase classname=\"c\" name=\"b\"><fail";
    let report = bench.add(bench.origin("main"), body.as_bytes());
    assert!(report.truncated && !report.warnings.is_empty());
    assert!(report.counts.total >= 1);
    let empty = bench.add(bench.origin("main"), b"<testsuites></testsuites>");
    assert_eq!(empty.counts.total, 0);
    assert!(
        empty
            .warnings
            .iter()
            .any(|warning| warning.what.contains("no tests")),
        "a false green is named"
    );
}

const ONE: &str = "<testsuite name=\"s\"><properties><property name=\"branch\" value=\"dev\"/></properties><testcase classname=\"c\" name=\"a\"/></testsuite>";
const OTHER: &str = "<testsuite name=\"s\"><testcase classname=\"c\" name=\"b\"/></testsuite>";

#[test]
fn uploads_repeat_under_a_key() {
    let bench = Bench::new();
    let principal = Principal::new(UserId::generate(), "ann", false).granting(
        bench.project,
        [ProjectPermission::Read, ProjectPermission::Execute],
    );
    let keyed = |key: &str| Upload {
        idempotency_key: Some(key.to_owned()),
        ..Upload::default()
    };
    let first = bench.upload(&principal, keyed("k"), ONE).unwrap();
    assert!(!first.repeated);
    let again = bench.upload(&principal, keyed("k"), ONE).unwrap();
    assert!(again.repeated);
    assert_eq!(again.report, first.report);
    let reused = bench.upload(&principal, keyed("k"), OTHER);
    assert!(matches!(reused, Err(ReportsError::KeyReused)), "{reused:?}");
    assert_eq!(
        bench.reports.of_project(bench.project, None, 10).unwrap(),
        std::slice::from_ref(&first.report)
    );
    let other = bench.upload(&principal, keyed("k2"), ONE).unwrap();
    assert_ne!(other.report.id, first.report.id);
    let all: Vec<_> = bench
        .reports
        .of_project(bench.project, None, 10)
        .unwrap()
        .into_iter()
        .map(|report| report.id)
        .collect();
    assert_eq!(all, [other.report.id, first.report.id], "newest first");
    let rest = bench
        .reports
        .of_project(bench.project, Some(other.report.id), 10)
        .unwrap();
    assert_eq!(rest, [first.report]);
    assert_eq!(bench.state(), 2, "one event a report");
    let test = bench.reports.compact_rows(other.report.id).unwrap()[0].test;
    let runs = bench
        .history
        .runs(test, Some("dev"), None, 10)
        .unwrap()
        .runs;
    assert_eq!(runs.len(), 2, "the branch that the report names itself");
}

#[test]
fn the_same_key_at_the_same_moment_stores_one() {
    let bench = Bench::new();
    let user = UserId::generate();
    let ready = |body: &str| {
        Arc::new(
            bench
                .prepare(bench.origin("main"), body.as_bytes())
                .unwrap()
                .keyed(user, "k".into()),
        )
    };
    let (one, two, other) = (ready(ONE), ready(ONE), ready(OTHER));
    let put = |prepared: Arc<PreparedReport>| {
        bench.runtime.block_on(
            bench
                .storage
                .write(move |wtxn| store(wtxn, &prepared, Timestamp(1))),
        )
    };
    let first = put(one.clone()).unwrap();
    assert_eq!(first.id, one.id());
    assert_eq!(put(two).unwrap(), first);
    assert!(matches!(put(other), Err(ReportsError::KeyReused)));
}

#[test]
fn permission_comes_before_the_body() {
    let bench = Bench::new();
    let reader = Principal::new(UserId::generate(), "bob", false)
        .granting(bench.project, [ProjectPermission::Read]);
    let stranger = Principal::new(UserId::generate(), "eve", false);
    for (principal, expected) in [
        (&reader, Refusal::NotAllowed),
        (&stranger, Refusal::Invisible),
    ] {
        let body = stream::poll_fn(
            |_| -> std::task::Poll<Option<Result<Bytes, std::io::Error>>> {
                panic!("the body was read")
            },
        );
        let refused = bench.runtime.block_on(bench.reports.upload(
            principal,
            bench.project,
            Upload::default(),
            body,
        ));
        assert!(
            matches!(refused, Err(ReportsError::Refused(refusal)) if refusal == expected),
            "{refused:?}"
        );
    }
    let report = bench.add(bench.origin("main"), ONE.as_bytes());
    assert_eq!(bench.reports.resolve(&reader, report.id).unwrap(), report);
    assert!(matches!(
        bench.reports.resolve(&stranger, report.id),
        Err(ReportsError::NotFound(_))
    ));
    let bad = Upload {
        branch: Some("a\nb".into()),
        ..Upload::default()
    };
    let refused = bench.upload(&Principal::system(), bad, ONE);
    assert!(
        matches!(
            refused,
            Err(ReportsError::Invalid {
                field: "branch",
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn builds_are_listed_and_compared_by_their_last_attempt() {
    let bench = Bench::new();
    let (base, head) = (build(1, 1), build(2, 2));
    let of = |build: &BuildOrigin, body: &str| {
        bench.add(
            Origin {
                build: Some(build.clone()),
                ..bench.origin("main")
            },
            body.as_bytes(),
        )
    };
    let failing = "<testsuite name=\"s\"><testcase classname=\"c\" name=\"a\"><failure message=\"m\"/></testcase></testsuite>";
    of(&base, ONE);
    of(&base, OTHER);
    let lost = of(
        &BuildOrigin {
            attempt: 1,
            ..head.clone()
        },
        OTHER,
    );
    let report = of(&head, failing);
    assert_eq!((report.build_number, report.attempt), (Some(2), Some(2)));
    let of_build = |build| {
        let (_, reports) = bench.reports.compared_of_build(build).unwrap();
        reports
            .into_iter()
            .map(|report| (report, 0))
            .collect::<Vec<_>>()
    };
    let found = bench
        .reports
        .compare_stored(&of_build(base.id), &of_build(head.id))
        .unwrap();
    let names = |list: &[testhide_protocol::api::ComparedTest]| {
        list.iter()
            .map(|test| test.display_name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&found.new_failures), ["c > a"]);
    assert_eq!(names(&found.removed), ["c > b"]);
    let ids: Vec<_> = bench
        .reports
        .of_build(head.id)
        .unwrap()
        .into_iter()
        .map(|report| report.id)
        .collect();
    assert_eq!(ids, [lost.id, report.id]);
    let page = |attempt, outcome, after, limit| {
        let page = bench
            .reports
            .results_of_build(head.id, attempt, outcome, after, limit)
            .unwrap();
        page.into_iter().map(|result| result.id).collect::<Vec<_>>()
    };
    let (one, two) = (result_id(lost.id, 0), result_id(report.id, 0));
    assert_eq!(page(None, None, None, 10), [one, two]);
    assert_eq!(page(None, None, None, 1), [one]);
    assert_eq!(page(None, None, Some(one), 10), [two]);
    assert_eq!(page(Some(2), None, None, 10), [two]);
    assert_eq!(page(None, Some(Outcome::Passed), None, 10), [one]);
    let event = EventLog::new(bench.storage.clone())
        .after(3, 1)
        .unwrap()
        .remove(0)
        .event;
    assert_eq!(
        event,
        Event::ReportStored {
            report: report.id,
            build: Some(head.id),
            failures: 1
        }
    );
}
