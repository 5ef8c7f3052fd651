//! The line between agent and server stands still, and moves again.
//!
//! While the server's patience lasts, nothing is lost and nothing happens twice. When it does not last, another agent builds, and what the
//! first one says later is refused.

use super::machine::Machine;
use super::printer::{Pipes, Press};
use super::proxy::Line;
use super::settings::{number_from, seat};
use super::user::User;
use std::time::Duration;

/// The least that the configuration allows.
const SHORTEST_LOSS: &str = "20";

/// How often a step prints while nobody hears it.
const PACE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_goes_on_over_a_line_that_stood_still() {
    let _seat = seat().await;
    let seconds = number_from("TESTHIDE_CRASH_PARTITION_SECONDS", 25);
    let patience = (seconds + 300).to_string();
    let mut machine = Machine::start(&[("TPS_HEARTBEAT_TIMEOUT_SEC", &patience)]).await;
    let user = User::set_up(&mut machine).await;
    let agent = machine.add_agent(&user, 2).await;
    let mut press = Press::set_up(&machine, &user).await;
    // One ends while the line stands still, the other after it.
    let mut early = press.print(&user, Pipes::Two).await;
    let mut late = press.print(&user, Pipes::One).await;
    for printer in [&mut early, &mut late] {
        printer.order(5_000).await;
        printer.answered().await;
        user.wait_for_line(printer.number, 1).await;
    }

    machine.line(agent).set(Line::Still);
    let mut pace = tokio::time::interval(PACE);
    let ticks = seconds * 1000 / PACE.as_millis() as u64;
    for tick in 0..ticks {
        pace.tick().await;
        late.order(1_000).await;
        late.answered().await;
        if tick == ticks / 2 {
            early.order(1_000).await;
            early.answered().await;
            early.end().await;
        }
    }
    machine.line(agent).set(Line::Open);
    user.wait_for_line(late.number, late.ordered()).await;

    // And one that breaks in the middle of a delivery, and goes on breaking.
    late.order(50_000).await;
    machine.line(agent).passes(20_000).await;
    machine.line(agent).set(Line::Cut);
    late.answered().await;
    machine.line(agent).set(Line::Open);
    late.order(5_000).await;
    late.answered().await;
    late.end().await;
    for printer in [&early, &late] {
        printer.check(&user, 1).await;
    }
    user.check_nothing_lost().await;
    press.check_runs([(&early, 1), (&late, 1)]);
    machine.everything_delivered().await;
    press.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_was_given_up_has_no_say_any_more() {
    let _seat = seat().await;
    let mut machine = Machine::start(&[("TPS_HEARTBEAT_TIMEOUT_SEC", SHORTEST_LOSS)]).await;
    let user = User::set_up(&mut machine).await;
    let mut press = Press::set_up(&machine, &user).await;
    let first = machine.add_agent(&user, 1).await;
    let mut printer = press.print(&user, Pipes::One).await;
    printer.order(2_000).await;
    printer.answered().await;
    user.wait_for_line(printer.number, 2_000).await;
    machine.add_agent(&user, 1).await;
    printer.foresee_attempt(2);

    machine.line(first).set(Line::Still);
    // Nobody will ever hear of these.
    printer.order(2_000).await;
    printer.answered().await;
    let build = user
        .wait_for(printer.number, |build| build["attempt"] == 2)
        .await;
    assert_eq!(build["attempts"][0]["status"], "infra_lost", "{build}");
    let given_up = stored(&user, printer.number, 1).await;
    printer.turn_to_attempt(2);
    printer.order(3_000).await;
    printer.answered().await;

    // The first agent says what it has, and hears that it is no longer wanted: its step is ended.
    machine.line(first).set(Line::Open);
    super::settings::until("the first agent gives up its build", || {
        super::processes::steps(machine.agent_dir(first), 1).is_empty()
    })
    .await;
    printer.end().await;
    printer.check(&user, 2).await;
    let build = user.build(printer.number).await;
    assert_eq!(build["agent_name"], "agent-1", "{build}");
    assert!(
        stored(&user, printer.number, 1).await == given_up,
        "the log of a lost attempt changed after it was given up"
    );
    let lost = user.events(&["attempt_lost"]).await;
    assert_eq!(lost.len(), 1, "{lost:?}");
    press.check_runs([(&printer, 2)]);
    machine.everything_delivered().await;
    press.nothing_left().await;
}

async fn stored(user: &User, number: u64, attempt: u32) -> Vec<u8> {
    let mut log = Vec::new();
    let read = user.raw_log(number, attempt, |bytes| {
        log.extend_from_slice(bytes);
        Ok(())
    });
    read.await.expect("every byte is taken");
    log
}
