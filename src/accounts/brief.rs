//! Sign-ins of a server that cannot write: kept in memory, for as long as one access token.
//!
//! Without them nobody could look why the disk is full.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use testhide_protocol::{SessionId, Timestamp, UserId};

/// Most that are kept; the one that ends first makes room.
const MOST: usize = 1000;

/// Sessions that are not stored, with their end.
#[derive(Default)]
pub(super) struct BriefSessions(Mutex<BTreeMap<(UserId, SessionId), Timestamp>>);

impl BriefSessions {
    /// Keeps a session until `end`.
    pub(super) fn open(&self, user: UserId, session: SessionId, now: Timestamp, end: Timestamp) {
        let mut known = self.0.lock();
        known.retain(|_, end| *end > now);
        if known.len() >= MOST {
            let first = known.iter().min_by_key(|(_, end)| **end);
            let first = first.map(|(session, _)| *session);
            first.map(|session| known.remove(&session));
        }
        known.insert((user, session), end);
    }

    /// Whether such a session goes on.
    pub(super) fn is_open(&self, user: UserId, session: SessionId, now: Timestamp) -> bool {
        let end = self.0.lock().get(&(user, session)).copied();
        end.is_some_and(|end| end > now)
    }

    /// Ends a session; says whether there was one.
    pub(super) fn end(&self, user: UserId, session: SessionId) -> bool {
        self.0.lock().remove(&(user, session)).is_some()
    }

    /// Ends every session of `user` but `kept`.
    pub(super) fn end_all(&self, user: UserId, kept: Option<SessionId>) {
        self.0
            .lock()
            .retain(|(owner, session), _| *owner != user || Some(*session) == kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_fit_and_as_long_as_they_may() {
        let (sessions, user) = (BriefSessions::default(), UserId::generate());
        let ids: Vec<_> = (0..=MOST).map(|_| SessionId::generate()).collect();
        for (place, id) in ids.iter().enumerate() {
            let now = Timestamp(place as i64);
            sessions.open(user, *id, now, now.plus_millis(10_000));
        }
        let now = Timestamp(MOST as i64);
        assert!(!sessions.is_open(user, ids[0], now), "it made room");
        assert!(sessions.is_open(user, ids[1], now));
        assert!(
            !sessions.is_open(user, ids[1], Timestamp(10_001)),
            "it has ended"
        );
        assert!(!sessions.is_open(UserId::generate(), ids[1], now));
        sessions.end_all(user, Some(ids[2]));
        assert!(!sessions.is_open(user, ids[1], now) && sessions.is_open(user, ids[2], now));
        assert!(sessions.end(user, ids[2]) && !sessions.end(user, ids[2]));
    }
}
