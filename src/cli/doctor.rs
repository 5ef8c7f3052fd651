//! Use case: look at the directory of a stopped server and say what is damaged.

use super::args::Doctor;
use super::backup::with_progress;
use super::error::{CliError, Exit};
use super::output::{bytes, clean};
use super::session::Session;
use crate::app::tables;
use crate::config::Settings;
use crate::storage::{Damage, Examination, examine};
use serde_json::json;
use std::path::Path;

/// Reads everything and changes nothing: exit code 0 when the directory is whole, 1 when something is damaged.
pub(super) async fn run(session: &Session, args: Doctor) -> Result<(), CliError> {
    let dir = Settings::load(&args.into(), &session.environment)?.data_dir;
    let looked_at = dir.clone();
    let found = with_progress(session, "reading", move |progress| {
        examine(&looked_at, &tables(), progress)
    })
    .await?;
    let shown = json!({ "data_dir": dir, "found": found });
    session.out.show(&shown, |_| summary(&dir, &found))?;
    if found.whole {
        return Ok(());
    }
    let command = format!(
        "testhide backup FILE --data-dir {} --salvage",
        dir.display()
    );
    Err(CliError::new(
        Exit::Failed,
        "data_damaged",
        "the data directory is damaged",
    )
    .hint(format!(
        "restore the last backup, or save what can be read with `{command}` and restore that"
    )))
}

/// A damaged place, for a person.
pub(super) fn line_of(damage: &Damage) -> String {
    let mut place = damage.file.clone();
    if let Some(table) = &damage.table {
        place.push_str(&format!(", table `{table}`"));
    }
    if let Some(key) = &damage.key {
        place.push_str(&format!(", row {key}"));
    }
    clean(&format!("{place}: {}", damage.what))
}

fn summary(dir: &Path, found: &Examination) -> String {
    let places = found.damage.len() as u64 + found.more_damage;
    let verdict = match places {
        0 => "is whole".to_owned(),
        1 => "is damaged in one place".to_owned(),
        places => format!("is damaged in {places} places"),
    };
    let format = found
        .format
        .map_or_else(|| "unknown".to_owned(), |format| format.to_string());
    let free = found.disk_free_bytes.map_or_else(String::new, |free| {
        format!(", {} free on its disk", bytes(free))
    });
    let mut out = format!(
        "{} {verdict}\n  data format {format}, {} rows, {} references to {} in volumes{free}\n",
        dir.display(),
        found.rows,
        found.references,
        bytes(found.referred_bytes),
    );
    for file in &found.files {
        let state = if file.whole { "whole" } else { "damaged" };
        out.push_str(&format!(
            "  {} ({}): {state}\n",
            file.name,
            bytes(file.bytes)
        ));
    }
    for damage in &found.damage {
        out.push_str(&format!("damaged: {}\n", line_of(damage)));
    }
    if found.more_damage > 0 {
        out.push_str(&format!("damaged: {} more places\n", found.more_damage));
    }
    for note in &found.notes {
        out.push_str(&format!("note: {}\n", clean(note)));
    }
    out
}
