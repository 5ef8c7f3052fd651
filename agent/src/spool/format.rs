//! The journal's bytes.
//!
//! ```text
//! segment head, then records                                                  (little-endian)
//! head    "THJRNL2\n", first seq u64, log bytes before u64, step u32, open line u8, boot 16 bytes, checksum u32
//! record  length u32 of the body, checksum u32, kind u8, seq u64, body
//! kind 1  a log chunk: the binary frame as it goes over the wire
//! kind 2  any other record: its JSON
//! ```
//!
//! The checksum finds what a crash left half written; it is no defence against a forger, who could write files here anyway.

use super::boot::Boot;

/// The first bytes of a segment.
const MAGIC: &[u8; 8] = b"THJRNL2\n";

/// Bytes of a segment's head.
pub(crate) const HEAD: usize = 49;

/// Bytes before a record's body.
pub(crate) const HEADER: usize = 17;

/// The most bytes in a body; a length over it is damage. Far over the largest frame or record that is ever written.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// What a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A binary frame of the wire.
    Chunk,
    /// JSON of a `RecordBody`.
    Record,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Chunk => 1,
            Self::Record => 2,
        }
    }
}

/// What stands before a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the body.
    pub(crate) length: usize,
    /// What the body holds.
    pub(crate) kind: Kind,
    /// Place in the journal.
    pub(crate) seq: u64,
    checksum: u32,
}

impl Header {
    /// The header in these bytes; nothing when no header was ever written there.
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        let (kind, seq) = rest.split_first()?;
        let kind = match kind {
            1 => Kind::Chunk,
            2 => Kind::Record,
            _ => return None,
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if length == 0 || length > MAX_BODY {
            return None;
        }
        Some(Self {
            length,
            kind,
            seq: u64::from_le_bytes(*seq.first_chunk::<8>()?),
            checksum: u32::from_le_bytes(*checksum),
        })
    }

    /// Whether `body` is the one this header was written for.
    pub(crate) fn fits(&self, body: &[u8]) -> bool {
        body.len() == self.length && checksum(self.kind, self.seq, body) == self.checksum
    }
}

/// What stands at the beginning of a segment: enough to go on behind it without reading what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    /// Number of its first record.
    pub(crate) first: u64,
    /// Raw bytes of the log before it.
    pub(crate) log_bytes: u64,
    /// The step that was running or ran last.
    pub(crate) step: u32,
    /// Whether the log before it ends inside a line.
    pub(crate) open_line: bool,
    /// The machine's run in which it was begun.
    pub(crate) boot: Boot,
}

impl SegmentHead {
    /// As it stands in the file.
    pub(crate) fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = Vec::with_capacity(HEAD);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.log_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.step.to_le_bytes());
        bytes.push(u8::from(self.open_line));
        bytes.extend_from_slice(&self.boot.to_bytes());
        let sum = checksum(Kind::Record, self.first, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
            .try_into()
            .expect("the parts add up to the length of a head")
    }

    /// The head in these bytes; nothing when none was ever written whole.
    pub(crate) fn parse(bytes: &[u8; HEAD]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        let (magic, rest) = body.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (log_bytes, rest) = rest.split_first_chunk::<8>()?;
        let (step, rest) = rest.split_first_chunk::<4>()?;
        let (open_line, boot) = rest.split_first()?;
        let first = u64::from_le_bytes(*first);
        let is_whole = magic == MAGIC
            && first > 0
            && checksum(Kind::Record, first, body) == u32::from_le_bytes(*sum);
        is_whole.then_some(Self {
            first,
            log_bytes: u64::from_le_bytes(*log_bytes),
            step: u32::from_le_bytes(*step),
            open_line: *open_line == 1,
            boot: Boot::from_bytes(*boot.first_chunk()?),
        })
    }
}

/// Appends a record's bytes to `out`.
pub(crate) fn encode(kind: Kind, seq: u64, body: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(body.len()).expect("a body is never longer than MAX_BODY");
    out.reserve(HEADER + body.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(kind, seq, body).to_le_bytes());
    out.push(kind.code());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(body);
}

/// Multiply and fold over words of eight bytes: several gigabytes a second, and every bit of the input reaches the result.
pub(super) fn checksum(kind: Kind, seq: u64, body: &[u8]) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word).wrapping_mul(u128::from(ODD));
        // Both halves, so that no word can be undone by a later one.
        (product as u64).rotate_left(29) ^ ((product >> 64) as u64)
    };
    let mut state = mix(mix(ODD ^ u64::from(kind.code()), seq), body.len() as u64);
    let (words, tail) = body.as_chunks::<8>();
    for word in words {
        state = mix(state, u64::from_le_bytes(*word)).wrapping_add(ODD);
    }
    let mut last = [0u8; 8];
    last[..tail.len()].copy_from_slice(tail);
    state = mix(mix(state, u64::from_le_bytes(last)), !seq);
    (state ^ (state >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_segment_head_survives_and_a_changed_bit_is_found() {
        let head = SegmentHead {
            first: 7,
            log_bytes: 1 << 40,
            step: 3,
            open_line: true,
            boot: Boot::current(),
        };
        let bytes = head.to_bytes();
        assert_eq!(SegmentHead::parse(&bytes), Some(head));
        for bit in 0..HEAD * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHead::parse(&changed), None, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn a_record_survives_and_a_changed_bit_is_found(
            seq in any::<u64>(), chunk in any::<bool>(),
            body in proptest::collection::vec(any::<u8>(), 1..400), at in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let kind = if chunk { Kind::Chunk } else { Kind::Record };
            let mut bytes = Vec::new();
            encode(kind, seq, &body, &mut bytes);
            let header = Header::parse(bytes.first_chunk().unwrap()).unwrap();
            prop_assert_eq!((header.kind, header.seq, header.length), (kind, seq, body.len()));
            prop_assert!(header.fits(&bytes[HEADER..]));

            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let whole = Header::parse(bytes.first_chunk().unwrap()).is_some_and(|header| header.fits(&bytes[HEADER..]));
            prop_assert!(!whole, "byte {} bit {}", at, bit);
        }
    }
}
