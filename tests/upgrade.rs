//! What every released version stored, opened and read by this one.
//!
//! `tests/fixtures/data/VERSION.backup` is a backup of the demo's server, taken with that version after its eight builds:
//!
//! ```sh
//! testhide demo                                       # in one terminal
//! testhide backup tests/fixtures/data/VERSION.backup  # in another, with the demo's address and token
//! ```
//!
//! A file is added with each release and never changed.

use std::path::{Path, PathBuf};
use testhide::accounts::Principal;
use testhide::app::App;
use testhide::config::{Environment, Overrides, Settings};
use testhide::kit::Clock;
use testhide::storage::backup::restore;
use testhide_protocol::api::{BuildState, Outcome, VerdictKind};

fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data");
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the fixtures")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "backup"))
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_every_version_is_read() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty(), "there is no data of any version");
    for fixture in fixtures {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        restore(&fixture, &data, &mut |_| {})
            .unwrap_or_else(|error| panic!("{}: {error}", fixture.display()));
        check(&fixture, data).await;
    }
}

async fn check(fixture: &Path, data: PathBuf) {
    let name = fixture.display();
    let overrides = Overrides {
        data_dir: Some(data),
        ..Overrides::default()
    };
    let settings = Settings::load(&overrides, &Environment::default()).expect("settings");
    let app =
        App::open(&settings, Clock::system()).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let root = Principal::system();
    for number in 1..=8 {
        let record = app
            .builds
            .resolve(&root, &number.to_string())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let page = app
            .logs
            .page(record.id, 1, 1, 1000)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            page.complete
                && page
                    .lines
                    .iter()
                    .any(|line| line.text.starts_with("shop: testing")),
            "{name}: {number}"
        );
        let build = app.builds.show(record).expect("a build");
        let state = if number == 1 {
            BuildState::Passed
        } else {
            BuildState::Failed
        };
        assert_eq!(
            (build.status, build.tps.analysed, build.steps.len()),
            (state, true, 3),
            "{name}: {number}"
        );
    }
    let last = app.builds.resolve(&root, "8").expect("a build");
    let results = app
        .reports
        .results_of_build(last.id, Some(1), None, None, 100)
        .expect("results");
    let failed = results
        .iter()
        .filter(|result| result.outcome == Outcome::Failed)
        .count();
    assert_eq!((results.len(), failed), (14, 3), "{name}");
    for result in &results {
        app.reports
            .result(result.id)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        app.history
            .test(result.test_id)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let verdicts = app
        .analysis
        .verdicts_of_build(&root, "8")
        .await
        .expect("verdicts");
    let kinds: Vec<VerdictKind> = verdicts
        .failures
        .iter()
        .map(|failure| failure.verdict.kind)
        .collect();
    let expected = [
        VerdictKind::New,
        VerdictKind::Flaky,
        VerdictKind::Known,
        VerdictKind::Fixed,
    ];
    assert_eq!(kinds, expected, "{name}");
    let artifacts = app.artifacts.of_build(last.id).expect("artifacts");
    assert_eq!(artifacts.len(), 3, "{name}");
    let events = app.log.after(0, 10_000).expect("events");
    assert!(
        events.iter().zip(1..).all(|(event, seq)| event.seq == seq),
        "{name}: events have a gap"
    );
    app.close().await;
}
