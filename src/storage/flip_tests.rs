//! Bits that flip in the files of a store: each is found by the start, by reading or by the doctor, or it is harmless. None panics through the
//! store, and what is exported of a damaged directory is never wrong.
//!
//! `TESTHIDE_BIT_FLIPS` is the number of flips (120 unless told), half of them in a directory that was closed, half in one that was killed.

use super::backup::{self, BackupOptions};
use super::doctor::{Examination, TableCheck, examine_on, salvage_on};
use super::{Dice, MemoryDisk, OpenOptions, Record, StorageError, Table, VolumeRef};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use testhide_protocol::Timestamp;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    name: String,
    place: VolumeRef,
}
impl Record for Stored {
    fn places(&self) -> Vec<VolumeRef> {
        vec![self.place]
    }
}

const STORED: Table<u64, Stored> = Table::new("stored");
const NUMBERS: Table<(u32, String), u64> = Table::new("numbers");
const TABLES: &[TableCheck] = &[STORED.check(), NUMBERS.check()];

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What the directory holds: rows of both tables, and the bytes that the first refer to.
#[derive(Debug, PartialEq)]
struct Content {
    stored: Vec<(u64, Stored)>,
    numbers: Vec<((u32, String), u64)>,
    bytes: Vec<Vec<u8>>,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A directory after an end in order, and the same a moment before, as a kill leaves it.
fn directories() -> (Files, Files) {
    let disk = MemoryDisk::default();
    let (storage, volumes, _) = OpenOptions::open_on(&disk).open().unwrap();
    let killed = runtime().block_on(async {
        for round in 0..40u64 {
            let parts: Vec<Bytes> = (0..8)
                .map(|part| vec![(round * 8 + part) as u8; 2_000 + 300 * part as usize].into())
                .collect();
            let places = volumes.append(parts).await.unwrap();
            let write = storage.write(move |wtxn| {
                let mut stored = STORED.write(wtxn)?;
                let mut numbers = NUMBERS.write(wtxn)?;
                for (part, place) in places.iter().enumerate() {
                    let number = round * 8 + part as u64;
                    let name = format!("row {number} of round {round}");
                    stored.put(
                        &number,
                        &Stored {
                            name: name.clone(),
                            place: *place,
                        },
                    )?;
                    numbers.put(&(round as u32, name), &number)?;
                }
                Ok::<_, StorageError>(())
            });
            write.await.unwrap();
        }
        let killed = disk.after_kill().files();
        volumes.close().await;
        storage.close().await;
        killed
    });
    (disk.files(), killed)
}

/// Everything in the directory, read through the store.
fn read_all(options: &OpenOptions) -> Result<Content, StorageError> {
    let (storage, volumes, _) = options.open()?;
    storage.read(|rtxn| {
        let stored: Vec<(u64, Stored)> = STORED.read(rtxn)?.all()?.collect::<Result<_, _>>()?;
        let numbers = NUMBERS
            .read(rtxn)?
            .all()?
            .collect::<Result<_, StorageError>>()?;
        let bytes = stored.iter().map(|(_, row)| volumes.read(&row.place));
        let bytes = bytes.collect::<Result<_, _>>()?;
        Ok(Content {
            stored,
            numbers,
            bytes,
        })
    })
}

fn examined(files: &Files) -> Result<Examination, StorageError> {
    let disk = MemoryDisk::of(files.clone());
    let found = examine_on(&disk, Path::new("/data"), TABLES, &mut |_| {});
    assert!(disk.files() == *files, "the doctor changed a byte");
    found
}

/// Exports what can be read and restores it; gives how many rows came back. Every one of them is right.
fn exported(files: &Files, whole: &Content, what: &str) -> Result<usize, StorageError> {
    let disk = MemoryDisk::of(files.clone());
    let home = tempfile::tempdir().unwrap();
    let (file, dir) = (home.path().join("saved"), home.path().join("dir"));
    let mut out = std::fs::File::create(&file).unwrap();
    let options = BackupOptions::new(Timestamp(0));
    salvage_on(
        &disk,
        Path::new("/data"),
        TABLES,
        &options,
        &mut out,
        &mut |_| {},
    )?;
    backup::restore(&file, &dir, &mut |_| {}).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (storage, volumes, _) = OpenOptions::new(&dir).open().unwrap();
    let rows: Vec<(u64, Stored)> = storage
        .read(|rtxn| {
            STORED
                .read(rtxn)?
                .all()?
                .collect::<Result<_, StorageError>>()
        })
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    for (number, row) in &rows {
        let at = usize::try_from(*number).unwrap();
        let real = whole.stored.get(at).is_some_and(|(_, real)| real == row);
        assert!(real, "{what}: row {number} came back as {row:?}");
        if let Ok(bytes) = volumes.read(&row.place) {
            assert!(bytes == whole.bytes[at], "{what}: bytes of row {number}");
        }
    }
    Ok(rows.len())
}

#[derive(Debug, Default)]
struct Tally {
    at_start: u64,
    at_reading: u64,
    by_doctor: u64,
    rolled_back: u64,
    harmless: u64,
    exported: u64,
    exported_whole: u64,
    not_exported: u64,
}

fn flip_many(files: &Files, whole: &Content, flips: u64, seed: u64, killed: bool) -> Tally {
    let mut dice = Dice::new(seed);
    let mut tally = Tally::default();
    for flip in 0..flips {
        let paths: Vec<&PathBuf> = files.keys().collect();
        let path = paths[dice.below(paths.len())].clone();
        let mut damaged = files.clone();
        let bytes = damaged.get_mut(&path).unwrap();
        // Half of them where things are dense: a file's first pages.
        let end = if dice.roll().is_multiple_of(2) {
            bytes.len()
        } else {
            bytes.len().min(200_000)
        };
        let (at, bit) = (dice.below(end), dice.below(8));
        bytes[at] ^= 1 << bit;
        let what = format!(
            "flip {flip} of seed {seed}: bit {bit} of byte {at} of {}",
            path.display()
        );
        let found = examined(&damaged).unwrap_or_else(|error| panic!("{what}: {error}"));
        let disk = MemoryDisk::of(damaged.clone());
        let opened = OpenOptions::open_on(&disk).open().map(drop);
        match (
            opened,
            read_all(&OpenOptions::open_on(&MemoryDisk::of(damaged.clone()))),
        ) {
            (Err(_), _) => tally.at_start += 1,
            (Ok(()), Err(_)) => tally.at_reading += 1,
            (Ok(()), Ok(_)) if !found.whole => tally.by_doctor += 1,
            // A commit that was not whole is given up, as after a power cut; it is said.
            (Ok(()), Ok(_)) if killed && found.notes.iter().any(|note| note.contains("last")) => {
                tally.rolled_back += 1;
            }
            (Ok(()), Ok(content)) => {
                assert!(content == *whole, "{what}: nobody saw it");
                tally.harmless += 1;
            }
        }
        if !found.whole && flip.is_multiple_of(3) {
            match exported(&damaged, whole, &what) {
                Ok(rows) => {
                    tally.exported += 1;
                    tally.exported_whole += u64::from(rows == whole.stored.len());
                }
                Err(_) => tally.not_exported += 1,
            }
        }
    }
    tally
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let flips = std::env::var("TESTHIDE_BIT_FLIPS").ok();
    let flips = flips.and_then(|text| text.parse().ok()).unwrap_or(120);
    let (closed, killed) = directories();
    for (name, files) in [("closed", closed), ("killed", killed)] {
        let whole = read_all(&OpenOptions::open_on(&MemoryDisk::of(files.clone()))).unwrap();
        assert_eq!(whole.stored.len(), 320);
        let found = examined(&files).unwrap();
        assert!(found.whole, "{found:?}");
        assert_eq!((found.rows, found.references), (641, 320));
        let tally = flip_many(&files, &whole, flips / 2, 7, name == "killed");
        println!("{name}: {tally:?}");
        assert!(tally.harmless < flips / 2, "no flip hit anything");
    }
}
