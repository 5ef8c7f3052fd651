//! Trying again: growing pauses with a random part, so that many clients do not come back at the same moment.

use crate::cli::error::CliError;
use crate::cli::output::Printer;
use crate::kit::random_bytes;
use std::time::Duration;

/// Pauses between tries.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Half a second, doubling up to 15 s.
    pub(in crate::cli) fn usual() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(15))
    }

    /// Pauses from `first`, doubling up to `longest`.
    pub(in crate::cli) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// No pauses at all.
    #[cfg(test)]
    pub(in crate::cli) fn none() -> Self {
        Self::new(Duration::ZERO, Duration::ZERO)
    }

    /// The next pause; at least what the server asked for.
    pub(in crate::cli) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        let [random] = random_bytes::<1>();
        let part = pause.mul_f64(0.75 + f64::from(random) / 255.0 * 0.25);
        part.max(asked.unwrap_or_default())
    }

    /// Waits for the next pause.
    pub(in crate::cli) async fn pause(&mut self, asked: Option<Duration>) {
        tokio::time::sleep(self.next(asked)).await;
    }

    /// Starts from the first pause again.
    pub(in crate::cli) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Does `work` up to `tries` times while its error is a temporary one.
pub(in crate::cli) async fn with_retries<T>(
    printer: &Printer,
    tries: u32,
    mut backoff: Backoff,
    mut work: impl AsyncFnMut() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut left = tries;
    loop {
        left = left.saturating_sub(1);
        match work().await {
            Err(error) if error.is_temporary() && left > 0 => {
                printer.say(&format!("{} ({}); trying again", error.detail, error.code));
                backoff.pause(error.retry_after).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_limit_and_heed_the_server() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400));
        for longest in [100, 200, 400, 400] {
            let pause = backoff.next(None).as_millis();
            assert!(
                (longest * 3 / 4..=longest).contains(&pause),
                "{pause} of {longest}"
            );
        }
        assert_eq!(
            backoff.next(Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_millis(100));
    }
}
