//! A value of the store that many wait for: one of them reads it after each commit, the others hear of it.

use super::database::{ReadTxn, Storage};
use super::error::StorageError;
use tokio::sync::{Mutex, watch};

/// Keeps those together who wait for the same value. However many they are, a commit costs one reading.
pub struct Watched<T> {
    /// What the last reading found.
    news: watch::Sender<Option<T>>,
    /// Held by the one who reads. Whoever stops waiting passes it on.
    reader: Mutex<()>,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self {
            news: watch::Sender::new(None),
            reader: Mutex::new(()),
        }
    }
}

impl<T: Clone + PartialEq> Watched<T> {
    /// Waits until `read` finds a value that is `reached`, and answers it. `read` must be the same for everybody who waits here, and what is
    /// reached once must stay so: a value that was read a moment ago may answer.
    ///
    /// # Errors
    /// Failures of the store, and [`StorageError::Closing`] when the writer has ended.
    pub async fn until(
        &self,
        storage: &Storage,
        read: impl Fn(&ReadTxn) -> Result<T, StorageError>,
        reached: impl Fn(&T) -> bool,
    ) -> Result<T, StorageError> {
        let mut news = self.news.subscribe();
        let now = storage.read(&read)?;
        if reached(&now) {
            return Ok(now);
        }
        loop {
            if let Some(value) = news.borrow_and_update().as_ref()
                && reached(value)
            {
                return Ok(value.clone());
            }
            // News first: of all whose wait is over by one reading, none takes the duty on.
            tokio::select! {
                biased;
                changed = news.changed() => changed.expect("`self` holds the sender"),
                _reader = self.reader.lock() => return self.read_on(storage, &read, &reached).await,
            }
        }
    }

    async fn read_on(
        &self,
        storage: &Storage,
        read: impl Fn(&ReadTxn) -> Result<T, StorageError>,
        reached: impl Fn(&T) -> bool,
    ) -> Result<T, StorageError> {
        let mut commits = storage.commits();
        loop {
            commits.borrow_and_update();
            let value = storage.read(&read)?;
            self.news.send_if_modified(|known| {
                let is_new = known.as_ref() != Some(&value);
                if is_new {
                    *known = Some(value.clone());
                }
                is_new
            });
            if reached(&value) {
                return Ok(value);
            }
            commits.changed().await.map_err(|_| StorageError::Closing)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Watched;
    use crate::storage::{OpenOptions, Storage, StorageError, Table};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NUMBERS: Table<u64, u64> = Table::new("watched_numbers");

    async fn set(storage: &Storage, number: u64) {
        let stored: Result<(), StorageError> = storage
            .write(move |wtxn| NUMBERS.write(wtxn)?.put(&0, &number))
            .await;
        stored.unwrap();
    }

    #[tokio::test]
    async fn many_wait_and_few_read() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let watched = Arc::new(Watched::<u64>::default());
        let readings = Arc::new(AtomicUsize::new(0));
        let (many, each) = (200, 5);
        let mut waiting = tokio::task::JoinSet::new();
        for number in (0..many).flat_map(|_| 1..=each) {
            let (storage, watched, readings) = (storage.clone(), watched.clone(), readings.clone());
            waiting.spawn(async move {
                let read = |rtxn: &crate::storage::ReadTxn| {
                    readings.fetch_add(1, Ordering::SeqCst);
                    Ok(NUMBERS.read(rtxn)?.get(&0)?.unwrap_or(0))
                };
                let found = watched
                    .until(&storage, read, |value| *value >= number)
                    .await;
                assert!(found.unwrap() >= number);
            });
        }
        // Everybody has looked once, and one looks on.
        let all = usize::try_from(many * each).unwrap();
        while readings.load(Ordering::SeqCst) < all + 1 {
            tokio::task::yield_now().await;
        }
        for number in 1..=each {
            set(&storage, number).await;
        }
        while let Some(done) = waiting.join_next().await {
            done.unwrap();
        }
        // One reading a commit, and one more by whoever took the duty on before its own wait was over.
        let further = readings.load(Ordering::SeqCst) - all;
        assert!(further <= 3 * usize::try_from(each).unwrap(), "{further}");
        storage.close().await;
        volumes.close().await;
    }
}
