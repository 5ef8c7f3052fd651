//! How the doctor looks at rows of tables whose types it does not know.

use crate::kit::to_hex;
use crate::storage::codec::Value;
use crate::storage::key::Key;
use crate::storage::table::key_of;
use crate::storage::volumes::VolumeRef;

/// A table's name, and how one of its rows is read.
#[derive(Debug, Clone, Copy)]
pub struct TableCheck {
    name: &'static str,
    look: Look,
    show: fn(&[u8]) -> String,
}

/// Reads a key and a value; gives the bytes in volumes that they refer to.
type Look = fn(&[u8], &[u8]) -> Result<Vec<VolumeRef>, String>;

impl TableCheck {
    pub(in crate::storage) const fn new<K: Key, V: Value>(name: &'static str) -> Self {
        Self {
            name,
            look: look::<K, V>,
            show: show::<K>,
        }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Reads a row; gives the bytes in volumes that it refers to.
    pub(super) fn look(&self, key: &[u8], value: &[u8]) -> Result<Vec<VolumeRef>, String> {
        (self.look)(key, value)
    }

    /// The key as a person reads it.
    pub(super) fn show(&self, key: &[u8]) -> String {
        (self.show)(key)
    }
}

fn look<K: Key, V: Value>(key: &[u8], value: &[u8]) -> Result<Vec<VolumeRef>, String> {
    key_of::<K>(key)?;
    Ok(V::decode(value)?.refers_to())
}

fn show<K: Key>(key: &[u8]) -> String {
    key_of::<K>(key).map_or_else(|_| to_hex(key), |key| key.show())
}
