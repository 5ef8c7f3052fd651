//! How fast agents may knock: a bound for each address, one for each agent that proved who it is, and one for all that have not yet.
//!
//! An agent that has not proved who it is counts for its address alone: else anybody could lock an agent out by its id. The bounds leave
//! room for hundreds of agents behind one address (a proxy, a company's network) that come back at the same moment.

use crate::kit::{Bucket, Clock, Rate};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::AgentId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections from one address. Each costs a challenge, a look into the store and the check of a signature.
const ADDRESS: Rate = Rate {
    burst: 1_000,
    per_second: 100.0,
};

/// Connections of one agent. Each ends the one before and costs a commit; an agent that comes back after every acknowledgement stays below.
const AGENT: Rate = Rate {
    burst: 60,
    per_second: 4.0,
};

/// Connections that have not proved who they are, at most 10 s each.
const WAITING: usize = 2_000;

/// Addresses and agents that are told apart; those beyond share a bound.
const TOLD_APART: usize = 10_000;

/// Who may come in now.
pub(super) struct Door {
    clock: Clock,
    addresses: Mutex<Buckets<IpAddr>>,
    agents: Mutex<Buckets<AgentId>>,
    waiting: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock.monotonic();
        Self {
            addresses: Mutex::new(Buckets::new(ADDRESS, now)),
            agents: Mutex::new(Buckets::new(AGENT, now)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            clock,
        }
    }

    /// Takes a connection from `address`, to be held until it has proved who it is; `None` when there are too many.
    pub(super) fn knock(&self, address: Option<IpAddr>) -> Option<OwnedSemaphorePermit> {
        let now = self.clock.monotonic();
        if let Some(address) = address
            && !self.addresses.lock().take(network(address), now)
        {
            return None;
        }
        self.waiting.clone().try_acquire_owned().ok()
    }

    /// Whether an agent that proved who it is may come in.
    pub(super) fn enter(&self, agent: AgentId) -> bool {
        self.agents.lock().take(agent, self.clock.monotonic())
    }
}

/// Who shares a bound: one address, or the 64 bits of an IPv6 address that one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

struct Buckets<K> {
    rate: Rate,
    known: HashMap<K, Bucket>,
    others: Bucket,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(rate: Rate, now: Duration) -> Self {
        Self {
            rate,
            known: HashMap::new(),
            others: Bucket::new(rate, now),
        }
    }

    fn take(&mut self, key: K, now: Duration) -> bool {
        if self.known.len() >= TOLD_APART && !self.known.contains_key(&key) {
            self.known.retain(|_, bucket| !bucket.is_full(now));
            if self.known.len() >= TOLD_APART {
                return self.others.take(now);
            }
        }
        let rate = self.rate;
        let bucket = self.known.entry(key);
        bucket.or_insert_with(|| Bucket::new(rate, now)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testhide_protocol::Timestamp;

    #[test]
    fn an_address_and_an_agent_have_their_own_bounds() {
        let clock = Clock::manual(Timestamp(0));
        let door = Door::new(clock.clone());
        let here: IpAddr = [127, 0, 0, 1].into();
        let taken = (0..2_000)
            .filter(|_| door.knock(Some(here)).is_some())
            .count();
        assert_eq!(taken, 1_000);
        assert!(door.knock(Some([127, 0, 0, 2].into())).is_some());
        clock.advance(Duration::from_secs(1));
        let taken = (0..2_000)
            .filter(|_| door.knock(Some(here)).is_some())
            .count();
        assert_eq!(taken, 100);
        let (one, two) = (AgentId::generate(), AgentId::generate());
        assert_eq!((0..100).filter(|_| door.enter(one)).count(), 60);
        assert!(door.enter(two));
    }

    #[test]
    fn those_who_prove_nothing_are_bounded_together() {
        let door = Door::new(Clock::manual(Timestamp(0)));
        let address = |number: u32| Some(IpAddr::V4(number.into()));
        let held: Vec<_> = (0..WAITING as u32)
            .map(|number| door.knock(address(number)))
            .collect();
        assert!(held.iter().all(Option::is_some));
        assert!(door.knock(address(77_777)).is_none());
        drop(held);
        assert!(door.knock(address(77_777)).is_some());
    }

    #[test]
    fn the_memory_is_bounded_and_idle_addresses_are_forgotten() {
        let mut buckets = Buckets::new(AGENT, Duration::ZERO);
        for number in 0..20_000u32 {
            buckets.take(number, Duration::ZERO);
        }
        assert_eq!(buckets.known.len(), TOLD_APART);
        assert!(
            !buckets.take(99_999, Duration::ZERO),
            "the others have used their share"
        );
        assert!(buckets.take(99_999, Duration::from_secs(60)));
        assert_eq!(buckets.known.len(), 1);
    }

    #[test]
    fn neighbours_of_one_customer_share_a_bound() {
        let check = |a: &str, b: &str, same: bool| {
            let network = |text: &str| network(text.parse().unwrap());
            assert_eq!(network(a) == network(b), same, "{a} {b}");
        };
        check("2001:db8::1", "2001:db8::ffff:1", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("10.0.0.1", "10.0.0.2", false);
        check("10.0.0.1", "::ffff:10.0.0.1", true);
    }
}
