//! Which run of the machine this is: what was not synced survives the death of a process, and not that of the machine.

use sysinfo::System;

/// A start of the machine, told apart from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot(u128);

/// How far apart two readings of one boot's time may lie: clocks are corrected.
const SAME_BOOT_SECONDS: u128 = 30;

impl Boot {
    /// This one. Where the system tells nothing of its boots, all are one.
    #[must_use]
    pub fn current() -> Self {
        of_kernel().unwrap_or_else(|| Self(System::boot_time().unwrap_or(0).into()))
    }

    /// A boot with a number of the caller's choice, for machines that are not real.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        Self(u128::from(number) << 64)
    }

    /// Whether both are the same run of the machine.
    #[must_use]
    pub fn is_same(self, other: Self) -> bool {
        let is_time = |boot: Self| boot.0 < 1 << 64;
        if is_time(self) && is_time(other) {
            self.0.abs_diff(other.0) <= SAME_BOOT_SECONDS
        } else {
            self == other
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }
}

/// Linux gives each boot a random id.
fn of_kernel() -> Option<Boot> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok().map(Boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_the_same_as_itself_and_no_other() {
        let check = |left: Boot, right: Boot, expected: bool| {
            assert_eq!(left.is_same(right), expected, "{left:?} {right:?}");
        };
        check(Boot::current(), Boot::current(), true);
        check(Boot::numbered(1), Boot::numbered(1), true);
        check(Boot::numbered(1), Boot::numbered(2), false);
        // Two readings of a boot's time.
        check(Boot(1_800_000_000), Boot(1_800_000_002), true);
        check(Boot(1_800_000_000), Boot(1_800_000_060), false);
        let boot = Boot::current();
        assert_eq!(Boot::from_bytes(boot.to_bytes()), boot);
    }
}
