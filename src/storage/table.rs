//! Typed tables: a name, a key type and a value type; reading and writing through transactions.

use super::codec::Value;
use super::database::{ReadTxn, WriteTxn};
use super::doctor::TableCheck;
use super::error::StorageError;
use super::held::guarded;
use super::key::{Key, KeyReader, after_prefix};
use redb::{ReadableTable, TableDefinition, TableError};
use std::marker::PhantomData;
use std::ops::Bound;

/// Every table of every file has this shape on disk, so that a backup can copy tables it knows nothing about.
pub(super) type RawDefinition<'a> = TableDefinition<'a, &'static [u8], &'static [u8]>;

/// A table's name with the types of its keys and values.
pub struct Table<K, V> {
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Value> Table<K, V> {
    /// Declares a table; names are unique in the whole store.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            types: PhantomData,
        }
    }

    /// How somebody who does not know its types looks at its rows.
    #[must_use]
    pub const fn check(&self) -> TableCheck {
        TableCheck::new::<K, V>(self.name)
    }

    /// Opens it for reading; a table that nobody wrote to is empty.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn read<'txn, T: Transaction>(
        &self,
        txn: &'txn T,
    ) -> Result<TableHandle<T::Raw<'txn>, K, V>, StorageError> {
        Ok(TableHandle {
            name: self.name,
            raw: txn.open_raw(self.name)?,
            types: PhantomData,
        })
    }

    /// Opens it for writing; drop the handle before opening it again in the same transaction.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn write<'txn>(
        &self,
        wtxn: &'txn WriteTxn,
    ) -> Result<TableHandle<RawWrite<'txn>, K, V>, StorageError> {
        self.read(wtxn)
    }
}

type RawWrite<'txn> = redb::Table<'txn, &'static [u8], &'static [u8]>;

/// What tables can be opened in: both kinds of transaction.
pub trait Transaction {
    /// redb's handle.
    type Raw<'txn>: ReadableTable<&'static [u8], &'static [u8]>
    where
        Self: 'txn;

    /// Opens the table called `name`, if there is one.
    ///
    /// # Errors
    /// Failures of the store.
    fn open_raw(&self, name: &str) -> Result<Option<Self::Raw<'_>>, StorageError>;
}

impl Transaction for ReadTxn {
    type Raw<'txn> = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

    fn open_raw(&self, name: &str) -> Result<Option<Self::Raw<'_>>, StorageError> {
        guarded(name, || match self.0.open_table(RawDefinition::new(name)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }
}

impl Transaction for WriteTxn {
    type Raw<'txn> = RawWrite<'txn>;

    fn open_raw(&self, name: &str) -> Result<Option<Self::Raw<'_>>, StorageError> {
        guarded(name, || {
            Ok(Some(self.0.open_table(RawDefinition::new(name))?))
        })
    }
}

/// An open table.
pub struct TableHandle<R, K, V> {
    name: &'static str,
    raw: Option<R>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<R: ReadableTable<&'static [u8], &'static [u8]>, K: Key, V: Value> TableHandle<R, K, V> {
    /// The value under `key`.
    ///
    /// # Errors
    /// Failures of the store, and a value that cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<V>, StorageError> {
        let Some(raw) = &self.raw else {
            return Ok(None);
        };
        guarded(self.name, || match raw.get(key.bytes().as_slice())? {
            Some(guard) => decode(self.name, guard.value()).map(Some),
            None => Ok(None),
        })
    }

    /// Whether there is a value under `key`.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn contains(&self, key: &K) -> Result<bool, StorageError> {
        match &self.raw {
            Some(raw) => guarded(self.name, || Ok(raw.get(key.bytes().as_slice())?.is_some())),
            None => Ok(false),
        }
    }

    /// Rows whose key starts with `prefix` (leading parts of the key), in order of keys; `rev()` for the other way.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn prefix<P: Key>(&self, prefix: &P) -> Result<Rows<'_, K, V>, StorageError> {
        let start = prefix.bytes();
        let end = after_prefix(&start).map_or(Bound::Unbounded, Bound::Excluded);
        self.between(&Bound::Included(start), &end)
    }

    /// Rows in the prefix whose key is greater than `after`.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn prefix_after<P: Key, A: Key>(
        &self,
        prefix: &P,
        after: &A,
    ) -> Result<Rows<'_, K, V>, StorageError> {
        let end = after_prefix(&prefix.bytes()).map_or(Bound::Unbounded, Bound::Excluded);
        self.between(&Bound::Excluded(after.bytes()), &end)
    }

    /// Rows in the prefix whose key is at least `from`.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn prefix_from<P: Key, A: Key>(
        &self,
        prefix: &P,
        from: &A,
    ) -> Result<Rows<'_, K, V>, StorageError> {
        let end = after_prefix(&prefix.bytes()).map_or(Bound::Unbounded, Bound::Excluded);
        self.between(&Bound::Included(from.bytes()), &end)
    }

    /// Rows in the prefix whose key is smaller than `before`; with `rev()` the page before a cursor.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn prefix_before<P: Key, B: Key>(
        &self,
        prefix: &P,
        before: &B,
    ) -> Result<Rows<'_, K, V>, StorageError> {
        self.between(
            &Bound::Included(prefix.bytes()),
            &Bound::Excluded(before.bytes()),
        )
    }

    /// Rows in the prefix whose key is at most `last`; with `rev()` a search for the greatest key not above it.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn prefix_up_to<P: Key, B: Key>(
        &self,
        prefix: &P,
        last: &B,
    ) -> Result<Rows<'_, K, V>, StorageError> {
        self.between(
            &Bound::Included(prefix.bytes()),
            &Bound::Included(last.bytes()),
        )
    }

    /// Every row.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn all(&self) -> Result<Rows<'_, K, V>, StorageError> {
        self.between(&Bound::Unbounded, &Bound::Unbounded)
    }

    /// The row with the greatest key.
    ///
    /// # Errors
    /// Failures of the store, and a row that cannot be read.
    pub fn last(&self) -> Result<Option<(K, V)>, StorageError> {
        self.all()?.next_back().transpose()
    }

    /// Rows in the table.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn len(&self) -> Result<u64, StorageError> {
        self.raw
            .as_ref()
            .map_or(Ok(0), |raw| guarded(self.name, || Ok(raw.len()?)))
    }

    /// Whether the table has no rows.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn is_empty(&self) -> Result<bool, StorageError> {
        Ok(self.len()? == 0)
    }

    fn between(
        &self,
        start: &Bound<Vec<u8>>,
        end: &Bound<Vec<u8>>,
    ) -> Result<Rows<'_, K, V>, StorageError> {
        let range = match &self.raw {
            // A start behind its end is an empty range, and redb would panic on it.
            Some(raw) if !is_empty_range(start, end) => {
                let bounds = (as_slice(start), as_slice(end));
                Some(guarded(self.name, || Ok(raw.range::<&[u8]>(bounds)?))?)
            }
            _ => None,
        };
        Ok(Rows {
            name: self.name,
            range,
            types: PhantomData,
        })
    }
}

impl<K: Key, V: Value> TableHandle<RawWrite<'_>, K, V> {
    /// Stores `value` under `key`, over an older one.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn put(&mut self, key: &K, value: &V) -> Result<(), StorageError> {
        if let Some(raw) = &mut self.raw {
            let (key, value) = (key.bytes(), value.encode());
            guarded(self.name, || {
                raw.insert(key.as_slice(), value.as_slice())?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Removes the value under `key`; says whether there was one.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn remove(&mut self, key: &K) -> Result<bool, StorageError> {
        match &mut self.raw {
            Some(raw) => guarded(self.name, || {
                Ok(raw.remove(key.bytes().as_slice())?.is_some())
            }),
            None => Ok(false),
        }
    }
}

/// Rows of a range, from both ends.
pub struct Rows<'a, K, V> {
    name: &'static str,
    range: Option<RawRange<'a>>,
    types: PhantomData<fn() -> (K, V)>,
}

type RawRange<'a> = redb::Range<'a, &'static [u8], &'static [u8]>;

type RawRow<'a> = Result<
    (
        redb::AccessGuard<'a, &'static [u8]>,
        redb::AccessGuard<'a, &'static [u8]>,
    ),
    redb::StorageError,
>;

impl<K: Key, V: Value> Rows<'_, K, V> {
    fn row(name: &str, row: RawRow<'_>) -> Result<(K, V), StorageError> {
        let (key, value) = row?;
        let key = key_of(key.value()).map_err(|what| StorageError::corrupt(name, what))?;
        Ok((key, decode(name, value.value())?))
    }

    /// A row of the range; after a failure nothing follows.
    fn step(
        &mut self,
        step: impl FnOnce(&mut RawRange<'_>) -> Option<Result<(K, V), StorageError>>,
    ) -> Option<Result<(K, V), StorageError>> {
        let range = self.range.as_mut()?;
        guarded(self.name, || Ok(step(range))).unwrap_or_else(|panicked| {
            self.range = None;
            Some(Err(panicked))
        })
    }
}

impl<K: Key, V: Value> Iterator for Rows<'_, K, V> {
    type Item = Result<(K, V), StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.name;
        self.step(|range| range.next().map(|row| Self::row(name, row)))
    }
}

impl<K: Key, V: Value> DoubleEndedIterator for Rows<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let name = self.name;
        self.step(|range| range.next_back().map(|row| Self::row(name, row)))
    }
}

/// Reads a whole key.
pub(super) fn key_of<K: Key>(bytes: &[u8]) -> Result<K, &'static str> {
    let mut reader = KeyReader(bytes);
    let key = K::pull(&mut reader).filter(|_| reader.0.is_empty());
    key.ok_or("key has another shape")
}

fn decode<V: Value>(table: &str, bytes: &[u8]) -> Result<V, StorageError> {
    V::decode(bytes).map_err(|what| StorageError::corrupt(table, what))
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(bytes) => Bound::Included(bytes),
        Bound::Excluded(bytes) => Bound::Excluded(bytes),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn is_empty_range(start: &Bound<Vec<u8>>, end: &Bound<Vec<u8>>) -> bool {
    match (start, end) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (
            Bound::Included(start) | Bound::Excluded(start),
            Bound::Included(end) | Bound::Excluded(end),
        ) => start >= end,
        _ => false,
    }
}
