//! All rows of a table that can still be reached: from its start to the first damage, and from its end back to the last.

use crate::storage::error::StorageError;
use crate::storage::held::guarded;
use crate::storage::table::RawDefinition;
use redb::{ReadableTable, ReadableTableMetadata, TableHandle};

/// Tables of a file that is looked at, sorted by name.
pub(super) fn table_names(rtxn: &redb::ReadTransaction) -> Result<Vec<String>, StorageError> {
    guarded("list of tables", || {
        let mut names: Vec<String> = rtxn
            .list_tables()?
            .map(|handle| handle.name().to_owned())
            .collect();
        names.sort();
        Ok(names)
    })
}

/// What a walk over a table came to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Rows that were given.
    pub(super) rows: u64,
    /// Rows that the table says it has.
    pub(super) expected: Option<u64>,
    /// Why not every row could be reached.
    pub(super) damage: Option<StorageError>,
}

impl Walked {
    /// Rows that should be there and were not given, as far as that is known.
    pub(super) fn missing(&self) -> Option<u64> {
        self.expected
            .map(|expected| expected.saturating_sub(self.rows))
    }
}

/// Gives every row of the table `name` that can be reached to `each`, in the order of keys. Behind damage the rows are gathered in memory first,
/// since they are found from the end.
///
/// # Errors
/// What `each` answers; damage is in the answer.
pub(super) fn walk<E>(
    rtxn: &redb::ReadTransaction,
    name: &str,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<Walked, E> {
    let mut walked = Walked::default();
    let opened = guarded(name, || Ok(rtxn.open_table(RawDefinition::new(name))?));
    let table = match opened {
        Ok(table) => table,
        Err(error) => {
            walked.damage = Some(error);
            return Ok(walked);
        }
    };
    walked.expected = guarded(name, || Ok(table.len()?)).ok();
    let mut last: Option<Vec<u8>> = None;
    let mut range = match guarded(name, || Ok(table.iter()?)) {
        Ok(range) => Some(range),
        Err(error) => {
            walked.damage = Some(error);
            None
        }
    };
    while let Some(rows) = &mut range {
        let step = guarded(name, || match rows.next() {
            Some(row) => {
                let (key, value) = row?;
                Ok(Some((key.value().to_vec(), value.value().to_vec())))
            }
            None => Ok(None),
        });
        match step {
            // Keys go up; where they do not, a page is not what it was.
            Ok(Some((key, _))) if last.as_ref().is_some_and(|last| *last >= key) => {
                walked.damage = Some(StorageError::corrupt(name, "keys are not in order"));
                range = None;
            }
            Ok(Some((key, value))) => {
                each(&key, &value)?;
                walked.rows += 1;
                last = Some(key);
            }
            Ok(None) => return Ok(walked),
            Err(error) => {
                walked.damage = Some(error);
                range = None;
            }
        }
    }
    for (key, value) in from_the_end(&table, name, last.as_deref()).iter().rev() {
        each(key, value)?;
        walked.rows += 1;
    }
    Ok(walked)
}

type Row = (Vec<u8>, Vec<u8>);

/// Rows behind `after`, the last first, up to the first that cannot be read.
fn from_the_end(
    table: &redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
    name: &str,
    after: Option<&[u8]>,
) -> Vec<Row> {
    let mut found: Vec<Row> = Vec::new();
    let Ok(mut rows) = guarded(name, || Ok(table.iter()?)) else {
        return found;
    };
    loop {
        let step = guarded(name, || match rows.next_back() {
            Some(row) => {
                let (key, value) = row?;
                Ok(Some((key.value().to_vec(), value.value().to_vec())))
            }
            None => Ok(None),
        });
        match step {
            Ok(Some((key, value)))
                if after.is_none_or(|after| key.as_slice() > after)
                    && found.last().is_none_or(|(later, _)| key < *later) =>
            {
                found.push((key, value));
            }
            _ => return found,
        }
    }
}
