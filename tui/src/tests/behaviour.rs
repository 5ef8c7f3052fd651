//! What keys, answers and the feed lead to.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use testhide_protocol::BuildId;
use testhide_protocol::api::{BuildState, Event as Happened, EventRecord, LogLine, Page};

use super::data;
use super::{model_at, press};
use crate::draw::draw;
use crate::event::{Answer, Effect, Event, Feed, Key, LogPurpose, LogRange};
use crate::model::{Link, Model, Place};
use crate::update::update;

fn with_builds() -> Model {
    let mut model = model_at(Place::Builds);
    let page = Ok(Page {
        items: data::builds(),
        next: None,
    });
    let _ = update(
        &mut model,
        Event::Answer(Answer::Builds { cursor: None, page }),
    );
    model
}

fn log_at(build: u64) -> Place {
    Place::Log {
        build,
        attempt: None,
        line: None,
    }
}

#[test]
fn keys_lead_to_places() {
    #[track_caller]
    fn check(keys: &str, expected: &Place) {
        let mut model = with_builds();
        press(&mut model, keys);
        assert_eq!(model.place, *expected, "after {keys:?}");
    }
    check("\n", &Place::Build(428));
    check("j\n", &Place::Build(427));
    check("G\n", &Place::Build(421));
    check("l", &log_at(428));
    check("\nl", &log_at(428));
    check("\nl\u{1b}", &Place::Build(428));
    check("\nl\u{1b}\u{1b}", &Place::Builds);
    check(":build 7\n", &Place::Build(7));
    check(":build 7\n-", &Place::Builds);
    check(":build 7\n--", &Place::Build(7));
    check(":log 421\n", &log_at(421));
    check(":agents\n", &Place::Agents);
    check(":search x\n", &Place::Search);
    check(":nonsense\n", &Place::Builds);
    check(":build x\n", &Place::Builds);
    check("/nightly\n\n", &Place::Build(423));
    check("n\n", &Place::Build(423));
    check("nn\n", &Place::Build(422));
    check("nnN\n", &Place::Build(423));
}

#[test]
fn a_cancel_needs_its_own_key() {
    let confirmed = |key| {
        let mut model = with_builds();
        press(&mut model, "jc");
        update(&mut model, Event::Key(key))
    };
    assert_eq!(confirmed(Key::Ctrl('d')), [Effect::Cancel(427)]);
    for key in [
        Key::Enter,
        Key::Char('y'),
        Key::Char('d'),
        Key::Esc,
        Key::Char('c'),
    ] {
        assert_eq!(confirmed(key), [], "{key:?}");
    }
    let mut model = with_builds();
    press(&mut model, "Gc");
    assert_eq!(model.confirm, None, "an ended build cannot be cancelled");
}

#[test]
fn a_build_is_started_again_with_its_commit() {
    let mut model = with_builds();
    let effects = press(&mut model, "Gr\n");
    let [Effect::Trigger(retrigger)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(
        retrigger.trigger.commit.as_deref(),
        Some("a1b2c3d4e5f60718293a")
    );
    assert_eq!(retrigger.to_string(), "unit-tests on main at a1b2c3d4");
}

#[test]
fn a_read_only_terminal_refuses() {
    let mut model = with_builds();
    model.readonly = true;
    for keys in ["jc", "r"] {
        assert_eq!(press(&mut model, keys), []);
        assert_eq!(model.confirm, None);
        assert!(
            model
                .notice
                .as_ref()
                .is_some_and(|notice| notice.text.contains("read-only"))
        );
    }
    assert!(!crate::words::hints(&model).contains(&("c", "cancel")));
}

#[test]
fn quitting_is_always_possible() {
    for keys in ["", ":bui", "/x", "?", "jc", "r"] {
        let mut model = with_builds();
        press(&mut model, keys);
        assert_eq!(
            update(&mut model, Event::Key(Key::Ctrl('c'))),
            [Effect::Quit],
            "after {keys:?}"
        );
    }
    assert_eq!(press(&mut with_builds(), "q"), [Effect::Quit]);
    assert_eq!(press(&mut with_builds(), ":q\n"), [Effect::Quit]);
}

#[test]
fn the_selection_stays_with_its_build_when_newer_ones_come() {
    let mut model = with_builds();
    press(&mut model, "jj");
    let page = Ok(Page {
        items: vec![
            data::build(429, BuildState::Queued, "x", "main"),
            data::builds().remove(0),
        ],
        next: None,
    });
    let _ = update(
        &mut model,
        Event::Answer(Answer::Builds { cursor: None, page }),
    );
    assert_eq!(
        model.builds.current().map(|build| build.build_number),
        Some(425)
    );
    assert_eq!(model.builds.shown().len(), 8, "what was known before stays");
}

fn record(event: Happened) -> Event {
    Event::Feed(Feed::Records(vec![EventRecord {
        seq: 7,
        time: data::NOW,
        project_id: None,
        event,
    }]))
}

#[test]
fn the_feed_changes_states_at_once_and_asks_for_the_rest() {
    let mut model = with_builds();
    let build = BuildId::from_bytes(data::id(427));
    let finished = Happened::BuildFinished {
        build,
        number: 427,
        attempt: 1,
        status: BuildState::Failed,
    };
    assert_eq!(
        update(&mut model, record(finished.clone())),
        [Effect::LoadBuilds { cursor: None }]
    );
    assert_eq!(model.builds.known[&427].status, BuildState::Failed);
    assert_eq!(
        update(&mut model, record(finished)),
        [],
        "one request at a time"
    );
}

#[test]
fn offline_says_since_when_and_is_over_when_the_feed_is_back() {
    let mut model = with_builds();
    for millis in [0, 60_000] {
        let _ = update(&mut model, Event::Tick(data::NOW.plus_millis(millis)));
        let _ = update(&mut model, Event::Feed(Feed::Offline("gone".to_owned())));
    }
    assert_eq!(
        model.link,
        Link::Offline {
            since: data::NOW,
            why: "gone".to_owned()
        }
    );
    assert_eq!(
        update(&mut model, Event::Feed(Feed::Live)),
        [Effect::LoadBuilds { cursor: None }]
    );
    assert_eq!(model.link, Link::Live);
}

#[test]
fn a_refused_request_is_repeated_after_a_while() {
    let mut model = model_at(Place::Builds);
    let page = Err("no".to_owned());
    assert_eq!(
        update(
            &mut model,
            Event::Answer(Answer::Builds { cursor: None, page })
        ),
        []
    );
    assert_eq!(
        update(&mut model, Event::Tick(data::NOW.plus_millis(1_000))),
        []
    );
    assert_eq!(
        update(&mut model, Event::Tick(data::NOW.plus_millis(3_000))),
        [Effect::LoadBuilds { cursor: None }]
    );
}

/// A server with a log of `total` lines, asked until the model wants nothing more; answers how many requests that took.
fn serve(model: &mut Model, total: u64, mut effects: Vec<Effect>) -> usize {
    let mut count = 0;
    while let Some(effect) = effects.pop() {
        let Effect::LoadLog(range) = effect else {
            continue;
        };
        count += 1;
        assert!(count < 5_000, "asked without end");
        let mut page = data::log_page(range.from, range.limit, total);
        // The test server answers less than it is asked for, as servers may.
        page.lines.truncate(300);
        effects.extend(update(
            model,
            Event::Answer(Answer::Log {
                range,
                page: Ok(page),
            }),
        ));
    }
    count
}

fn open_log(total: u64) -> Model {
    let mut model = with_builds();
    let effects = press(&mut model, ":log 421\n");
    serve(&mut model, total, effects);
    model
}

#[test]
fn a_log_of_millions_of_lines_is_read_in_few_requests() {
    let mut model = with_builds();
    let effects = press(&mut model, ":log 421\n");
    assert!(serve(&mut model, 3_000_000, effects) <= 4);
    assert!(model.log.follow);
    assert_eq!(*model.log.visible(model.log_height()).end(), 3_000_000);
    let effects = press(&mut model, "g");
    serve(&mut model, 3_000_000, effects);
    assert_eq!((model.log.top, model.log.follow), (1, false));
    assert!(model.log.lines.contains_key(&1));
    press(&mut model, "G");
    assert!(model.log.follow);
}

#[test]
fn find_goes_through_lines_that_are_not_here() {
    let mut model = open_log(20_000);
    let effects = press(&mut model, "g/line 12345 \n");
    serve(&mut model, 20_000, effects);
    assert_eq!(
        model.log.find.as_ref().and_then(|find| find.at),
        Some(12_345)
    );
    assert!(model.log.visible(model.log_height()).contains(&12_345));
    for (keys, expected) in [("n", 12_345), ("N", 12_345)] {
        let effects = press(&mut model, keys);
        serve(&mut model, 20_000, effects);
        assert_eq!(
            model.log.find.as_ref().and_then(|find| find.at),
            Some(expected),
            "{keys}: round, as there is one"
        );
    }
    let effects = press(&mut model, "/line 777\n");
    serve(&mut model, 20_000, effects);
    let first = model.log.find.as_ref().and_then(|find| find.at);
    assert_eq!(first, Some(777), "past the end and on from the beginning");
    let effects = press(&mut model, "N");
    serve(&mut model, 20_000, effects);
    assert_eq!(
        model.log.find.as_ref().and_then(|find| find.at),
        Some(7_779)
    );
    let effects = press(&mut model, "/nowhere\n");
    serve(&mut model, 20_000, effects);
    assert!(
        model
            .notice
            .as_ref()
            .is_some_and(|notice| notice.text.contains("nowhere"))
    );
}

#[test]
fn the_line_that_is_written_is_replaced_and_not_repeated() {
    let mut model = with_builds();
    press(&mut model, ":log 421\n");
    let range = |from, purpose| LogRange {
        build: 421,
        attempt: (from > 1).then_some(1),
        from,
        limit: 500,
        purpose,
    };
    let show = range(1, LogPurpose::Show);
    let mut tail = range(101, LogPurpose::Follow { known_bytes: 2_000 });
    tail.limit = 1_000;
    let mut say = |range: LogRange, text: &str, total| {
        let mut page = data::log_page(range.from, total, total);
        page.complete = false;
        page.running = (!text.is_empty()).then(|| LogLine {
            text: text.to_owned(),
            number: total + 1,
            ..data::log_page(1, 1, 1).lines.remove(0)
        });
        let page = Ok(page);
        update(&mut model, Event::Answer(Answer::Log { range, page }));
        let last = model.log.last_shown();
        let shown = model.log.line(last).expect("the last line is held");
        (last, shown.text.clone())
    };
    assert_eq!(say(show, "10%", 100), (101, "10%".to_owned()));
    assert_eq!(say(tail, "20%", 100), (101, "20%".to_owned()));
    // The line ended; nothing is written now.
    let (last, text) = say(tail, "", 101);
    assert_eq!((last, text.as_str()), (101, "line 101 of the log"));
}

#[test]
fn following_takes_new_lines_and_scrolling_up_ends_it() {
    let mut model = with_builds();
    press(&mut model, ":log 421\n");
    let show = LogRange {
        build: 421,
        attempt: None,
        from: 1,
        limit: 500,
        purpose: LogPurpose::Show,
    };
    let mut page = data::log_page(1, 100, 100);
    page.complete = false;
    let effects = update(
        &mut model,
        Event::Answer(Answer::Log {
            range: show,
            page: Ok(page),
        }),
    );
    let follow = LogRange {
        build: 421,
        attempt: Some(1),
        from: 101,
        limit: 1_000,
        purpose: LogPurpose::Follow { known_bytes: 2_000 },
    };
    assert_eq!(effects, [Effect::LoadLog(follow)]);
    let mut page = data::log_page(101, 5, 105);
    page.complete = false;
    let effects = update(
        &mut model,
        Event::Answer(Answer::Log {
            range: follow,
            page: Ok(page),
        }),
    );
    assert_eq!(
        effects,
        [Effect::LoadLog(LogRange {
            from: 106,
            purpose: LogPurpose::Follow { known_bytes: 2_100 },
            ..follow
        })]
    );
    assert_eq!(model.log.total, 105);
    press(&mut model, "k");
    assert!(!model.log.follow);
    let build = BuildId::from_bytes(data::id(421));
    let grown = Happened::LogAppended {
        build,
        attempt: 1,
        from: 0,
        to: 9_000,
        lines: 400,
    };
    assert_eq!(
        update(&mut model, record(grown)),
        [],
        "what is not on the screen is not loaded"
    );
    assert_eq!(model.log.total, 400);
}

#[test]
fn who_follows_a_log_follows_its_next_attempt() {
    let mut model = open_log(100);
    let build = BuildId::from_bytes(data::id(421));
    let effects = update(
        &mut model,
        record(Happened::BuildQueued {
            build,
            number: 421,
            attempt: 2,
        }),
    );
    let [Effect::LoadLog(range)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((range.attempt, range.from), (None, 1));
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut model = with_builds();
    model
        .builds
        .known
        .retain(|_, build| build.status.is_final());
    model.redraw = false;
    for step in 1..8 {
        let _ = update(&mut model, Event::Tick(data::NOW.plus_millis(step * 1_000)));
    }
    assert!(!model.redraw);
    let _ = update(&mut model, Event::Tick(data::NOW.plus_millis(61_000)));
    assert!(model.redraw, "ages count minutes");
}

#[test]
fn without_colour_every_state_is_still_there() {
    let mut model = with_builds();
    let coloured = super::picture(&mut model, 80, 24);
    model.colour = false;
    assert_eq!(super::picture(&mut model, 80, 24), coloured);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test backend cannot fail");
    terminal
        .draw(|frame| draw(&model, frame))
        .expect("a test backend cannot fail");
    let cells = &terminal.backend().buffer().content;
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    for state in BuildState::ALL {
        let word = crate::words::build_state(state).word;
        assert!(coloured.contains(word), "{word}");
    }
}

#[test]
fn a_paste_is_typed_and_never_obeyed() {
    let mut model = with_builds();
    assert_eq!(update(&mut model, Event::Paste("q\nc".to_owned())), []);
    assert_eq!(model.place, Place::Builds);
    press(&mut model, ":");
    assert_eq!(update(&mut model, Event::Paste("q\n".to_owned())), []);
    assert_eq!(
        model.prompt.as_ref().map(|prompt| prompt.text.as_str()),
        Some("q")
    );
}
