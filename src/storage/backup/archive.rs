//! The archive's bytes: its start, the head of a frame, rows in a block, the seal. Takes bytes and gives bytes.
//!
//! The layout is written down in `docs/backup-format.md`. Numbers are big-endian.

use super::manifest::Header;
use crate::storage::FORMAT_VERSION;

/// The archive format that this program writes.
pub const ARCHIVE_VERSION: u32 = 1;

/// First bytes of every archive, of every version.
const MAGIC: &[u8; 16] = b"testhide backup\n";

/// Bytes of an archive's start: magic, version, check.
pub(super) const START_BYTES: usize = 16 + 4 + 4;

/// First bytes of every frame; a reader of a damaged archive looks for them.
pub(super) const MARK: [u8; 4] = *b"thb\x01";

/// Bytes of a frame's head before its name.
pub(super) const HEAD_BYTES: usize = 4 + 1 + 1 + 8 + 4 + 4 + 4 + 4 + CHECK_BYTES;

/// First bytes of the seal.
pub(super) const SEAL_MARK: [u8; 8] = *b"thb-end\n";

/// Bytes of the seal: mark and BLAKE3 of everything before.
pub(super) const SEAL_BYTES: usize = 8 + 32;

/// Bytes of BLAKE3 that guard a head or a block: enough against accidents, and the seal has all 32.
pub(super) const CHECK_BYTES: usize = 16;

/// Raw bytes after which a block is closed.
pub(super) const BLOCK: usize = 1024 * 1024;

/// Largest block that is read or written. One row is never cut, and a stored value has at most 64 MiB.
pub(super) const LARGEST_BLOCK: usize = 128 * 1024 * 1024;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The header, as JSON; the first frame.
    Header,
    /// Rows of the entry that the frame names.
    Block,
    /// The manifest, as JSON; the last frame.
    Manifest,
}

/// A frame's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// The same random number in every frame of an archive, so that what an older file left on a disk is not taken for a part.
    pub(super) archive: u64,
    /// Frames before this one.
    pub(super) number: u32,
    pub(super) rows: u32,
    pub(super) raw_len: u32,
    pub(super) stored_len: u32,
    pub(super) payload_check: [u8; CHECK_BYTES],
    pub(super) name: String,
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.name.len() + CHECK_BYTES);
        bytes.extend_from_slice(&MARK);
        bytes.push(match self.kind {
            Kind::Header => 1,
            Kind::Block => 2,
            Kind::Manifest => 3,
        });
        bytes.push(u8::try_from(self.name.len()).expect("the writer refuses longer names"));
        bytes.extend_from_slice(&self.archive.to_be_bytes());
        for number in [self.number, self.rows, self.raw_len, self.stored_len] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.payload_check);
        bytes.extend_from_slice(self.name.as_bytes());
        let own = check_of(&bytes);
        bytes.extend_from_slice(&own);
        bytes
    }

    /// Bytes of the whole head, seen from its first [`HEAD_BYTES`].
    pub(super) fn whole_len(fixed: &[u8; HEAD_BYTES]) -> usize {
        HEAD_BYTES + usize::from(fixed[5]) + CHECK_BYTES
    }

    /// Reads a whole head; `None` when a bit of it is not as it was written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (guarded, own) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        if check_of(guarded) != *own {
            return None;
        }
        let rest = guarded.strip_prefix(&MARK)?;
        let ([kind, name_len], rest) = rest.split_first_chunk()?;
        let (archive, rest) = rest.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (rows, rest) = rest.split_first_chunk::<4>()?;
        let (raw_len, rest) = rest.split_first_chunk::<4>()?;
        let (stored_len, rest) = rest.split_first_chunk::<4>()?;
        let (payload_check, name) = rest.split_first_chunk::<CHECK_BYTES>()?;
        let kind = match kind {
            1 => Kind::Header,
            2 => Kind::Block,
            3 => Kind::Manifest,
            _ => return None,
        };
        (name.len() == usize::from(*name_len)).then_some(())?;
        Some(Self {
            kind,
            archive: u64::from_be_bytes(*archive),
            number: u32::from_be_bytes(*number),
            rows: u32::from_be_bytes(*rows),
            raw_len: u32::from_be_bytes(*raw_len),
            stored_len: u32::from_be_bytes(*stored_len),
            payload_check: *payload_check,
            name: std::str::from_utf8(name).ok()?.to_owned(),
        })
    }

    /// How a person finds the frame.
    pub(super) fn label(&self) -> String {
        match self.kind {
            Kind::Header => "the header".to_owned(),
            Kind::Block => format!("block {} (`{}`)", self.number, self.name),
            Kind::Manifest => "the manifest".to_owned(),
        }
    }
}

/// An archive's first bytes.
pub(super) fn encode_start() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&ARCHIVE_VERSION.to_be_bytes());
    let check = check_of(&bytes);
    bytes.extend_from_slice(&check[..4]);
    bytes
}

/// What an archive's first bytes tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It can be read.
    Known,
    /// It is an archive of a version that this program does not know.
    Other(u32),
    /// It is an archive whose start was edited.
    Damaged,
    /// It is something else.
    Foreign,
}

pub(super) fn decode_start(bytes: &[u8; START_BYTES]) -> Start {
    let Some((version, check)) = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.split_first_chunk::<4>())
    else {
        return Start::Foreign;
    };
    if check_of(&bytes[..START_BYTES - 4])[..4] != *check {
        return Start::Damaged;
    }
    match u32::from_be_bytes(*version) {
        ARCHIVE_VERSION => Start::Known,
        other => Start::Other(other),
    }
}

/// Why an archive of this archive version cannot be read.
pub(super) fn version_refusal(found: u32) -> String {
    format!(
        "it has archive format {found} and this testhide knows format {ARCHIVE_VERSION}; use the testhide version that wrote it"
    )
}

/// Why the directory in an archive cannot be opened by this program, when it cannot.
pub(super) fn format_refusal(header: &Header) -> Option<String> {
    (header.storage_format > FORMAT_VERSION).then(|| {
        format!(
            "it holds storage format {} and this testhide knows formats up to {FORMAT_VERSION}; use testhide {} or newer",
            header.storage_format, header.testhide
        )
    })
}

/// The guard of a head or a block.
pub(super) fn check_of(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = blake3::hash(bytes);
    *hash.as_bytes().first_chunk().expect("BLAKE3 has 32 bytes")
}

/// Appends a row to a block; `false` when the row is larger than any block may be.
#[must_use]
pub(super) fn push_row(block: &mut Vec<u8>, key: &[u8], value: &[u8]) -> bool {
    if key.len().saturating_add(value.len()) > LARGEST_BLOCK - BLOCK - 8 {
        return false;
    }
    for part in [key, value] {
        let len = u32::try_from(part.len()).expect("a row fits into a block");
        block.extend_from_slice(&len.to_be_bytes());
    }
    block.extend_from_slice(key);
    block.extend_from_slice(value);
    true
}

/// A row in a block.
pub(super) type Row<'a> = (&'a [u8], &'a [u8]);

/// The rows of a block; `None` when they are not exactly `count` whole ones.
pub(super) fn rows_of(mut block: &[u8], count: u32) -> Option<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    while !block.is_empty() {
        let (key_len, rest) = block.split_first_chunk::<4>()?;
        let (value_len, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*key_len) as usize)?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*value_len) as usize)?;
        rows.push((key, value));
        block = rest;
    }
    (rows.len() == count as usize).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..40)
    }

    proptest! {
        #[test]
        fn a_head_reads_back_and_no_edit_of_it_does(
            archive: u64, numbers: [u32; 4], payload_check: [u8; CHECK_BYTES], name in "[a-z/]{0,40}", at: usize, with in 1u8..
        ) {
            let [number, rows, raw_len, stored_len] = numbers;
            let head = Head { kind: Kind::Block, archive, number, rows, raw_len, stored_len, payload_check, name };
            let mut bytes = head.encode();
            prop_assert_eq!(Head::whole_len(bytes.first_chunk().unwrap()), bytes.len());
            prop_assert_eq!(Head::decode(&bytes), Some(head));
            let at = at % bytes.len();
            bytes[at] ^= with;
            prop_assert_eq!(Head::decode(&bytes), None);
        }

        #[test]
        fn rows_read_back(rows in proptest::collection::vec((bytes(), bytes()), 0..8)) {
            let mut block = Vec::new();
            for (key, value) in &rows {
                prop_assert!(push_row(&mut block, key, value));
            }
            let read = rows_of(&block, rows.len() as u32).unwrap();
            prop_assert_eq!(read, rows.iter().map(|(key, value)| (&key[..], &value[..])).collect::<Vec<_>>());
            prop_assert_eq!(rows_of(&block, rows.len() as u32 + 1), None);
        }

        #[test]
        fn damaged_rows_are_refused_and_never_a_panic(block in bytes(), count in 0u32..4) {
            drop(rows_of(&block, count));
        }
    }

    #[test]
    fn a_start_tells_version_damage_and_foreign_files() {
        let start: [u8; START_BYTES] = encode_start().try_into().unwrap();
        assert_eq!(decode_start(&start), Start::Known);
        let mut newer = start;
        newer[19] = 2;
        assert_eq!(decode_start(&newer), Start::Damaged);
        let check = check_of(&newer[..20]);
        newer[20..].copy_from_slice(&check[..4]);
        assert_eq!(decode_start(&newer), Start::Other(2));
        let mut foreign = start;
        foreign[0] ^= 1;
        assert_eq!(decode_start(&foreign), Start::Foreign);
    }
}
