//! An agent and its runners, of which either may die.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{Step, StepState, Stream};
use testhide_protocol::wire::{AttemptEnd, Lease, RecordBody, Segment};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::session::{Connection, Server, script};
use super::{assignment, lease, within};
use crate::spool::{RawChunk, SpoolDir};
use crate::{AgentError, Boot, InProcess, Runner, run_attempt};

/// Runners in this process, each of which a test may kill or wait for.
#[derive(Debug, Clone, Default)]
struct Killable(Arc<Mutex<Vec<Task>>>);

type Task = JoinHandle<Result<(), AgentError>>;

impl Runner for Killable {
    fn launch(&self, spool: &Path) -> std::io::Result<()> {
        let spool = spool.to_owned();
        let run = async move { Box::pin(run_attempt(&spool, CancellationToken::new())).await };
        self.0.lock().push(tokio::spawn(run));
        Ok(())
    }

    fn is_alive(&self, spool: &Path) -> bool {
        let begins = self.0.lock().iter().any(|runner| !runner.is_finished());
        begins || SpoolDir::at(spool).is_some_and(|spool| spool.is_locked())
    }
}

impl Killable {
    fn only(&self) -> Task {
        self.0.lock().pop().expect("one was started")
    }
}

/// Assigns a build that says `begun` and ends when a file `go` is in its workspace; waits until it has begun.
async fn begin(server: &mut Server, connection: &mut Connection) -> Lease {
    let wait = "echo begun; while [ ! -e go ]; do sleep 0.01; done; echo gone";
    let work = assignment(lease(1), vec![script(wait)]);
    connection.assign(&work).await;
    while server.said(&work.lease, "out") != "begun\n" {
        server.take(connection).await.unwrap();
    }
    server.acknowledge(connection, work.lease).await;
    work.lease
}

#[tokio::test]
async fn an_attempt_outlives_its_agent_and_the_next_one_goes_on_with_it() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let lease = begin(&mut server, &mut connection).await;
    agent.kill().await;
    std::fs::write(server.workspace().join("go"), "").unwrap();
    let agent = server.agent();
    let mut connection = server.welcome().await;
    assert_eq!(connection.holding, [lease]);
    let end = server.until_ended(&mut connection, &lease).await;
    assert_eq!(end, (AttemptEnd::Passed, None));
    assert_eq!(server.states(&lease), [StepState::Passed]);
    assert_eq!(server.said(&lease, "out"), "begun\ngone\n");
    assert_eq!(server.said(&lease, "system"), "");
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn a_runner_that_is_killed_is_ended_by_the_agent_that_watches() {
    let mut server = Server::start().await;
    let runner = Killable::default();
    let agent = server.agent_with(Arc::new(runner.clone()), |_| {});
    let mut connection = server.welcome().await;
    let lease = begin(&mut server, &mut connection).await;
    runner.only().abort();
    let end = server.until_ended(&mut connection, &lease).await;
    let words = "its runner was killed".to_owned();
    assert_eq!(end, (AttemptEnd::Interrupted, Some(words)));
    assert_eq!(
        server.said(&lease, "system"),
        "the build was interrupted: its runner was killed\n"
    );
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn an_attempt_whose_agent_stays_away_ends_itself() {
    let mut server = Server::start().await;
    let runner = Killable::default();
    let agent = server.agent_with(Arc::new(runner.clone()), |options| {
        options.orphan_after = std::time::Duration::from_millis(100);
    });
    let mut connection = server.welcome().await;
    let lease = begin(&mut server, &mut connection).await;
    agent.kill().await;
    within(runner.only()).await.unwrap().unwrap();
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let end = server.until_ended(&mut connection, &lease).await;
    let words = "its agent was gone for 0 s".to_owned();
    assert_eq!(end, (AttemptEnd::Interrupted, Some(words)));
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn an_attempt_whose_runner_was_never_started_is_ended() {
    let mut server = Server::start().await;
    let lease = lease(3);
    server.spool_left_behind(lease);
    let agent = server.agent();
    let mut connection = server.welcome().await;
    assert_eq!(connection.holding, [lease]);
    let end = server.until_ended(&mut connection, &lease).await;
    let words = "the agent was restarted".to_owned();
    assert_eq!(end, (AttemptEnd::Interrupted, Some(words)));
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn an_attempt_that_was_given_up_is_not_taken_up_again() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let lease = begin(&mut server, &mut connection).await;
    let reason = "it was given up".to_owned();
    let abandon = testhide_protocol::wire::ServerMessage::Abandon { lease, reason };
    connection.send(abandon).await;
    // A heartbeat comes after the message was understood.
    while !matches!(server.take(&mut connection).await, Ok(None)) {}
    agent.kill().await;
    let agent = server.agent();
    assert_eq!(server.welcome().await.holding, []);
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn what_the_server_has_is_deleted_while_the_build_runs() {
    let mut server = Server::start().await;
    // The least room there is: 16 MiB in segments of 4 MiB.
    let agent = server.agent_with(Arc::new(InProcess::default()), |options| {
        options.max_spool_bytes = 0;
    });
    let mut connection = server.welcome().await;
    // What a compressor cannot make much smaller, and more than there is room for.
    let much = "head -c 20000000 /dev/urandom | tee sum | base64 -w 76; cksum < sum; head -c 3000000 sum > file";
    let steps = vec![script(much), copy("file"), script("echo end")];
    let work = assignment(lease(1), steps);
    connection.assign(&work).await;
    let spool = server.spool_of(work.lease);
    let mut most = 0;
    while server.end_of(&work.lease).is_none() {
        if let Some(lease) = server.take(&mut connection).await.unwrap() {
            server.acknowledge(&mut connection, lease).await;
            most = most.max(bytes_in(&spool) + bytes_in(&spool.join("files")));
        }
    }
    assert!(most < 17 * 1024 * 1024, "{most}");
    assert_eq!(server.states(&work.lease), [StepState::Passed; 3]);
    let out = server.said(&work.lease, "out");
    assert!(out.len() > 27_000_000 && out.ends_with("\nend\n"));
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

fn copy(source: &str) -> Step {
    Step::CopyArtifacts {
        name: None,
        source: source.to_owned(),
        target: String::new(),
    }
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok());
    files
        .filter(|file| file.is_file())
        .map(|file| file.len())
        .sum()
}

/// One line of output.
fn line(text: &str) -> RawChunk {
    RawChunk {
        bytes: text.as_bytes().to_vec(),
        segments: vec![Segment {
            stream: Stream::Stdout,
            len: u32::try_from(text.len()).unwrap(),
        }],
        step: 0,
        time: Timestamp(1),
        elapsed_ms: 2,
    }
}

#[tokio::test]
async fn what_a_loss_of_power_took_is_told_behind_what_the_server_has() {
    let mut server = Server::start().await;
    // One has more on this disk than the server, the other less, the third lost everything.
    let leases = [1, 2, 3].map(lease);
    for (lease, on_disk, stored) in [(leases[0], 3, 2), (leases[1], 1, 3), (leases[2], 0, 3)] {
        if on_disk > 0 {
            let mut journal = server.left_behind(lease, Boot::numbered(1));
            for _ in 0..on_disk {
                journal.append_chunk(line("a line\n")).unwrap();
            }
        } else {
            let dir = server.spool_left_behind(lease);
            std::fs::remove_dir_all(dir.path()).unwrap();
            std::fs::create_dir(dir.path()).unwrap();
        }
        let record = RecordBody::SourceResolved {
            commit: "chunk".to_owned(),
        };
        server.stored.insert(lease, vec![record; stored]);
        let log = "a line\n".repeat(stored).into_bytes();
        server.log.entry(lease).or_default().insert("out", log);
    }
    let agent = server.agent();
    let mut connection = server.welcome().await;
    for (lease, lines) in leases.into_iter().zip([3, 3, 3]) {
        let (end, words) = server.until_ended(&mut connection, &lease).await;
        let words = words.unwrap();
        assert_eq!(end, AttemptEnd::Interrupted, "{words}");
        let byte = format!("its machine went down; output after byte {} of", 7 * lines);
        assert!(words.starts_with(&byte), "{words}");
        assert_eq!(server.said(&lease, "out"), "a line\n".repeat(lines));
        let said = server.said(&lease, "system");
        let told = format!("the build was interrupted: {words}\n");
        assert_eq!(said.trim_start_matches('\n'), told);
    }
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}
