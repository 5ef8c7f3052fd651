//! What screens have in common: the window of a list, and the words where there is no list.

use crate::model::{Link, Model};
use crate::paint::{Canvas, Tone};
use crate::text::{plain, wrap_words};

/// The first row to show, so that the cursor stays in sight with its surroundings.
pub(super) fn first_row(cursor: usize, length: usize, height: u16) -> usize {
    let height = usize::from(height);
    cursor
        .saturating_sub(height / 2)
        .min(length.saturating_sub(height))
}

/// Says why there is nothing to show.
pub(super) fn nothing(
    model: &Model,
    canvas: &mut Canvas<'_>,
    error: Option<&str>,
    empty: Option<&str>,
) {
    match (error, empty) {
        (Some(error), _) => say(canvas, 1, "! This could not be loaded.", error, Tone::Bad),
        (None, Some(empty)) => say(canvas, 1, empty, "", Tone::Plain),
        (None, None) => match &model.link {
            Link::Offline { why, .. } => say(
                canvas,
                1,
                "! The server does not answer; trying again.",
                why,
                Tone::Bad,
            ),
            Link::Connecting | Link::Live => say(canvas, 1, "… asking the server", "", Tone::Quiet),
        },
    }
}

/// A message with an explanation below it.
fn say(canvas: &mut Canvas<'_>, y: u16, headline: &str, detail: &str, tone: Tone) {
    let width = canvas.width();
    let columns = usize::from(width.saturating_sub(4));
    let mut row = y;
    for line in wrap_words(headline, columns) {
        canvas.text(2, row, width, &line, tone);
        row = row.saturating_add(1);
    }
    for line in wrap_words(&plain(detail), columns) {
        canvas.text(2, row, width, &line, Tone::Plain);
        row = row.saturating_add(1);
    }
}

/// Marks the selected row by sign and by turning it around.
pub(super) fn mark_selected(canvas: &mut Canvas<'_>, y: u16) {
    let width = canvas.width();
    canvas.text(0, y, 1, ">", Tone::Accent);
    canvas.reverse(0, y, width);
}

/// A heading with a rule to the right edge.
pub(super) fn heading(canvas: &mut Canvas<'_>, y: u16, text: &str) {
    let width = canvas.width();
    let x = canvas.text(1, y, width, text, Tone::Strong) + 1;
    let rule = "─".repeat(usize::from(width.saturating_sub(x + 1)));
    canvas.text(x, y, width.saturating_sub(x + 1), &rule, Tone::Quiet);
}
