//! Use case: read the audit log, by filter and page.

use super::chain::line;
use super::store::{Audit, ENTRIES, StoredEntry};
use crate::storage::StorageError;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{AuditEntry, AuditOutcome};

/// Entries that are looked at for one page at most: a filter that fits little answers short pages, not slow ones.
const LOOKED_AT: usize = 10_000;

/// Which entries are wanted; an absent field fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Kind, id or name of who did it.
    pub actor: Option<String>,
    /// What was done: the whole name, or what stands before its dot.
    pub action: Option<String>,
    /// Kind, id or name of what it was done to.
    pub object: Option<String>,
    /// Whether it was done.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Filter {
    fn fits(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, given: [Option<&str>; 3]| {
            wanted
                .as_deref()
                .is_none_or(|wanted| given.contains(&Some(wanted)))
        };
        let (actor, object) = (&entry.actor, &entry.object);
        let family = entry.action.split_once('.').map(|(family, _)| family);
        is(
            &self.actor,
            [
                Some(actor.kind.as_str()),
                actor.id.as_deref(),
                actor.name.as_deref(),
            ],
        ) && is(&self.action, [Some(&entry.action), family, None])
            && is(
                &self.object,
                [
                    Some(&object.kind),
                    object.id.as_deref(),
                    object.name.as_deref(),
                ],
            )
            && self.outcome.is_none_or(|outcome| outcome == entry.outcome)
            && self.from.is_none_or(|from| entry.time >= from)
            && self.until.is_none_or(|until| entry.time < until)
    }
}

/// A part of the log.
#[derive(Debug)]
pub struct Found<T> {
    /// What fits.
    pub items: Vec<T>,
    /// The last entry that was looked at, when there are more behind it.
    pub more_behind: Option<u64>,
}

impl Audit {
    /// Up to `limit` entries that fit, newest first, of those before number `before`.
    ///
    /// # Errors
    /// Failures of the store, and an entry that cannot be read.
    pub fn list(
        &self,
        filter: &Filter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Found<AuditEntry>, StorageError> {
        self.storage.read(|rtxn| {
            let entries = ENTRIES.read(rtxn)?;
            let rows = entries.prefix_before(&(), &before.unwrap_or(u64::MAX))?;
            let take = |seq, stored: StoredEntry| {
                let entry = read(seq, &stored)?;
                Ok(filter.fits(&entry).then_some(entry))
            };
            gather(rows.rev(), limit, take)
        })
    }

    /// Up to `limit` lines of the entries that fit, oldest first, of those after number `after`: as they were hashed, with their hash.
    ///
    /// # Errors
    /// Failures of the store, and an entry that cannot be read.
    pub fn lines(
        &self,
        filter: &Filter,
        after: u64,
        limit: usize,
    ) -> Result<Found<Vec<u8>>, StorageError> {
        self.storage.read(|rtxn| {
            let entries = ENTRIES.read(rtxn)?;
            let take = |seq, stored: StoredEntry| {
                let fits = filter.fits(&read(seq, &stored)?);
                Ok(fits.then(|| line(&stored.body, &stored.hash)))
            };
            gather(entries.prefix_after(&(), &after)?, limit, take)
        })
    }
}

fn gather<T>(
    rows: impl Iterator<Item = Result<(u64, StoredEntry), StorageError>>,
    limit: usize,
    take: impl Fn(u64, StoredEntry) -> Result<Option<T>, StorageError>,
) -> Result<Found<T>, StorageError> {
    let mut items = Vec::new();
    let mut last = None;
    for (looked_at, row) in rows.enumerate() {
        if looked_at == LOOKED_AT || items.len() == limit {
            return Ok(Found {
                items,
                more_behind: last,
            });
        }
        let (seq, stored) = row?;
        last = Some(seq);
        items.extend(take(seq, stored)?);
    }
    Ok(Found {
        items,
        more_behind: None,
    })
}

fn read(seq: u64, stored: &StoredEntry) -> Result<AuditEntry, StorageError> {
    let entry: Result<AuditEntry, _> = serde_json::from_slice(&line(&stored.body, &stored.hash));
    entry.map_err(|error| StorageError::Corrupt {
        table: "audit".to_owned(),
        what: format!("entry {seq}: {error}"),
    })
}
