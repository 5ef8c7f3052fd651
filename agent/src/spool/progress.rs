//! How far a journal is written, as its writer tells everybody else.

/// How far a journal is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Last record.
    pub(crate) seq: u64,
    /// Raw bytes of the log up to it.
    pub(crate) log_bytes: u64,
    /// Whether that record is the attempt's end.
    pub(crate) ended: bool,
}

impl Progress {
    /// Bytes of the record.
    pub(super) const BYTES: usize = 17;

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.log_bytes.to_le_bytes());
        bytes[16] = u8::from(self.ended);
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let (seq, rest) = bytes.split_first_chunk::<8>()?;
        let (log_bytes, ended) = rest.split_first_chunk::<8>()?;
        Some(Self {
            seq: u64::from_le_bytes(*seq),
            log_bytes: u64::from_le_bytes(*log_bytes),
            ended: ended == [1],
        })
    }
}
