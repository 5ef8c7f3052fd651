//! Use case: what happened, in order, and what happens next.

use super::args::Events;
use super::client::{Backoff, Client};
use super::error::CliError;
use super::output::{Colour, Theme, clean};
use super::session::Session;
use testhide_protocol::api::{EventRecord, Page};

/// Seconds that the server may wait for the next event.
const WAIT_SECONDS: u32 = 25;

/// Events asked for at once.
const LIMIT: u32 = 500;

/// Prints events; with `--follow` it goes on, over broken connections, until it is stopped. `--json` prints one object a line.
pub(super) async fn run(session: &Session, args: &Events) -> Result<(), CliError> {
    let client = session.client()?;
    let mut backoff = Backoff::usual();
    let mut after = args.after;
    let mut was_answered = false;
    loop {
        let page = match ask(&client, after, args.follow).await {
            Err(error) if args.follow && was_answered && error.is_temporary() => {
                session
                    .out
                    .say(&format!("{} ({}); trying again", error.detail, error.code));
                backoff.pause(error.retry_after).await;
                continue;
            }
            answer => answer?,
        };
        was_answered = true;
        backoff.reset();
        let theme = session.out.theme();
        // A feed that repeats itself is not printed twice.
        let new: Vec<&EventRecord> = page
            .items
            .iter()
            .filter(|record| record.seq > after)
            .collect();
        for record in &new {
            if session.out.json {
                session.out.json_line(record)?;
            } else {
                session.out.line(&draw(record, &theme))?;
            }
        }
        match new.last() {
            Some(last) => after = last.seq,
            None if args.follow => {}
            None => return Ok(()),
        }
    }
}

async fn ask(client: &Client, after: u64, wait: bool) -> Result<Page<EventRecord>, CliError> {
    let wait = if wait { WAIT_SECONDS } else { 0 };
    let query = [
        ("after", after.to_string()),
        ("limit", LIMIT.to_string()),
        ("wait_seconds", wait.to_string()),
    ];
    client.get(&["events"], &query).await
}

fn draw(record: &EventRecord, theme: &Theme) -> String {
    let kind = record.event.kind();
    let facts = match serde_json::to_value(&record.event) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let facts = facts
        .into_iter()
        .filter(|(name, value)| name != "kind" && !value.is_null())
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        });
    let facts = facts.collect::<Vec<_>>().join(" ");
    let (seq, time) = (format!("{:>8}", record.seq), record.time.to_string());
    format!(
        "{}  {}  {kind:<22} {}",
        theme.paint(Colour::Dim, &seq),
        theme.paint(Colour::Dim, &time),
        clean(&facts)
    )
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use testhide_protocol::BuildId;
    use testhide_protocol::api::{BuildState, Event, EventRecord};

    #[test]
    fn an_event_is_one_line() {
        let event = Event::BuildFinished {
            build: BuildId::from_bytes([1; 16]),
            number: 421,
            attempt: 1,
            status: BuildState::Passed,
        };
        let record = EventRecord {
            seq: 17,
            time: "2026-03-20T10:30:00Z".parse().unwrap(),
            project_id: None,
            event,
        };
        let expected = "      17  2026-03-20T10:30:00Z  build_finished         \
                        attempt=1 build=01010101-0101-0101-0101-010101010101 number=421 status=passed";
        assert_eq!(draw(&record, &theme()), expected);
    }
}
