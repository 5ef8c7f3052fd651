//! Verdicts, labels and similar failures over a real store.

use super::{Analysis, AnalysisError, AnalysisSettings};
use crate::accounts::Principal;
use crate::artifacts::Artifacts;
use crate::builds::{Builds, StartRequest};
use crate::events::{Consumers, EventLog};
use crate::history::History;
use crate::jobs::Jobs;
use crate::kit::Clock;
use crate::logs::Logs;
use crate::projects::Projects;
use crate::reports::{Reports, Upload};
use crate::storage::{OpenOptions, Storage};
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use futures_util::stream;
use std::path::PathBuf;
use std::time::Duration;
use testhide_protocol::api::{
    BuildVerdicts, CreateJob, CreateProject, Event, FailureVerdict, JobDefinition, Outcome,
    ProjectPermission, Step, Tps, Trigger, VerdictKind,
};
use testhide_protocol::{JobId, ProjectId, ReportId, ResultId, Timestamp, UserId};
use tower::ServiceExt;

const ALL: AnalysisSettings = AnalysisSettings {
    root_cause: true,
    flakiness: true,
    retriever: true,
};

/// A server of the slices below the analysis, with two projects.
struct World {
    analysis: Analysis,
    storage: Storage,
    clock: Clock,
    jobs: Jobs,
    reports: Reports,
    builds: Builds,
    projects: Vec<(ProjectId, JobId)>,
    vectors: PathBuf,
    _dir: tempfile::TempDir,
}

/// A test of a report: name, and the failure's message if it fails.
type Row<'a> = (&'a str, Option<&'a str>);

impl World {
    async fn new(settings: AnalysisSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let projects = Projects::new(storage.clone(), clock.clone());
        let jobs = Jobs::new(storage.clone(), clock.clone(), projects.clone());
        let logs = Logs::new(storage.clone(), volumes.clone());
        let artifacts = Artifacts::new(storage.clone(), volumes.clone());
        let reports = Reports::new(storage.clone(), volumes.clone(), clock.clone());
        let made = projects.clone();
        let builds = Builds::new(
            storage.clone(),
            clock.clone(),
            projects,
            jobs.clone(),
            logs,
            artifacts,
            reports.clone(),
        );
        let root = Principal::system();
        let mut ids = Vec::new();
        for name in ["shop", "bank"] {
            let project = made
                .create(
                    &root,
                    CreateProject {
                        name: name.into(),
                        description: String::new(),
                    },
                )
                .await
                .unwrap();
            let step = Step::Bash {
                name: None,
                run: "true".into(),
                env: Default::default(),
                timeout_seconds: None,
                continue_on_error: false,
            };
            let definition = JobDefinition {
                steps: vec![step],
                ..JobDefinition::default()
            };
            let job = jobs
                .create(
                    &root,
                    project.id,
                    CreateJob {
                        name: "test".into(),
                        definition,
                    },
                )
                .await
                .unwrap();
            ids.push((project.id, job.id));
        }
        let vectors = dir.path().join("data/index/vectors");
        let history = History::new(storage.clone());
        let analysis = Analysis::open(
            storage.clone(),
            clock.clone(),
            jobs.clone(),
            history,
            reports.clone(),
            builds.clone(),
            &vectors,
            settings,
        );
        Self {
            analysis: analysis.unwrap(),
            storage,
            clock,
            jobs,
            reports,
            builds,
            projects: ids,
            vectors,
            _dir: dir,
        }
    }

    /// The same data, with the analysis opened anew.
    fn reopened(self, settings: AnalysisSettings) -> Self {
        let history = History::new(self.storage.clone());
        let analysis = Analysis::open(
            self.storage.clone(),
            self.clock.clone(),
            self.jobs.clone(),
            history,
            self.reports.clone(),
            self.builds.clone(),
            &self.vectors,
            settings,
        );
        Self {
            analysis: analysis.unwrap(),
            ..self
        }
    }

    /// A build of `commit` with one report.
    async fn build(&self, project: usize, commit: &str, rows: &[Row<'_>]) -> ReportId {
        let root = Principal::system();
        let trigger = Trigger {
            commit: Some(commit.to_owned()),
            ..Trigger::default()
        };
        let request = StartRequest {
            job: self.projects[project].1,
            trigger,
            triggered_by: "test".into(),
            idempotency_key: None,
        };
        let number = self
            .builds
            .start(&root, request)
            .await
            .unwrap()
            .number
            .to_string();
        let report = self.add(&number, &junit(rows)).await;
        self.builds.cancel(&root, &number, None).await.unwrap();
        report
    }

    async fn add(&self, build: &str, xml: &str) -> ReportId {
        self.clock.advance(Duration::from_mins(10));
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(xml.to_owned()))]);
        let file = self.reports.intake(body, 1 << 26).await.unwrap();
        self.builds
            .add_report(&Principal::system(), build, "junit.xml".into(), file, None)
            .await
            .unwrap()
            .report
            .id
    }

    /// Lets every consumer catch up.
    async fn follow(&self) {
        let consumers = Consumers::new(
            self.storage.clone(),
            EventLog::new(self.storage.clone()),
            self.clock.clone(),
        );
        for consumer in self.analysis.consumers() {
            consumers.drain(&*consumer).await.unwrap();
        }
        assert_eq!(consumers.parked().unwrap(), vec![]);
    }

    async fn verdicts(&self, build: u64) -> BuildVerdicts {
        self.analysis
            .verdicts_of_build(&Principal::system(), &build.to_string())
            .await
            .unwrap()
    }

    async fn verdict(&self, result: ResultId) -> FailureVerdict {
        self.analysis
            .verdict_of(&Principal::system(), result)
            .await
            .unwrap()
    }

    async fn label(&self, result: ResultId, category: &str) -> FailureVerdict {
        self.analysis
            .label(
                &Principal::new(UserId::generate(), "ann", true),
                result,
                category,
            )
            .await
            .unwrap()
    }

    fn tps(&self, build: &BuildVerdicts) -> Tps {
        self.builds
            .show(self.builds.get(build.build_id).unwrap())
            .unwrap()
            .tps
    }

    /// Results of a report that failed.
    fn failed(&self, report: ReportId) -> Vec<ResultId> {
        let results = self
            .reports
            .results(report, Some(Outcome::Failed), None, 1_000)
            .unwrap();
        results.into_iter().map(|result| result.id).collect()
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        let log = EventLog::new(self.storage.clone());
        log.after(0, usize::MAX)
            .unwrap()
            .iter()
            .filter(|record| wanted(&record.event))
            .count()
    }
}

fn junit(rows: &[Row<'_>]) -> String {
    let case = |(name, failure): &Row<'_>| match failure {
        Some(message) => format!(
            "<testcase classname=\"t\" name=\"{name}\"><failure message=\"{message}\"/></testcase>"
        ),
        None => format!("<testcase classname=\"t\" name=\"{name}\"/>"),
    };
    format!(
        "<testsuite name=\"s\">{}</testsuite>",
        rows.iter().map(case).collect::<String>()
    )
}

fn kinds(build: &BuildVerdicts) -> Vec<(&str, VerdictKind)> {
    build
        .failures
        .iter()
        .map(|failure| (failure.display_name.as_str(), failure.verdict.kind))
        .collect()
}

#[tokio::test]
async fn the_demo_schedule_end_to_end() {
    let world = World::new(ALL).await;
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("../../assets/demo/expected.json")).unwrap();
    let tests: Vec<&String> = expected["tests"].as_object().unwrap().keys().collect();
    let short = |test: &str| test.rsplit('.').next().unwrap().to_owned();
    for build in expected["schedule"].as_array().unwrap() {
        let failing = ["new", "known", "flaky"]
            .map(|list| build[list].as_array().unwrap().clone())
            .concat();
        let rows: Vec<(String, Option<String>)> = tests
            .iter()
            .map(|test| {
                (
                    short(test),
                    failing
                        .contains(&serde_json::json!(test))
                        .then(|| format!("AssertionError: {}", short(test))),
                )
            })
            .collect();
        let rows: Vec<Row<'_>> = rows
            .iter()
            .map(|(name, failure)| (name.as_str(), failure.as_deref()))
            .collect();
        world
            .build(0, build["commit"].as_str().unwrap(), &rows)
            .await;
    }
    world.follow().await;

    let (cart, vat) = (
        "t > test_adding_the_same_item_adds_up",
        "t > test_vat_is_rounded_on_each_line",
    );
    let (released, last_item) = (
        "t > test_releasing_gives_the_items_back",
        "t > test_the_last_item_is_sold_once",
    );
    let fifth = world.verdicts(5).await;
    use VerdictKind::{Fixed, Flaky, Known, New};
    assert_eq!(
        kinds(&fifth),
        [
            (cart, New),
            (last_item, New),
            (vat, Known),
            (released, Fixed)
        ]
    );
    assert!(fifth.complete);
    let came_back = &fifth.failures[1].verdict.reason;
    assert_eq!(
        came_back,
        "came back: failed like this in 1 of the last 4 runs, last in build 2, and passed 2 times since"
    );
    let last = world.verdicts(7).await;
    assert_eq!(
        kinds(&last),
        [(last_item, Flaky), (cart, Known), (vat, Known)]
    );
    let pairs = &last.failures[0].verdict.flaky_pairs;
    let numbers: Vec<_> = pairs
        .iter()
        .map(|pair| {
            (
                pair.failed.build_number.unwrap(),
                pair.passed.build_number.unwrap(),
            )
        })
        .collect();
    assert_eq!(numbers, [(5, 7), (5, 6)]);
    assert_eq!(pairs[0].commit, "05-free-shipping");
    let since = last.failures[2].verdict.known_since.as_ref().unwrap();
    assert_eq!((since.first.build_number, since.times), (Some(2), 6));
    assert!(
        last.failures
            .iter()
            .all(|failure| failure.verdict.method == "rules-1")
    );

    let tps = world.tps(&last);
    assert_eq!(
        (tps.flaky_tests, tps.known_failures),
        (
            vec![last_item.to_owned()],
            vec![cart.to_owned(), vat.to_owned()]
        )
    );
    assert_eq!(
        (tps.new_failures, tps.fixed, tps.analysed),
        (vec![], vec![], true)
    );
    assert_eq!(world.tps(&fifth).fixed, [released]);

    let reached = |event: &Event| matches!(event, Event::VerdictsReached { build: Some(_), .. });
    assert_eq!(world.count(reached), 7);
    let log = EventLog::new(world.storage.clone());
    let everything = log.after(0, usize::MAX).unwrap();
    for consumer in world.analysis.consumers() {
        assert!(consumer.consume(&everything).await.error.is_none());
    }
    assert_eq!(world.count(reached), 7, "seen again, nothing is said twice");
    assert_eq!(world.verdicts(7).await, last);
    assert!(world.tps(&last).analysed);
}

#[tokio::test]
async fn a_switch_turns_flakiness_off() {
    let world = World::new(AnalysisSettings {
        root_cause: false,
        flakiness: false,
        retriever: false,
    })
    .await;
    world.build(0, "c1", &[("a", Some("boom"))]).await;
    world.build(0, "c1", &[("a", None)]).await;
    world.follow().await;
    assert_eq!(
        kinds(&world.verdicts(2).await),
        [("t > a", VerdictKind::Fixed)]
    );
    let first = &world.verdicts(1).await.failures[0];
    assert_eq!(
        first.root_cause.reason,
        "the root-cause model is switched off"
    );
    assert_eq!(first.similar, vec![]);
}

#[tokio::test]
async fn a_report_without_a_build_and_a_failure_that_waits() {
    let world = World::new(ALL).await;
    let (project, _) = world.projects[0];
    let upload = async |xml: String| {
        world.clock.advance(Duration::from_mins(1));
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(xml))]);
        let upload = Upload {
            branch: Some("main".into()),
            ..Upload::default()
        };
        world
            .reports
            .upload(&Principal::system(), project, upload, body)
            .await
            .unwrap()
            .report
            .id
    };
    upload(junit(&[("a", Some("boom")), ("b", None)])).await;
    world.follow().await;
    let second = upload(junit(&[("a", Some("boom")), ("b", None)])).await;
    let before = world.verdict(world.failed(second)[0]).await;
    assert_eq!(
        before.verdict.kind,
        VerdictKind::Known,
        "judged when it is asked for"
    );
    world.follow().await;
    assert_eq!(world.verdict(world.failed(second)[0]).await, before);
    assert!(
        before
            .verdict
            .reason
            .starts_with("failed in 2 of the last 2 runs since the report of 2023-"),
        "{}",
        before.verdict.reason
    );
    assert_eq!(
        world.count(|event| matches!(event, Event::VerdictsReached { build: None, .. })),
        2
    );

    let passed = world
        .reports
        .results(second, Some(Outcome::Passed), None, 10)
        .unwrap()[0]
        .id;
    let error = world
        .analysis
        .verdict_of(&Principal::system(), passed)
        .await
        .unwrap_err();
    assert!(
        matches!(error, AnalysisError::NoVerdict(id) if id == passed),
        "{error}"
    );
    let error = world
        .analysis
        .label(&Principal::system(), passed, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, AnalysisError::NotAFailure(_)), "{error}");
}

#[tokio::test]
async fn two_reports_of_one_build_add_up() {
    let world = World::new(ALL).await;
    let request = StartRequest {
        job: world.projects[0].1,
        trigger: Trigger::default(),
        triggered_by: "test".into(),
        idempotency_key: None,
    };
    let record = world
        .builds
        .start(&Principal::system(), request)
        .await
        .unwrap();
    world.add("1", &junit(&[("a", Some("boom"))])).await;
    world.add("1", &junit(&[("b", Some("bang"))])).await;
    assert!(!world.verdicts(1).await.complete);
    world.follow().await;
    world
        .builds
        .cancel(&Principal::system(), "1", None)
        .await
        .unwrap();
    let verdicts = world.verdicts(1).await;
    assert_eq!((verdicts.complete, verdicts.failures.len()), (true, 2));
    let tps = world
        .builds
        .show(world.builds.get(record.id).unwrap())
        .unwrap()
        .tps;
    assert_eq!(tps.new_failures, ["t > a", "t > b"]);
}

#[tokio::test]
async fn labels_are_kept_and_guarded() {
    let world = World::new(ALL).await;
    let report = world
        .build(
            0,
            "c1",
            &[("a", Some("boom happened")), ("b", Some("timeout reached"))],
        )
        .await;
    let again = world.build(0, "c2", &[("a", Some("boom happened"))]).await;
    world.follow().await;
    let (a, b) = (world.failed(report)[0], world.failed(report)[1]);
    let (project, _) = world.projects[0];
    let ann = |permissions: &[ProjectPermission]| {
        Principal::new(UserId::generate(), "ann", false)
            .granting(project, permissions.iter().copied())
    };
    let label = async |principal: &Principal, category: &str| {
        world.analysis.label(principal, a, category).await
    };
    let stranger = label(&ann(&[]), "Product bug").await.unwrap_err();
    assert!(
        matches!(stranger, AnalysisError::ResultNotFound(_)),
        "{stranger}"
    );
    let reader = label(&ann(&[ProjectPermission::Read]), "Product bug")
        .await
        .unwrap_err();
    assert!(matches!(reader, AnalysisError::Refused(_)), "{reader}");
    let writer = ann(&[ProjectPermission::Read, ProjectPermission::Write]);
    for bad in ["", " ", "a\u{7}", &"x".repeat(61)] {
        let error = label(&writer, bad).await.unwrap_err();
        assert!(
            matches!(error, AnalysisError::InvalidCategory),
            "{bad:?}: {error}"
        );
    }
    assert_eq!(
        world.count(|event| matches!(event, Event::FailureLabelled { .. })),
        0
    );

    let cause = label(&writer, " Product bug ").await.unwrap().root_cause;
    assert_eq!(
        (cause.category.as_deref(), cause.source.as_str()),
        (Some("Product bug"), "label")
    );
    assert!(
        cause.reason.starts_with("`ann` said so at 2023-"),
        "{}",
        cause.reason
    );
    label(&writer, "Product bug").await.unwrap();
    label(&writer, "Environment").await.unwrap();
    let said = |category: &str| {
        world.count(|event| {
            *event
                == Event::FailureLabelled {
                    result: a,
                    category: category.into(),
                }
        })
    };
    assert_eq!((said("Product bug"), said("Environment")), (1, 1));
    world.follow().await;

    let carried = world.verdict(world.failed(again)[0]).await.root_cause;
    assert_eq!(
        (carried.category.as_deref(), carried.source.as_str()),
        (Some("Environment"), "label")
    );
    assert!(
        carried
            .reason
            .ends_with("of another failure of this test with the same signature"),
        "{}",
        carried.reason
    );
    let silent = world.verdict(b).await.root_cause;
    assert_eq!((silent.category, silent.source.as_str()), (None, "nobody"));
    assert_eq!(
        silent.reason,
        "1 label, 5 of each of two categories are needed"
    );
}

#[tokio::test]
async fn a_model_learns_from_labels_and_names_a_cause() {
    let world = World::new(ALL).await;
    let words = ["red", "blue", "green", "black", "white", "brown"];
    let texts: Vec<(String, String, &str)> = words
        .iter()
        .flat_map(|word| {
            [
                (
                    format!("net_{word}"),
                    format!("ConnectionError: connection refused by {word} database host"),
                    "Environment",
                ),
                (
                    format!("sum_{word}"),
                    format!("AssertionError: expected {word} total to equal the invoice"),
                    "Product bug",
                ),
            ]
        })
        .collect();
    let rows: Vec<Row<'_>> = texts
        .iter()
        .map(|(name, message, _)| (name.as_str(), Some(message.as_str())))
        .collect();
    let report = world.build(0, "c1", &rows).await;
    world.follow().await;
    let failed = world.failed(report);
    assert_eq!(failed.len(), texts.len());
    for (result, (.., category)) in failed.iter().zip(&texts).take(9) {
        world.label(*result, category).await;
    }
    world.follow().await;
    assert_eq!(
        world.verdict(failed[11]).await.root_cause.reason,
        "9 labels, 5 of each of two categories are needed"
    );
    world.label(failed[9], texts[9].2).await;
    let waiting = world.verdict(failed[11]).await.root_cause;
    assert_eq!(waiting.reason, "10 labels wait for the model to be trained");
    world.follow().await;
    for at in [10, 11] {
        let cause = world.verdict(failed[at]).await.root_cause;
        assert_eq!(
            (cause.category.as_deref(), cause.source.as_str()),
            (Some(texts[at].2), "model"),
            "{cause:?}"
        );
        assert!(cause.confidence.unwrap() >= 0.5);
        assert_eq!(
            cause.reason,
            "the best of 2 categories for a model of 10 labels, which are too few to check it"
        );
    }

    world
        .build(
            0,
            "c2",
            &[
                (
                    "x",
                    Some("ConnectionError: connection refused by yellow database host"),
                ),
                (
                    "y",
                    Some("ConnectionError: connection refused by pink database host"),
                ),
                (
                    "z",
                    Some("AssertionError: expected pink total to equal the invoice"),
                ),
            ],
        )
        .await;
    let other = world
        .build(
            1,
            "c2",
            &[(
                "x",
                Some("ConnectionError: connection refused by yellow database host"),
            )],
        )
        .await;
    world.follow().await;
    let tps = world.tps(&world.verdicts(2).await);
    assert_eq!(
        tps.probable_cause.as_deref(),
        Some("Environment (2 of 3 failures)")
    );
    let foreign = world.verdict(world.failed(other)[0]).await.root_cause;
    assert_eq!(
        foreign.reason, "no labels, 5 of each of two categories are needed",
        "models do not cross projects"
    );
}

#[tokio::test]
async fn similar_failures_are_earlier_ones_of_the_same_project() {
    let world = World::new(ALL).await;
    let refused = "ConnectionError: connection refused by the database host of the shop";
    let first = world
        .build(
            0,
            "c1",
            &[
                ("a", Some(refused)),
                ("b", Some("AssertionError: totals differ")),
            ],
        )
        .await;
    world.build(0, "c2", &[("a", Some(refused))]).await;
    world.build(1, "c1", &[("a", Some(refused))]).await;
    let last = world
        .build(
            0,
            "c3",
            &[
                ("a", Some(refused)),
                (
                    "c",
                    Some("ConnectionError: connection refused by the database host of a bank"),
                ),
            ],
        )
        .await;
    world.follow().await;
    world.label(world.failed(first)[0], "Environment").await;

    let similar = |verdict: FailureVerdict| -> Vec<_> {
        verdict
            .similar
            .into_iter()
            .map(|other| {
                (
                    other.display_name,
                    other.run.build_number.unwrap(),
                    other.label,
                    other.message,
                )
            })
            .collect()
    };
    let expected = vec![(
        "t > a".to_owned(),
        2,
        Some("Environment".to_owned()),
        refused.to_owned(),
    )];
    let [a, c] = world.failed(last)[..] else {
        panic!("two failures")
    };
    assert_eq!(similar(world.verdict(c).await), expected);
    assert_eq!(
        similar(world.verdict(a).await),
        expected,
        "one entry, the latest run before this one"
    );
    assert_eq!(
        similar(world.verdict(world.failed(first)[0]).await),
        vec![],
        "nothing was before, and the report itself is no help"
    );
    assert!((world.verdict(a).await.similar[0].similarity - 1.0).abs() < 1e-4);

    std::fs::remove_dir_all(&world.vectors).unwrap();
    let world = world.reopened(ALL);
    assert_eq!(similar(world.verdict(c).await), vec![], "the index is gone");
    world.follow().await;
    assert_eq!(
        similar(world.verdict(c).await),
        expected,
        "and filled again from the events"
    );
}

#[tokio::test]
async fn a_hostile_failure_is_judged_and_kept_small() {
    let world = World::new(ALL).await;
    let long = "x".repeat(1 << 20);
    let many = (0..150_000)
        .map(|number| format!("{number},"))
        .collect::<String>();
    let name = format!("p[{many}]");
    let report = world
        .build(0, "c1", &[("long", Some(&long)), (&name, Some(&many))])
        .await;
    world.follow().await;
    let verdicts = world.verdicts(1).await;
    assert_eq!(verdicts.failures.len(), world.failed(report).len());
    assert_eq!(verdicts.failures.len(), 2);
    for failure in &verdicts.failures {
        assert!(
            failure.message.chars().count() <= 1_000 && failure.display_name.chars().count() <= 300
        );
    }
    let tps = world.tps(&verdicts);
    assert!(
        tps.new_failures
            .iter()
            .all(|name| name.chars().count() <= 200)
    );
}

#[tokio::test]
async fn the_routes_answer() {
    let world = World::new(ALL).await;
    let report = world.build(0, "c1", &[("a", Some("boom"))]).await;
    world.follow().await;
    let result = world.failed(report)[0];
    let (router, _) = super::routes(world.analysis.clone()).split_for_parts();
    let router = router.layer(axum::Extension(Principal::system()));
    let call = async |method: &str, path: String, body: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let answer = router
            .clone()
            .oneshot(request.body(Body::from(body.to_owned())).unwrap())
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap();
        (
            status,
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
        )
    };
    let (status, body) = call("GET", "/builds/1/verdicts".into(), "").await;
    assert_eq!(
        (status, &body["failures"][0]["verdict"]["kind"]),
        (200, &"new".into())
    );
    let (status, body) = call(
        "POST",
        format!("/failures/{result}/label"),
        "{\"category\":\"Product bug\"}",
    )
    .await;
    assert_eq!(
        (status, &body["root_cause"]["category"]),
        (200, &"Product bug".into())
    );
    let (status, body) = call("GET", format!("/failures/{result}"), "").await;
    assert_eq!(
        (status, &body["root_cause"]["source"]),
        (200, &"label".into())
    );
    let refused = [
        (
            "GET",
            "/builds/2/verdicts".to_owned(),
            "",
            404,
            "build_not_found",
        ),
        (
            "GET",
            format!("/failures/{}", ResultId::generate()),
            "",
            404,
            "result_not_found",
        ),
        (
            "POST",
            format!("/failures/{result}/label"),
            "{\"category\":\"\"}",
            422,
            "invalid_category",
        ),
        (
            "POST",
            format!("/failures/{result}/label"),
            "{\"category\":\"a\",\"b\":1}",
            422,
            "invalid_field",
        ),
    ];
    for (method, path, body, status, code) in refused {
        let answer = call(method, path.clone(), body).await;
        assert_eq!(
            (answer.0, answer.1["code"].as_str()),
            (status, Some(code)),
            "{path}"
        );
    }
}
