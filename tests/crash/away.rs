//! The server away from fifty running builds: asked to end, or killed.

use super::machine::Machine;
use super::printer::{Pipes, Press, Printer};
use super::settings::{number_from, seat};
use super::user::User;
use std::time::Duration;
use tokio::time::Instant;

/// Agents, and builds that each runs at once.
const AGENTS: usize = 5;
const CAPACITY: u32 = 10;

/// How often each step prints while nobody hears it.
const TIMES: u32 = 20;
const SHORTEST_PACE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_builds_go_on_when_their_server_is_asked_to_end() {
    let _seat = seat().await;
    let mut machine = Machine::start(&[]).await;
    let (user, press, mut printers) = fifty_builds(&mut machine).await;
    machine.stop_server().await;
    build_alone(&mut printers).await;
    come_back(machine, &user, &press, &mut printers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_builds_go_on_when_their_server_is_killed() {
    let _seat = seat().await;
    let mut machine = Machine::start(&[]).await;
    let (user, press, mut printers) = fifty_builds(&mut machine).await;
    machine.kill_server().await;
    build_alone(&mut printers).await;
    come_back(machine, &user, &press, &mut printers).await;
}

/// Builds that all run.
async fn fifty_builds(machine: &mut Machine) -> (User, Press, Vec<Printer>) {
    let user = User::set_up(machine).await;
    for _ in 0..AGENTS {
        machine.add_agent(&user, CAPACITY).await;
    }
    let mut press = Press::set_up(machine, &user).await;
    let mut printers = Vec::new();
    for number in 0..AGENTS * CAPACITY as usize {
        let pipes = [Pipes::One, Pipes::Two][number % 2];
        printers.push(press.print(&user, pipes).await);
    }
    print(&mut printers, 10).await;
    (user, press, printers)
}

/// Works without a server. Half of the builds end while nobody is there to hear it.
async fn build_alone(printers: &mut [Printer]) {
    let away = Duration::from_secs(number_from("TESTHIDE_CRASH_AWAY_SECONDS", 5));
    let began = Instant::now();
    let mut pace = tokio::time::interval((away / TIMES).max(SHORTEST_PACE));
    let (first, second) = printers.split_at_mut(printers.len() / 2);
    print(first, 20).await;
    end(first).await;
    while began.elapsed() < away {
        pace.tick().await;
        print(second, 20).await;
    }
}

/// Starts the server again, and checks that nothing is lost and nothing ran twice.
#[expect(clippy::print_stdout, reason = "the figure of a long run")]
async fn come_back(mut machine: Machine, user: &User, press: &Press, printers: &mut [Printer]) {
    machine.start_server().await;
    let back = Instant::now();
    let (first, second) = printers.split_at_mut(printers.len() / 2);
    for printer in first {
        printer.check(user, 1).await;
    }
    println!(
        "what had ended meanwhile is stored {} ms after the return",
        back.elapsed().as_millis()
    );
    print(second, 100).await;
    end(second).await;
    for printer in second {
        printer.check(user, 1).await;
    }
    user.check_nothing_lost().await;
    press.check_runs(printers.iter().map(|printer| (printer, 1)));
    machine.everything_delivered().await;
    press.nothing_left().await;
}

/// Has each print `lines`, and waits until all have.
async fn print(printers: &mut [Printer], lines: u64) {
    for printer in &mut *printers {
        printer.order(lines).await;
    }
    for printer in printers {
        printer.answered().await;
    }
}

async fn end(printers: &mut [Printer]) {
    for printer in printers {
        printer.end().await;
    }
}
