//! Small durable writes: many writers who share commits, and one who commits each alone.

use super::support::{Goal, Table, percentile};
use redb::{Database, Durability, TableDefinition};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testhide::storage::{self, OpenOptions, Storage, StorageError};

/// Writers at once.
const WRITERS: u64 = 64;

/// Rounds in which each way is measured once: a disk that is quick one second and slow the next treats all alike.
const ROUNDS: usize = 9;

/// How long each way is measured in a round.
const MEASURED: Duration = Duration::from_millis(500);

const ROWS: storage::Table<u64, Vec<u8>> = storage::Table::new("bench_rows");
const BARE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bench_rows");

pub(crate) async fn measure(table: &mut Table) {
    let (mut together, mut alone, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (rate, sync) = tokio::task::spawn_blocking(|| (commit_each_alone(), sync_millis()))
            .await
            .expect("it ends");
        bare.push(rate);
        syncs.push(sync);
        alone.push(write_with(1).await);
        together.push(write_with(WRITERS).await);
        ratios.push(together[together.len() - 1] / rate);
    }
    let [together, alone, bare, ratio, sync] =
        [together, alone, bare, ratios, syncs].map(|mut samples| percentile(&mut samples, 50));
    table.add(
        "64 writers, group commit",
        together,
        "writes/s",
        Goal::AtLeast(20_000.0),
    );
    table.add(
        "one writer of the same store",
        alone,
        "writes/s",
        Goal::None,
    );
    table.add(
        "one writer on bare redb, each committed alone",
        bare,
        "writes/s",
        Goal::None,
    );
    table.add(
        "64 writers to one on bare redb",
        ratio,
        "times",
        Goal::AtLeast(50.0),
    );
    table.add("a sync of 4 KiB meanwhile, p50", sync, "ms", Goal::None);
}

/// Durable writes a second of `writers` who each wait for their own before the next.
async fn write_with(writers: u64) -> f64 {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (storage, volumes, _guard) = OpenOptions::new(dir.path()).open().expect("a store opens");
    // In the order of time, as the store's own keys are: events count up, ids are UUIDv7.
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut writing = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let (storage, next) = (storage.clone(), next.clone());
        writing.spawn(async move { write_until(&storage, &next, began).await });
    }
    writing.join_all().await;
    let rate = next.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    storage.close().await;
    volumes.close().await;
    rate
}

async fn write_until(storage: &Storage, next: &AtomicU64, began: Instant) {
    while began.elapsed() < MEASURED {
        let key = next.fetch_add(1, Ordering::Relaxed);
        let row = vec![7u8; 100];
        let stored: Result<(), StorageError> = storage
            .write(move |wtxn| ROWS.write(wtxn)?.put(&key, &row))
            .await;
        stored.expect("the store takes a row");
    }
}

fn commit_each_alone() -> f64 {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let database = Database::create(dir.path().join("bare.redb")).expect("a store opens");
    let began = Instant::now();
    let mut count = 0u64;
    while began.elapsed() < MEASURED {
        let mut wtxn = database.begin_write().expect("a transaction begins");
        wtxn.set_durability(Durability::Immediate)
            .expect("durability is set");
        wtxn.open_table(BARE)
            .expect("a table opens")
            .insert(count, [7u8; 100].as_slice())
            .expect("the store takes a row");
        wtxn.commit().expect("the disk takes it");
        count += 1;
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// Milliseconds of a sync of one written page, in the middle of some.
fn sync_millis() -> f64 {
    let mut file = tempfile::tempfile().expect("a temporary file");
    let mut millis = Vec::new();
    for _ in 0..25 {
        file.write_all(&[7u8; 4096]).expect("the disk takes a page");
        let began = Instant::now();
        file.sync_data().expect("the disk takes it");
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    percentile(&mut millis, 50)
}
