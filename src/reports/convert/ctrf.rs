//! CTRF, specification 0.1.0: one entry a test, earlier attempts in `retryAttempts`.
//!
//! What the schema has no word for goes into `extra.testhide` of the test, where this program's reader finds it again: the exact outcome,
//! node id, class name, docstring, tickets, failure id.

use super::losses::Losses;
use crate::reports::digest::{Digest, Row, RowAttempt, Test, ToldAttempt};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::io::{self, Write};
use testhide_protocol::Timestamp;
use testhide_protocol::api::Outcome;

/// The version of the specification that is written.
const SPEC_VERSION: &str = "0.1.0";

/// Members of a test that hold a text and are read as something without a place.
const TEXTS: [&str; 4] = ["snippet", "ai", "threadId", "screenshot"];

/// Properties of a file of this format that are written anew.
const WRITTEN: [&str; 7] = [
    "specVersion",
    "reportId",
    "timestamp",
    "generatedBy",
    "summary.flaky",
    "summary.suites",
    "summary.duration",
];

/// Texts that the environment has names for.
const ENVIRONMENT: [&str; 14] = [
    "reportName",
    "appName",
    "appVersion",
    "buildId",
    "buildName",
    "buildUrl",
    "repositoryName",
    "repositoryUrl",
    "commit",
    "branchName",
    "osPlatform",
    "osRelease",
    "osVersion",
    "testEnvironment",
];

/// Writes CTRF JSON.
pub(super) fn write(digest: &Digest, now: Timestamp, out: &mut dyn Write) -> io::Result<Losses> {
    let mut losses = Losses::default();
    let head = json!({
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "timestamp": now.to_string(),
        "generatedBy": format!("testhide {}", env!("CARGO_PKG_VERSION")),
    });
    let head = head.to_string();
    write!(
        out,
        "{},\"results\":{{\"tool\":",
        head.trim_end_matches('}')
    )?;
    serde_json::to_writer(&mut *out, &tool(digest))?;
    out.write_all(b",\"summary\":")?;
    serde_json::to_writer(&mut *out, &summary(digest))?;
    let environment = environment(digest);
    if !environment.is_empty() {
        out.write_all(b",\"environment\":")?;
        serde_json::to_writer(&mut *out, &environment)?;
    }
    out.write_all(b",\"tests\":[")?;
    let mut first = true;
    for test in &digest.tests {
        for entry in entries(digest, test, &mut losses)? {
            out.write_all(if std::mem::take(&mut first) {
                b"\n"
            } else {
                b",\n"
            })?;
            serde_json::to_writer(&mut *out, &entry)?;
        }
    }
    out.write_all(b"\n]}}\n")?;
    for suite in &digest.suites {
        if suite.stdout.is_some() || suite.stderr.is_some() {
            losses.add("outputs of whole suites");
        }
    }
    Ok(losses)
}

fn tool(digest: &Digest) -> Value {
    let file = digest.files.first();
    let name = file.and_then(|file| file.reporter.clone());
    let name = name.or_else(|| file.map(|file| file.format.as_str().to_owned()));
    let mut tool = Map::new();
    tool.insert(
        "name".to_owned(),
        name.unwrap_or_else(|| "testhide".to_owned()).into(),
    );
    if let Some(version) = file.and_then(|file| file.reporter_version.clone()) {
        tool.insert("version".to_owned(), version.into());
    }
    tool.into()
}

fn summary(digest: &Digest) -> Value {
    let (mut passed, mut failed, mut skipped, mut pending, mut other) =
        (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let (mut flaky, mut millis) = (0_u64, 0_u64);
    let mut suites = HashSet::new();
    for test in &digest.tests {
        suites.insert(&test.suite);
        flaky += u64::from(test.flaky);
        millis += test.duration_ms.unwrap_or(0);
        for outcome in outcomes(digest, test) {
            *match status(outcome) {
                "passed" => &mut passed,
                "failed" => &mut failed,
                "skipped" => &mut skipped,
                "pending" => &mut pending,
                _ => &mut other,
            } += 1;
        }
    }
    let began = digest.files.iter().filter_map(|file| file.started_at).min();
    let ended = digest
        .files
        .iter()
        .filter_map(|file| file.finished_at)
        .max();
    let length = i64::try_from(millis).unwrap_or(0);
    // The schema wants both; a run that does not say when it was is at zero.
    let (began, ended) = match (began, ended) {
        (Some(began), Some(ended)) => (began, ended.max(began)),
        (Some(began), None) => (began, began.plus_millis(length)),
        (None, Some(ended)) => (ended.plus_millis(-length), ended),
        (None, None) => (Timestamp(0), Timestamp(0)),
    };
    json!({
        "tests": passed + failed + skipped + pending + other,
        "passed": passed, "failed": failed, "skipped": skipped, "pending": pending, "other": other,
        "flaky": flaky,
        "suites": suites.len(),
        "start": began.0,
        "stop": ended.0,
        "duration": millis,
    })
}

/// The outcome of each entry of a test, the deciding one first.
fn outcomes(digest: &Digest, test: &Test) -> Vec<Outcome> {
    let attempt = digest.places[test.decisive as usize].attempt;
    let siblings = digest
        .rows_of(test)
        .filter(|row| *row != test.decisive)
        .map(|row| digest.places[row as usize])
        .filter(|place| !place.copy && place.attempt == attempt)
        .map(|place| place.outcome);
    std::iter::once(test.outcome).chain(siblings).collect()
}

/// Properties of the report and of its suites; of those that come twice the last one counts, as it does for their readers.
fn environment(digest: &Digest) -> Map<String, Value> {
    let mut environment = Map::new();
    let mut extra = Map::new();
    let of_files = digest.files.iter().flat_map(|file| &file.properties);
    let of_suites = digest.suites.iter().flat_map(|suite| &suite.properties);
    for (name, value) in of_files.chain(of_suites) {
        if WRITTEN.contains(&name.as_str()) {
            continue;
        }
        let known = match name.as_str() {
            "branch" => "branchName",
            name => name,
        };
        if ENVIRONMENT.contains(&known) {
            environment.insert(known.to_owned(), value.as_str().into());
            continue;
        }
        match (known, serde_json::from_str::<Value>(value)) {
            ("buildNumber", Ok(number)) if number.is_i64() => {
                environment.insert(known.to_owned(), number);
            }
            ("healthy", Ok(healthy)) if healthy.is_boolean() => {
                environment.insert(known.to_owned(), healthy);
            }
            ("environment.extra", Ok(Value::Object(members))) => extra.extend(members),
            _ => {
                extra.insert(name.clone(), value.as_str().into());
            }
        }
    }
    if !extra.is_empty() {
        environment.insert("extra".to_owned(), extra.into());
    }
    environment
}

fn entries(digest: &Digest, test: &Test, losses: &mut Losses) -> io::Result<Vec<Value>> {
    let told = digest.told(test)?;
    let mut entry = entry(&told.row, &told.last.said, test.outcome, losses);
    if test.attempts > 1 {
        entry.insert("retries".to_owned(), (test.attempts - 1).into());
        let attempts: Vec<Value> = told.earlier.iter().map(attempt).collect();
        if !attempts.is_empty() {
            entry.insert("retryAttempts".to_owned(), attempts.into());
        }
    }
    if test.flaky {
        entry.insert("flaky".to_owned(), true.into());
    }
    let mut all = vec![entry.into()];
    for sibling in &told.siblings {
        let said = ToldAttempt::of_row(sibling);
        all.push(self::entry(sibling, &said.said, sibling.outcome, losses).into());
    }
    Ok(all)
}

fn entry(
    row: &Row,
    said: &RowAttempt,
    outcome: Outcome,
    losses: &mut Losses,
) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            entry.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    put("name", Some(row.name.as_str().into()));
    put("status", Some(status(outcome).into()));
    let duration = said.duration_ms.or(row.duration_ms);
    if duration.is_none() {
        losses.add("tests without a duration, written as 0");
    }
    put("duration", Some(duration.unwrap_or(0).into()));
    put("start", row.started_at.map(|time| time.0.into()));
    let stop = row.started_at.zip(duration);
    put(
        "stop",
        stop.map(|(time, length)| {
            time.plus_millis(i64::try_from(length).unwrap_or(0))
                .0
                .into()
        }),
    );
    if !row.classname.is_empty() {
        put("suite", Some(row.classname.split(" > ").collect()));
    }
    put("message", text(&said.message));
    put("trace", text(&said.trace));
    put("line", row.line.map(Value::from));
    put("filePath", text(&row.file));
    put("stdout", said.stdout.as_deref().map(lines));
    put("stderr", said.stderr.as_deref().map(lines));
    let attachments: Vec<Value> = row
        .attachments
        .iter()
        .map(|path| attachment(path))
        .collect();
    put("attachments", some(attachments));
    properties(row, &mut entry);
    extras(row, outcome, &mut entry);
    entry
}

fn properties(row: &Row, entry: &mut Map<String, Value>) {
    let mut tags: Vec<Value> = Vec::new();
    let mut labels: Map<String, Value> = Map::new();
    for (name, value) in &row.properties {
        match name.as_str() {
            "tag" => tags.push(value.as_str().into()),
            "browser" | "device" | "type" if !entry.contains_key(name) => {
                entry.insert(name.clone(), value.as_str().into());
            }
            _ => match labels.get_mut(name) {
                None => {
                    labels.insert(name.clone(), value.as_str().into());
                }
                Some(Value::Array(values)) => values.push(value.as_str().into()),
                Some(known) => *known = json!([known.take(), value]),
            },
        }
    }
    if let Some(tags) = some(tags) {
        entry.insert("tags".to_owned(), tags);
    }
    if !labels.is_empty() {
        entry.insert("labels".to_owned(), labels.into());
    }
}

/// What the schema has no word for, and what came from a file of this format without having a place here.
fn extras(row: &Row, outcome: Outcome, entry: &mut Map<String, Value>) {
    let mut extra: Map<String, Value> = Map::new();
    for (name, value) in &row.extra {
        match name.as_str() {
            name if TEXTS.contains(&name) => {
                entry.insert(name.to_owned(), value.as_str().into());
            }
            "rawStatus" => {
                entry.insert(name.clone(), value.as_str().into());
            }
            // Described once more than by their paths; only what a reader could make use of goes back.
            "attachments" => {
                if let Ok(Value::Array(described)) = serde_json::from_str::<Value>(value)
                    && described.iter().all(is_attachment)
                {
                    entry.insert(name.clone(), described.into());
                }
            }
            "steps" => match serde_json::from_str::<Value>(value) {
                Ok(steps @ Value::Array(_)) => {
                    entry.insert(name.clone(), steps);
                }
                _ => {
                    extra.insert(name.clone(), value.as_str().into());
                }
            },
            "extra" => match serde_json::from_str::<Value>(value) {
                Ok(Value::Object(members)) => extra.extend(members),
                _ => {
                    extra.insert(name.clone(), value.as_str().into());
                }
            },
            _ => {
                extra.insert(name.clone(), value.as_str().into());
            }
        }
    }
    let mut own: Map<String, Value> = Map::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            own.insert(name.to_owned(), value.into());
        }
    };
    let exact = !matches!(
        outcome,
        Outcome::Passed | Outcome::Failed | Outcome::Skipped
    );
    put("outcome", exact.then(|| outcome.as_str()));
    put(
        "suite",
        Some(row.suite.as_str()).filter(|suite| *suite != row.classname),
    );
    put("nodeid", row.nodeid.as_deref());
    put("kind", row.kind.as_deref());
    put("resolution", row.resolution.as_deref());
    put("fail_id", row.fail_id.as_deref());
    put("docstring", row.docstring.as_deref());
    if !row.tickets.is_empty() {
        own.insert("tickets".to_owned(), row.tickets.clone().into());
    }
    if !own.is_empty() {
        extra.insert("testhide".to_owned(), own.into());
    }
    if !extra.is_empty() {
        entry.insert("extra".to_owned(), extra.into());
    }
}

fn attempt(attempt: &ToldAttempt) -> Value {
    let said = &attempt.said;
    let outcome = attempt.outcome();
    let mut entry = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            entry.insert(name.to_owned(), value);
        }
    };
    put("attempt", Some(said.attempt.into()));
    put("status", Some(status(outcome).into()));
    put("duration", said.duration_ms.map(Value::from));
    put("message", said.message.as_deref().map(Value::from));
    put("trace", said.trace.as_deref().map(Value::from));
    put("stdout", said.stdout.as_deref().map(lines));
    put("stderr", said.stderr.as_deref().map(lines));
    let exact = !matches!(
        outcome,
        Outcome::Passed | Outcome::Failed | Outcome::Skipped
    );
    put(
        "extra",
        exact.then(|| json!({"testhide": {"outcome": outcome.as_str()}})),
    );
    entry.into()
}

fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed | Outcome::Error => "failed",
        Outcome::Skipped => "skipped",
        Outcome::NotRun => "pending",
        // Neither good nor bad news.
        Outcome::KnownIssue => "other",
    }
}

fn lines(text: &str) -> Value {
    text.split('\n').collect()
}

fn some(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then(|| values.into())
}

fn attachment(path: &str) -> Value {
    let name = path
        .rsplit(['/', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or(path);
    json!({"name": name, "contentType": content_type(name), "path": path})
}

/// Whether the schema knows this as an attachment.
fn is_attachment(value: &Value) -> bool {
    ["name", "contentType", "path"]
        .iter()
        .all(|key| value[key].is_string())
}

fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webm" => "video/webm",
        "mp4" => "video/mp4",
        "html" | "htm" => "text/html",
        "txt" | "log" => "text/plain",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
