//! Ten busy loops a core beside a build that prints slowly: its agent is never called lost.

use super::machine::Machine;
use super::printer::{Pipes, Press};
use super::settings::{number_from, whole_machine};
use super::user::User;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Busy loops for each core.
const LOOPS: usize = 10;

/// How often the step prints.
const PACE: Duration = Duration::from_millis(250);

/// The least that the configuration allows: less than the case lasts.
const SHORTEST_LOSS: &str = "20";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_on_a_starved_machine_is_not_lost() {
    let _machine = whole_machine().await;
    let seconds = number_from("TESTHIDE_CRASH_STARVED_SECONDS", 25);
    let mut machine = Machine::start(&[("TPS_HEARTBEAT_TIMEOUT_SEC", SHORTEST_LOSS)]).await;
    let user = User::set_up(&mut machine).await;
    machine.add_agent(&user, 1).await;
    let mut press = Press::set_up(&machine, &user).await;
    let mut printer = press.print(&user, Pipes::One).await;
    printer.order(1).await;
    printer.answered().await;

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let loops: Vec<Child> = (0..LOOPS * cores).map(|_| busy_loop()).collect();
    let mut pace = tokio::time::interval(PACE);
    for _ in 0..seconds * 1000 / PACE.as_millis() as u64 {
        pace.tick().await;
        printer.order(1).await;
        printer.answered().await;
    }
    let agents = user.get("/agents").await;
    drop(loops);

    assert_eq!(agents["items"][0]["state"], "online", "{agents}");
    printer.end().await;
    printer.check(&user, 1).await;
    user.check_nothing_lost().await;
    press.check_runs([(&printer, 1)]);
}

fn busy_loop() -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", "while :; do :; done"])
        .kill_on_drop(true);
    command.spawn().expect("a busy loop starts")
}
