//! Use cases: what an operator does with the server's agents.

use super::args::{AgentMetrics, AgentName, ChangeAgent};
use super::error::CliError;
use super::output::{Table, age, bytes, clean};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{
    Agent, AgentMode, ChangeAgent as Change, HostMetrics, HostSample, NewEnrolment, Page,
};

/// Most rows of a table of samples.
const ROWS: usize = 24;

/// Shows how an agent's machine was: at most 24 rows, evenly over the time; `--json` has all samples.
pub(super) async fn metrics(session: &Session, args: &AgentMetrics) -> Result<(), CliError> {
    let query = [("minutes", args.minutes.to_string())];
    let page: Page<HostSample> = session
        .client()?
        .get(&["agents", &args.agent, "metrics"], &query)
        .await?;
    let mut table = Table::new(&[
        "WHEN",
        ">CPU",
        ">LOAD",
        ">MEMORY",
        ">OF",
        ">DISK FREE",
        ">OF",
    ]);
    let now = session.out.now();
    let step = page.items.len().div_ceil(ROWS).max(1);
    let mut rows: Vec<&HostSample> = page.items.iter().rev().step_by(step).collect();
    rows.reverse();
    for HostSample { time, metrics } in rows {
        table.row([
            age(now, *time).into(),
            format!("{} %", metrics.cpu_percent).into(),
            load(metrics).into(),
            bytes(metrics.memory_used).into(),
            bytes(metrics.memory_total).into(),
            bytes(metrics.disk_free).into(),
            bytes(metrics.disk_total).into(),
        ]);
    }
    session.out.list(
        &page.items,
        &table,
        "nothing was heard of its machine in this time",
    )
}

pub(super) fn load(metrics: &HostMetrics) -> String {
    format!(
        "{}.{:02}",
        metrics.load_hundredths / 100,
        metrics.load_hundredths % 100
    )
}

/// Lets an agent do something else: `verb` is the last part of the route.
pub(super) async fn change(
    session: &Session,
    args: ChangeAgent,
    verb: &str,
) -> Result<(), CliError> {
    let change = Change {
        reason: args.reason,
    };
    let agent: Agent = session
        .client()?
        .post(&["agents", &args.agent, verb], &change)
        .await?;
    let busy = agent.builds.len();
    let builds = if busy == 1 { "build" } else { "builds" };
    let name = clean(&agent.name);
    let line = match agent.mode {
        AgentMode::Ready => format!("agent {name} takes builds\n"),
        AgentMode::Draining => {
            format!("agent {name} takes no more builds; it works on {busy} {builds}\n")
        }
        AgentMode::Disabled => format!(
            "agent {name} is disabled; its builds are queued again while their retries last\n"
        ),
    };
    session.out.show(&agent, |_| line)
}

/// Removes an agent.
pub(super) async fn remove(session: &Session, args: &AgentName) -> Result<(), CliError> {
    session.client()?.delete(&["agents", &args.agent]).await?;
    session.out.show(&json!({ "removed": args.agent }), |_| {
        format!("removed agent {}\n", clean(&args.agent))
    })
}

/// Makes a token that gives an agent a new key. The token alone goes to stdout.
pub(super) async fn rotate_key(session: &Session, args: &AgentName) -> Result<(), CliError> {
    let made: NewEnrolment = session
        .client()?
        .post(&["agents", &args.agent, "rotate-key"], &json!({}))
        .await?;
    session.out.say(&format!(
        "good for agent {} until {}; `testhide agent enroll --token-file -` on its machine makes the new key, then restart the agent",
        clean(&args.agent),
        made.expires_at
    ));
    session
        .out
        .show(&made, |_| format!("{}\n", clean(&made.token)))
}
