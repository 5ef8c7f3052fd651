//! A bell: wakes everybody who listens, and carries nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Rings for all who listen; clones are the same bell.
///
/// Who began to listen first is woken first: a `watch` channel wakes in no order, and what is given away after a ring would then go by
/// chance instead of to who has waited longest.
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rung: AtomicU64,
    waiting: Notify,
}

/// One who listens.
pub struct Hearing {
    bell: Bell,
    heard: u64,
}

impl Bell {
    /// Wakes everybody who listens.
    pub fn ring(&self) {
        self.0.rung.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }

    /// Listens; what rang before is not heard.
    #[must_use]
    pub fn listen(&self) -> Hearing {
        Hearing {
            bell: self.clone(),
            heard: self.0.rung.load(Ordering::SeqCst),
        }
    }
}

impl Hearing {
    /// Returns once the bell has rung since the last time that it was heard; several rings count as one.
    pub async fn rung(&mut self) {
        loop {
            let bell = self.bell.clone();
            // Made before the count is looked at, so that a ring in between is heard.
            let waiting = bell.0.waiting.notified();
            if self.has_rung() {
                return;
            }
            waiting.await;
        }
    }

    /// Whether the bell has rung since the last time that it was heard, which this is.
    pub fn has_rung(&mut self) -> bool {
        let rung = self.bell.0.rung.load(Ordering::SeqCst);
        std::mem::replace(&mut self.heard, rung) != rung
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_is_heard_once_and_never_missed() {
        let bell = Bell::default();
        bell.ring();
        let mut hearing = bell.listen();
        assert!(!hearing.has_rung(), "it rang before");
        bell.ring();
        bell.ring();
        hearing.rung().await;
        assert!(!hearing.has_rung());
        tokio::join!(hearing.rung(), async { bell.ring() });
        assert!(!hearing.has_rung());
    }
}
