//! The whole picture: title, screen, notice, hints, and what lies over them. Only reads the model.

use ratatui::Frame;

use crate::model::{Confirm, Link, Model, Place};
use crate::paint::{Canvas, Tone};
use crate::{screens, words};

/// Draws the model.
pub(crate) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut canvas = Canvas::new(frame.buffer_mut(), area, model.colour);
    let (width, height) = (canvas.width(), canvas.height());
    title(model, &mut canvas.rows(0, u16::from(height > 1)));
    let notice = u16::from(model.notice.is_some() && height > 2);
    let body = height.saturating_sub(2 + notice);
    let mut screen = canvas.rows(1, body);
    if model.help {
        help(model, &mut screen);
    } else {
        match model.place {
            Place::Builds => screens::builds(model, &mut screen),
            Place::Build(_) => screens::build(model, &mut screen),
            Place::Log { .. } => screens::log(model, &mut screen),
            Place::Failure(_) => screens::failure(model, &mut screen),
            Place::Search => screens::search(model, &mut screen),
            Place::Agents => screens::agents(model, &mut screen),
        }
    }
    if let Some(question) = &model.confirm {
        confirm(question, &mut screen);
    }
    if let Some(notice) = model.notice.as_ref().filter(|_| height > 2) {
        let tone = if notice.bad { Tone::Bad } else { Tone::Strong };
        let sign = if notice.bad { "! " } else { "· " };
        let x = canvas.text(0, height - 2, width, sign, tone);
        canvas.text(x, height - 2, width, &notice.text, tone);
    }
    bottom(model, &mut canvas.rows(height.saturating_sub(1), 1));
}

fn title(model: &Model, row: &mut Canvas<'_>) {
    let (sign, word, tone) = match &model.link {
        Link::Connecting => ("…", "connecting".to_owned(), Tone::Warning),
        Link::Live => ("●", "live".to_owned(), Tone::Good),
        Link::Offline { since, .. } => (
            "!",
            format!("offline since {} UTC", words::clock(*since)),
            Tone::Bad,
        ),
    };
    let width = row.width();
    let mut right = format!("{sign} {word}");
    if model.readonly {
        right = format!("read-only · {right}");
    }
    let right_width = u16::try_from(crate::text::width(&right))
        .unwrap_or(width)
        .min(width);
    row.text_right(0, width, 0, &right, tone);
    let room = width.saturating_sub(right_width + 2);
    let mut x = row.text(0, 0, room, "testhide ", Tone::Accent);
    let about = screens::title(model);
    x = row.text(x, 0, room.saturating_sub(x), &about, Tone::Strong);
    // The address yields where there is no room for it.
    let server_width =
        u16::try_from(crate::text::width(&crate::text::plain(&model.server))).unwrap_or(width);
    if x + 3 + server_width < room {
        row.text_right(
            x,
            width.saturating_sub(right_width + 2),
            0,
            &model.server,
            Tone::Quiet,
        );
    }
}

/// The hint bar, or the line being typed.
fn bottom(model: &Model, row: &mut Canvas<'_>) {
    let width = row.width();
    if let Some(prompt) = &model.prompt {
        let (sign, meanwhile) = words::prompt_sign(prompt.kind);
        let x = row.text(0, 0, width, sign, Tone::Accent);
        // The end of a long text is what is being typed.
        let text = crate::text::plain(&prompt.text);
        let room = usize::from(width.saturating_sub(x + 1)).max(1);
        let mut tail = text.as_str();
        while crate::text::width(tail) > room {
            let Some(first) = tail.chars().next() else {
                break;
            };
            tail = &tail[first.len_utf8()..];
        }
        let x = row.text(x, 0, width, tail, Tone::Strong);
        row.reverse(x, 0, 1);
        let needed = u16::try_from(crate::text::width(meanwhile)).unwrap_or(width);
        if x + 3 + needed < width {
            row.text_right(x, width, 0, meanwhile, Tone::Quiet);
        }
        return;
    }
    let mut x = 0;
    for (key, effect) in words::hints(model) {
        let needed = u16::try_from(key.len() + 1 + effect.len()).unwrap_or(width);
        if x + needed > width && x > 0 {
            break;
        }
        x = row.text(x, 0, width, key, Tone::Accent);
        x = row.text(x + 1, 0, width, effect, Tone::Plain) + 2;
    }
}

fn help(model: &Model, canvas: &mut Canvas<'_>) {
    let (title, entries) = words::help(model);
    let width = canvas.width();
    canvas.text(1, 1, width, title, Tone::Strong);
    for (row, (keys, effect)) in (3..).zip(entries) {
        let x = if keys.is_empty() { 2 } else { 14 };
        canvas.text(2, row, 11, keys, Tone::Accent);
        canvas.text(x, row, width, effect, Tone::Plain);
    }
}

fn confirm(question: &Confirm, canvas: &mut Canvas<'_>) {
    let (title, what, yes, no) = match question {
        Confirm::Cancel { number, what } => (
            format!("Cancel build {number}?"),
            what.clone(),
            ("ctrl-d", "cancels it"),
            "any other key lets it go on",
        ),
        Confirm::Trigger(retrigger) => (
            "Run it again?".to_owned(),
            retrigger.to_string(),
            ("enter", "starts a new build"),
            "any other key does nothing",
        ),
    };
    let (width, y) = (canvas.width(), canvas.height().saturating_sub(6) / 2);
    let mut panel = canvas.rows(y, 6);
    panel.clear();
    let rule = "─".repeat(usize::from(width));
    panel.text(0, 0, width, &rule, Tone::Warning);
    panel.text(2, 1, width, &title, Tone::Strong);
    panel.text(2, 2, width, &what, Tone::Plain);
    let x = panel.text(2, 4, width, yes.0, Tone::Accent);
    let x = panel.text(x + 1, 4, width, yes.1, Tone::Plain);
    panel.text(x + 3, 4, width, no, Tone::Quiet);
    panel.text(0, 5, width, &rule, Tone::Warning);
}
