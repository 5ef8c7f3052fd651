//! Runs seeds: some in every test run, as many as somebody wants when they ask, one to be looked at.
//!
//! `TESTHIDE_SIM_SEEDS` says how many, `TESTHIDE_SIM_SEED` from which on. A single seed prints everything that happens.

use super::trace::Trace;
use super::world::{BEGIN, World};
use crate::kit::sequential;
use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seeds of a usual test run.
const SEEDS: u64 = 30;

/// A run that takes longer than this hangs.
const HANGS: Duration = Duration::from_secs(24 * 3600);

/// What became of a seed.
#[derive(Debug)]
struct Outcome {
    hash: u64,
    failure: Option<String>,
    tail: String,
}

thread_local!(static PANICS: Cell<u32> = const { Cell::new(0) });

/// Counts what panics on this thread, also in tasks whose end nobody looks at.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
    PANICS.set(0);
}

/// Runs one seed.
fn run(seed: u64, echo: bool) -> Outcome {
    sequential::turn_on();
    count_panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(async move {
        testhide_agent::simulation::keep_to_this_thread(BEGIN);
        let trace = Trace::new(echo);
        let running = async {
            let mut world = Box::pin(World::new(seed, trace.clone())).await;
            Box::pin(world.run()).await;
        };
        if tokio::time::timeout(HANGS, running).await.is_err() {
            trace.fail("it hangs");
        }
        if PANICS.get() > 0 {
            trace.fail("something panicked");
        }
        Outcome {
            hash: trace.hash(),
            failure: trace.failure(),
            tail: trace.tail(),
        }
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `seeds` on two threads; gives the first that fails.
fn first_that_fails(seeds: std::ops::Range<u64>) -> Option<(u64, Outcome)> {
    let next = AtomicU64::new(seeds.start);
    let failed = parking_lot::Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while failed.lock().is_none() {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let outcome = run(seed, false);
                    if outcome.failure.is_some() {
                        failed.lock().get_or_insert((seed, outcome));
                    }
                }
            });
        }
    });
    failed.into_inner()
}

#[test]
fn every_seed_ends_well() {
    let first = number("TESTHIDE_SIM_SEED");
    let count = number("TESTHIDE_SIM_SEEDS");
    if let (Some(seed), None | Some(1)) = (first, count) {
        let outcome = run(seed, true);
        println!("seed {seed}: hash {:016x}", outcome.hash);
        assert_eq!(outcome.failure, None, "seed {seed}");
        return;
    }
    let first = first.unwrap_or(1);
    let seeds = first..first + count.unwrap_or(SEEDS);
    if let Some((seed, outcome)) = first_that_fails(seeds) {
        let what = outcome.failure.unwrap_or_default();
        panic!(
            "{}\nseed {seed} fails: {what}\nrepeat it with TESTHIDE_SIM_SEED={seed}",
            outcome.tail
        );
    }
}

#[test]
fn a_seed_is_always_the_same_run() {
    for seed in 1..4 {
        let (one, two) = (run(seed, false), run(seed, false));
        assert_eq!(
            one.hash, two.hash,
            "seed {seed}: {}\n---\n{}",
            one.tail, two.tail
        );
    }
}
