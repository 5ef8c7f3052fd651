//! The log: a window that follows the end or stands where it was put. ANSI colours of the log are kept.

use ratatui::style::{Modifier, Style};
use testhide_protocol::api::{LogLine, Stream};

use super::common::nothing;
use crate::model::{LogView, Model};
use crate::paint::{Canvas, Tone};
use crate::text::{Piece, sanitise, wrap};
use crate::words;

/// Draws the log.
pub(crate) fn log(model: &Model, canvas: &mut Canvas<'_>) {
    let view = &model.log;
    if !view.loaded {
        return nothing(model, canvas, view.error.as_deref(), None);
    }
    let height = canvas.height();
    if height > 2 {
        status(model, &mut canvas.rows(height - 1, 1));
    }
    let height = height.min(model.log_height());
    if view.last_shown() == 0 {
        let empty = if view.complete {
            "This attempt wrote no log."
        } else {
            "No line yet. New ones appear here."
        };
        return nothing(
            model,
            &mut canvas.rows(0, height),
            view.error.as_deref(),
            Some(empty),
        );
    }
    let mut window = canvas.rows(0, height);
    if view.follow {
        from_the_end(view, &mut window);
    } else {
        from_the_top(view, &mut window);
    }
}

/// One row of the window.
struct Row {
    gutter: String,
    is_marked: bool,
    pieces: Vec<Piece>,
}

fn from_the_top(view: &LogView, window: &mut Canvas<'_>) {
    let mut y = 0;
    for number in view.visible(window.height()) {
        for row in rows(view, window, number) {
            if y >= window.height() {
                return;
            }
            put(view, window, y, &row);
            y += 1;
        }
    }
}

fn from_the_end(view: &LogView, window: &mut Canvas<'_>) {
    let mut all: Vec<Row> = Vec::new();
    let height = usize::from(window.height());
    for number in view.visible(window.height()).rev() {
        all.extend(rows(view, window, number).into_iter().rev());
        if all.len() >= height {
            break;
        }
    }
    all.truncate(height);
    for (y, row) in (0..window.height()).zip(all.iter().rev()) {
        put(view, window, y, row);
    }
}

/// The rows that a line takes: one, or with wrapping as many as it needs.
fn rows(view: &LogView, window: &Canvas<'_>, number: u64) -> Vec<Row> {
    let digits = view.total.to_string().len().max(3);
    let Some(line) = view.line(number) else {
        let gutter = format!("{number:>digits$} ");
        let pieces = vec![Piece {
            text: "…".to_owned(),
            style: window.style(Tone::Quiet),
        }];
        return vec![Row {
            gutter,
            is_marked: false,
            pieces,
        }];
    };
    let gutter = gutter(view, line, digits);
    let is_marked = view.marked == Some(number)
        || view
            .find
            .as_ref()
            .is_some_and(|find| find.at == Some(number));
    let tone = if line.stream == Stream::System {
        Tone::Accent
    } else {
        Tone::Plain
    };
    let room = usize::from(window.width()).saturating_sub(gutter.chars().count() + 1);
    let columns = if view.wrap {
        usize::MAX
    } else {
        view.left + room + 1
    };
    let mut pieces = sanitise(&line.text, window.style(tone), columns);
    if let Some(find) = &view.find {
        let clean: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        pieces = turn_around(&pieces, &find.matches(&clean));
    }
    if !view.wrap {
        return vec![Row {
            gutter,
            is_marked,
            pieces,
        }];
    }
    let blank = " ".repeat(gutter.chars().count());
    let wrapped = wrap(&pieces, room).into_iter().enumerate();
    wrapped
        .map(|(index, pieces)| Row {
            gutter: if index == 0 {
                gutter.clone()
            } else {
                blank.clone()
            },
            is_marked,
            pieces,
        })
        .collect()
}

/// The number, the time if wanted, and a sign for what is not standard output.
fn gutter(view: &LogView, line: &LogLine, digits: usize) -> String {
    let sign = match line.stream {
        Stream::Stdout => ' ',
        Stream::Stderr => '!',
        Stream::System => '#',
    };
    let number = line.number;
    if view.times {
        format!("{number:>digits$} {} {sign}", words::clock(line.time))
    } else {
        format!("{number:>digits$} {sign}")
    }
}

/// Turns the matches around, whatever styles they are in.
fn turn_around(pieces: &[Piece], matches: &[(usize, usize)]) -> Vec<Piece> {
    let mut turned: Vec<Piece> = Vec::new();
    let mut at = 0;
    for piece in pieces {
        for letter in piece.text.chars() {
            let is_match = matches.iter().any(|(from, to)| (*from..*to).contains(&at));
            let style: Style = if is_match {
                piece.style.add_modifier(Modifier::REVERSED)
            } else {
                piece.style
            };
            match turned.last_mut().filter(|last| last.style == style) {
                Some(last) => last.text.push(letter),
                None => turned.push(Piece {
                    text: letter.to_string(),
                    style,
                }),
            }
            at += letter.len_utf8();
        }
    }
    turned
}

fn put(view: &LogView, window: &mut Canvas<'_>, y: u16, row: &Row) {
    let width = window.width();
    let tone = if row.is_marked {
        Tone::Strong
    } else {
        Tone::Quiet
    };
    let x = window.text(1, y, width, &row.gutter, tone);
    if row.is_marked {
        window.text(0, y, 1, ">", Tone::Accent);
        window.reverse(0, y, x);
    }
    let skip = if view.wrap { 0 } else { view.left };
    window.pieces(x, y, width.saturating_sub(x), skip, &row.pieces);
}

/// Where we are, and what is on.
fn status(model: &Model, row: &mut Canvas<'_>) {
    let view = &model.log;
    let width = row.width();
    let lines = words::counted(view.total, "line");
    let place = if view.follow {
        if view.complete {
            format!("end of {lines}, complete")
        } else {
            format!("following, {lines} so far")
        }
    } else {
        let visible = view.visible(model.log_height());
        let state = if view.complete { "" } else { " so far" };
        format!(
            "{}-{} of {lines}{state}",
            words::counted(*visible.start(), ""),
            words::counted(*visible.end(), "")
        )
    };
    let mut parts = vec![place];
    if let Some(find) = &view.find {
        parts.push(match (&find.scan, find.at) {
            (Some(scan), _) => format!(
                "looking for {}: line {}",
                find.needle,
                words::counted(scan.next, "")
            ),
            (None, Some(_)) => format!("found {}", find.needle),
            (None, None) => format!("no {}", find.needle),
        });
    }
    if view.wrap {
        parts.push("wrapped".to_owned());
    } else if view.left > 0 {
        parts.push(format!("from column {}", view.left + 1));
    }
    if view.times {
        parts.push("times in UTC".to_owned());
    }
    let (text, tone) = match &view.error {
        Some(error) => (format!("! {error} · {}", parts.join(" · ")), Tone::Bad),
        None => (parts.join(" · "), Tone::Strong),
    };
    row.text(1, 0, width.saturating_sub(1), &text, tone);
}
