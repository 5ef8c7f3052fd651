//! Backups of a store that is being written, damage of every kind, and restores that do not come to their end.

use super::archive::{HEAD_BYTES, Head, Kind, MARK, START_BYTES, check_of};
use super::writer::ArchiveWriter;
use super::{
    BackupFile, BackupOptions, Header, Manifest, Progress, is_unfinished_restore, restore, salvage,
    verify, write,
};
use crate::storage::{
    FORMAT_VERSION, OpenOptions, Record, Storage, StorageError, Table, VolumeRef, Volumes,
};
use bytes::Bytes;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use testhide_protocol::Timestamp;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    place: VolumeRef,
}
impl Record for Stored {}

const STORED: Table<u64, Stored> = Table::new("stored");
const COUNT: Table<u64, u64> = Table::new("count");
const BULKY: Table<u64, Vec<u8>> = Table::new("bulky");
const EMPTY: Table<u64, u64> = Table::new("empty");

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn ignore(_: Progress<'_>) {}

fn options() -> BackupOptions {
    BackupOptions {
        instance: Some("test".into()),
        ..BackupOptions::new(Timestamp(1_800_000_000_000))
    }
}

/// `len` bytes that do not compress, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_be_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Stores bytes in a volume, then the row that points to them and the number of rows, as a use case does.
async fn store(storage: &Storage, volumes: &Volumes, number: u64, bytes: Vec<u8>) {
    let place = volumes.append(vec![Bytes::from(bytes)]).await.unwrap()[0];
    let write = storage.write(move |wtxn| {
        STORED.write(wtxn)?.put(&number, &Stored { place })?;
        COUNT.write(wtxn)?.put(&0, &(number + 1))
    });
    write.await.unwrap();
}

/// Opens the restored directory and answers how many rows it has; each points to the bytes that were stored for it.
fn check_restored(dir: &Path, size: usize) -> u64 {
    let (storage, volumes, _) = OpenOptions::new(dir).open().unwrap();
    let rows: Vec<(u64, Stored)> = storage
        .read(|rtxn| {
            STORED
                .read(rtxn)?
                .all()?
                .collect::<Result<_, StorageError>>()
        })
        .unwrap();
    let count = storage
        .read(|rtxn| COUNT.read(rtxn)?.get(&0))
        .unwrap()
        .unwrap_or_default();
    assert_eq!(
        rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        (0..count).collect::<Vec<_>>()
    );
    for (number, stored) in &rows {
        assert_eq!(volumes.read(&stored.place).unwrap(), noise(*number, size));
    }
    // The directory goes on from there.
    runtime().block_on(store(&storage, &volumes, count, noise(count, size)));
    let last = storage
        .read(|rtxn| STORED.read(rtxn)?.get(&count))
        .unwrap()
        .unwrap();
    assert_eq!(volumes.read(&last.place).unwrap(), noise(count, size));
    count
}

/// An archive of a few rows, a volume and, when `bulky`, a table and a volume of several blocks each.
fn archive(bulky: bool) -> (Vec<u8>, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    runtime().block_on(async {
        for number in 0..3 {
            store(&storage, &volumes, number, noise(number, 100)).await;
        }
        storage
            .write(|wtxn| EMPTY.write(wtxn).map(drop))
            .await
            .unwrap();
        if bulky {
            let fill = storage.write(|wtxn| {
                let mut table = BULKY.write(wtxn)?;
                (0..24).try_for_each(|number| table.put(&number, &noise(number, 50_000)))
            });
            fill.await.unwrap();
            volumes
                .append(vec![Bytes::from(noise(9, 1_200_000))])
                .await
                .unwrap();
        }
    });
    let mut bytes = Vec::new();
    let manifest = write(&storage, &volumes, &options(), &mut bytes, &mut ignore).unwrap();
    (bytes, manifest)
}

/// Start, head and end of every frame.
fn frames(bytes: &[u8]) -> Vec<(usize, Head, usize)> {
    let mut at = START_BYTES;
    let mut frames = Vec::new();
    while bytes[at..].starts_with(&MARK) {
        let whole = Head::whole_len(bytes[at..at + HEAD_BYTES].try_into().unwrap());
        let head = Head::decode(&bytes[at..at + whole]).unwrap();
        let end = at + whole + head.stored_len as usize;
        frames.push((at, head, end));
        at = end;
    }
    frames
}

/// The sentence with which `verify` refuses `bytes`.
fn refusal(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("backup");
    std::fs::write(&path, bytes).unwrap();
    match verify(&path, &mut ignore) {
        Err(StorageError::Backup { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_backup_under_writes_is_one_consistent_moment() {
    const SIZE: usize = 70_000;
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path().join("live")).open().unwrap();
    let runtime = runtime();
    runtime.block_on(async {
        for number in 0..40 {
            store(&storage, &volumes, number, noise(number, SIZE)).await;
        }
    });
    let (path, done) = (dir.path().join("backup"), AtomicBool::new(false));
    let (manifest, written) = std::thread::scope(|scope| {
        let (started, start) = std::sync::mpsc::channel();
        let (storage, volumes, runtime, done) = (&storage, &volumes, &runtime, &done);
        let writer = scope.spawn(move || {
            let mut number = 40;
            while !done.load(Ordering::SeqCst) {
                runtime.block_on(store(storage, volumes, number, noise(number, SIZE)));
                number += 1;
                started.send(()).unwrap_or_default();
            }
            number
        });
        // Each block waits for one more commit, so writes go on all the time, and a backup that held them up would hang.
        let mut file = std::fs::File::create(&path).unwrap();
        let manifest = write(storage, volumes, &options(), &mut file, &mut |_| {
            start.recv().unwrap();
        })
        .unwrap();
        done.store(true, Ordering::SeqCst);
        drop(start);
        (manifest, writer.join().unwrap())
    });
    assert_eq!(verify(&path, &mut ignore).unwrap(), manifest);
    let target = dir.path().join("restored");
    assert_eq!(restore(&path, &target, &mut ignore).unwrap(), manifest);
    let count = check_restored(&target, SIZE);
    assert!((40..written).contains(&count), "{count} of {written}");
}

#[test]
fn everything_comes_back_as_it_was() {
    let (bytes, manifest) = archive(true);
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("backup"), dir.path().join("deep/restored"));
    std::fs::write(&path, &bytes).unwrap();
    let mut steps = Vec::new();
    let restored = restore(&path, &target, &mut |step| {
        steps.push((step.done_bytes, step.total_bytes));
    })
    .unwrap();
    assert_eq!(restored, manifest);
    assert!(
        steps.is_sorted() && steps.last() == Some(&(bytes.len() as u64, Some(bytes.len() as u64))),
        "{steps:?}"
    );
    let mut names: Vec<String> = std::fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["state.redb", "volumes"]);
    let (storage, volumes, _) = OpenOptions::new(&target).open().unwrap();
    let mut again = Vec::new();
    let second = write(&storage, &volumes, &options(), &mut again, &mut ignore).unwrap();
    assert_eq!(
        second, manifest,
        "a backup of the restored directory holds the same"
    );
    assert!(
        manifest
            .entries
            .iter()
            .any(|entry| entry.name == "state/empty" && entry.rows == 0)
    );
    drop((storage, volumes));
    assert_eq!(check_restored(&target, 100), 3);
}

#[test]
fn a_store_without_bulk_makes_a_directory_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path().join("live")).open().unwrap();
    let path = dir.path().join("backup");
    write(
        &storage,
        &volumes,
        &options(),
        &mut std::fs::File::create(&path).unwrap(),
        &mut ignore,
    )
    .unwrap();
    let target = dir.path().join("restored");
    restore(&path, &target, &mut ignore).unwrap();
    assert_eq!(check_restored(&target, 100), 0);
}

#[test]
fn derived_files_come_along_and_secrets_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path().join("live")).open().unwrap();
    let (model, path, target) = (
        dir.path().join("model"),
        dir.path().join("backup"),
        dir.path().join("restored"),
    );
    std::fs::write(&model, noise(1, 1_100_000)).unwrap();
    let with = |name: &str| BackupOptions {
        files: vec![BackupFile {
            name: name.into(),
            path: model.clone(),
        }],
        ..options()
    };
    let mut file = std::fs::File::create(&path).unwrap();
    write(
        &storage,
        &volumes,
        &with("models/flaky/one.bin"),
        &mut file,
        &mut ignore,
    )
    .unwrap();
    restore(&path, &target, &mut ignore).unwrap();
    assert_eq!(
        std::fs::read(target.join("models/flaky/one.bin")).unwrap(),
        noise(1, 1_100_000)
    );
    for name in ["keys/signing", "models/../state.redb", "/etc/passwd"] {
        let refused = write(
            &storage,
            &volumes,
            &with(name),
            &mut Vec::new(),
            &mut ignore,
        );
        assert!(
            matches!(refused, Err(StorageError::Io { .. })),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let mut short = [0_u8; 100];
    let refused = write(
        &storage,
        &volumes,
        &options(),
        &mut short.as_mut_slice(),
        &mut ignore,
    );
    assert!(
        matches!(refused, Err(StorageError::Io { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_archive_cut_off_anywhere_is_recognised_at_that_place() {
    let (bytes, _) = archive(false);
    for len in 0..bytes.len() {
        let what = refusal(&bytes[..len]);
        assert!(
            what.starts_with("it ends ") && what.ends_with(&format!("at byte {len}")),
            "{len}: {what}"
        );
    }
    let (bytes, _) = archive(true);
    for (start, _, end) in frames(&bytes) {
        for len in [start, usize::midpoint(start, end)] {
            let what = refusal(&bytes[..len]);
            assert!(what.ends_with(&format!("at byte {len}")), "{len}: {what}");
        }
    }
}

#[test]
fn every_edit_of_one_byte_is_recognised() {
    let (bytes, _) = archive(false);
    let frames = frames(&bytes);
    for at in 0..bytes.len() {
        let mut edited = bytes.clone();
        edited[at] ^= 1 << (at % 8);
        let what = refusal(&edited);
        if let Some((start, ..)) = frames
            .iter()
            .find(|(start, _, end)| (*start..*end).contains(&at))
        {
            // A name's length says how far the head goes, so the last head may seem to be cut off.
            let named = what.ends_with(&format!("at byte {start}"))
                || what.starts_with("it ends inside the head");
            assert!(named, "{at} in frame at {start}: {what}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn bytes_put_in_taken_out_or_changed_are_recognised(at: usize, taken in 0usize..40, put in proptest::collection::vec(any::<u8>(), 0..40)) {
        let (bytes, _) = SMALL.get_or_init(|| archive(false));
        let at = at % bytes.len();
        let end = (at + taken).min(bytes.len());
        prop_assume!(bytes[at..end] != put);
        let mut edited = bytes.clone();
        edited.splice(at..end, put);
        prop_assume!(edited != *bytes);
        prop_assert!(!refusal(&edited).is_empty());
    }
}

static SMALL: std::sync::OnceLock<(Vec<u8>, Manifest)> = std::sync::OnceLock::new();

#[test]
fn frames_of_another_archive_or_in_another_order_are_recognised() {
    let ((one, _), (other, _)) = (archive(false), archive(false));
    let (frames, others) = (frames(&one), frames(&other));
    let (start, head, end) = &frames[2];
    let (other_start, _, other_end) = &others[2];
    let spliced = [
        &one[..*start],
        &other[*other_start..*other_end],
        &one[*end..],
    ]
    .concat();
    assert_eq!(
        refusal(&spliced),
        format!(
            "{} belongs to another archive, at byte {start}",
            head.label()
        )
    );
    let (_, next, next_end) = &frames[3];
    let swapped = [
        &one[..*start],
        &one[*end..*next_end],
        &one[*start..*end],
        &one[*next_end..],
    ]
    .concat();
    assert_eq!(
        refusal(&swapped),
        format!(
            "{} stands where frame 2 should, at byte {start}",
            next.label()
        )
    );
}

#[test]
fn newer_formats_are_refused_with_one_sentence_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut newer_archive, _) = archive(false);
    newer_archive[19] = 2;
    let check = check_of(&newer_archive[..20]);
    newer_archive[20..24].copy_from_slice(&check[..4]);
    let mut newer_storage = Vec::new();
    let header = Header {
        testhide: "9.0.0".into(),
        storage_format: FORMAT_VERSION + 1,
        created: Timestamp(0),
        instance: None,
    };
    ArchiveWriter::start(header, &mut newer_storage, &mut ignore)
        .unwrap()
        .finish()
        .unwrap();
    let check = |bytes: &[u8], expected: &str| {
        let (path, target) = (dir.path().join("backup"), dir.path().join("restored"));
        std::fs::write(&path, bytes).unwrap();
        let whole = format!("backup `{}` is not usable: {expected}", path.display());
        assert_eq!(verify(&path, &mut ignore).unwrap_err().to_string(), whole);
        assert_eq!(
            restore(&path, &target, &mut ignore)
                .unwrap_err()
                .to_string(),
            whole
        );
        assert_eq!(
            salvage(&path, &target, &mut ignore)
                .unwrap_err()
                .to_string(),
            whole
        );
        assert!(!target.exists());
    };
    check(
        &newer_archive,
        "it has archive format 2 and this testhide knows format 1; use the testhide version that wrote it",
    );
    let newer = FORMAT_VERSION + 1;
    check(
        &newer_storage,
        &format!(
            "it holds storage format {newer} and this testhide knows formats up to {FORMAT_VERSION}; use testhide 9.0.0 or newer"
        ),
    );
}

#[test]
fn a_restore_refuses_a_directory_that_is_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("backup"), dir.path().join("full"));
    std::fs::write(&path, archive(false).0).unwrap();
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("mine"), b"mine").unwrap();
    for refused in [
        restore(&path, &target, &mut ignore).map(drop),
        salvage(&path, &target, &mut ignore).map(drop),
    ] {
        assert!(refused.unwrap_err().to_string().contains("it is not empty"));
    }
    assert_eq!(std::fs::read(target.join("mine")).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 1);
    std::fs::remove_file(target.join("mine")).unwrap();
    std::fs::create_dir(target.join("lost+found")).unwrap();
    restore(&path, &target, &mut ignore).unwrap();
    assert_eq!(check_restored(&target, 100), 3);
}

#[test]
fn a_restore_that_fails_removes_what_it_made() {
    let (bytes, _) = archive(true);
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("backup"), dir.path().join("restored"));
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(
        restore(&path, &target, &mut ignore),
        Err(StorageError::Backup { .. })
    ));
    assert!(!target.exists());
    std::fs::create_dir(&target).unwrap();
    assert!(matches!(
        restore(&path, &target, &mut ignore),
        Err(StorageError::Backup { .. })
    ));
    assert_eq!(
        std::fs::read_dir(&target).unwrap().count(),
        0,
        "a directory that was there stays"
    );
}

#[test]
fn a_restore_interrupted_at_any_step_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("backup"), dir.path().join("restored"));
    std::fs::write(&path, archive(true).0).unwrap();
    let mut steps: Vec<String> = Vec::new();
    restore(&path, &target, &mut |step| {
        let copy = dir.path().join(format!("step-{}", steps.len()));
        copy_tree(&target, &copy);
        assert!(is_unfinished_restore(&copy), "{step:?}");
        assert!(OpenOptions::new(&copy).open().is_err(), "{step:?}");
        assert!(
            is_unfinished_restore(&copy),
            "an attempt to open it changes nothing"
        );
        let again = restore(&path, &copy, &mut ignore).unwrap_err().to_string();
        assert!(
            again.contains("it holds a restore that did not finish"),
            "{again}"
        );
        steps.push(step.entry.to_owned());
    })
    .unwrap();
    assert!(
        steps.ends_with(&["volumes".to_owned(), "state.redb".to_owned()]) && steps.len() > 6,
        "{steps:?}"
    );
    assert!(!is_unfinished_restore(&target));
    assert_eq!(check_restored(&target, 100), 3);
}

/// Salvages `bytes`, checks that the result opens, and answers the report.
fn salvaged(bytes: &[u8]) -> super::Salvaged {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("backup"), dir.path().join("restored"));
    std::fs::write(&path, bytes).unwrap();
    let report = salvage(&path, &target, &mut ignore).unwrap();
    let (storage, volumes, _) = OpenOptions::new(&target).open().unwrap();
    let bulky = storage
        .read(|rtxn| {
            BULKY
                .read(rtxn)?
                .all()?
                .collect::<Result<Vec<_>, StorageError>>()
        })
        .unwrap();
    for (number, value) in &bulky {
        assert_eq!(*value, noise(*number, 50_000));
    }
    for row in storage
        .read(|rtxn| {
            STORED
                .read(rtxn)?
                .all()?
                .collect::<Result<Vec<_>, StorageError>>()
        })
        .unwrap()
    {
        if let Ok(bytes) = volumes.read(&row.1.place) {
            assert_eq!(bytes, noise(row.0, 100));
        }
    }
    let rows = report
        .entries
        .iter()
        .find(|entry| entry.name == "state/bulky")
        .map_or(0, |entry| entry.rows);
    assert_eq!(bulky.len() as u64, rows);
    report
}

#[test]
fn salvage_loses_the_damaged_block_and_nothing_else() {
    let (bytes, manifest) = archive(true);
    let whole = salvaged(&bytes);
    assert_eq!(
        (whole.entries, whole.damage, whole.missing),
        (manifest.entries.clone(), vec![], Some(vec![]))
    );
    let frames = frames(&bytes);
    assert!(
        frames
            .iter()
            .filter(|(_, head, _)| head.name == "state/bulky")
            .count()
            > 1
    );
    for (start, head, end) in &frames {
        for at in [start + 8, end - 1] {
            let mut edited = bytes.clone();
            edited[at] ^= 0x10;
            let report = salvaged(&edited);
            assert_eq!(
                report.damage.iter().map(|damage| damage.at).next(),
                Some(*start as u64),
                "{report:?}"
            );
            assert_eq!(report.header.as_ref(), Some(&manifest.header));
            let total =
                |entries: &[super::Entry]| entries.iter().map(|entry| entry.rows).sum::<u64>();
            assert_eq!(
                total(&report.entries) + u64::from(head.rows),
                total(&manifest.entries)
            );
            match head.kind {
                Kind::Header => assert_eq!(report.missing, Some(vec![])),
                Kind::Manifest => assert_eq!(report.missing, None),
                Kind::Block => {
                    let missing = report.missing.unwrap();
                    assert_eq!(missing.len(), 1, "{missing:?}");
                    assert_eq!(missing[0].name, head.name);
                    assert_eq!(missing[0].rows - missing[0].restored, u64::from(head.rows));
                }
            }
        }
    }
}

#[test]
fn salvage_keeps_everything_before_the_cut_and_around_a_hole() {
    let (bytes, manifest) = archive(true);
    let frames = frames(&bytes);
    let middle = frames
        .iter()
        .position(|(_, head, _)| head.name == "volumes/0001")
        .unwrap()
        + 1;
    let (start, _, end) = &frames[middle];
    let cut = salvaged(&bytes[..usize::midpoint(*start, *end)]);
    assert_eq!(cut.missing, None);
    let rows: u64 = frames[..middle]
        .iter()
        .map(|(_, head, _)| u64::from(head.rows))
        .sum();
    assert_eq!(
        cut.entries.iter().map(|entry| entry.rows).sum::<u64>(),
        rows
    );
    // Bytes that are gone make the last block swallow the manifest, which is found all the same.
    let (last_start, last, last_end) = &frames[frames.len() - 2];
    let hole = [&bytes[..last_end - 30], &bytes[*last_end..]].concat();
    let report = salvaged(&hole);
    assert_eq!(report.damage[0].at, *last_start as u64, "{report:?}");
    assert_eq!(
        report.missing.unwrap()[0].rows,
        manifest
            .entries
            .iter()
            .find(|entry| entry.name == last.name)
            .unwrap()
            .rows
    );
    let foreign = [&[0; 7][..], &bytes[START_BYTES..]].concat();
    assert_eq!(salvaged(&foreign).entries, manifest.entries);
}

#[test]
fn salvage_says_when_nothing_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("backup"), dir.path().join("restored"));
    for bytes in [
        noise(1, 300_000),
        Vec::new(),
        archive(false).0[..START_BYTES + 20].to_vec(),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let refused = salvage(&path, &target, &mut ignore)
            .unwrap_err()
            .to_string();
        assert!(refused.ends_with("nothing in it is whole"), "{refused}");
        assert!(!target.exists());
    }
}
