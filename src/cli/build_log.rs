//! Use case: print a build's log, and follow it.

use super::args::Log;
use super::client::{Backoff, Client};
use super::error::CliError;
use super::follow::{Heard, LogPlace, read_log};
use super::output::{Colour, Printer, Theme, clean_log, cut};
use super::session::Session;
use crate::logs::{LineEnd, pieces};
use testhide_protocol::api::{Build, LogLine, Stream};

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
        running: false,
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
    let place = LogPlace {
        running: place.follow && out.is_terminal() && !out.json,
        ..place.clone()
    };
    // Whether the line that the cursor stands in goes away before anything else is said.
    let mut is_open = false;
    let mut hear = |heard: Heard<'_>| {
        if std::mem::take(&mut is_open) {
            out.write(CLEAR_LINE)?;
        }
        match heard {
            Heard::Lines(lines) if out.json => {
                lines.iter().try_for_each(|line| out.json_line(line))
            }
            Heard::Lines(lines) => out.write(
                &lines
                    .iter()
                    .map(|line| draw(line, times, &theme))
                    .collect::<String>(),
            ),
            Heard::Running(line) => {
                is_open = true;
                out.write(&draw_running(line, &theme))
            }
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
        }
    };
    let outcome = read_log(client, &place, Backoff::usual(), &mut hear).await;
    if is_open {
        out.write(CLEAR_LINE)?;
    }
    outcome
}

/// Takes away what stands in the cursor's line.
const CLEAR_LINE: &str = "\r\u{1b}[K";

/// Stands before what the agent itself says (interruptions, losses, ends), so that it is told apart without colours, too.
const AGENT_SAYS: &str = "# ";

fn draw(line: &LogLine, times: bool, theme: &Theme) -> String {
    let mut text = clean_log(&line.text, theme.colour);
    if line.continued {
        text.push_str(&theme.paint(Colour::Dim, &cut_mark(theme)));
    }
    // What the agent itself says is told apart from what the steps wrote.
    let text = if line.stream == Stream::System {
        theme.paint(Colour::Dim, &format!("{AGENT_SAYS}{text}"))
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

/// The line that is being written: as much as fits, because what went on in the next row could not be taken away.
fn draw_running(line: &LogLine, theme: &Theme) -> String {
    let columns = theme
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(1));
    cut(&clean_log(&line.text, false), columns, theme)
}

/// Says that a line goes on in the next.
fn cut_mark(theme: &Theme) -> String {
    format!(" {}", theme.ellipsis())
}

/// Bytes as they were written; for a terminal cleaned like lines.
async fn raw(session: &Session, args: &Log) -> Result<(), CliError> {
    let out = &session.out;
    let theme = out.theme();
    let mut lines = RawLines::default();
    let mut print = |part: &[u8]| {
        if out.is_terminal() {
            out.write(&lines.take(part, &theme))
        } else {
            out.write_bytes(part)
        }
    };
    let backoff = Backoff::usual();
    read_raw(&session.bulk_client()?, args, backoff, out, &mut print).await?;
    if out.is_terminal() {
        out.write(&lines.finish(&theme))?;
    }
    Ok(())
}

/// Hands the bytes of a log to `print`, each once. A server that dropped a slow reader, or was started anew, is asked for the rest.
async fn read_raw(
    client: &Client,
    args: &Log,
    mut backoff: Backoff,
    out: &Printer,
    print: &mut impl FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let path = ["builds", &args.build, "log", "raw"];
    let mut attempt = args.attempt;
    if attempt.is_none() {
        // Another attempt may begin while this one is read; its bytes would be others.
        let build: Build = client.get(&path[..2], &[]).await?;
        attempt = Some(build.attempt.max(1));
    }
    let query: Vec<_> = attempt
        .iter()
        .map(|attempt| ("attempt", attempt.to_string()))
        .collect();
    let (mut read, mut tries) = (0, RAW_TRIES);
    loop {
        let error = match client.download_from(&path, &query, read).await {
            Ok(mut download) => loop {
                match download.next().await {
                    Ok(Some(part)) => {
                        print(&part)?;
                        read += part.len() as u64;
                        tries = RAW_TRIES;
                        backoff.reset();
                    }
                    Ok(None) => return Ok(()),
                    Err(error) => break error,
                }
            },
            // It broke off behind its last byte.
            Err(error) if error.code == "no_such_range" => return Ok(()),
            Err(error) => error,
        };
        tries -= 1;
        if read == 0 || tries == 0 || !error.is_temporary() {
            return Err(error);
        }
        out.say(&format!("{} ({}); trying again", error.detail, error.code));
        backoff.pause(error.retry_after).await;
    }
}

/// Tries without a new byte before a download is given up.
const RAW_TRIES: u32 = 8;

/// Puts lines for a terminal together from bytes.
#[derive(Default)]
struct RawLines {
    open: Vec<u8>,
}

impl RawLines {
    /// The lines that end in `part`, clean. A very long one is cut, and says so.
    fn take(&mut self, part: &[u8], theme: &Theme) -> String {
        self.open.extend_from_slice(part);
        let mut text = String::new();
        let mut begin = 0;
        for piece in pieces(&self.open, 0) {
            if piece.end == LineEnd::Open {
                break;
            }
            let line = String::from_utf8_lossy(piece.text);
            text.push_str(&clean_log(&line, theme.colour));
            if piece.end == LineEnd::Cut {
                text.push_str(&theme.paint(Colour::Dim, &cut_mark(theme)));
            }
            text.push('\n');
            begin = piece.next;
        }
        self.open.drain(..begin);
        text
    }

    /// What is left without a line end.
    fn finish(&mut self, theme: &Theme) -> String {
        if self.open.is_empty() {
            return String::new();
        }
        self.take(b"\n", theme)
    }
}

#[cfg(test)]
mod tests {
    use super::{RawLines, draw, draw_running, read_raw};
    use crate::cli::args::Log;
    use crate::cli::client::Backoff;
    use crate::cli::output::{Printer, Theme, Wishes};
    use crate::cli::test_server::{Answer, TestServer};
    use crate::config::Environment;
    use crate::kit::Clock;
    use crate::logs::MAX_LINE;
    use proptest::prelude::*;
    use testhide_protocol::Timestamp;
    use testhide_protocol::api::{LogLine, Stream};

    const PLAIN: Theme = Theme {
        colour: false,
        unicode: true,
        width: Some(11),
        now: Timestamp(0),
    };

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
        let cut = LogLine {
            continued: true,
            ..line.clone()
        };
        assert_eq!(draw(&cut, false, &PLAIN), "ok done …\n");
        let agent = LogLine {
            stream: Stream::System,
            ..line
        };
        assert_eq!(draw(&agent, false, &PLAIN), "# ok done\n");
        assert_eq!(draw_running(&agent, &PLAIN), "ok done");
        let long = LogLine {
            text: "\u{1b}[32m123456789012".to_owned(),
            ..agent
        };
        assert_eq!(draw_running(&long, &PLAIN), "123456789…");
    }

    #[test]
    fn raw_lines_for_a_terminal_are_cut_with_a_mark() {
        let mut lines = RawLines::default();
        assert_eq!(lines.take(b"one\ntw", &PLAIN), "one\n");
        assert_eq!(lines.take(b"o\r\n", &PLAIN), "two\n");
        let long = vec![b'x'; MAX_LINE + 3];
        let expected = format!("{} …\n", "x".repeat(MAX_LINE));
        assert_eq!(lines.take(&long, &PLAIN), expected);
        assert_eq!(lines.finish(&PLAIN), "xxx\n");
        assert_eq!(lines.finish(&PLAIN), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_download_that_breaks_goes_on_where_it_was(cuts in prop::collection::vec(1usize..30, 0..6)) {
            let whole = "the log, byte by byte\n".repeat(4);
            let log = whole.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let read = runtime.block_on(async {
                // How much of the log is served before request number n, and what that one adds.
                let server = TestServer::start_with_headers(move |head, number| {
                    let from: usize = head
                        .lines()
                        .find_map(|line| line.strip_prefix("range: bytes="))
                        .map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
                    let rest = log[from..].to_owned();
                    match cuts.get(number - 1) {
                        Some(bytes) => Answer::Part(rest, *bytes),
                        None => Answer::Part(rest, usize::MAX),
                    }
                })
                .await;
                let args = Log {
                    build: "421".to_owned(),
                    follow: false,
                    from: 1,
                    attempt: Some(1),
                    raw: true,
                    timestamps: false,
                };
                let wishes = Wishes { quiet: true, ..Wishes::default() };
                let out = Printer::new(wishes, &Environment::default(), Clock::system());
                let mut read = Vec::new();
                let mut print = |part: &[u8]| {
                    read.extend_from_slice(part);
                    Ok(())
                };
                read_raw(&server.client(), &args, Backoff::none(), &out, &mut print).await.map(|()| read)
            });
            prop_assert_eq!(String::from_utf8(read.unwrap()).unwrap(), whole);
        }
    }
}
