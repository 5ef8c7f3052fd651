//! Use cases: read the audit log, check it, take it away.

use super::args::{AuditFilter, ExportAudit, ListAudit, VerifyAudit};
use super::artifact::to_file;
use super::error::{CliError, Exit};
use super::interrupt::interruptible;
use super::output::{Cell, Colour, Table, Theme, age, bytes, clean};
use super::session::Session;
use crate::audit::Chain;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use testhide_protocol::api::{AuditEntry, AuditOutcome, AuditVerification};

/// Longest line of an export that is read; an entry is far below.
const LINE_MAX: u64 = 1024 * 1024;

/// Lists entries, newest first.
pub(super) async fn list(session: &Session, args: &ListAudit) -> Result<(), CliError> {
    let query = query(&args.filter);
    let (entries, more) = session
        .client()?
        .list::<AuditEntry>(&["audit"], &query, args.limit)
        .await?;
    let table = table(&entries, &session.out.theme());
    session.out.list(&entries, &table, "no entry fits")?;
    if more && !session.out.json {
        session.out.say("there are older ones; --limit shows more");
    }
    Ok(())
}

fn query(filter: &AuditFilter) -> Vec<(&'static str, String)> {
    let fields = [
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("object", &filter.object),
        ("outcome", &filter.outcome),
        ("from", &filter.from),
        ("until", &filter.until),
    ];
    let given = fields.into_iter();
    given
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
}

fn table(entries: &[AuditEntry], theme: &Theme) -> Table {
    let mut table = Table::new(&[">SEQ", "WHEN", "WHO", "FROM", "WHAT", "TO", "~WHY"]);
    for entry in entries {
        let what = match &entry.code {
            Some(code) => format!("{} {code}", entry.action),
            None => entry.action.clone(),
        };
        let what = match entry.outcome {
            AuditOutcome::Ok => Cell::from(&what),
            AuditOutcome::Refused => Cell::new(&what).colour(Colour::Red),
        };
        let name = |name: &Option<String>, id: &Option<String>, kind: &str| {
            let told = name.clone().or_else(|| id.clone());
            told.map_or_else(|| kind.to_owned(), |told| format!("{kind} {told}"))
        };
        let mut why: Vec<String> = Vec::new();
        for change in &entry.changes {
            let (before, after) = (&change.before, &change.after);
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            why.push(format!(
                "{}: {} to {}",
                change.field,
                shown(before),
                shown(after)
            ));
        }
        why.extend(entry.reason.clone());
        let (actor, object) = (&entry.actor, &entry.object);
        table.row([
            entry.seq.to_string().into(),
            age(theme.now, entry.time).into(),
            name(&actor.name, &actor.id, actor.kind.as_str()).into(),
            entry.address.clone().unwrap_or_default().into(),
            what,
            name(&object.name, &object.id, &object.kind).into(),
            why.join("; ").into(),
        ]);
    }
    table
}

/// Checks the chain, of the server or of an export; the exit code is 1 when it does not hold.
pub(super) async fn verify(session: &Session, args: &VerifyAudit) -> Result<Exit, CliError> {
    let checked = match &args.file {
        Some(file) => verify_file(file)?,
        None => {
            let seq = args.seq.map(|seq| ("seq", seq.to_string()));
            let hash = args.hash.clone().map(|hash| ("hash", hash));
            let query: Vec<_> = seq.into_iter().chain(hash).collect();
            session.client()?.get(&["audit", "verify"], &query).await?
        }
    };
    session.out.show(&checked, |_| draw(&checked))?;
    Ok(if checked.intact {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

fn draw(checked: &AuditVerification) -> String {
    let AuditVerification {
        entries,
        last_seq,
        head,
        ..
    } = checked;
    match &checked.reason {
        Some(reason) => format!("broken: {}\n", clean(reason)),
        None => format!("intact: {entries} entries, the last is {last_seq} with hash {head}\n"),
    }
}

fn verify_file(path: &Path) -> Result<AuditVerification, CliError> {
    let failed = |error: std::io::Error| CliError::file("read", path, &error);
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let mut chain = Chain::default();
    let mut broken = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = std::io::Read::take(&mut lines, LINE_MAX);
        if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        let whole = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Err(error) = chain.add_line(whole) {
            broken = Some(error);
            break;
        }
    }
    Ok(AuditVerification {
        intact: broken.is_none(),
        entries: chain.entries,
        last_seq: chain.last_seq,
        head: chain.head(),
        reason: broken.as_ref().map(ToString::to_string),
        broken_at: broken.map(|broken| broken.seq),
    })
}

/// Writes the log to stdout or, whole or not at all, to a file.
pub(super) async fn export(session: &Session, args: &ExportAudit) -> Result<(), CliError> {
    let query = query(&args.filter);
    let mut download = session
        .bulk_client()?
        .download(&["audit", "export"], &query)
        .await?;
    let path = args.output.as_deref();
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        while let Some(part) = download.next().await? {
            session.out.write_bytes(&part)?;
        }
        return Ok(());
    };
    interruptible(to_file(session, &mut download, path, "exporting")).await?;
    let size = download.read();
    session
        .out
        .show(&json!({ "file": path, "size": size }), |_| {
            format!("{} ({})\n", path.display(), bytes(size))
        })
}
