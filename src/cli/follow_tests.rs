//! A followed log over connections that break anywhere.

use super::build_show::samples;
use super::client::Backoff;
use super::error::{CliError, Exit};
use super::follow::{Heard, LogPlace, read_log};
use super::test_server::{Answer, TestServer};
use proptest::prelude::*;
use testhide_protocol::api::{BuildState, LogLine, LogPage, Problem, Stream};
use testhide_protocol::{BuildId, Timestamp};

/// The value of a query parameter of a request's first line.
fn parameter(line: &str, name: &str) -> Option<u64> {
    let query = line.split_once('?')?.1;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)?
        .1
        .parse()
        .ok()
}

fn page(attempt: u32, from: u64, to: u64, total: u64, complete: bool) -> String {
    let line = |number: u64| LogLine {
        number,
        step: 0,
        stream: Stream::Stdout,
        time: Timestamp(0),
        text: format!("attempt {attempt} line {number}"),
        continued: false,
    };
    let lines = (from..=to).map(line).collect();
    let page = LogPage {
        build_id: BuildId::from_bytes([1; 16]),
        attempt,
        lines,
        running: None,
        total_lines: total,
        total_bytes: 0,
        complete,
    };
    serde_json::to_string(&page).unwrap()
}

fn build(status: BuildState, attempt: u32) -> String {
    let mut build = samples::build();
    build.status = status;
    build.attempt = attempt;
    serde_json::to_string(&build).unwrap()
}

fn problem(status: u16, code: &str) -> Answer {
    let problem = Problem {
        kind: String::new(),
        title: String::new(),
        status,
        code: code.to_owned(),
        detail: "no".to_owned(),
        hint: None,
        line: None,
    };
    Answer::Json(status, serde_json::to_string(&problem).unwrap())
}

/// Follows build 421 and answers with what was heard.
async fn follow(server: &TestServer, place: LogPlace) -> (Vec<String>, Result<(), CliError>) {
    let mut heard = Vec::new();
    let mut hear = |what: Heard<'_>| {
        match what {
            Heard::Lines(lines) => heard.extend(lines.iter().map(|line| line.text.clone())),
            Heard::Running(line) => heard.push(format!("running {}", line.text)),
            Heard::Attempt(attempt) => heard.push(format!("attempt {attempt}")),
            Heard::Broken(_) => heard.push("broken".to_owned()),
            Heard::Back => heard.push("back".to_owned()),
        }
        Ok(())
    };
    let result = read_log(&server.client(), &place, Backoff::none(), &mut hear).await;
    (heard, result)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_line_is_lost_or_doubled(
        total in 1u64..40,
        page_size in 1u64..9,
        breaks in prop::collection::vec(prop_oneof![
            Just(0usize), // no break
            Just(1),      // the connection ends without a byte
            Just(2),      // 503
            3usize..700,  // the answer is cut after so many bytes
        ], 0..25),
    ) {
        let heard = runtime().block_on(async {
            let server = TestServer::start(move |line, number| {
                let good = if line.contains("/log") {
                    let from = parameter(line, "from").unwrap();
                    // The log grows: line `n` exists from the n-th request on, and is complete at the end.
                    let there = (number as u64 * page_size).min(total);
                    page(1, from, there.min(from + page_size - 1), there, there == total)
                } else {
                    build(BuildState::Failed, 1)
                };
                // The first answer stands: an address that never answered is an error at once.
                match breaks.get(number.wrapping_sub(2)) {
                    Some(1) => Answer::Drop,
                    Some(2) => problem(503, "closing"),
                    Some(0) | None => Answer::Json(200, good),
                    Some(bytes) => Answer::Cut(good, *bytes % 60 + 1),
                }
            })
            .await;
            let (heard, result) = follow(&server, LogPlace::new("421").following()).await;
            result.map(|()| heard)
        });
        let heard = heard.unwrap();
        let lines: Vec<&String> = heard.iter().filter(|text| text.starts_with("attempt")).collect();
        let expected: Vec<String> = (1..=total).map(|number| format!("attempt 1 line {number}")).collect();
        prop_assert_eq!(lines, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_break_is_told_once_and_its_end_too() {
    runtime().block_on(async {
        let server = TestServer::start(|line, number| match (number, line.contains("/log")) {
            (1, _) => Answer::Json(200, page(1, 1, 2, 2, false)),
            (2..=4, _) => Answer::Drop,
            (_, true) => Answer::Json(200, page(1, 3, 3, 3, true)),
            _ => Answer::Json(200, build(BuildState::Passed, 1)),
        })
        .await;
        let (heard, result) = follow(&server, LogPlace::new("421").following()).await;
        result.unwrap();
        assert_eq!(
            heard,
            [
                "attempt 1 line 1",
                "attempt 1 line 2",
                "broken",
                "back",
                "attempt 1 line 3"
            ]
        );
        let asked = server.asked().await;
        assert!(
            asked[0].starts_with("GET /api/v3/builds/421/log?from=1&"),
            "{asked:?}"
        );
        assert!(
            asked[1..=4]
                .iter()
                .all(|line| line.contains("from=3&") && line.contains("attempt=1")),
            "{asked:?}"
        );
    });
}

#[test]
fn the_line_that_is_written_is_told_as_it_changes() {
    runtime().block_on(async {
        let server = TestServer::start(|line, number| {
            if !line.contains("/log") {
                return Answer::Json(200, build(BuildState::Passed, 1));
            }
            let known = parameter(line, "known_bytes");
            let with_running = |from: u64, total: u64, text: &str, bytes: u64| {
                let mut page: LogPage =
                    serde_json::from_str(&page(1, from, total, total, false)).unwrap();
                page.total_bytes = bytes;
                page.running = Some(LogLine {
                    number: total + 1,
                    text: text.to_owned(),
                    ..page_line()
                });
                Answer::Json(200, serde_json::to_string(&page).unwrap())
            };
            match number {
                1 => with_running(1, 1, "10%", 5),
                2 => {
                    assert_eq!(known, Some(5));
                    with_running(2, 1, "10%", 7)
                }
                _ if known == Some(7) => with_running(2, 1, "20%", 9),
                _ => Answer::Json(200, page(1, 2, 2, 2, true)),
            }
        })
        .await;
        let place = LogPlace {
            running: true,
            ..LogPlace::new("421").following()
        };
        let (heard, result) = follow(&server, place).await;
        result.unwrap();
        assert_eq!(
            heard,
            [
                "attempt 1 line 1",
                "running 10%",
                "running 20%",
                "attempt 1 line 2"
            ]
        );
    });
}

fn page_line() -> LogLine {
    let page: LogPage = serde_json::from_str(&page(1, 1, 1, 1, true)).unwrap();
    page.lines.into_iter().next().unwrap()
}

#[test]
fn a_lost_agents_build_goes_on_with_its_next_attempt() {
    runtime().block_on(async {
        let server = TestServer::start(|line, _| {
            match (line.contains("/log"), parameter(line, "attempt")) {
                (true, None | Some(1)) if parameter(line, "from") == Some(1) => {
                    Answer::Json(200, page(1, 1, 1, 1, true))
                }
                (true, Some(1)) => Answer::Json(200, page(1, 1, 0, 1, true)),
                (true, _) => Answer::Json(200, page(2, 1, 2, 2, true)),
                _ => Answer::Json(200, build(BuildState::Passed, 2)),
            }
        })
        .await;
        let (heard, result) = follow(&server, LogPlace::new("421").following()).await;
        result.unwrap();
        assert_eq!(
            heard,
            [
                "attempt 1 line 1",
                "attempt 2",
                "attempt 2 line 1",
                "attempt 2 line 2"
            ]
        );
    });
}

#[test]
fn a_build_that_is_cancelled_in_the_queue_ends_the_following() {
    runtime().block_on(async {
        let server = TestServer::start(|line, number| match (line.contains("/log"), number) {
            (true, _) => Answer::Json(200, page(1, 1, 0, 0, false)),
            (_, 1..4) => Answer::Json(200, build(BuildState::Queued, 1)),
            _ => Answer::Json(200, build(BuildState::Cancelled, 1)),
        })
        .await;
        let (heard, result) = follow(&server, LogPlace::new("421").following()).await;
        result.unwrap();
        assert!(heard.is_empty(), "{heard:?}");
    });
}

#[test]
fn a_log_is_read_to_its_present_end_when_it_is_not_followed() {
    runtime().block_on(async {
        let server = TestServer::start(|line, _| {
            let from = parameter(line, "from").unwrap();
            Answer::Json(200, page(1, from, (from + 1).min(5), 5, false))
        })
        .await;
        let (heard, result) = follow(
            &server,
            LogPlace {
                from: 2,
                ..LogPlace::new("421")
            },
        )
        .await;
        result.unwrap();
        assert_eq!(heard.len(), 4, "{heard:?}");
    });
}

#[test]
fn errors_that_trying_again_does_not_mend_end_it() {
    runtime().block_on(async {
        let check = async |first: Answer, second: Answer, expected: Exit| {
            let server = TestServer::start(move |_, number| {
                if number == 1 {
                    first.clone()
                } else {
                    second.clone()
                }
            })
            .await;
            let (_, result) = follow(&server, LogPlace::new("421").following()).await;
            assert_eq!(result.unwrap_err().exit, expected);
        };
        let good = Answer::Json(200, page(1, 1, 1, 1, false));
        check(
            good.clone(),
            problem(404, "build_not_found"),
            Exit::NotFound,
        )
        .await;
        check(
            good.clone(),
            problem(401, "not_authenticated"),
            Exit::NotAllowed,
        )
        .await;
        check(Answer::Drop, good.clone(), Exit::TryAgain).await;
        check(problem(503, "closing"), good, Exit::TryAgain).await;
    });
}
