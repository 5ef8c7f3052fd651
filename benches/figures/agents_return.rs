//! The server was away while two hundred agents worked: they come back at the same moment, without any chance in their waits.

use super::support::{Goal, Lab, Table, journal, percentile};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Agents.
const AGENTS: usize = 200;

/// Chunks of the finished log that each holds.
const CHUNKS: usize = 4;

/// Lines of a chunk: together 200 KB, what half an hour of a usual build leaves.
const LINES: usize = 500;

pub(crate) async fn measure(table: &mut Table) {
    let (mut lab, client) = Lab::start().await;
    let job = client.job("long", "true").await;
    let dir = lab.path("keys");
    std::fs::create_dir(&dir).expect("a directory");
    let (mut held, mut numbers) = (Vec::new(), Vec::new());
    for agent in 0..AGENTS {
        let speaker = client.speaker(&dir, &format!("agent-{agent}"), &[]).await;
        let (mut line, _) = speaker.connect(vec![]).await;
        numbers.push(client.trigger(&job).await);
        let lease = line.assigned().await;
        held.push((speaker, lease));
    }
    lab.kill_server();
    lab.start_server();
    lab.forget_peak();
    let began = Instant::now();
    let mut returning = JoinSet::new();
    for (agent, (speaker, lease)) in held.into_iter().enumerate() {
        let parts: Vec<Vec<u8>> = (0..CHUNKS).map(|chunk| lines(agent, chunk)).collect();
        let frames = journal(lease, &parts);
        let last = frames.len() as u64;
        returning.spawn(async move {
            let began = Instant::now();
            let (mut line, resume) = speaker.connect(vec![lease]).await;
            let accepted = began.elapsed();
            assert_eq!(resume.len(), 1, "the server knows the lease");
            line.send(frames).await;
            line.stored(lease, last).await;
            (accepted, line)
        });
    }
    // Connections stay open: an agent that delivered waits for work.
    let (mut accepted, mut lines) = (Vec::new(), Vec::new());
    while let Some(done) = returning.join_next().await {
        let (time, line): (Duration, _) = done.expect("it delivers");
        accepted.push(time.as_secs_f64() * 1000.0);
        lines.push(line);
    }
    let drained = began.elapsed().as_secs_f64();
    let most = lab.server_mb("VmHWM");
    for number in numbers {
        let build = client.build(number).await;
        assert_eq!(build["status"], "passed", "{build}");
        assert_eq!(build["attempt"], 1, "{build}");
    }
    table.add(
        "200 agents come back at once, connect to welcome, p50",
        percentile(&mut accepted, 50),
        "ms",
        Goal::None,
    );
    table.add(
        "200 agents come back at once, connect to welcome, p99",
        percentile(&mut accepted, 99),
        "ms",
        Goal::AtMost(2000.0),
    );
    table.add(
        "until all 200 journals of 200 KB are stored",
        drained,
        "s",
        Goal::None,
    );
    table.add("server meanwhile, most resident", most, "MB", Goal::None);
}

fn lines(agent: usize, chunk: usize) -> Vec<u8> {
    let line = |line: usize| {
        let mixed =
            (line + 7 + LINES * (chunk + CHUNKS * agent)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "{line:>6} INFO agent {agent} part {chunk} request {mixed:016x} took {:>5} us, cache warm, status ok, next in 12 s\n",
            mixed >> 48
        )
    };
    (0..LINES).map(line).collect::<String>().into_bytes()
}
