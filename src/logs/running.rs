//! The line that a step is writing now: a progress bar is followed before it ends.

use super::display::shown;
use super::error::LogsError;
use super::lines::stream_at;
use super::model::LogHead;
use super::page::Logs;
use super::store::CHUNKS;
use crate::storage::ReadTxn;
use testhide_protocol::BuildId;
use testhide_protocol::api::LogLine;

/// Chunks that it is put together from, at most: one that came in more (a row of dots over an hour) shows its end.
const MAX_CHUNKS: usize = 256;

/// What stands before a line whose beginning is left out.
const LEFT_OUT: &str = "… ";

impl Logs {
    /// The line of a log that has not ended, as it looks now; `None` when nothing is open or nothing will follow.
    pub(super) fn running_line(
        &self,
        rtxn: &ReadTxn,
        build: BuildId,
        attempt: u32,
        head: &LogHead,
    ) -> Result<Option<LogLine>, LogsError> {
        if head.complete || head.open == 0 {
            return Ok(None);
        }
        let begin = head.bytes - u64::from(head.open);
        let table = CHUNKS.read(rtxn)?;
        let newest_first = table
            .prefix_up_to(&(build, attempt), &(build, attempt, head.bytes))?
            .rev();
        let (mut parts, mut line) = (Vec::new(), None);
        for row in newest_first.take(MAX_CHUNKS) {
            let ((_, _, offset), chunk) = row?;
            let mut raw = self.raw_of(offset, &chunk)?;
            let before = usize::try_from(begin.saturating_sub(offset)).unwrap_or(usize::MAX);
            let before = before.min(raw.len());
            parts.push(raw.split_off(before));
            line = Some(LogLine {
                number: head.ended + 1,
                step: chunk.step,
                stream: stream_at(&chunk.segments, before),
                time: chunk.time,
                text: if offset > begin { LEFT_OUT } else { "" }.to_owned(),
                continued: false,
            });
            if offset <= begin {
                break;
            }
        }
        parts.reverse();
        let text = parts.concat();
        if let Some(line) = &mut line {
            let last = shown(&text);
            if last.len() < text.len() {
                line.text.clear();
            }
            line.text.push_str(&String::from_utf8_lossy(last));
        }
        Ok(line)
    }
}
