//! Cursor pagination: opaque cursors over the keys of the list.

use super::error::ApiError;
use crate::storage::{Key, KeyReader};
use serde::Deserialize;
use testhide_protocol::api::Page;

/// Entries of a page when the caller does not say.
const DEFAULT_LIMIT: usize = 50;

/// Most entries of a page.
const MAX_LIMIT: usize = 1000;

/// `?limit=&cursor=`
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PageQuery {
    /// Entries wanted, 1 to 1,000; 50 when absent.
    pub limit: Option<usize>,
    /// From the `next` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Entries wanted.
    ///
    /// # Errors
    /// 422 outside 1 to 1,000.
    pub fn limit(&self) -> Result<usize, ApiError> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit @ 1..=MAX_LIMIT) => Ok(limit),
            Some(limit) => Err(ApiError::invalid(
                "invalid_limit",
                format!("limit {limit} is not between 1 and {MAX_LIMIT}"),
            )),
        }
    }

    /// The key after which the page begins.
    ///
    /// # Errors
    /// 422 for a text that is not a cursor of this list.
    pub fn after<K: Key>(&self) -> Result<Option<K>, ApiError> {
        self.cursor.as_deref().map(Cursor::read).transpose()
    }
}

/// Turns keys into opaque texts and back.
pub struct Cursor;

impl Cursor {
    /// The cursor that stands for `key`.
    #[must_use]
    pub fn write<K: Key>(key: &K) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&key.bytes())
    }

    /// The key of a cursor.
    ///
    /// # Errors
    /// 422 for a text that is not such a cursor.
    pub fn read<K: Key>(text: &str) -> Result<K, ApiError> {
        let invalid = || ApiError::invalid("invalid_cursor", "the cursor is not one of this list");
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| invalid())?;
        K::pull(&mut KeyReader::new(&bytes)).ok_or_else(invalid)
    }
}

/// The page of `limit` entries out of up to `limit + 1`; `key_of` says where the next one begins.
#[must_use]
pub fn page_of<T, K: Key>(mut items: Vec<T>, limit: usize, key_of: impl Fn(&T) -> K) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::write(&key_of(last)));
    Page { items, next }
}
