//! Places for those who stay: so many on the server, so many for one account.

use crate::web::ApiError;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use testhide_protocol::UserId;

/// Seconds after which it is worth to ask again.
const RETRY_SECONDS: u32 = 5;

/// The places of one kind.
pub(super) struct Seats {
    all: usize,
    of_account: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_account: HashMap<UserId, usize>,
}

/// One place; given back when it is dropped.
pub struct Seat {
    seats: Arc<Seats>,
    account: UserId,
}

impl Seats {
    pub(super) fn new(all: usize, of_account: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            of_account,
            taken: Mutex::default(),
        })
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().all
    }

    /// Takes a place for `account`.
    ///
    /// # Errors
    /// 503 when all are taken, 429 when the account has as many as it may; both say when to ask again.
    pub(super) fn take(self: &Arc<Self>, account: UserId) -> Result<Seat, ApiError> {
        let mut taken = self.taken.lock();
        if taken.all >= self.all {
            let detail = format!("the server serves {} viewers at once already", self.all);
            return Err(ApiError::new(503, "too_many_viewers", detail).retry_after(RETRY_SECONDS));
        }
        let own = taken.by_account.entry(account).or_default();
        if *own >= self.of_account {
            let detail = format!(
                "this account has {} viewers at once already",
                self.of_account
            );
            return Err(ApiError::new(429, "too_many_viewers_of_account", detail)
                .retry_after(RETRY_SECONDS));
        }
        *own += 1;
        taken.all += 1;
        Ok(Seat {
            seats: self.clone(),
            account,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        taken.all -= 1;
        let own = taken
            .by_account
            .get_mut(&self.account)
            .expect("a seat is counted for its account");
        *own -= 1;
        if *own == 0 {
            taken.by_account.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seat, Seats};
    use proptest::prelude::*;
    use testhide_protocol::UserId;

    proptest! {
        #[test]
        fn places_are_counted(moves in prop::collection::vec((0u8..4, any::<bool>()), 0..60)) {
            let seats = Seats::new(5, 2);
            let mut held: Vec<(u8, Seat)> = Vec::new();
            for (account, comes) in moves {
                if !comes {
                    if let Some(place) = held.iter().position(|(own, _)| *own == account) {
                        held.swap_remove(place);
                    }
                    continue;
                }
                let own = held.iter().filter(|(own, _)| *own == account).count();
                match seats.take(UserId::from_bytes([account; 16])) {
                    Ok(seat) => {
                        prop_assert!(held.len() < 5 && own < 2);
                        held.push((account, seat));
                    }
                    Err(error) if held.len() == 5 => prop_assert_eq!(error.status(), 503),
                    Err(error) => {
                        prop_assert_eq!(error.status(), 429);
                        prop_assert_eq!(own, 2);
                    }
                }
            }
            held.clear();
            let taken = seats.taken.lock();
            prop_assert_eq!((taken.all, taken.by_account.len()), (0, 0));
        }
    }
}
