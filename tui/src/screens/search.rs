//! Search: a query and its hits, each line of which can be opened.

use testhide_protocol::api::{SearchHit, SearchLine};

use super::common::{first_row, mark_selected, nothing};
use crate::model::Model;
use crate::paint::{Canvas, Tone};
use crate::words;

/// One row of the screen.
enum Row<'a> {
    /// What the lines below belong to.
    Hit(&'a SearchHit),
    /// A line that can be opened.
    Line(&'a SearchLine, bool),
    /// A hit without lines that can be opened.
    Bare(&'a SearchHit),
}

/// Draws the search.
pub(crate) fn search(model: &Model, canvas: &mut Canvas<'_>) {
    let search = &model.search;
    let width = canvas.width();
    if search.query.is_empty() {
        let how =
            "Nothing was asked yet. / types a query: words, \"a phrase\", build:421, branch:main.";
        return nothing(model, canvas, None, Some(how));
    }
    let x = canvas.text(1, 0, width, "/ ", Tone::Accent);
    canvas.text(x, 0, width, &search.query, Tone::Strong);
    let Some(answer) = &search.answer else {
        let height = canvas.height().saturating_sub(1);
        return nothing(
            model,
            &mut canvas.rows(1, height),
            search.error.as_deref(),
            None,
        );
    };
    let entries = search.entries();
    canvas.text(
        1,
        1,
        width.saturating_sub(2),
        &summary(model, entries.len()),
        Tone::Quiet,
    );
    let height = canvas.height().saturating_sub(2);
    if answer.hits.is_empty() {
        return nothing(
            model,
            &mut canvas.rows(2, height),
            None,
            Some("Nothing fits. Fewer words find more."),
        );
    }
    let mut rows = Vec::new();
    let (mut selected, mut entry) = (0, 0);
    for hit in &answer.hits {
        rows.push(if hit.lines.is_empty() {
            Row::Bare(hit)
        } else {
            Row::Hit(hit)
        });
        let is_failure = hit.result_id.is_some();
        rows.extend(hit.lines.iter().map(|line| Row::Line(line, is_failure)));
        let count = hit.lines.len().max(1);
        if (entry..entry + count).contains(&search.cursor) {
            selected = rows.len() - count + (search.cursor - entry);
        }
        entry += count;
    }
    let first = first_row(selected, rows.len(), height);
    let mut list = canvas.rows(2, height);
    for (y, (index, row)) in (0..height).zip(rows.iter().enumerate().skip(first)) {
        match row {
            Row::Hit(hit) | Row::Bare(hit) => self::hit(model, &mut list, y, hit),
            Row::Line(line, is_failure) => self::line(&mut list, y, line, *is_failure),
        }
        if index == selected {
            mark_selected(&mut list, y);
        }
    }
}

/// How much was found, and what the index does not know yet.
fn summary(model: &Model, entries: usize) -> String {
    let search = &model.search;
    let Some(answer) = &search.answer else {
        return String::new();
    };
    let more = if answer.next.is_some() { " so far" } else { "" };
    let places = words::counted(answer.hits.len() as u64, "place");
    let mut text = format!(
        "{} in {places}{more}, newest first",
        words::counted(entries as u64, "line")
    );
    if answer.index_lag > 0 {
        text += &format!(
            " · {} not in the index yet",
            words::counted(answer.index_lag, "event")
        );
    }
    if let Some(error) = &search.error {
        text += &format!(" · ! {error}");
    }
    text
}

fn hit(model: &Model, canvas: &mut Canvas<'_>, y: u16, hit: &SearchHit) {
    let width = canvas.width();
    let (sign, word, tone) = if hit.result_id.is_some() {
        ("✗", "failure", Tone::Bad)
    } else {
        ("≡", "log", Tone::Busy)
    };
    canvas.text(2, y, 2, sign, tone);
    let mut x = canvas.text(4, y, width, word, tone);
    if let Some(number) = hit.build_number {
        x = canvas.text(x + 1, y, width, &format!("build {number}"), Tone::Strong);
    }
    let mut about = format!(" · {} on {}", hit.job, hit.branch);
    if let Some(test) = &hit.test {
        about += &format!(" · {test}");
    }
    let age = words::age(hit.time, model.now);
    canvas.text(x, y, width.saturating_sub(x + 6), &about, Tone::Plain);
    canvas.text_right(
        width.saturating_sub(5),
        width.saturating_sub(1),
        y,
        &age,
        Tone::Quiet,
    );
}

/// A line with its matches in brackets of style; which words matched stays readable without colours, as the query stands above.
fn line(canvas: &mut Canvas<'_>, y: u16, line: &SearchLine, is_failure: bool) {
    let width = canvas.width();
    if !is_failure {
        canvas.text_right(2, 12, y, &words::counted(line.number, ""), Tone::Quiet);
    }
    let mut x = 14;
    let mut at = 0;
    for (from, to) in &line.highlights {
        let (from, to) = (*from as usize, *to as usize);
        // The ranges come from outside: one that does not fit the text is not followed.
        if let (Some(before), Some(found)) = (line.text.get(at..from), line.text.get(from..to)) {
            x = canvas.text(x, y, width.saturating_sub(x), before, Tone::Plain);
            x = canvas.text(x, y, width.saturating_sub(x), found, Tone::Accent);
            at = to;
        }
    }
    let rest = line.text.get(at..).unwrap_or_default();
    canvas.text(x, y, width.saturating_sub(x), rest, Tone::Plain);
}
