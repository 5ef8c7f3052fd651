//! Steps that mean no good: the agent lives, they end in time, nothing of them is left, and memory stays small.

use super::machine::Machine;
use super::printer::{Pipes, Press};
use super::processes;
use super::settings::{number_from, seat};
use super::user::User;
use serde_json::json;

/// How much more memory a hostile step may cost its agent or its runner.
const MOST_GROWTH: u64 = 100 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_without_a_newline_costs_little_memory() {
    let _seat = seat().await;
    let bytes = number_from("TESTHIDE_CRASH_FLOOD_MB", 64) * 1024 * 1024;
    let mut machine = Machine::start(&[]).await;
    let user = User::set_up(&mut machine).await;
    let agent = machine.add_agent(&user, 1).await;

    // What an agent and a runner take that have little to do.
    let mut press = Press::set_up(&machine, &user).await;
    let mut quiet = press.print(&user, Pipes::One).await;
    quiet.order(1000).await;
    quiet.answered().await;
    user.wait_for_line(quiet.number, 1000).await;
    let before = memory_of(&machine, agent);
    quiet.end().await;
    quiet.check(&user, 1).await;

    // It ends with a line of its own, so that somebody can wait for it, and then waits to be looked at.
    let run = format!("head -c {bytes} /dev/zero | tr '\\0' x\necho\nexec sleep 100000\n");
    let definition = json!({"steps": [{"type": "bash", "run": run}], "timeout_seconds": 3600});
    let job = user.make_job("flood", definition).await;
    let build = user.trigger(&job, "flood", json!({})).await;
    // A line is split at 64 KiB.
    user.wait_for_line(build, bytes.div_ceil(64 * 1024)).await;
    let after = memory_of(&machine, agent);
    println!("peaks of agent and runner before {before:?}, after {after:?}");
    for (before, after) in before.into_iter().zip(after) {
        assert!(
            after.saturating_sub(before) <= MOST_GROWTH,
            "memory grew from {before} to {after}"
        );
    }
    user.post(&format!("/builds/{build}/cancel"), json!({}))
        .await;
    let ended = user.wait_for_end(build).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");

    let (mut length, mut others) = (0, Vec::new());
    let read = user.raw_log(build, 1, |stored| {
        length += stored.iter().filter(|byte| **byte == b'x').count() as u64;
        others.extend(stored.iter().filter(|byte| **byte != b'x'));
        Ok(())
    });
    read.await.expect("every byte is taken");
    assert_eq!(length, bytes, "bytes of the flood that are stored");
    assert!(others.starts_with(b"\n"), "the flood has holes");
    processes::nothing_left(&machine.path("")).await;
}

/// Steps that leave something behind or do not want to end, and how their builds must end.
const HOSTILE: [(&str, &str, &str); 5] = [
    (
        "daemon",
        "passed",
        "setsid bash -c 'trap \"\" TERM HUP; while :; do sleep 1000; done' > /dev/null 2>&1 < /dev/null &
         (setsid bash -c '(trap \"\" TERM HUP; sleep 1000) &' &)
         nohup sleep 1000 &",
    ),
    (
        // Its environment does not tell whose it is. The directory on its command line does, to this test.
        "nameless-daemon",
        "passed",
        "(env -i setsid bash -c 'trap \"\" TERM HUP; while :; do sleep 1; done' \"$PWD\" > /dev/null 2>&1 &)",
    ),
    (
        "holds-the-pipes",
        "passed",
        "setsid bash -c 'trap \"\" TERM; while :; do echo still here; sleep 1000; done' &
         echo over",
    ),
    (
        "deaf",
        "timed_out",
        "trap '' TERM HUP INT\nwhile :; do sleep 1000; done",
    ),
    (
        "many",
        "timed_out",
        "for child in $(seq 200); do (trap '' TERM; while :; do sleep 1000; done) & done\nwait",
    ),
];

/// Seconds that a step has, and by how much it may be late: the grace between asking and killing, and a slow machine.
const LIMIT_SECONDS: u64 = 3;
const MOST_LATE_SECONDS: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_do_not_want_to_end_are_ended_whole() {
    let _seat = seat().await;
    let mut machine = Machine::start(&[]).await;
    let user = User::set_up(&mut machine).await;
    let agent = machine.add_agent(&user, 2).await;
    let process = machine.agent_id(agent);
    let mut builds = Vec::new();
    for (name, expected, run) in HOSTILE {
        let step = json!({"type": "bash", "run": run, "timeout_seconds": LIMIT_SECONDS});
        let job = user.make_job(name, json!({"steps": [step]})).await;
        builds.push((name, expected, user.trigger(&job, name, json!({})).await));
    }
    for (name, expected, number) in builds {
        let build = user.wait_for_end(number).await;
        assert_eq!(build["status"], expected, "{name}: {build}");
        let took = build["steps"][0]["duration_ms"]
            .as_u64()
            .expect("a duration");
        assert!(
            took <= (LIMIT_SECONDS + MOST_LATE_SECONDS) * 1000,
            "{name} took {took} ms"
        );
        println!("{name}: {expected} after {took} ms");
    }
    processes::nothing_left(&machine.path("")).await;
    assert_eq!(machine.agent_id(agent), process);
    assert!(processes::peak_memory(process).is_some(), "the agent lives");
    user.check_nothing_lost().await;
}

/// The peaks of the agent and of its one runner.
fn memory_of(machine: &Machine, agent: usize) -> [u64; 2] {
    let runners = processes::runners(machine.agent_dir(agent));
    assert_eq!(runners.len(), 1, "one attempt, one runner");
    [machine.agent_id(agent), runners[0]].map(|id| processes::peak_memory(id).expect("it runs"))
}
