//! A runner killed while its agent lives: the attempt is lost and says so, nothing of it runs on, the build's next attempt is whole.

use super::machine::Machine;
use super::printer::{Pipes, Press};
use super::processes;
use super::settings::{number_from, seat, until};
use super::user::User;
use serde_json::json;

/// What a killed runner leaves of a log behind the step's own output: some lines of the agent.
const MOST_WORDS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_whose_runner_is_killed_runs_again() {
    let _seat = seat().await;
    let rounds = number_from("TESTHIDE_CRASH_RUNNERS", 2);
    let mut machine = Machine::start(&[]).await;
    let user = User::set_up(&mut machine).await;
    let agent = machine.add_agent(&user, 1).await;
    let mut press = Press::set_up(&machine, &user).await;
    let mut printers = Vec::new();
    for round in 0..rounds {
        let mut printer = press.print(&user, Pipes::One).await;
        printer.order(1).await;
        printer.answered().await;
        let runners = processes::runners(machine.agent_dir(agent));
        assert_eq!(runners.len(), 1, "one attempt, one runner");
        // In the first round it is silent, later in the middle of its words.
        printer.order(round * 200_000).await;
        machine.line(agent).passes(round * 50_000).await;
        printer.foresee_attempt(2);
        processes::kill(runners[0]);

        let lost = user
            .wait_for(printer.number, |build| build["attempt"] == 2)
            .await;
        assert_eq!(lost["attempts"][0]["status"], "infra_lost", "{lost}");
        let mut log = Vec::new();
        let read = user.raw_log(printer.number, 1, |bytes| {
            log.extend_from_slice(bytes);
            Ok(())
        });
        read.await.expect("every byte is taken");
        let printed = printer.expected().prefix_of(&log);
        let words = String::from_utf8_lossy(&log[printed..]);
        assert!(
            words.contains("interrupted") && words.len() < MOST_WORDS,
            "behind {printed} printed bytes the log says `{words}`"
        );
        until("nothing of the killed runner runs", || {
            processes::steps(machine.agent_dir(agent), 1).is_empty()
        })
        .await;

        printer.turn_to_attempt(2);
        printer.order(1000).await;
        printer.answered().await;
        printer.end().await;
        printer.check(&user, 2).await;
        printers.push(printer);
    }
    let lost = user.events(&["attempt_lost"]).await;
    assert_eq!(lost.len() as u64, rounds, "{lost:?}");
    assert!(lost.iter().all(|event| event["attempt"] == json!(1)));
    press.check_runs(printers.iter().map(|printer| (printer, 2)));
    machine.everything_delivered().await;
    press.nothing_left().await;
}
