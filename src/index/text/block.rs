//! A block as it goes into the index and as it comes out; pure.

/// What a block is; follows from its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A chunk of a build's log.
    Log,
    /// A failure: its message, trace and output.
    Failure,
}

/// Finds a block again in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockKey {
    /// The log chunk at a raw byte offset of a build attempt's log.
    Log {
        /// The build.
        build_id: [u8; 16],
        /// The attempt, counted from 1.
        attempt: u32,
        /// Raw offset of the chunk's first byte.
        offset: u64,
    },
    /// One failure of a test result.
    Failure {
        /// The result.
        result_id: [u8; 16],
        /// Which of the result's failures, counted from 0.
        ordinal: u32,
    },
}

/// A block to index. An empty name means that the block has none.
#[derive(Clone, Copy, Debug)]
pub struct BlockDoc<'a> {
    /// Where the block is; a later block of the same key replaces this one.
    pub key: BlockKey,
    /// The project, which decides who may see the block.
    pub project: [u8; 16],
    /// The build's number.
    pub build: u64,
    /// The build's id.
    pub build_id: [u8; 16],
    /// The build's attempt.
    pub attempt: u32,
    /// The job's name.
    pub job: &'a str,
    /// The branch's name.
    pub branch: &'a str,
    /// State of the build or outcome of the test when the block was indexed.
    pub status: &'a str,
    /// The agent's name.
    pub agent: &'a str,
    /// The test's full name.
    pub test: &'a str,
    /// The step's name.
    pub step: &'a str,
    /// When it happened, in milliseconds since the epoch.
    pub time: i64,
    /// The text, in whole lines.
    pub text: &'a str,
}

/// A block that may hold what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHit {
    /// Finds the block in the store.
    pub key: BlockKey,
    /// The project.
    pub project: [u8; 16],
    /// The build's number.
    pub build: u64,
    /// The build's id.
    pub build_id: [u8; 16],
    /// The build's attempt.
    pub attempt: u32,
    /// When it happened, in milliseconds since the epoch.
    pub time: i64,
}

/// A place in the order of answers, newest first; a search continues behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The block's time.
    pub time: i64,
    /// Orders blocks of the same time; made from the key, so it survives merges and rebuilds.
    pub tie: u64,
}

const LOG: u8 = 0;
const FAILURE: u8 = 1;
/// Encoded length of a hit without its key.
const HIT_HEAD: usize = 16 + 8 + 16 + 4 + 8;

impl BlockKey {
    /// What the block is.
    pub fn kind(&self) -> Kind {
        match self {
            BlockKey::Log { .. } => Kind::Log,
            BlockKey::Failure { .. } => Kind::Failure,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match *self {
            BlockKey::Log {
                build_id,
                attempt,
                offset,
            } => [
                &[LOG][..],
                &build_id,
                &attempt.to_be_bytes(),
                &offset.to_be_bytes(),
            ]
            .concat(),
            BlockKey::Failure { result_id, ordinal } => {
                [&[FAILURE][..], &result_id, &ordinal.to_be_bytes()].concat()
            }
        }
    }

    fn decode(bytes: &[u8]) -> Option<BlockKey> {
        let mut rest = Fields(bytes);
        let key = match rest.take::<1>()? {
            [LOG] => BlockKey::Log {
                build_id: rest.take()?,
                attempt: u32::from_be_bytes(rest.take()?),
                offset: u64::from_be_bytes(rest.take()?),
            },
            [FAILURE] => BlockKey::Failure {
                result_id: rest.take()?,
                ordinal: u32::from_be_bytes(rest.take()?),
            },
            _ => return None,
        };
        rest.0.is_empty().then_some(key)
    }

    /// FNV-1a of the encoded key: the same on every machine and in every version.
    pub(super) fn tie(&self) -> u64 {
        self.encode()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
    }
}

impl BlockDoc<'_> {
    /// What an answer says about the block, in the form that the index keeps.
    pub(super) fn hit(&self) -> BlockHit {
        BlockHit {
            key: self.key,
            project: self.project,
            build: self.build,
            build_id: self.build_id,
            attempt: self.attempt,
            time: self.time,
        }
    }
}

impl BlockHit {
    /// Where a search goes on behind this hit.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            time: self.time,
            tie: self.key.tie(),
        }
    }

    /// Fixed-width, big-endian: project, build, build id, attempt, time; the key last, it alone varies in length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let key = self.key.encode();
        let mut bytes = Vec::with_capacity(HIT_HEAD + key.len());
        bytes.extend_from_slice(&self.project);
        bytes.extend_from_slice(&self.build.to_be_bytes());
        bytes.extend_from_slice(&self.build_id);
        bytes.extend_from_slice(&self.attempt.to_be_bytes());
        bytes.extend_from_slice(&self.time.to_be_bytes());
        bytes.extend_from_slice(&key);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<BlockHit> {
        let mut rest = Fields(bytes);
        Some(BlockHit {
            project: rest.take()?,
            build: u64::from_be_bytes(rest.take()?),
            build_id: rest.take()?,
            attempt: u32::from_be_bytes(rest.take()?),
            time: i64::from_be_bytes(rest.take()?),
            key: BlockKey::decode(rest.0)?,
        })
    }
}

/// Takes fixed-width fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hits_survive_their_encoding(id: [u8; 16], project: [u8; 16], build: u64, attempt: u32, time: i64, offset: u64, log: bool) {
            let key = if log {
                BlockKey::Log { build_id: id, attempt, offset }
            } else {
                BlockKey::Failure { result_id: id, ordinal: attempt }
            };
            let hit = BlockHit { key, project, build, build_id: id, attempt, time };
            prop_assert_eq!(BlockHit::decode(&hit.encode()), Some(hit));
        }

        #[test]
        fn foreign_bytes_are_no_hit_and_no_panic(bytes: Vec<u8>) {
            if let Some(hit) = BlockHit::decode(&bytes) {
                prop_assert_eq!(hit.encode(), bytes);
            }
        }
    }
}
