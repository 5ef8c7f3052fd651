//! Use case: print a build's log, and follow it.

use super::args::Log;
use super::client::{Backoff, Client};
use super::error::CliError;
use super::follow::{Heard, LogPlace, read_log};
use super::output::{Colour, Theme, clean_log};
use super::session::Session;
use testhide_protocol::api::{LogLine, Stream};

/// Longest line that is put together from raw bytes for a terminal.
const LONGEST_LINE: usize = 64 * 1024;

/// Prints a log.
pub(super) async fn run(session: &Session, args: &Log) -> Result<(), CliError> {
    if args.raw {
        return raw(session, args).await;
    }
    let place = LogPlace {
        build: args.build.clone(),
        attempt: args.attempt,
        from: args.from,
        follow: args.follow,
    };
    print_log(session, &session.client()?, &place, args.timestamps).await
}

/// Prints the lines of a log; with `--json` one object a line.
pub(super) async fn print_log(
    session: &Session,
    client: &Client,
    place: &LogPlace,
    times: bool,
) -> Result<(), CliError> {
    let out = &session.out;
    let theme = out.theme();
    let mut hear = |heard: Heard<'_>| match heard {
        Heard::Lines(lines) if out.json => lines.iter().try_for_each(|line| out.json_line(line)),
        Heard::Lines(lines) => out.write(
            &lines
                .iter()
                .map(|line| draw(line, times, &theme))
                .collect::<String>(),
        ),
        Heard::Attempt(attempt) => {
            out.say(&format!("the agent was lost; attempt {attempt} follows"));
            Ok(())
        }
        Heard::Broken(error) => {
            out.say(&format!("{} ({}); trying again", error.detail, error.code));
            Ok(())
        }
        Heard::Back => {
            out.say("connected again");
            Ok(())
        }
    };
    read_log(client, place, Backoff::usual(), &mut hear).await
}

fn draw(line: &LogLine, times: bool, theme: &Theme) -> String {
    let mut text = clean_log(&line.text, theme.colour);
    if line.continued {
        text.push_str(&theme.paint(Colour::Dim, if theme.unicode { " …" } else { " ..." }));
    }
    // What the agent itself says is told apart from what the steps wrote.
    let text = if line.stream == Stream::System {
        theme.paint(Colour::Dim, &text)
    } else {
        text
    };
    if times {
        format!(
            "{}  {text}\n",
            theme.paint(Colour::Dim, &line.time.to_string())
        )
    } else {
        format!("{text}\n")
    }
}

/// Bytes as they were written; for a terminal cleaned like lines.
async fn raw(session: &Session, args: &Log) -> Result<(), CliError> {
    let query: Vec<_> = args
        .attempt
        .iter()
        .map(|attempt| ("attempt", attempt.to_string()))
        .collect();
    let mut download = session
        .bulk_client()?
        .download(&["builds", &args.build, "log", "raw"], &query)
        .await?;
    let mut open = Vec::new();
    let theme = session.out.theme();
    let print = |line: &[u8]| {
        session
            .out
            .line(&clean_log(&String::from_utf8_lossy(line), theme.colour))
    };
    while let Some(part) = download.next().await? {
        if !session.out.is_terminal() {
            session.out.write_bytes(&part)?;
            continue;
        }
        open.extend_from_slice(&part);
        while let Some(end) = open
            .iter()
            .position(|byte| *byte == b'\n')
            .or((open.len() > LONGEST_LINE).then_some(LONGEST_LINE))
        {
            let line: Vec<u8> = open.drain(..=end).collect();
            print(&line)?;
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        print(&open)
    }
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::output::Theme;
    use testhide_protocol::Timestamp;
    use testhide_protocol::api::{LogLine, Stream};

    #[test]
    fn lines_are_clean_and_may_have_a_time() {
        let theme = Theme {
            colour: false,
            unicode: true,
            width: None,
            now: Timestamp(0),
        };
        let line = LogLine {
            number: 7,
            step: 0,
            stream: Stream::Stdout,
            time: "2026-03-20T10:30:00.25Z".parse().unwrap(),
            text: "\u{1b}[32mok\u{1b}[0m \u{1b}]0;owned\u{7}done".to_owned(),
            continued: false,
        };
        assert_eq!(draw(&line, false, &theme), "ok done\n");
        assert_eq!(
            draw(&line, true, &theme),
            "2026-03-20T10:30:00.25Z  ok done\n"
        );
        let coloured = draw(
            &line,
            false,
            &Theme {
                colour: true,
                ..theme
            },
        );
        assert_eq!(coloured, "\u{1b}[32mok\u{1b}[0m done\u{1b}[0m\n");
    }
}
