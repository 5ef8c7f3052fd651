//! Every screen at two sizes with normal, empty, refused and hostile content.

use testhide_protocol::ResultId;
use testhide_protocol::api::{
    BuildState, FindingKind, GateSummary, LogLine, Page, SearchAnswer, Stream, VerdictKind,
};

use super::data::{self, HOSTILE};
use super::{model_at, picture, press};
use crate::event::{Answer, Event, Failure, Feed, LogPurpose, LogRange};
use crate::model::{Model, Place};
use crate::update::update;

const REFUSED: &str = "the server was not reached: Connection refused (os error 111)";

/// Compares the screen with what it was, at both sizes.
#[track_caller]
fn check(name: &str, model: &mut Model) {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let picture = picture(model, columns, rows);
        assert!(
            !picture
                .chars()
                .any(|letter| letter.is_control() && letter != '\n'),
            "{name} has a control character"
        );
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), picture);
    }
}

fn tell(model: &mut Model, answer: Answer) {
    let _ = update(model, Event::Answer(answer));
}

/// A text as any field of an answer may have it.
fn hostile() -> String {
    HOSTILE.to_owned()
}

fn builds(items: Vec<testhide_protocol::api::Build>) -> Model {
    let mut model = model_at(Place::Builds);
    tell(
        &mut model,
        Answer::Builds {
            cursor: None,
            page: Ok(Page { items, next: None }),
        },
    );
    model
}

#[test]
fn builds_screen() {
    check("builds", &mut builds(data::builds()));
    check("builds_empty", &mut builds(Vec::new()));
    check("builds_waiting", &mut model_at(Place::Builds));
    let mut model = model_at(Place::Builds);
    tell(
        &mut model,
        Answer::Builds {
            cursor: None,
            page: Err(REFUSED.to_owned()),
        },
    );
    check("builds_error", &mut model);
    let mut build = data::build(421, BuildState::Failed, HOSTILE, HOSTILE);
    (build.triggered_by, build.reason, build.agent_name) =
        (hostile(), Some(hostile()), Some(hostile()));
    build.commit = Some(hostile());
    build.findings = vec![data::finding(FindingKind::StaleReport, HOSTILE)];
    check("builds_hostile", &mut builds(vec![build]));
    check("builds_findings", &mut builds(data::doubtful_builds()));
    let mut model = builds(data::builds());
    press(&mut model, "/main !passed");
    check("builds_filter", &mut model);
    let mut model = builds(data::builds());
    press(&mut model, "jc");
    check("builds_cancel", &mut model);
    let mut model = builds(data::builds());
    press(&mut model, "Gr");
    check("builds_again", &mut model);
    let mut model = builds(data::builds());
    let _ = update(&mut model, Event::Feed(Feed::Offline(REFUSED.to_owned())));
    check("builds_offline", &mut model);
}

fn build(
    mut build: testhide_protocol::api::Build,
    verdicts: testhide_protocol::api::BuildVerdicts,
) -> Model {
    build.build_number = 421;
    let mut model = model_at(Place::Build(421));
    tell(
        &mut model,
        Answer::Build {
            number: 421,
            build: Ok(Box::new(build)),
        },
    );
    tell(
        &mut model,
        Answer::Verdicts {
            number: 421,
            verdicts: Ok(verdicts),
        },
    );
    model
}

#[test]
fn build_screen() {
    check("build", &mut build(data::failed_build(), data::verdicts()));
    let mut doubtful = data::failed_build();
    doubtful.findings = data::doubtful_builds().remove(0).findings;
    check("build_findings", &mut build(doubtful, data::verdicts()));
    let mut none = data::verdicts();
    none.failures.clear();
    let mut queued = data::build(421, BuildState::Queued, "gpu-tests", "main");
    queued.reason = Some("waits for an agent with label gpu".to_owned());
    check("build_empty", &mut build(queued, none));
    let mut model = model_at(Place::Build(421));
    tell(
        &mut model,
        Answer::Build {
            number: 421,
            build: Err("there is no build 421".to_owned()),
        },
    );
    check("build_error", &mut model);
    let (mut bad, mut verdicts) = (data::failed_build(), data::verdicts());
    (bad.job_name, bad.branch, bad.triggered_by, bad.reason) =
        (hostile(), hostile(), hostile(), Some(hostile()));
    bad.tps.probable_cause = Some(hostile());
    bad.gates = bad.gates.map(|gates| GateSummary {
        message: hostile(),
        ..gates
    });
    bad.parameters.insert(hostile(), hostile());
    bad.steps[1].name = hostile();
    bad.steps[1].message = Some(hostile());
    bad.attempts[0].reason = Some(hostile());
    bad.findings = vec![data::finding(FindingKind::StaleReport, HOSTILE)];
    (
        verdicts.failures[0].display_name,
        verdicts.failures[0].message,
    ) = (hostile(), hostile());
    check("build_hostile", &mut build(bad, verdicts));
}

fn log(total: u64) -> Model {
    let mut model = model_at(Place::Log {
        build: 421,
        attempt: None,
        line: None,
    });
    show(&mut model, 1, total);
    show(&mut model, total.saturating_sub(499).max(1), total);
    model
}

fn show(model: &mut Model, from: u64, total: u64) {
    let range = LogRange {
        build: 421,
        attempt: None,
        from,
        limit: 500,
        purpose: LogPurpose::Show,
    };
    tell(
        model,
        Answer::Log {
            range,
            page: Ok(data::log_page(from, 500, total)),
        },
    );
}

#[test]
fn log_screen() {
    check("log", &mut log(1_284_500));
    check("log_empty", &mut log(0));
    let mut model = model_at(Place::Log {
        build: 421,
        attempt: None,
        line: None,
    });
    let range = LogRange {
        build: 421,
        attempt: None,
        from: 1,
        limit: 500,
        purpose: LogPurpose::Show,
    };
    tell(
        &mut model,
        Answer::Log {
            range,
            page: Err(REFUSED.to_owned()),
        },
    );
    check("log_error", &mut model);
    let mut model = log(300);
    press(&mut model, "gt/line 12\n");
    check("log_find", &mut model);
    let mut model = model_at(Place::Log {
        build: 421,
        attempt: None,
        line: None,
    });
    let mut page = data::log_page(1, 6, 6);
    let line = |number, text: String| LogLine {
        number,
        step: 0,
        stream: Stream::System,
        time: data::NOW,
        text,
        continued: false,
    };
    page.lines[1] = line(2, hostile());
    page.lines[2] = line(3, "long ".repeat(60));
    page.lines[3] = line(
        4,
        "\u{1b}[1;32mPASSED\u{1b}[0m in \u{1b}[38;5;208m3 s\u{1b}[m".to_owned(),
    );
    page.lines[4] = line(5, "10%\r20%\r".to_owned());
    tell(
        &mut model,
        Answer::Log {
            range,
            page: Ok(page),
        },
    );
    check("log_hostile", &mut model);
    press(&mut model, "w");
    check("log_hostile_wrapped", &mut model);
}

fn failure(failure: Failure) -> Model {
    let result = failure.verdict.result_id;
    let mut model = model_at(Place::Failure(result));
    tell(
        &mut model,
        Answer::Failure {
            result,
            failure: Ok(Box::new(failure)),
        },
    );
    model
}

#[test]
fn failure_screen() {
    check("failure_new", &mut failure(data::failure(VerdictKind::New)));
    check(
        "failure_known",
        &mut failure(data::failure(VerdictKind::Known)),
    );
    check(
        "failure_flaky",
        &mut failure(data::failure(VerdictKind::Flaky)),
    );
    let mut empty = data::failure(VerdictKind::Fixed);
    empty.verdict.similar.clear();
    empty.verdict.message.clear();
    (
        empty.verdict.root_cause.category,
        empty.verdict.root_cause.reason,
    ) = (None, "too few labelled failures".to_owned());
    (
        empty.result.kind,
        empty.result.message,
        empty.result.trace,
        empty.result.stdout,
    ) = (None, None, None, None);
    check("failure_empty", &mut failure(empty));
    let result = ResultId::from_bytes(data::id(1));
    let mut model = model_at(Place::Failure(result));
    tell(
        &mut model,
        Answer::Failure {
            result,
            failure: Err("there is no such result".to_owned()),
        },
    );
    check("failure_error", &mut model);
    let mut bad = data::failure(VerdictKind::New);
    (bad.verdict.display_name, bad.verdict.verdict.reason) = (hostile(), hostile());
    (
        bad.verdict.similar[0].display_name,
        bad.verdict.similar[0].message,
    ) = (hostile(), hostile());
    (
        bad.verdict.root_cause.category,
        bad.verdict.root_cause.reason,
    ) = (Some(hostile()), hostile());
    (bad.result.kind, bad.result.message, bad.result.trace) =
        (Some(hostile()), Some(hostile()), Some(hostile()));
    check("failure_hostile", &mut failure(bad));
}

fn search(answer: Result<SearchAnswer, String>) -> Model {
    let mut model = model_at(Place::Builds);
    press(&mut model, ":search connection refused\n");
    tell(
        &mut model,
        Answer::Search {
            query: "connection refused".to_owned(),
            cursor: None,
            answer,
        },
    );
    model
}

#[test]
fn search_screen() {
    check("search", &mut search(Ok(data::search_answer())));
    check("search_unasked", &mut model_at(Place::Search));
    let empty = SearchAnswer {
        hits: Vec::new(),
        ..data::search_answer()
    };
    check("search_empty", &mut search(Ok(empty)));
    check(
        "search_error",
        &mut search(Err("`(` is never closed in the query".to_owned())),
    );
    let mut bad = data::search_answer();
    for hit in &mut bad.hits {
        (hit.job, hit.branch, hit.test) = (hostile(), hostile(), Some(hostile()));
        hit.lines[0].text = hostile();
        // Ranges that end before they begin, and that cut a letter in two.
        hit.lines[0].highlights = vec![(9, 3), (24, 25), (4_000_000, u32::MAX)];
    }
    check("search_hostile", &mut search(Ok(bad)));
}

#[test]
fn agents_screen() {
    let agents = |agents| {
        let mut model = model_at(Place::Agents);
        tell(&mut model, Answer::Agents(agents));
        model
    };
    check("agents", &mut agents(Ok(data::agents())));
    let mut with_past = agents(Ok(data::agents()));
    tell(
        &mut with_past,
        Answer::Agent(Ok(Box::new(data::agent_details()))),
    );
    check("agents_past", &mut with_past);
    check("agents_empty", &mut agents(Ok(Vec::new())));
    check("agents_error", &mut agents(Err(REFUSED.to_owned())));
    let mut bad = data::agents();
    (bad[0].name, bad[0].platform, bad[0].version, bad[0].state) =
        (hostile(), hostile(), hostile(), hostile());
    bad[0].labels = vec![hostile()];
    check("agents_hostile", &mut agents(Ok(bad)));
}

#[test]
fn help_of_each_screen() {
    let log = Place::Log {
        build: 421,
        attempt: None,
        line: None,
    };
    let failure = Place::Failure(ResultId::from_bytes(data::id(1)));
    let places = [
        ("builds", Place::Builds),
        ("build", Place::Build(421)),
        ("log", log),
        ("failure", failure),
        ("search", Place::Search),
        ("agents", Place::Agents),
    ];
    for (name, place) in places {
        let mut model = model_at(place);
        press(&mut model, "?");
        check(&format!("help_{name}"), &mut model);
    }
}
