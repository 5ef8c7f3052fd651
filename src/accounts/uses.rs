//! When API tokens were last used: kept in memory and stored now and then, because a request must not cost a commit.

use parking_lot::Mutex;
use std::collections::HashMap;
use testhide_protocol::{Timestamp, TokenId, UserId};

/// A use that is not stored yet, by token.
pub(super) type Noted = HashMap<(UserId, TokenId), Timestamp>;

/// Uses since they were stored last.
#[derive(Default)]
pub(super) struct Uses(Mutex<Noted>);

impl Uses {
    /// A token was used.
    pub(super) fn note(&self, user: UserId, token: TokenId, at: Timestamp) {
        self.0.lock().insert((user, token), at);
    }

    /// The last use of a token that is not stored yet.
    pub(super) fn of(&self, user: UserId, token: TokenId) -> Option<Timestamp> {
        self.0.lock().get(&(user, token)).copied()
    }

    /// Everything that is to be stored.
    pub(super) fn take(&self) -> Noted {
        std::mem::take(&mut *self.0.lock())
    }

    /// It could not be stored.
    pub(super) fn put_back(&self, noted: Noted) {
        let mut known = self.0.lock();
        for (token, at) in noted {
            let latest = known.entry(token).or_insert(at);
            *latest = at.max(*latest);
        }
    }
}
