//! The ordered list of steps.

use crate::storage::{StorageError, WriteTxn};

/// One step from a format to the next.
pub(in crate::storage) struct Step {
    /// The format that the step reaches.
    pub to: u32,
    /// Changes the state; committed together with the new format number.
    pub run: fn(&WriteTxn) -> Result<(), StorageError>,
}

/// Every step, in order. A new one is appended as `storage/upgrade/vN.rs` and never changed after a release.
const STEPS: &[Step] = &[];

/// The steps that a directory of format `found` still needs.
pub(in crate::storage) fn steps_from(found: u32) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(move |step| step.to > found)
}

#[cfg(test)]
mod tests {
    use super::STEPS;
    use crate::storage::FORMAT_VERSION;

    #[test]
    fn steps_are_in_order_and_reach_the_present_format() {
        for (place, step) in STEPS.iter().enumerate() {
            assert_eq!(step.to as usize, place + 2);
        }
        assert_eq!(STEPS.len() as u32 + 1, FORMAT_VERSION);
    }
}
