//! Frames of an agent, read and bounded.

use super::refusal::{Breach, RefusalKind};
use bytes::Bytes;
use testhide_protocol::api::HostMetrics;
use testhide_protocol::wire::{AgentMessage, Chunk, Frame, FrameError, Lease, RecordBody};

/// Longest text frame.
const MAX_TEXT: usize = 64 * 1024;

/// What an agent sent.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A stretch of a log.
    Chunk {
        lease: Lease,
        seq: u64,
        chunk: Chunk,
    },
    /// A part of a file.
    FilePart {
        lease: Lease,
        file: u32,
        offset: u64,
        data: Bytes,
    },
    /// A journal record.
    Record {
        lease: Lease,
        seq: u64,
        body: RecordBody,
    },
    /// An assignment that is not taken.
    Declined { lease: Lease, reason: String },
    /// A sign of life.
    Heartbeat(Option<HostMetrics>),
}

/// Reads a binary frame.
pub(super) fn binary(bytes: Bytes) -> Result<Incoming, Breach> {
    let unreadable = |error: FrameError| {
        let kind = match error {
            FrameError::TooLarge => RefusalKind::TooLarge,
            FrameError::Short | FrameError::Unknown(_) => RefusalKind::BadFrame,
        };
        Breach::new(kind, error.to_string())
    };
    match Frame::decode(bytes).map_err(unreadable)? {
        Frame::Chunk { lease, seq, chunk } => Ok(Incoming::Chunk { lease, seq, chunk }),
        Frame::File {
            lease,
            file,
            offset,
            data,
        } => Ok(Incoming::FilePart {
            lease,
            file,
            offset,
            data,
        }),
    }
}

/// Reads a text frame.
pub(super) fn text(text: &str) -> Result<Incoming, Breach> {
    match message(text)? {
        AgentMessage::Heartbeat { metrics, .. } => Ok(Incoming::Heartbeat(metrics)),
        AgentMessage::Record { lease, seq, body } => Ok(Incoming::Record { lease, seq, body }),
        AgentMessage::Declined { lease, reason } => Ok(Incoming::Declined { lease, reason }),
        AgentMessage::Hello { .. } => Err(Breach::new(
            RefusalKind::BadFrame,
            "`hello` came a second time",
        )),
    }
}

/// Reads any message.
pub(super) fn message(text: &str) -> Result<AgentMessage, Breach> {
    if text.len() > MAX_TEXT {
        let reason = format!("a text frame is longer than {MAX_TEXT} bytes");
        return Err(Breach::new(RefusalKind::TooLarge, reason));
    }
    serde_json::from_str(text).map_err(|error| {
        let reason = format!("a text frame cannot be read: {error}");
        Breach::new(RefusalKind::BadFrame, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_sends_does_not_write_into_the_log() {
        let check = |kind: &str| {
            let frame = serde_json::json!({ "type": kind }).to_string();
            let breach = message(&frame).unwrap_err();
            let reason = breach.reason;
            assert!(!reason.chars().any(char::is_control), "{reason:?}");
            assert!(!reason.contains('\u{202e}'), "{reason:?}");
            assert!(reason.chars().count() <= 300, "{}", reason.len());
        };
        check("nothing known");
        check("\n2026-01-01T00:00:00Z  INFO user `root` signed in");
        check("\u{1b}[2J\u{1b}]0;title\u{7}\r");
        check("\u{202e}txt.exe");
        check(&"x".repeat(60_000));
    }
}
