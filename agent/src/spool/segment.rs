//! How a segment of a journal comes to be: whole from the first moment at which anybody can see it.

use std::fs::{self, File};
use std::io::Write;

use super::boot::Boot;
use super::directory::{SpoolDir, SpoolError};
use super::format::SegmentHead;
use super::journal::Place;

/// Makes the segment that follows `place`; its name is not durable yet. Nothing is left when the disk refuses it, and nobody sees it without its head.
pub(super) fn new_segment(dir: &SpoolDir, boot: Boot, place: Place) -> Result<File, SpoolError> {
    let path = dir.segment(place.seq + 1);
    let head = SegmentHead {
        first: place.seq + 1,
        log_bytes: place.log_bytes,
        step: place.step,
        open_line: place.open_line,
        boot,
    };
    let beside = dir.next_segment();
    let mut options = File::options();
    // One that a crash has left has nothing to keep.
    drop(fs::remove_file(&beside));
    let file = options.append(true).create_new(true).open(&beside);
    let written = file.and_then(|mut file| {
        let named = file
            .write_all(&head.to_bytes())
            .and_then(|()| fs::rename(&beside, &path));
        match named {
            Ok(()) => Ok(file),
            Err(error) => {
                fs::remove_file(&beside)?;
                Err(error)
            }
        }
    });
    written.map_err(SpoolError::at(&path))
}
