//! The real server, killed with `kill -9` again and again while it works.
//!
//! Two agents run builds and a third party uploads reports. At points chosen at random among what was acknowledged the server's
//! process is killed and started again. Afterwards everything that was acknowledged is there exactly once: builds, their logs to the byte,
//! reports and their results, events without a gap; and no step ran twice.
//!
//! `TESTHIDE_CRASH_ROUNDS` sets the number of kills (50 when absent), `TESTHIDE_CRASH_SEED` repeats a run.

#![cfg(unix)]

#[path = "crash/driver.rs"]
mod driver;
#[path = "crash/machine.rs"]
mod machine;

use driver::Driver;
use machine::Machine;

/// SplitMix64 (Steele, Lea, Flood 2014): enough randomness to choose moments, and the same on every machine for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn number_from(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: `{text}`")),
        Err(_) => default,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_or_doubled() {
    let rounds = number_from("TESTHIDE_CRASH_ROUNDS", 50);
    let seed = number_from("TESTHIDE_CRASH_SEED", u64::from(std::process::id()));
    println!("kills: {rounds}, TESTHIDE_CRASH_SEED={seed}");
    let mut random = Random(seed);

    let mut machine = Machine::start().await;
    let driver = Driver::set_up(&mut machine).await;
    machine.start_agents(&driver, 2).await;
    let working = driver.work();
    for round in 0..rounds {
        // Not after a time but after some things happened: a build acknowledged, a report stored, an event seen.
        let after = 1 + random.below(6);
        driver.wait_for_acknowledgements(after).await;
        machine.kill_server();
        machine.start_server().await;
        println!(
            "round {} of {rounds}: killed after {after} acknowledgements",
            round + 1
        );
    }
    driver.stop(working).await;
    driver.check().await;
    machine.stop();
}
