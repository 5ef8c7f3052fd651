//! Stored values: one version byte, then bincode. The only file that names bincode.
//!
//! A record that changes its shape raises [`Record::VERSION`] and teaches [`Record::upgrade`] to read the old bytes, so
//! data written by any released version stays readable without a rewrite.

use super::volumes::VolumeRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest single value that is decoded; stops a damaged length from asking for the whole memory.
const LIMIT: usize = 64 * 1024 * 1024;

fn config() -> bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<LIMIT>,
> {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// A value that a table can hold.
pub trait Value: Sized {
    /// Its bytes.
    fn encode(&self) -> Vec<u8>;

    /// Reads its bytes.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    fn decode(bytes: &[u8]) -> Result<Self, String>;

    /// Bytes in the volumes that it refers to.
    fn refers_to(&self) -> Vec<VolumeRef> {
        Vec::new()
    }
}

/// A stored struct with a version.
pub trait Record: Serialize + DeserializeOwned {
    /// Version of the bytes that this program writes.
    const VERSION: u8 = 1;

    /// Reads bytes of an older version.
    ///
    /// # Errors
    /// A sentence, when that version is unknown or its bytes are damaged.
    fn upgrade(version: u8, bytes: &[u8]) -> Result<Self, String> {
        let _ = bytes;
        Err(format!("has unknown version {version}"))
    }

    /// Bytes in the volumes that it refers to. A record that holds a [`VolumeRef`] gives each: what is not given here is not
    /// looked at by `doctor`.
    fn places(&self) -> Vec<VolumeRef> {
        Vec::new()
    }
}

impl<R: Record> Value for R {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![R::VERSION];
        bincode::serde::encode_into_std_write(self, &mut bytes, config())
            .expect("writing a record into memory cannot fail");
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (version, body) = bytes.split_first().ok_or("is empty")?;
        if *version != R::VERSION {
            return R::upgrade(*version, body);
        }
        decode_plain(body)
    }

    fn refers_to(&self) -> Vec<VolumeRef> {
        self.places()
    }
}

/// Reads the body of a record; for [`Record::upgrade`] implementations.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn decode_plain<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let (value, read) =
        bincode::serde::decode_from_slice(body, config()).map_err(|error| error.to_string())?;
    if read == body.len() {
        Ok(value)
    } else {
        Err(format!("{} bytes too many", body.len() - read))
    }
}

impl Value for () {
    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }

    fn decode(_: &[u8]) -> Result<Self, String> {
        Ok(())
    }
}

impl Value for u64 {
    fn encode(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        bytes
            .try_into()
            .map(Self::from_be_bytes)
            .map_err(|_| "is not eight bytes".to_owned())
    }
}

impl<const N: usize> Value for [u8; N] {
    fn encode(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        bytes.try_into().map_err(|_| format!("is not {N} bytes"))
    }
}

impl Value for Vec<u8> {
    fn encode(&self) -> Vec<u8> {
        self.clone()
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Value};
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        name: String,
    }
    impl Record for Old {}

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        name: String,
        size: u64,
    }
    impl Record for New {
        const VERSION: u8 = 2;
        fn upgrade(version: u8, bytes: &[u8]) -> Result<Self, String> {
            match version {
                1 => super::decode_plain::<Old>(bytes).map(|old| Self {
                    name: old.name,
                    size: 0,
                }),
                _ => Err(format!("has unknown version {version}")),
            }
        }
    }

    #[test]
    fn old_bytes_stay_readable_and_newer_ones_are_refused() {
        let old = Old { name: "one".into() }.encode();
        assert_eq!(
            New::decode(&old),
            Ok(New {
                name: "one".into(),
                size: 0
            })
        );
        let new = New {
            name: "two".into(),
            size: 7,
        }
        .encode();
        assert_eq!(
            New::decode(&new),
            Ok(New {
                name: "two".into(),
                size: 7
            })
        );
        assert_eq!(Old::decode(&new), Err("has unknown version 2".to_owned()));
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(New::decode(&bytes));
        }
    }
}
