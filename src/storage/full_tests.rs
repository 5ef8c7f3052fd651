//! A disk that is full at each write of a trace: nothing acknowledged is lost, reading goes on, and the store comes back without a restart.
//!
//! `TESTHIDE_FULL_STEPS` writes make the trace (4 unless told).

use super::{
    Dice, MemoryDisk, OpenOptions, Room, Storage, StorageError, Table, VolumeRef, Volumes,
};
use bytes::Bytes;
use std::collections::BTreeMap;

const PLACES: Table<u64, Vec<u8>> = Table::new("places");
const COUNT: Table<u64, u64> = Table::new("count");

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn steps() -> u64 {
    std::env::var("TESTHIDE_FULL_STEPS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(4)
}

/// Larger than the space that a new file has, so that files grow within the trace.
fn bytes_of(number: u64) -> Vec<u8> {
    vec![number as u8; 40_000 + 4_000 * (number as usize % 5)]
}

/// What a use case does: bytes to a volume, then the row that says where they are, and how many there are.
async fn store(storage: &Storage, volumes: &Volumes, number: u64) -> Result<(), StorageError> {
    let place = volumes.append(vec![Bytes::from(bytes_of(number))]).await?[0];
    let row = serde_json::to_vec(&place).unwrap();
    let write = storage.write(move |wtxn| {
        PLACES.write(wtxn)?.put(&number, &padded(&row))?;
        let mut count = COUNT.write(wtxn)?;
        let stored = count.get(&0)?.unwrap_or_default();
        count.put(&0, &(stored + 1))
    });
    write.await
}

/// Rows are made large, so that the state grows too.
fn padded(row: &[u8]) -> Vec<u8> {
    let mut row = row.to_vec();
    row.resize(30_000, b' ');
    row
}

fn rows(storage: &Storage) -> Result<BTreeMap<u64, VolumeRef>, StorageError> {
    storage.read(|rtxn| {
        let rows = PLACES.read(rtxn)?;
        let rows = rows.all()?.map(|row| {
            let (number, row) = row?;
            Ok((number, serde_json::from_slice(&row).unwrap()))
        });
        rows.collect()
    })
}

/// Every row is whole, and there are as many as are counted.
fn check_whole(storage: &Storage, volumes: &Volumes, what: &str) -> BTreeMap<u64, VolumeRef> {
    let rows = rows(storage).unwrap_or_else(|error| panic!("{what}: {error}"));
    for (number, place) in &rows {
        let bytes = volumes
            .read(place)
            .unwrap_or_else(|error| panic!("{what}: row {number}: {error}"));
        assert!(bytes == bytes_of(*number), "{what}: row {number}");
    }
    let count = storage.read(|rtxn| COUNT.read(rtxn)?.get(&0)).unwrap();
    assert_eq!(count.unwrap_or_default(), rows.len() as u64, "{what}");
    rows
}

/// Writes until the disk is full after `writes` more, and says how many writes the whole trace takes when it never was.
fn full_after(writes: u64) -> Option<u64> {
    let disk = MemoryDisk::default();
    let runtime = runtime();
    let (storage, volumes, _) = OpenOptions::open_on(&disk).open().unwrap();
    let before = disk.writes();
    disk.set_room(Room::For(writes));
    let mut stored = Vec::new();
    let mut refused = None;
    for number in 0..steps() {
        match runtime.block_on(store(&storage, &volumes, number)) {
            Ok(()) => stored.push(number),
            Err(error) => {
                assert!(
                    matches!(error, StorageError::Unavailable { .. }),
                    "full after {writes}: {error}"
                );
                refused = Some(number);
                break;
            }
        }
    }
    let Some(refused) = refused else {
        return Some(disk.writes() - before);
    };
    let what = format!("full after {writes}");
    // At once: refused, said, and read.
    let again = runtime.block_on(store(&storage, &volumes, refused));
    assert!(
        matches!(again, Err(StorageError::Unavailable { .. })),
        "{what}: {again:?}"
    );
    assert!(
        storage.trouble().is_some() || volumes.trouble().is_some(),
        "{what}"
    );
    let seen = check_whole(&storage, &volumes, &what);
    assert!(
        stored.iter().all(|number| seen.contains_key(number)),
        "{what}"
    );
    // Not before there is room.
    let mended = runtime.block_on(async { storage.mend().await.and(volumes.mend().await) });
    assert!(mended.is_err(), "{what}");
    assert!(!storage.broken().is_cancelled(), "{what}");
    check_whole(&storage, &volumes, &what);
    // A process that is started now can be read, too.
    let killed = disk.after_kill();
    killed.set_room(Room::For(0));
    let (other, others, _) = OpenOptions::open_on(&killed).open().unwrap();
    let left = check_whole(&other, &others, &what);
    assert!(
        stored.iter().all(|number| left.contains_key(number)),
        "{what}"
    );
    drop((other, others));
    // With room, on its own; with too little, at any write of the attempt, everything stays as it is.
    let mend = || runtime.block_on(async { storage.mend().await.and(volumes.mend().await) });
    for little in (0..if writes.is_multiple_of(7) { 40 } else { 0 }).step_by(3) {
        disk.set_room(Room::For(little));
        drop(mend());
        check_whole(&storage, &volumes, &format!("{what}, mended with {little}"));
    }
    disk.set_room(Room::Endless);
    mend().unwrap();
    assert_eq!(
        (storage.trouble(), volumes.trouble()),
        (None, None),
        "{what}"
    );
    let seen = check_whole(&storage, &volumes, &what);
    assert!(
        stored.iter().all(|number| seen.contains_key(number)),
        "{what}"
    );
    for number in steps()..steps() + 3 {
        runtime.block_on(store(&storage, &volumes, number)).unwrap();
    }
    let before = check_whole(&storage, &volumes, &what);
    // What is acknowledged now is on the platters.
    let cut = disk.after_power_cut(&mut Dice::new(writes));
    let (storage, volumes, _) = OpenOptions::open_on(&cut).open().unwrap();
    assert_eq!(check_whole(&storage, &volumes, &what), before, "{what}");
    None
}

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing_and_comes_back() {
    let mut writes = 0;
    while full_after(writes).is_none() {
        writes += 1;
    }
    assert!(writes > 4 * steps(), "the trace has only {writes} writes");
    println!("full at each of {writes} writes");
}
