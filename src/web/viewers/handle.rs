//! The handle that routes ask for a place and a turn.

use super::seats::{Seat, Seats};
use super::share::Share;
use crate::web::ApiResult;
use parking_lot::Mutex;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::UserId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Bytes of log a second that one processor takes at its best, from an agent on the same machine to the disk. How fast it is in fact is seen
/// while it works.
const BYTES_OF_PROCESSOR: usize = 100_000_000;

/// Deliveries that are smaller do not count: a hundred steps that say a line now and then wait for the disk, and keep nothing busy.
const SMALLEST_DELIVERY: usize = 64 * 1024;

/// What an answer costs besides its bytes, in bytes of log: a request takes about a third of a millisecond of a processor.
const ANSWER: f64 = 32.0 * 1024.0;

/// What a byte that is read costs, in bytes of log.
const READ_BYTE: f64 = 0.25;

/// How many there may be, and how long the server waits for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerLimits {
    /// Long polls and live sockets at once.
    pub waiting: usize,
    /// Of one account.
    pub waiting_of_account: usize,
    /// Downloads of logs and files at once: each holds a piece in memory.
    pub downloads: usize,
    /// Of one account.
    pub downloads_of_account: usize,
    /// How long a reader may take nothing.
    pub patience: Duration,
}

impl Default for ViewerLimits {
    fn default() -> Self {
        Self {
            waiting: 4096,
            waiting_of_account: 1024,
            downloads: 256,
            downloads_of_account: 64,
            patience: Duration::from_secs(20),
        }
    }
}

/// In which line one waits. Each line is served in the order of coming; a person who turns a page does not stand behind a thousand
/// followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A page that somebody asked for.
    Page,
    /// The answer to somebody who waited for lines.
    Follow,
    /// The answer to somebody who waited for events, and a live feed's next ones.
    Feed,
    /// A part of a file.
    Download,
}

/// Everybody who looks at the server; clones share it.
#[derive(Clone)]
pub struct Viewers(Arc<Shared>);

struct Shared {
    limits: ViewerLimits,
    waiting: Arc<Seats>,
    downloads: Arc<Seats>,
    share: Mutex<Share>,
    began: Instant,
    lines: [tokio::sync::Mutex<()>; 4],
    closing: CancellationToken,
}

impl Default for Viewers {
    fn default() -> Self {
        Self::new(ViewerLimits::default(), CancellationToken::new())
    }
}

impl Viewers {
    /// Nobody yet. When `closing` fires, nobody waits any more.
    #[must_use]
    pub fn new(limits: ViewerLimits, closing: CancellationToken) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Shared {
            limits,
            waiting: Seats::new(limits.waiting, limits.waiting_of_account),
            downloads: Seats::new(limits.downloads, limits.downloads_of_account),
            share: Mutex::new(Share::new((BYTES_OF_PROCESSOR * processors) as f64)),
            began: Instant::now(),
            lines: Default::default(),
            closing,
        }))
    }

    /// How many there may be, and how long the server waits for them.
    #[must_use]
    pub fn limits(&self) -> &ViewerLimits {
        &self.0.limits
    }

    /// Fires when the server is to end.
    #[must_use]
    pub fn closing(&self) -> CancellationToken {
        self.0.closing.clone()
    }

    /// A place for somebody who waits for news.
    ///
    /// # Errors
    /// 503 when all are taken, 429 when the account has as many as it may; both say when to ask again.
    pub fn wait_seat(&self, account: UserId) -> ApiResult<Seat> {
        self.0.waiting.take(account)
    }

    /// A place for a download.
    ///
    /// # Errors
    /// As [`Viewers::wait_seat`].
    pub fn download_seat(&self, account: UserId) -> ApiResult<Seat> {
        self.0.downloads.take(account)
    }

    /// Long polls and live sockets at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.taken()
    }

    /// Downloads of logs and files at this moment.
    #[must_use]
    pub fn downloading(&self) -> usize {
        self.0.downloads.taken()
    }

    /// Waits until the caller may read something. What it reads is told with [`Viewers::took`].
    pub async fn turn(&self, turn: Turn) {
        let _in_order = self.0.lines[turn as usize].lock().await;
        loop {
            let wait = {
                let mut share = self.0.share.lock();
                let wait = share.wait(self.0.began.elapsed());
                if wait.is_none() && turn != Turn::Download {
                    share.read(self.0.began.elapsed(), ANSWER);
                }
                wait
            };
            let Some(wait) = wait else { return };
            tokio::time::sleep(wait).await;
        }
    }

    /// Somebody read `bytes`.
    pub fn took(&self, bytes: usize) {
        let cost = bytes as f64 * READ_BYTE;
        self.0.share.lock().read(self.0.began.elapsed(), cost);
    }

    /// Work on what an agent delivered begins: `bytes` of log. It lasts until the answer is dropped.
    #[must_use]
    pub fn delivery(&self, bytes: usize) -> Option<Delivery> {
        (bytes >= SMALLEST_DELIVERY).then(|| {
            let viewers = self.clone();
            let now = self.0.began.elapsed();
            self.0.share.lock().delivery_begins(now);
            Delivery { viewers, bytes }
        })
    }
}

/// Work on what an agent delivered.
pub struct Delivery {
    viewers: Viewers,
    bytes: usize,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let shared = &self.viewers.0;
        let now = shared.began.elapsed();
        shared.share.lock().delivery_ends(now, self.bytes as f64);
    }
}
