//! The server away from fifty running builds: asked to end in one round, killed in the next.

use super::machine::Machine;
use super::printer::{Pipes, Press, Printer};
use super::settings::{number_from, seat};
use super::user::User;
use std::time::Duration;

/// Agents, and builds that each runs at once.
const AGENTS: usize = 5;
const CAPACITY: u32 = 10;

/// How often each step prints while nobody hears it.
const PACE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_builds_go_on_without_their_server() {
    let _seat = seat().await;
    let seconds = number_from("TESTHIDE_CRASH_AWAY_SECONDS", 5);
    let mut machine = Machine::start(&[]).await;
    let user = User::set_up(&mut machine).await;
    for _ in 0..AGENTS {
        machine.add_agent(&user, CAPACITY).await;
    }
    let mut press = Press::set_up(&machine, &user).await;
    let mut all = Vec::new();
    for is_asked in [true, false] {
        let mut printers = Vec::new();
        for number in 0..AGENTS * CAPACITY as usize {
            let pipes = [Pipes::One, Pipes::Two][number % 2];
            printers.push(press.print(&user, pipes).await);
        }
        print(&mut printers, 10).await;

        if is_asked {
            machine.stop_server().await;
        } else {
            machine.kill_server().await;
        }
        // Half of them end while nobody is there to hear it.
        let half = printers.len() / 2;
        let mut pace = tokio::time::interval(PACE);
        for second in 0..seconds {
            pace.tick().await;
            let ended = if second > seconds / 2 { half } else { 0 };
            if second == seconds / 2 {
                print(&mut printers[..half], 100).await;
                end(&mut printers[..half]).await;
            }
            print(&mut printers[ended.max(half)..], 20).await;
        }
        machine.start_server().await;

        let back = tokio::time::Instant::now();
        for printer in &printers[..half] {
            printer.check(&user, 1).await;
        }
        println!(
            "asked to end: {is_asked}; away {seconds} s; all that ended meanwhile is stored {} ms after the return",
            back.elapsed().as_millis()
        );
        print(&mut printers[half..], 100).await;
        end(&mut printers[half..]).await;
        for printer in &printers[half..] {
            printer.check(&user, 1).await;
        }
        all.extend(printers);
    }
    user.check_nothing_lost().await;
    press.check_runs(all.iter().map(|printer| (printer, 1)));
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
