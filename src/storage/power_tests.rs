//! A power cut at each I/O of a recorded trace: what is left opens to a committed prefix, with everything that was acknowledged.
//!
//! The trace is made by the real store: groups of concurrent writes, every third after bytes in a volume, old rows removed so that pages are
//! used again. At each step of it the disk is left as a cut may leave it (see [`crate::storage::memory`]): nothing of what was not synced,
//! all of it, all but one, one alone, and parts chosen by dice, torn at sectors and in any order.
//!
//! `TESTHIDE_POWER_STEPS` is the length of the trace (300 unless told), `TESTHIDE_POWER_CUTS` the number of cuts by dice at each step (2).

use super::memory::{Change, Platter, Step, torn};
use super::{Dice, MemoryDisk, OpenOptions, Storage, StorageError, Table, VolumeRef, Volumes};
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Under a number that counts commits' writes from 1: the number again, and bytes made from it.
const ROWS: Table<u64, Vec<u8>> = Table::new("rows");
const COUNT: Table<u64, u64> = Table::new("count");
const PLACES: Table<u64, Vec<u8>> = Table::new("places");

/// Rows that stay: older ones are removed.
const KEPT: u64 = 40;

fn number_from(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

/// Bytes that belong to a number: a hash of it, long enough for several pages now and then.
fn bytes_of(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(7) {
        9_000
    } else {
        300 + number as usize % 900
    };
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&number.to_be_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// One write: the next number, its row, the count, an old row away; of every third the place of bytes, too.
async fn write_one(
    storage: Storage,
    volumes: Volumes,
    with_bytes: bool,
) -> Result<u64, StorageError> {
    let place = if with_bytes {
        let bytes = bytes_of(1_000_000);
        let place = volumes.append(vec![Bytes::from(bytes)]).await?[0];
        Some(serde_json::to_vec(&place).unwrap())
    } else {
        None
    };
    let write = storage.write(move |wtxn| {
        let mut count = COUNT.write(wtxn)?;
        let number = count.get(&0)?.unwrap_or_default() + 1;
        count.put(&0, &number)?;
        let mut rows = ROWS.write(wtxn)?;
        rows.put(&number, &bytes_of(number))?;
        let mut places = PLACES.write(wtxn)?;
        if number > KEPT {
            rows.remove(&(number - KEPT))?;
            places.remove(&(number - KEPT))?;
        }
        if let Some(place) = &place {
            places.put(&number, place)?;
        }
        Ok::<_, StorageError>(number)
    });
    write.await
}

/// What was acknowledged, by the length of the trace at that moment.
type Acknowledged = Vec<(usize, u64)>;

/// Lets the real store write until the trace has `steps` steps, with an end in order and a new start now and then.
fn record(options: impl Fn(&MemoryDisk) -> OpenOptions, steps: usize) -> (Vec<Step>, Acknowledged) {
    let disk = MemoryDisk::default();
    disk.record();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut acknowledged = Vec::new();
    while disk.steps() < steps {
        let (storage, volumes, _) = options(&disk).open().unwrap();
        for round in 0..20 {
            // Alone, or as a group that shares commits.
            let writers = if round % 3 == 0 { 8 } else { 1 };
            let writes = (0..writers).map(|writer| {
                write_one(storage.clone(), volumes.clone(), (round + writer) % 3 == 0)
            });
            let numbers = runtime.block_on(join_all(writes));
            let last = numbers.into_iter().map(Result::unwrap).max().unwrap();
            acknowledged.push((disk.steps(), last));
        }
        runtime.block_on(async {
            volumes.close().await;
            storage.close().await;
        });
    }
    (disk.trace(), acknowledged)
}

/// Opens what a cut left and holds it against the model. Says what was found.
fn check_left(
    options: impl Fn(&MemoryDisk) -> OpenOptions,
    files: BTreeMap<PathBuf, Vec<u8>>,
    acknowledged: u64,
    what: &str,
) -> u64 {
    let disk = MemoryDisk::of(files);
    let (storage, volumes, _) = options(&disk)
        .open()
        .unwrap_or_else(|error| panic!("{what}: does not open: {error}"));
    let found = storage.read(|rtxn| {
        let count = COUNT.read(rtxn)?.get(&0)?.unwrap_or_default();
        assert!(
            count >= acknowledged,
            "{what}: {acknowledged} was acknowledged, {count} is there"
        );
        let rows: Vec<(u64, Vec<u8>)> = ROWS.read(rtxn)?.all()?.collect::<Result<_, _>>()?;
        let first = count.saturating_sub(KEPT) + 1;
        let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
        assert_eq!(
            numbers,
            (first..=count).collect::<Vec<_>>(),
            "{what}: not a prefix"
        );
        for (number, bytes) in rows {
            assert!(bytes == bytes_of(number), "{what}: row {number}");
        }
        let places: Vec<(u64, Vec<u8>)> = PLACES.read(rtxn)?.all()?.collect::<Result<_, _>>()?;
        for (number, place) in places {
            assert!(number <= count, "{what}: place {number}");
            let place: VolumeRef = serde_json::from_slice(&place).unwrap();
            let bytes = volumes.read(&place);
            let bytes = bytes.unwrap_or_else(|error| panic!("{what}: place {number}: {error}"));
            assert!(bytes == bytes_of(1_000_000), "{what}: place {number}");
        }
        Ok::<_, StorageError>(count)
    });
    let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
    // It goes on from there.
    let next = storage.write_blocking(move |wtxn| {
        let mut count = COUNT.write(wtxn)?;
        let number = count.get(&0)?.unwrap_or_default() + 1;
        count.put(&0, &number)?;
        ROWS.write(wtxn)?.put(&number, &bytes_of(number))?;
        Ok::<_, StorageError>(number)
    });
    assert_eq!(
        next.unwrap_or_else(|error| panic!("{what}: {error}")),
        found + 1,
        "{what}"
    );
    found
}

/// How a cut chooses among the changes of a file that were not synced.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Nothing,
    All,
    AllBut(usize),
    Only(usize),
    /// All but the first sectors of the changes, as when a header is late.
    NotTheStart,
    OnlyTheStart,
    Dice(u64),
}

impl Cut {
    fn apply(self, platter: &Platter) -> Vec<u8> {
        let count = platter.pending.len();
        let in_order: Vec<usize> = (0..count).collect();
        let is_start =
            |number: usize| matches!(&platter.pending[number], Change::Write { offset: 0, .. });
        match self {
            Self::Nothing => torn(platter, &in_order, |_, _| false),
            Self::All => torn(platter, &in_order, |_, _| true),
            Self::AllBut(late) => torn(platter, &in_order, |number, _| {
                number != late % count.max(1)
            }),
            Self::Only(early) => torn(platter, &in_order, |number, _| {
                number == early % count.max(1)
            }),
            Self::NotTheStart => torn(platter, &in_order, |number, _| !is_start(number)),
            Self::OnlyTheStart => torn(platter, &in_order, |number, _| is_start(number)),
            Self::Dice(seed) => {
                let mut dice = Dice::new(seed);
                let order = dice.shuffled(count);
                let kept = dice.below(9) as u64;
                torn(platter, &order, |_, _| dice.roll() % 8 < kept)
            }
        }
    }
}

fn cuts_at(step: usize, pending: usize, by_dice: usize) -> Vec<Cut> {
    let mut cuts = vec![Cut::Nothing, Cut::All, Cut::NotTheStart, Cut::OnlyTheStart];
    if pending > 1 {
        // One after the other, as the steps go on.
        cuts.push(Cut::AllBut(pending - 1));
        cuts.push(Cut::AllBut(step));
        cuts.push(Cut::Only(step));
    }
    cuts.extend((0..by_dice).map(|number| Cut::Dice((step * 1_000 + number) as u64)));
    cuts
}

/// Cuts the power at every step and checks every case; says how many there were.
fn cut_everywhere(
    options: impl Fn(&MemoryDisk) -> OpenOptions + Copy,
    steps: usize,
    by_dice: usize,
) -> (usize, usize) {
    let (trace, acknowledged) = record(options, steps);
    let mut files: BTreeMap<PathBuf, Platter> = BTreeMap::new();
    let mut cases = 0;
    for (step, next) in trace.iter().enumerate() {
        match next.clone() {
            Step::Created(path, bytes) => {
                let platter = Platter {
                    synced: bytes.to_vec(),
                    pending: Vec::new(),
                };
                files.insert(path, platter);
            }
            Step::Changed(path, change) => files.get_mut(&path).unwrap().take(change),
            Step::Synced(path) => files.get_mut(&path).unwrap().sync(),
        }
        let known = acknowledged.iter().take_while(|(at, _)| *at <= step + 1);
        let known = known.last().map_or(0, |(_, number)| *number);
        let pending = files
            .values()
            .map(|file| file.pending.len())
            .max()
            .unwrap_or_default();
        for cut in cuts_at(step, pending, by_dice) {
            let left = files
                .iter()
                .map(|(path, file)| (path.clone(), cut.apply(file)));
            let what = format!("step {step} of {}, {cut:?}", trace.len());
            check_left(options, left.collect(), known, &what);
            cases += 1;
        }
    }
    (trace.len(), cases)
}

#[test]
fn a_power_cut_at_any_step_leaves_a_committed_prefix() {
    let steps = number_from("TESTHIDE_POWER_STEPS", 300);
    let by_dice = number_from("TESTHIDE_POWER_CUTS", 2);
    let (steps, cases) = cut_everywhere(OpenOptions::open_on, steps, by_dice);
    println!("one phase: {cases} cuts at {steps} steps");
}

#[test]
fn a_power_cut_under_quick_repair_leaves_a_committed_prefix() {
    let steps = number_from("TESTHIDE_POWER_STEPS", 300);
    let by_dice = number_from("TESTHIDE_POWER_CUTS", 2);
    let options = |disk: &MemoryDisk| OpenOptions::open_on(disk).quick_repair_above(0);
    let (steps, cases) = cut_everywhere(options, steps, by_dice);
    println!("quick repair: {cases} cuts at {steps} steps");
}
