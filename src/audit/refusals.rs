//! Refusals as they come: few are written in full, the rest is counted, so that being refused costs the disk nothing.

use super::model::{Entry, object};
use crate::kit::{Bucket, Clock, Rate};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use testhide_protocol::api::{AuditActorKind, AuditOutcome};

/// How many of one kind from one place are written in full before the rest is counted.
const IN_FULL: u32 = 3;

/// What is counted together at first. It doubles each time as long as they go on: an agent that knocks at a closed door for a month is not a
/// million entries.
const FIRST_WINDOW: Duration = Duration::from_secs(60);

/// What is counted together at most.
const LAST_WINDOW: Duration = Duration::from_secs(60 * 60);

/// Kinds and places that are told apart at a time; those beyond are counted together.
const PLACES: usize = 500;

/// Entries that all refusals of strangers together may write, and as many those of the known: at most 100 at once and 8,640 a day in the long
/// run, which is about 4 MB; beside them one a minute for those that find no room.
const WRITES: Rate = Rate {
    burst: 100,
    per_second: 0.1,
};

/// Refusals of late: those of strangers, and those of somebody who is known. Each kind has places and writes of its own, so that nobody who
/// merely reaches the server can crowd out what somebody with a key or an account did.
pub(super) struct Refusals {
    clock: Clock,
    strangers: Mutex<Inner>,
    known: Mutex<Inner>,
}

struct Inner {
    writes: Bucket,
    places: HashMap<Place, Seen>,
    /// Refusals that found no room among the places.
    elsewhere: u64,
}

/// What makes two refusals the same to somebody who reads of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    action: &'static str,
    code: Option<&'static str>,
    actor: (AuditActorKind, Option<String>),
    address: Option<std::net::IpAddr>,
}

struct Seen {
    since: Duration,
    window: Duration,
    written: u32,
    counted: u64,
    /// Whether anything came in this window, written or counted.
    came: bool,
    last: Entry,
}

impl Refusals {
    pub(super) fn new(clock: Clock) -> Self {
        let empty = || {
            Mutex::new(Inner {
                writes: Bucket::new(WRITES, clock.monotonic()),
                places: HashMap::new(),
                elsewhere: 0,
            })
        };
        Self {
            strangers: empty(),
            known: empty(),
            clock,
        }
    }

    /// Gives the entry back when it is to be written now; else it is counted.
    pub(super) fn note(&self, entry: Entry) -> Option<Entry> {
        let now = self.clock.monotonic();
        let inner = match entry.actor.kind {
            AuditActorKind::Anonymous => &self.strangers,
            _ => &self.known,
        };
        let mut inner = inner.lock();
        let Inner {
            writes,
            places,
            elsewhere,
        } = &mut *inner;
        let place = Place {
            action: entry.action,
            code: entry.code,
            actor: (entry.actor.kind, entry.actor.id.clone()),
            address: entry.address,
        };
        if places.len() >= PLACES && !places.contains_key(&place) {
            *elsewhere += entry.times;
            return None;
        }
        let seen = places.entry(place).or_insert_with(|| Seen {
            since: now,
            window: FIRST_WINDOW,
            written: 0,
            counted: 0,
            came: false,
            last: entry.clone(),
        });
        seen.came = true;
        if seen.written < IN_FULL && writes.take(now) {
            seen.written += 1;
            return Some(entry);
        }
        seen.counted += entry.times;
        seen.last = entry;
        None
    }

    /// Entries for what was counted in windows that are over. What finds no room now is counted in one entry for all; a place from which
    /// nothing came any more is forgotten.
    pub(super) fn counted(&self) -> Vec<Entry> {
        let now = self.clock.monotonic();
        let mut entries = self.known.lock().counted(now);
        entries.extend(self.strangers.lock().counted(now));
        entries
    }
}

impl Inner {
    fn counted(&mut self, now: Duration) -> Vec<Entry> {
        let Self {
            writes,
            places,
            elsewhere,
        } = self;
        let mut entries = Vec::new();
        places.retain(|_, seen| {
            if now.saturating_sub(seen.since) < seen.window {
                return true;
            }
            let counted = std::mem::take(&mut seen.counted);
            if counted > 0 && writes.take(now) {
                entries.push(summary(seen.last.clone(), counted, seen.window));
            } else {
                *elsewhere += counted;
            }
            seen.since = now;
            seen.window = (seen.window * 2).min(LAST_WINDOW);
            std::mem::take(&mut seen.came)
        });
        let rest = std::mem::take(elsewhere);
        if rest > 0 {
            let other = Entry {
                outcome: AuditOutcome::Refused,
                code: Some("many"),
                ..Entry::done(
                    super::model::system(),
                    "refusals.counted",
                    object("server", None, None),
                )
            };
            entries.push(summary(other, rest, FIRST_WINDOW));
        }
        entries
    }
}

fn summary(last: Entry, times: u64, window: Duration) -> Entry {
    let why = last.reason.as_deref().map(|reason| format!(": {reason}"));
    let time = match window.as_secs() / 60 {
        1 => "minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    let reason = format!(
        "refused {times} more times in the last {time}{}",
        why.unwrap_or_default()
    );
    Entry {
        times,
        ..last.because(Some(&reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{agent, anonymous};
    use testhide_protocol::Timestamp;

    fn refusal(number: u32) -> Entry {
        let object = object("agent", Some(&number), None);
        Entry::refused(
            agent(number, "one"),
            "agent.refused",
            object,
            "bad_frame",
            "no frame",
        )
    }

    #[test]
    fn few_are_written_in_full_and_the_rest_is_counted() {
        let clock = Clock::manual(Timestamp(0));
        let refusals = Refusals::new(clock.clone());
        let written = (0..4_216).filter_map(|_| refusals.note(refusal(1))).count();
        assert_eq!(written, IN_FULL as usize);
        assert!(
            refusals.note(refusal(2)).is_some(),
            "another agent is another place"
        );
        assert!(refusals.counted().is_empty(), "the minute is not over");
        clock.advance(FIRST_WINDOW);
        let counted = refusals.counted();
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].times, 4_213);
        assert_eq!(
            counted[0].reason.as_deref(),
            Some("refused 4213 more times in the last minute: no frame")
        );
        assert!(refusals.note(refusal(1)).is_none(), "it goes on");
        clock.advance(FIRST_WINDOW);
        assert!(refusals.counted().is_empty(), "the window has grown");
        clock.advance(FIRST_WINDOW);
        let counted = refusals.counted();
        assert_eq!(
            counted[0].reason.as_deref(),
            Some("refused 1 more times in the last 2 minutes: no frame")
        );
        clock.advance(LAST_WINDOW);
        assert!(refusals.counted().is_empty());
        assert!(
            refusals.note(refusal(1)).is_some(),
            "it was quiet for long enough"
        );
    }

    #[test]
    fn who_knocks_for_ever_writes_an_entry_an_hour() {
        let clock = Clock::manual(Timestamp(0));
        let refusals = Refusals::new(clock.clone());
        let (mut entries, mut told) = (0, 0);
        for _ in 0..60 * 24 * 7 {
            for entry in [refusal(1), refusal(1)] {
                let written = refusals.note(entry);
                told += u64::from(written.is_some());
                entries += usize::from(written.is_some());
            }
            clock.advance(FIRST_WINDOW);
            let counted = refusals.counted();
            told += counted.iter().map(|entry| entry.times).sum::<u64>();
            entries += counted.len();
        }
        assert!(entries <= 3 + 24 * 7 + 6, "{entries} entries in a week");
        assert!(told > 2 * 60 * 24 * 7 - 120, "{told} were told of");
    }

    #[test]
    fn strangers_do_not_crowd_out_what_an_agent_did() {
        let refusals = Refusals::new(Clock::manual(Timestamp(0)));
        for number in 0..100_000u32 {
            let object = object("agent", None, None);
            let entry = Entry::refused(
                anonymous(),
                "agent.refused",
                object,
                "bad_frame",
                "no frame",
            );
            refusals.note(entry.from(Some(std::net::Ipv4Addr::from(number).into())));
        }
        assert!(refusals.note(refusal(1)).is_some());
    }

    #[test]
    fn nobody_fills_the_disk_by_being_refused_from_many_places() {
        let clock = Clock::manual(Timestamp(0));
        let refusals = Refusals::new(clock.clone());
        let (mut entries, mut told) = (0u64, 0);
        for minute in 0..60 * 24u32 {
            for number in 0..1_000u32 {
                let entry = Entry::refused(
                    anonymous(),
                    "agent.refused",
                    object("agent", None, None),
                    "unknown_agent",
                    "no such agent",
                );
                let address = std::net::Ipv4Addr::from(minute * 1_000 + number);
                let written = refusals.note(entry.from(Some(address.into())));
                told += written.iter().map(|entry| entry.times).sum::<u64>();
                entries += u64::from(written.is_some());
            }
            clock.advance(FIRST_WINDOW);
            let counted = refusals.counted();
            told += counted.iter().map(|entry| entry.times).sum::<u64>();
            entries += counted.len() as u64;
        }
        for _ in 0..2 {
            clock.advance(LAST_WINDOW);
            told += refusals
                .counted()
                .iter()
                .map(|entry| entry.times)
                .sum::<u64>();
        }
        assert_eq!(told, 1_000 * 60 * 24, "each was told of");
        assert!(entries < 11_000, "{entries} entries in a day");
    }
}
