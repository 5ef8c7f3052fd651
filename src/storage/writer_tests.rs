//! Group commit: neighbours of a failing write, panics, and many writers at once.

use super::{MemoryDisk, OpenOptions, StorageError, Table};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const COUNTS: Table<u64, u64> = Table::new("counts");

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("odd")]
    Odd,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_failing_write_leaves_no_trace_and_harms_no_neighbour() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let runtime = runtime();
    let answers = runtime.block_on(async {
        let writes = (0..200u64).map(|number| {
            let storage = storage.clone();
            async move {
                let write = storage.write(move |wtxn| {
                    COUNTS.write(wtxn)?.put(&number, &number)?;
                    if number % 3 == 1 {
                        Err(Refusal::Odd)
                    } else {
                        Ok(number)
                    }
                });
                (number, write.await)
            }
        });
        join_all(writes).await
    });
    let stored: Vec<u64> = storage
        .read(|rtxn| {
            COUNTS
                .read(rtxn)?
                .all()?
                .map(|row| Ok(row?.0))
                .collect::<Result<_, StorageError>>()
        })
        .unwrap();
    assert_eq!(
        stored,
        (0..200)
            .filter(|number| number % 3 != 1)
            .collect::<Vec<_>>()
    );
    for (number, answer) in answers {
        assert_eq!(answer.is_ok(), number % 3 != 1, "{number}");
    }
}

#[test]
fn writes_in_turn_need_no_second_thread_of_the_runtime() {
    let disk = MemoryDisk::default();
    let (storage, volumes, _) = OpenOptions::open_on(&disk).in_turn().open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let order = runtime.block_on(async {
        let writes = (0..20u64).map(|number| {
            let (storage, volumes) = (storage.clone(), volumes.clone());
            async move {
                volumes.append(vec![vec![1; 10].into()]).await.unwrap();
                let write = storage.write(move |wtxn| {
                    let mut table = COUNTS.write(wtxn)?;
                    let place = table.len()?;
                    table.put(&number, &place)?;
                    Ok::<_, StorageError>(place)
                });
                write.await.unwrap()
            }
        });
        join_all(writes).await
    });
    assert_eq!(order, (0..20).collect::<Vec<_>>());
}

#[test]
fn a_panic_is_one_callers_error() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let runtime = runtime();
    let panicking = runtime.block_on(storage.write(|wtxn| -> Result<(), StorageError> {
        COUNTS.write(wtxn)?.put(&1, &1)?;
        panic!("on purpose")
    }));
    assert!(
        matches!(&panicking, Err(StorageError::Panicked(text)) if text.contains("on purpose")),
        "{panicking:?}"
    );
    runtime
        .block_on(storage.write(|wtxn| COUNTS.write(wtxn)?.put(&2, &2)))
        .unwrap();
    let stored = storage.read(|rtxn| COUNTS.read(rtxn)?.len()).unwrap();
    assert_eq!(stored, 1);
}

#[test]
fn a_read_modify_write_by_many_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let runs = Arc::new(AtomicU64::new(0));
    runtime().block_on(async {
        let writes = (0..64).map(|_| {
            let runs = runs.clone();
            storage.write(move |wtxn| {
                runs.fetch_add(1, Ordering::SeqCst);
                let mut table = COUNTS.write(wtxn)?;
                let count = table.get(&0)?.unwrap_or_default();
                table.put(&0, &(count + 1))
            })
        });
        for outcome in join_all(writes).await {
            outcome.unwrap();
        }
    });
    assert_eq!(
        storage.read(|rtxn| COUNTS.read(rtxn)?.get(&0)).unwrap(),
        Some(64)
    );
    assert_eq!(
        runs.load(Ordering::SeqCst),
        64,
        "no write ran twice without a failure"
    );
}
