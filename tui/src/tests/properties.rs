//! Whatever happens in whatever order, the model stays valid and every size can be drawn.

use proptest::prelude::*;
use testhide_protocol::api::{
    BuildState, Event as Happened, EventRecord, LogPage, Page, StepState, VerdictKind,
};
use testhide_protocol::{AgentId, BuildId, ResultId, Timestamp};

use super::data;
use super::{model_at, picture};
use crate::event::{Answer, Effect, Event, Feed, Key, LogPurpose, LogRange};
use crate::model::{MAX_HELD, Model, Place};
use crate::update::update;

fn key() -> impl Strategy<Value = Key> {
    let named = prop::sample::select(vec![
        Key::Enter,
        Key::Esc,
        Key::Backspace,
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Ctrl('d'),
        Key::Ctrl('r'),
        Key::Ctrl('u'),
        Key::Ctrl('w'),
        Key::Ctrl('f'),
        Key::Ctrl('b'),
    ]);
    let letter = prop::sample::select(
        "?:/-hjklgGnNfwtcrbq123 !aeilmosx"
            .chars()
            .map(Key::Char)
            .collect::<Vec<_>>(),
    );
    prop_oneof![3 => named, 4 => letter, 1 => any::<char>().prop_map(Key::Char)]
}

fn range() -> impl Strategy<Value = LogRange> {
    let purpose = prop::sample::select(vec![
        LogPurpose::Show,
        LogPurpose::Find,
        LogPurpose::Follow { known_bytes: 7 },
    ]);
    (
        any::<bool>(),
        prop_oneof![Just(1u64), 1u64..5_000, any::<u64>()],
        0u64..1_200,
        purpose,
    )
        .prop_map(|(is_first, from, limit, purpose)| LogRange {
            build: 421,
            attempt: is_first.then_some(1),
            from: from.max(1),
            limit,
            purpose,
        })
}

fn page() -> impl Strategy<Value = LogPage> {
    let total = prop_oneof![Just(0u64), 1u64..3_000, any::<u64>()];
    (1u32..3, 1u64..4_000, 0u64..1_200, total, any::<bool>()).prop_map(
        |(attempt, from, limit, total, complete)| LogPage {
            attempt,
            complete,
            ..data::log_page(from, limit, total)
        },
    )
}

/// An answer, or a refusal.
fn answered<T: Clone + std::fmt::Debug + 'static>(
    value: T,
) -> impl Strategy<Value = Result<T, String>> {
    prop_oneof![3 => Just(Ok(value)), 1 => Just(Err(data::HOSTILE.to_owned()))]
}

fn answer() -> impl Strategy<Value = Answer> {
    let cursor = || prop::option::of(Just("next".to_owned()));
    let builds = (0u64..300, 0usize..20, cursor()).prop_map(|(from, count, next)| Page {
        items: (from..from + count as u64)
            .zip(BuildState::ALL.into_iter().cycle())
            .map(|(number, state)| data::build(number, state, "job", "main"))
            .chain((count % 3 == 0).then(data::builds).into_iter().flatten())
            .collect(),
        next,
    });
    let result = ResultId::from_bytes(data::id(1));
    let agents = data::agents();
    prop_oneof![
        1 => (cursor(), builds).prop_map(|(cursor, page)| Answer::Builds { cursor, page: Ok(page) }),
        1 => Just(Answer::Builds { cursor: None, page: Err("no".to_owned()) }),
        1 => answered(Box::new(data::failed_build())).prop_map(|build| Answer::Build { number: 421, build }),
        1 => answered(data::verdicts()).prop_map(|verdicts| Answer::Verdicts { number: 421, verdicts }),
        4 => (range(), page()).prop_map(|(range, page)| Answer::Log { range, page: Ok(page) }),
        1 => range().prop_map(|range| Answer::Log { range, page: Err("no".to_owned()) }),
        1 => answered(Box::new(data::failure(VerdictKind::Flaky))).prop_map(move |failure| Answer::Failure { result, failure }),
        1 => (cursor(), answered(data::search_answer())).prop_map(|(cursor, answer)| Answer::Search { query: "x".to_owned(), cursor, answer }),
        1 => (0usize..5).prop_flat_map(move |count| answered(agents[..count.min(4)].to_vec())).prop_map(Answer::Agents),
        1 => answered(()).prop_map(|outcome| Answer::Cancelled { number: 421, outcome }),
        1 => answered(Box::new(data::failed_build())).prop_map(Answer::Triggered),
    ]
}

fn feed() -> impl Strategy<Value = Feed> {
    let build = BuildId::from_bytes(data::id(421));
    let number = prop_oneof![Just(421u64), 0u64..430];
    let happened = prop_oneof![
        (number.clone(), 1u32..4).prop_map(move |(number, attempt)| Happened::BuildQueued {
            build,
            number,
            attempt
        }),
        (number.clone(), 1u32..4).prop_map(move |(number, attempt)| {
            Happened::BuildStarted {
                build,
                number,
                attempt,
                agent: AgentId::from_bytes(data::id(11)),
            }
        }),
        (number, prop::sample::select(BuildState::ALL.to_vec())).prop_map(
            move |(number, status)| Happened::BuildFinished {
                build,
                number,
                attempt: 1,
                status
            }
        ),
        any::<u64>().prop_map(move |lines| Happened::LogAppended {
            build,
            attempt: 1,
            from: 0,
            to: lines,
            lines
        }),
        Just(Happened::StepChanged {
            build,
            attempt: 1,
            step: 0,
            status: StepState::Running
        }),
    ];
    let record = (any::<u64>(), happened).prop_map(|(seq, event)| EventRecord {
        seq,
        time: data::NOW,
        project_id: None,
        event,
    });
    prop_oneof![
        1 => Just(Feed::Live),
        1 => Just(Feed::Offline(data::HOSTILE.to_owned())),
        3 => prop::collection::vec(record, 0..4).prop_map(Feed::Records),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let time = prop_oneof![9 => (0i64..100_000_000).prop_map(|millis| data::NOW.plus_millis(millis)), 1 => any::<i64>().prop_map(Timestamp)];
    prop_oneof![
        8 => key().prop_map(Event::Key),
        1 => any::<String>().prop_map(Event::Paste),
        1 => (0u16..250, 0u16..70).prop_map(|(columns, rows)| Event::Resize(columns, rows)),
        2 => time.prop_map(Event::Tick),
        2 => feed().prop_map(Event::Feed),
        6 => answer().prop_map(Event::Answer),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    prop::sample::select(vec![
        Place::Builds,
        Place::Build(421),
        Place::Log {
            build: 421,
            attempt: None,
            line: None,
        },
        Place::Log {
            build: 421,
            attempt: Some(1),
            line: Some(700),
        },
        Place::Failure(ResultId::from_bytes(data::id(1))),
        Place::Search,
        Place::Agents,
    ])
}

fn is_valid(model: &Model) -> Result<(), TestCaseError> {
    prop_assert!(model.log.lines.len() <= MAX_HELD);
    prop_assert!(model.log.top >= 1);
    prop_assert!(model.trail.len() <= 50);
    let entries = model.search.entries().len();
    prop_assert!(model.search.cursor == 0 || model.search.cursor < entries);
    let shown = model.builds.shown();
    prop_assert!(shown.is_empty() || model.builds.cursor(&shown) < shown.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_events_leaves_a_model_that_can_be_drawn(
        place in place(),
        events in prop::collection::vec(event(), 0..60),
        columns in 1u16..=200,
        rows in 1u16..=60,
        readonly in any::<bool>(),
    ) {
        let mut model = model_at(place);
        model.readonly = readonly;
        for event in events {
            let effects = update(&mut model, event);
            prop_assert!(!readonly || !effects.iter().any(Effect::changes_something));
            is_valid(&model)?;
        }
        let picture = picture(&mut model, columns, rows);
        prop_assert!(!picture.chars().any(|letter| letter.is_control() && letter != '\n'));
    }

    #[test]
    fn every_size_can_be_drawn(columns in 1u16..=200, rows in 1u16..=60, place in place(), keys in "[?:/cr]{0,2}") {
        let mut model = model_at(place);
        for answer in data::answers() {
            let _ = update(&mut model, Event::Answer(answer));
        }
        super::press(&mut model, &keys);
        picture(&mut model, columns, rows);
    }
}
