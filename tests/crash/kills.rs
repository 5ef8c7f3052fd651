//! Server and agent killed again and again under two builds that print all the while: the logs are whole, the steps ran once.
//!
//! The moments are bytes on the line between the two, chosen so that handshakes, first frames and the middle of a delivery are all hit.
//! One build prints through one pipe: its log is every line in order. The other prints through two.

use super::machine::Machine;
use super::printer::{Pipes, Press, Printer};
use super::settings::{Random, number_from, seat};
use super::user::User;

/// Doublings of the number of bytes after which somebody is killed: up to 256 KiB.
const DOUBLINGS: u64 = 18;

/// Of five lines four go through one pipe.
const SHARES: u64 = 5;

/// Who dies, and who comes back when.
#[derive(Debug, Clone, Copy)]
enum Kill {
    Server,
    /// It comes back when all that was ordered is printed.
    ServerForAWhile,
    Agent,
    /// The runners are left alone until they have printed all that was ordered.
    AgentForAWhile,
    Both,
}

const KILLS: [Kill; 5] = [
    Kill::Server,
    Kill::ServerForAWhile,
    Kill::Agent,
    Kill::AgentForAWhile,
    Kill::Both,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_what_was_printed_whoever_is_killed() {
    let _seat = seat().await;
    let rounds = number_from("TESTHIDE_CRASH_KILLS", 50);
    let lines = number_from("TESTHIDE_CRASH_LINES", 500_000);
    let mut random = Random::of_run();

    let mut machine = Machine::start(&[]).await;
    let user = User::set_up(&mut machine).await;
    let agent = machine.add_agent(&user, 2).await;
    let mut press = Press::set_up(&machine, &user).await;
    let mut one = press.print(&user, Pipes::One).await;
    let mut two = press.print(&user, Pipes::Two).await;
    // An agent that dies between taking a build and beginning it gives the build back: here both have begun.
    for printer in [&mut one, &mut two] {
        printer.order(1).await;
        printer.answered().await;
    }
    let mut done = 0;
    for round in 1..=rounds {
        let share = lines * round / rounds - done;
        done += share;
        two.order(share / SHARES).await;
        one.order(share - share / SHARES).await;
        let doublings = random.below(DOUBLINGS);
        let bytes = (1 << doublings) + random.below(1 << doublings);
        let kill = KILLS[random.below(KILLS.len() as u64) as usize];
        tokio::select! {
            () = machine.line(agent).passes(bytes) => {}
            () = user.wait_for_line(one.number, one.ordered()) => {}
        }
        let before = log_bytes(&user, &one).await;
        strike(kill, &mut machine, agent, &mut one, &mut two).await;
        assert!(
            log_bytes(&user, &one).await >= before,
            "a log became shorter"
        );
        one.answered().await;
        two.answered().await;
        println!("round {round} of {rounds}: {kill:?} after {bytes} bytes");
    }
    for printer in [&mut one, &mut two] {
        printer.end().await;
    }
    for printer in [&one, &two] {
        printer.check(&user, 1).await;
    }
    user.check_nothing_lost().await;
    press.check_runs([(&one, 1), (&two, 1)]);
    machine.everything_delivered().await;
    press.nothing_left().await;
}

async fn strike(
    kill: Kill,
    machine: &mut Machine,
    agent: usize,
    one: &mut Printer,
    two: &mut Printer,
) {
    match kill {
        Kill::Server => {
            machine.kill_server().await;
            machine.start_server().await;
        }
        Kill::ServerForAWhile => {
            machine.kill_server().await;
            one.answered().await;
            two.answered().await;
            machine.start_server().await;
        }
        Kill::Agent => {
            machine.kill_agent(agent).await;
            machine.start_agent(agent);
        }
        Kill::AgentForAWhile => {
            machine.kill_agent(agent).await;
            one.answered().await;
            two.answered().await;
            machine.start_agent(agent);
        }
        Kill::Both => {
            machine.kill_agent(agent).await;
            machine.kill_server().await;
            machine.start_agent(agent);
            machine.start_server().await;
        }
    }
}

/// Bytes of a build's log that are stored.
async fn log_bytes(user: &User, printer: &Printer) -> u64 {
    let page = user
        .get(&format!("/builds/{}/log?limit=1", printer.number))
        .await;
    page["total_bytes"].as_u64().expect("a number")
}
