//! Upgrades of a data directory, one file a step; each step is one transaction and runs once.
//!
//! Records carry their own version and need no step for a new field. A step is for what the codec cannot do: another key,
//! another table, facts derived once from all rows. Format 1 is the first, so the list below is empty until format 2.

mod steps;

pub(super) use steps::steps_from;
