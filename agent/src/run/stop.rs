//! Why an attempt is stopped before its own end. A later, harder reason takes the place of an earlier one.

use tokio::sync::watch;

/// A reason, the softest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Somebody cancelled the build: post steps still run.
    Cancel(String),
    /// The disk refuses the attempt's output.
    Broken(String),
    /// The agent ends.
    Shutdown,
    /// The server has taken the lease back: nothing that follows matters to anybody.
    Abandon,
}

impl Stop {
    /// Whether post steps are left out, too.
    pub(crate) fn is_hard(&self) -> bool {
        !matches!(self, Self::Cancel(_))
    }
}

/// Stops an attempt.
#[derive(Debug, Clone)]
pub(crate) struct StopSwitch(watch::Sender<Option<Stop>>);

/// Hears of a stop.
#[derive(Debug, Clone)]
pub(crate) struct StopSignal {
    reason: watch::Receiver<Option<Stop>>,
    /// Deaf to a cancel: for what runs after one.
    hard_only: bool,
}

impl StopSwitch {
    /// A switch and what hears it.
    pub(crate) fn new() -> (Self, StopSignal) {
        let (sender, reason) = watch::channel(None);
        (
            Self(sender),
            StopSignal {
                reason,
                hard_only: false,
            },
        )
    }

    /// Stops, unless there is a harder reason already.
    pub(crate) fn stop(&self, stop: Stop) {
        self.0.send_if_modified(|reason| {
            let harder = reason.as_ref().is_none_or(|reason| *reason < stop);
            if harder {
                *reason = Some(stop);
            }
            harder
        });
    }
}

impl StopSignal {
    /// The same signal, deaf to a cancel.
    pub(crate) fn hard_only(&self) -> Self {
        Self {
            reason: self.reason.clone(),
            hard_only: true,
        }
    }

    /// The reason so far.
    pub(crate) fn reason(&self) -> Option<Stop> {
        let reason = self.reason.borrow().clone();
        reason.filter(|stop| stop.is_hard() || !self.hard_only)
    }

    /// Waits for a reason.
    pub(crate) async fn stopped(&mut self) -> Stop {
        let hard_only = self.hard_only;
        let heard = |reason: &Option<Stop>| {
            reason
                .as_ref()
                .is_some_and(|stop| stop.is_hard() || !hard_only)
        };
        let reason = match self.reason.wait_for(heard).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        match reason {
            Some(stop) => stop,
            // Every switch is gone: nobody can stop this any more.
            None => std::future::pending().await,
        }
    }
}
