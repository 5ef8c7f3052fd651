//! Work on other threads, and waiting for them.
//!
//! A simulation has one thread, so that a schedule can be repeated: there, such work is done in its turn, and who waits for another thread
//! waits on the spot.

use tokio::sync::oneshot;
use tokio::task::JoinError;

/// Runs `work` on a thread that may block, and answers what it answers.
///
/// # Errors
/// When `work` panicked.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    #[cfg(feature = "simulation")]
    if is_one_thread() {
        return tokio::spawn(async move { work() }).await;
    }
    tokio::task::spawn_blocking(work).await
}

/// What another thread answers.
///
/// # Errors
/// When it ended without an answer.
pub(crate) async fn answer_of<T>(
    answered: oneshot::Receiver<T>,
) -> Result<T, oneshot::error::RecvError> {
    #[cfg(feature = "simulation")]
    if is_one_thread() {
        // Without a share of the task's time: who waits in place would use it up and wait for ever.
        return one::wait_in_place(tokio::task::unconstrained(answered));
    }
    answered.await
}

#[cfg(feature = "simulation")]
pub use one::keep_to_this_thread;
#[cfg(feature = "simulation")]
pub(crate) use one::{is_one_thread, simulated_now};

#[cfg(feature = "simulation")]
mod one {
    //! One thread for everything.

    use std::cell::Cell;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::Thread;
    use testhide_protocol::Timestamp;
    use tokio::time::Instant;

    thread_local!(static BEGAN: Cell<Option<(Instant, Timestamp)>> = const { Cell::new(None) });

    /// From now on what this thread starts stays on it, and its wall clock goes with the runtime's time from `now` on.
    pub fn keep_to_this_thread(now: Timestamp) {
        BEGAN.set(Some((Instant::now(), now)));
    }

    /// Whether what this thread starts stays on it.
    pub(crate) fn is_one_thread() -> bool {
        BEGAN.get().is_some()
    }

    /// The wall clock of a simulation.
    pub(crate) fn simulated_now() -> Option<Timestamp> {
        let (began, now) = BEGAN.get()?;
        let elapsed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Some(now.plus_millis(elapsed))
    }

    /// Waits for a future on this thread, also inside a runtime.
    pub(super) fn wait_in_place<F: Future>(future: F) -> F::Output {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}
