//! Histories against a plain model.

use super::lane::MAX_RUNS;
use super::model::RunPlace;
use super::{
    Aliases, BuildOrigin, Decision, History, HistoryError, NewRun, Origin, Proposal, Run,
    RunFilter, failing_runs_with_signature, identify, last_runs_before, new_report_id,
    place_of_report, record, store_proposals, test_id,
};
use crate::accounts::Principal;
use crate::kit::Clock;
use crate::ml::Signature;
use crate::storage::{OpenOptions, Storage, StorageError};
use proptest::prelude::*;
use std::collections::BTreeMap;
use testhide_protocol::api::{AliasChange, AliasState, Outcome, Test};
use testhide_protocol::{AliasId, BuildId, JobId, ProjectId, ReportId, TestId, Timestamp};

const PROJECT: ProjectId = ProjectId(uuid::Uuid::max());
const BRANCHES: [&str; 3] = ["main", "feature/ä", ""];

fn new_run(project: ProjectId, row: u32, name: &str, failure: Option<u8>) -> NewRun {
    let identity = identify(None, None, "suite", name);
    NewRun {
        test: test_id(project, &identity.key, &[]),
        identity,
        row,
        outcome: if failure.is_some() {
            Outcome::Failed
        } else {
            Outcome::Passed
        },
        recovered: false,
        signature: failure.map(|kind| Signature::from_bytes([kind; 16])),
        duration_ms: Some(u64::from(row)),
    }
}

fn origin(project: ProjectId, branch: &str) -> Origin {
    Origin {
        project,
        build: None,
        branch: branch.to_owned(),
        commit: None,
        agent: None,
    }
}

fn write(storage: &Storage, origin: Origin, runs: Vec<NewRun>, time: i64) -> ReportId {
    let report = new_report_id();
    storage
        .write_blocking(move |wtxn| record(wtxn, &origin, report, &runs, Timestamp(time)))
        .unwrap();
    report
}

/// All pages of a test's runs.
fn walk(history: &History, test: TestId, branch: Option<&str>, limit: usize) -> Vec<Run> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = history.runs(test, branch, before, limit).unwrap();
        assert!(page.runs.len() <= limit);
        all.extend(page.runs);
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

/// What the model remembers of a run: place, branch, failure.
type Kept = (RunPlace, usize, Option<u8>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn pages_are_what_was_recorded(
        reports in proptest::collection::vec(
            (0usize..3, proptest::collection::vec((0u8..12, proptest::option::of(0u8..3)), 0..30)), 1..12),
        limit in 1usize..7,
        pack_every in 1usize..5,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let history = History::new(storage.clone());
        let mut model: BTreeMap<TestId, Vec<Kept>> = BTreeMap::new();
        let mut ids = Vec::new();
        for (at, (branch, rows)) in reports.iter().enumerate() {
            let batch = at as u64 + 1;
            let runs: Vec<NewRun> = (0..).zip(rows).map(|(row, (name, failure))| new_run(PROJECT, row, &format!("t{name}"), *failure)).collect();
            for (run, (_, failure)) in runs.iter().zip(rows) {
                model.entry(run.test).or_default().insert(0, (RunPlace { batch, row: run.row }, *branch, *failure));
            }
            ids.push(write(&storage, origin(PROJECT, BRANCHES[*branch]), runs, at as i64));
            // Some of the reports are packed, up to all; a page does not show which.
            if at % 3 == 2 {
                while history.pack_segment(PROJECT, pack_every).unwrap() {}
            }
        }
        let place = |runs: &[Run]| runs.iter().map(|run| run.place).collect::<Vec<_>>();
        for (test, mut kept) in model.clone() {
            kept.sort_by_key(|kept| std::cmp::Reverse(kept.0));
            prop_assert_eq!(place(&walk(&history, test, None, limit)), kept.iter().map(|kept| kept.0).collect::<Vec<_>>());
            for (number, branch) in BRANCHES.iter().enumerate() {
                let expected: Vec<_> = kept.iter().filter(|kept| kept.1 == number).map(|kept| kept.0).collect();
                prop_assert_eq!(place(&walk(&history, test, Some(branch), limit)), expected);
            }
            for (at, report) in ids.iter().enumerate() {
                let seen = storage.read(|rtxn| last_runs_before(rtxn, test, None, *report, limit)).unwrap();
                let expected: Vec<_> = kept.iter().map(|kept| kept.0).filter(|place| place.batch <= at as u64).take(limit).collect();
                prop_assert_eq!(place(&seen), expected);
            }
            let shown = history.test(test).unwrap();
            prop_assert_eq!(shown.runs, kept.len() as u64);
            prop_assert_eq!(shown.failures, kept.iter().filter(|kept| kept.2.is_some()).count() as u64);
            prop_assert_eq!(shown.last_seen_at, Timestamp(kept[0].0.batch as i64 - 1));
            prop_assert_eq!(shown.first_seen_at, Timestamp(kept[kept.len() - 1].0.batch as i64 - 1));
            let last_fails = kept.iter().any(|one| one.0.batch == kept[0].0.batch && one.2.is_some());
            prop_assert_eq!(shown.last_outcome.is_failure(), last_fails);
        }
        for kind in 0..3u8 {
            let signature = Signature::from_bytes([kind; 16]);
            let found = storage.read(|rtxn| failing_runs_with_signature(rtxn, PROJECT, signature, None, 1000)).unwrap();
            let mut expected: Vec<_> = model.values().flatten().filter(|kept| kept.2 == Some(kind)).map(|kept| kept.0).collect();
            expected.sort_by(|one, two| two.cmp(one));
            prop_assert_eq!(place(&found), expected);
            prop_assert!(found.iter().all(|run| run.signature == Some(signature)));
        }
    }
}

#[test]
fn large_reports_are_cut_into_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let history = History::new(storage.clone());
    let runs: Vec<NewRun> = (0..2_000)
        .map(|row| new_run(PROJECT, row, &format!("t{row}"), None))
        .collect();
    let tests: Vec<TestId> = runs.iter().map(|run| run.test).collect();
    let report = write(&storage, origin(PROJECT, "main"), runs, 1);
    let blocks = storage
        .read(|rtxn| super::store::RUNS.read(rtxn)?.len())
        .unwrap();
    assert!((10..40).contains(&blocks), "{blocks}");
    for (row, test) in tests.iter().enumerate() {
        let page = history.runs(*test, None, None, 10).unwrap();
        assert_eq!(page.runs.len(), 1);
        assert_eq!(
            (page.runs[0].place.row, page.runs[0].report),
            (row as u32, report)
        );
        assert_eq!(page.next, None);
    }
    assert_eq!(
        storage.read(|rtxn| place_of_report(rtxn, report)).unwrap(),
        Some(RunPlace { batch: 1, row: 0 })
    );
}

#[test]
fn tests_are_listed_by_name_and_found_by_part() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let history = History::new(storage.clone());
    let names = ["Beta one", "alpha two", "gamma one", "Alpha ONE"];
    let runs = (0..)
        .zip(names)
        .map(|(row, name)| new_run(PROJECT, row, name, None))
        .collect();
    write(&storage, origin(PROJECT, "main"), runs, 1);
    let elsewhere = ProjectId::generate();
    write(
        &storage,
        origin(elsewhere, "main"),
        vec![new_run(elsewhere, 0, "alpha elsewhere", None)],
        2,
    );
    let walk = |part: &str, limit: usize| {
        let mut found: Vec<Test> = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = history.tests(PROJECT, part, after, limit).unwrap();
            found.extend(page);
            after = next;
            if after.is_none() {
                return found
                    .into_iter()
                    .map(|test| test.display_name.replace("suite > ", ""))
                    .collect::<Vec<_>>();
            }
        }
    };
    for limit in 1..6 {
        assert_eq!(
            walk("", limit),
            ["Alpha ONE", "alpha two", "Beta one", "gamma one"]
        );
        assert_eq!(walk("one", limit), ["Alpha ONE", "Beta one", "gamma one"]);
        assert_eq!(walk("nobody", limit), Vec::<String>::new());
    }
}

#[test]
fn many_rows_of_one_test_become_a_bounded_number_of_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let history = History::new(storage.clone());
    let failure = |row| (row == 4_999).then_some(1);
    let runs: Vec<NewRun> = (0..5_000)
        .map(|row| new_run(PROJECT, row, "t", failure(row)))
        .collect();
    let test = runs[0].test;
    write(&storage, origin(PROJECT, "main"), runs, 0);
    let seen = walk(&history, test, None, 300);
    assert_eq!(seen.len(), 1_000);
    assert!(seen[0].outcome.is_failure(), "what failed is kept");
    assert_eq!(history.test(test).unwrap().runs, 5_000);
}

#[test]
fn a_page_that_finds_nothing_ends_early_and_the_next_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let history = History::new(storage.clone());
    let test = new_run(PROJECT, 0, "t", None).test;
    write(
        &storage,
        origin(PROJECT, "old"),
        vec![new_run(PROJECT, 0, "t", None)],
        0,
    );
    let reports = MAX_RUNS / 1_000 + 3;
    for time in 1..=reports {
        let runs = (0..1_000).map(|row| new_run(PROJECT, row, "t", None));
        write(
            &storage,
            origin(PROJECT, "main"),
            runs.collect(),
            time as i64,
        );
    }
    while history.pack_segment(PROJECT, reports / 3).unwrap() {}
    let nowhere = history.runs(test, Some("nowhere"), None, 5).unwrap();
    assert!(nowhere.next.is_some(), "a page does not look at everything");
    let first = history.runs(test, Some("old"), None, 5).unwrap();
    assert_eq!(first.runs.len(), 0);
    assert!(first.next.is_some(), "the bound on runs was met");
    assert_eq!(walk(&history, test, Some("old"), 5).len(), 1);
}

#[test]
fn what_a_failure_came_after_does_not_depend_on_filters() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let history = History::new(storage.clone());
    let test = new_run(PROJECT, 0, "t", None).test;
    let (unit, nightly) = (JobId::generate(), JobId::generate());
    let steps = [
        (unit, None),
        (nightly, Some(1)),
        (unit, Some(1)),
        (unit, None),
        (nightly, Some(1)),
    ];
    for (number, (job, failure)) in (1..).zip(steps) {
        let build = BuildOrigin {
            id: BuildId::generate(),
            number,
            attempt: 1,
            job,
            job_name: "job".to_owned(),
        };
        let origin = Origin {
            build: Some(build),
            ..origin(PROJECT, "main")
        };
        write(
            &storage,
            origin,
            vec![new_run(PROJECT, 0, "t", failure)],
            number as i64,
        );
    }
    let marks = |job, limit| {
        let filter = RunFilter {
            job,
            ..RunFilter::default()
        };
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let (runs, next) = history.history(test, &filter, before, limit).unwrap();
            all.extend(
                runs.iter()
                    .map(|run| (run.run.place.batch, run.first_failure_after_pass)),
            );
            before = next;
            if before.is_none() {
                return all;
            }
        }
    };
    for packed in [false, true] {
        if packed {
            assert!(history.pack_segment(PROJECT, 4).unwrap());
        }
        for limit in 1..6 {
            let whole = [(5, true), (4, false), (3, false), (2, true), (1, false)];
            assert_eq!(marks(None, limit), whole);
            assert_eq!(
                marks(Some(unit), limit),
                [(4, false), (3, false), (1, false)]
            );
            assert_eq!(marks(Some(nightly), limit), [(5, true), (2, true)]);
        }
    }
}

#[test]
fn an_unknown_test_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let history = History::new(storage.clone());
    let unknown = test_id(PROJECT, &[1; 16], &[]);
    assert!(matches!(history.test(unknown), Err(HistoryError::TestNotFound(id)) if id == unknown));
    assert!(matches!(
        history.runs(unknown, None, None, 5),
        Err(HistoryError::TestNotFound(_))
    ));
    let place: Result<_, StorageError> =
        storage.read(|rtxn| place_of_report(rtxn, new_report_id()));
    assert_eq!(place.unwrap(), None);
}

/// A store with proposals from each of `names` to the next, made in the report that has the new one first.
struct Renaming {
    storage: Storage,
    history: History,
    aliases: Aliases,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Renaming {
    /// One report with a failing run of each name, in turn.
    fn over(names: &[&str]) -> (Self, Vec<TestId>) {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let runs = |name: &&str| vec![new_run(PROJECT, 0, name, Some(1))];
        let tests: Vec<TestId> = names.iter().map(|name| runs(name)[0].test).collect();
        for (time, name) in (0..).zip(names) {
            write(&storage, origin(PROJECT, "main"), runs(name), time);
        }
        let this = Self {
            history: History::new(storage.clone()),
            aliases: Aliases::new(storage.clone(), Clock::manual(Timestamp(7))),
            storage,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            _dir: dir,
        };
        (this, tests)
    }

    fn propose(&self, old: TestId, new: TestId) -> AliasId {
        let proposal = Proposal {
            old,
            new,
            change: AliasChange::Moved,
            score: 0.9,
            reasons: vec!["the name is the same".to_owned()],
            rivals: 0,
        };
        let report = new_report_id();
        let stored = self.storage.write_blocking(move |wtxn| {
            store_proposals(
                wtxn,
                PROJECT,
                report,
                std::slice::from_ref(&proposal),
                Timestamp(5),
            )
        });
        stored.unwrap();
        let listed = self
            .aliases
            .list(PROJECT, AliasState::Proposed, None, 100)
            .unwrap()
            .0;
        listed
            .iter()
            .find(|alias| (alias.old.test_id, alias.new.test_id) == (old, new))
            .unwrap()
            .id
    }

    fn decide(&self, alias: AliasId, decision: Decision) -> Result<AliasState, HistoryError> {
        let root = Principal::system();
        let decided = self.aliases.decide(&root, alias, decision);
        self.runtime.block_on(decided).map(|alias| alias.state)
    }

    fn runs(&self, test: TestId) -> Vec<u64> {
        walk(&self.history, test, Some("main"), 2)
            .iter()
            .map(|run| run.place.batch)
            .collect()
    }
}

#[test]
fn old_names_are_read_as_one_test_until_somebody_takes_that_back() {
    for pack in [false, true] {
        let (world, tests) = Renaming::over(&["a", "b", "c", "b", "a"]);
        if pack {
            while world.history.pack_segment(PROJECT, 2).unwrap() {}
        }
        let (a, b, c) = (tests[0], tests[1], tests[2]);
        let first = world.propose(a, b);
        assert_eq!(world.propose(a, b), first, "a proposal is made once");
        let second = world.propose(b, c);
        assert_eq!(world.runs(c), [3]);
        assert_eq!(
            world.decide(first, Decision::Accept).unwrap(),
            AliasState::Accepted
        );
        assert_eq!(
            (world.runs(a), world.runs(b), world.runs(c)),
            (vec![5, 4, 2, 1], vec![5, 4, 2, 1], vec![3])
        );
        world.decide(second, Decision::Accept).unwrap();
        for test in [a, b, c] {
            assert_eq!(world.runs(test), [5, 4, 3, 2, 1]);
            let shown = world.history.test(test).unwrap();
            assert_eq!((shown.id, shown.runs, shown.failures), (c, 5, 5));
            assert_eq!(
                (shown.first_seen_at, shown.last_seen_at),
                (Timestamp(0), Timestamp(4))
            );
        }
        let listed = world.history.tests(PROJECT, "", None, 10).unwrap().0;
        assert_eq!(listed.iter().map(|test| test.id).collect::<Vec<_>>(), [c]);
        let signature = Signature::from_bytes([1; 16]);
        let failing = world
            .storage
            .read(|rtxn| failing_runs_with_signature(rtxn, PROJECT, signature, None, 9))
            .unwrap();
        assert!(failing.len() == 5 && failing.iter().all(|run| run.test == c));
        // The middle one is taken back: the first goes with its own.
        assert_eq!(
            world.decide(second, Decision::Undo).unwrap(),
            AliasState::Proposed
        );
        assert_eq!((world.runs(a), world.runs(c)), (vec![5, 4, 2, 1], vec![3]));
        assert_eq!(
            world.decide(first, Decision::Reject).unwrap(),
            AliasState::Rejected
        );
        assert_eq!((world.runs(a), world.runs(b)), (vec![5, 1], vec![4, 2]));
        assert_eq!(
            world.decide(first, Decision::Accept).unwrap(),
            AliasState::Accepted
        );
    }
}

#[test]
fn an_alias_that_cannot_be_is_refused_and_leaves_nothing() {
    let (world, tests) = Renaming::over(&["a", "b", "c"]);
    let (a, b, c) = (tests[0], tests[1], tests[2]);
    let [ab, ac, bc, ca] =
        [(a, b), (a, c), (b, c), (c, a)].map(|(old, new)| world.propose(old, new));
    let refused = |alias| {
        matches!(
            world.decide(alias, Decision::Accept),
            Err(HistoryError::AliasConflict(_))
        )
    };
    world.decide(ab, Decision::Accept).unwrap();
    assert!(refused(ac), "the old test goes on as another one");
    world.decide(bc, Decision::Accept).unwrap();
    assert!(refused(ca), "they would lead to each other");
    assert_eq!(world.runs(c), [3, 2, 1]);
    let unknown = AliasId::from_bytes([9; 16]);
    assert!(matches!(
        world.decide(unknown, Decision::Undo),
        Err(HistoryError::AliasNotFound(_))
    ));
}
