//! The agents: who is there, who is silent, and what they work on.

use testhide_protocol::Timestamp;
use testhide_protocol::api::{Agent, AgentDetails, HostSample};

use super::common::{first_row, heading, mark_selected, nothing};
use crate::model::Model;
use crate::paint::{Canvas, Tone};
use crate::words;

/// Connections that are shown of one agent.
const CONNECTIONS: usize = 8;

/// Draws the list of agents.
pub(crate) fn agents(model: &Model, canvas: &mut Canvas<'_>) {
    let shown = model.agents.shown();
    let known = model.agents.known.as_deref();
    if shown.is_empty() {
        let empty = match known {
            None => None,
            Some([]) => Some("No agent is enrolled yet: every build waits."),
            Some(_) => Some("No agent fits the filter. esc drops it."),
        };
        return nothing(model, canvas, model.agents.error.as_deref(), empty);
    }
    let width = canvas.width();
    let name = 20 + width.saturating_sub(80) / 4;
    let (builds_at, seen_at) = (14 + name, 14 + name + 6);
    let labels_at = seen_at + 6;
    let tone = Tone::Quiet;
    canvas.text(2, 0, 8, "STATE", tone);
    canvas.text(13, 0, 8, "NAME", tone);
    canvas.text_right(builds_at, builds_at + 5, 0, "BUSY", tone);
    canvas.text_right(seen_at, seen_at + 5, 0, "SEEN", tone);
    canvas.text(labels_at, 0, width, "WORKS ON / LABELS", tone);
    let past = shown
        .get(model.agents.cursor(&shown))
        .and_then(|agent| model.agents.past_of(agent.id));
    let past = past.map(|past| told(past, model.now)).unwrap_or_default();
    let detail = match canvas.height() {
        ..10 => 0,
        // The list keeps at least half of the screen.
        10..24 => 4,
        height => (4 + count(&past)).min(height / 2),
    };
    let height = canvas.height().saturating_sub(1 + detail);
    let cursor = model.agents.cursor(&shown);
    let first = first_row(cursor, shown.len(), height);
    let mut list = canvas.rows(1, height);
    for (y, (index, agent)) in (0..height).zip(shown.iter().enumerate().skip(first)) {
        let state = words::agent_state(&agent.state, agent.mode);
        list.text(2, y, 2, state.sign, state.tone);
        list.text(4, y, 8, state.word, state.tone);
        list.text(13, y, name, &agent.name, Tone::Strong);
        list.text_right(
            builds_at,
            builds_at + 5,
            y,
            &format!("{}/{}", agent.builds.len(), agent.capacity),
            Tone::Plain,
        );
        let seen = agent
            .last_seen_at
            .map_or_else(|| "never".to_owned(), |time| words::age(time, model.now));
        list.text_right(seen_at, seen_at + 5, y, &seen, Tone::Quiet);
        let mut x = labels_at;
        if !agent.builds.is_empty() {
            x = list.text(x, y, width.saturating_sub(x), &works_on(agent), Tone::Busy) + 2;
        }
        if let Some(error) = &agent.last_error {
            let mark = format!("! {}", words::age(error.time, model.now));
            x = list.text(x, y, width.saturating_sub(x), &mark, Tone::Warning) + 2;
        }
        list.text(
            x,
            y,
            width.saturating_sub(x),
            &agent.labels.join(" "),
            Tone::Quiet,
        );
        if index == cursor {
            mark_selected(&mut list, y);
        }
    }
    if detail > 0 {
        let mut about_it = canvas.rows(1 + height, detail);
        about(model, &mut about_it, shown[cursor]);
        for (y, line) in (4..detail).zip(&past) {
            about_it.text(1, y, width.saturating_sub(2), line, Tone::Plain);
        }
    }
}

fn count(lines: &[String]) -> u16 {
    u16::try_from(lines.len()).unwrap_or(u16::MAX)
}

/// An agent's past in lines: what was refused of it, and its last connections.
fn told(past: &AgentDetails, now: Timestamp) -> Vec<String> {
    let refused: Vec<String> = past
        .refusals
        .iter()
        .map(|refused| format!("{} × {}", refused.count, refused.kind))
        .collect();
    let mut lines = Vec::new();
    if !refused.is_empty() {
        lines.push(format!("refused: {}", refused.join(", ")));
    }
    for connection in past.connections.iter().take(CONNECTIONS) {
        let since = words::moment(connection.from);
        let from = connection.address.as_deref().unwrap_or("-");
        let ended = match (&connection.ended, connection.until) {
            (None, _) => "open".to_owned(),
            (Some(why), Some(until)) => format!("ended {} ago: {why}", words::age(until, now)),
            (Some(why), None) => format!("ended: {why}"),
        };
        lines.push(format!(
            "{since} · {from} · {} · {ended}",
            connection.version
        ));
    }
    lines
}

fn works_on(agent: &Agent) -> String {
    let builds: Vec<_> = agent
        .builds
        .iter()
        .map(|lease| format!("build {}", lease.build_number))
        .collect();
    builds.join(", ")
}

fn about(model: &Model, canvas: &mut Canvas<'_>, agent: &Agent) {
    let width = canvas.width().saturating_sub(2);
    let title = match (&model.agents.error, model.agents.filter.as_str()) {
        (Some(error), _) => format!("! not up to date: {error}"),
        (None, "") => agent.name.clone(),
        (None, filter) => format!("{} · filter {filter}", agent.name),
    };
    heading(canvas, 0, &title);
    let mut known = format!(
        "{} · version {} · enrolled {}",
        agent.platform,
        agent.version,
        words::moment(agent.enrolled_at)
    );
    if let Some(HostSample { metrics, .. }) = &agent.host {
        let share =
            |part: u64, whole: u64| part.saturating_mul(100).checked_div(whole).unwrap_or(0);
        known.push_str(&format!(
            " · cpu {} % · memory {} % · disk {} % free",
            metrics.cpu_percent,
            share(metrics.memory_used, metrics.memory_total),
            share(metrics.disk_free, metrics.disk_total),
        ));
    }
    canvas.text(1, 1, width, &known, Tone::Plain);
    let labels = format!("labels: {}", agent.labels.join(", "));
    let last = match &agent.mode_reason {
        Some(reason) => format!("{}: {reason}", agent.mode.as_str()),
        None => labels,
    };
    canvas.text(1, 2, width, &last, Tone::Plain);
    let from = agent
        .address
        .as_ref()
        .map(|address| format!("from {address}"));
    let error = agent.last_error.as_ref().map(|error| {
        let when = words::age(error.time, model.now);
        format!("last error {when} ago: {}", error.text)
    });
    let lines: Vec<String> = from.into_iter().chain(error).collect();
    canvas.text(1, 3, width, &lines.join(" · "), Tone::Plain);
}
