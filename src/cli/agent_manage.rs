//! Use cases: what an operator does with the server's agents.

use super::args::{AgentMetrics, AgentName, ChangeAgent};
use super::error::CliError;
use super::output::{Table, Theme, age, bytes, clean};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{
    Agent, AgentMode, ChangeAgent as Change, HostMetrics, HostSample, NewEnrolment, Page,
};

/// Shows one agent.
pub(super) async fn show(session: &Session, args: &AgentName) -> Result<(), CliError> {
    let agent: Agent = session.client()?.get(&["agents", &args.agent], &[]).await?;
    session.out.show(&agent, |theme| draw(&agent, theme))
}

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

fn load(metrics: &HostMetrics) -> String {
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
        AgentMode::Disabled => format!("agent {name} is disabled; its builds were queued again\n"),
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

fn draw(agent: &Agent, theme: &Theme) -> String {
    let seen = agent
        .last_seen_at
        .map_or_else(|| "never".to_owned(), |seen| age(theme.now, seen));
    let mut out = format!(
        "{}  {}, {}\n  {} {}  capacity {}  seen {seen}\n  labels: {}\n",
        agent.name,
        agent.state,
        agent.mode.as_str(),
        agent.platform,
        agent.version,
        agent.capacity,
        agent.labels.join(", "),
    );
    if let Some(HostSample { metrics, .. }) = &agent.host {
        out.push_str(&format!(
            "  cpu {} %  load {}  memory {} of {}  disk {} of {} free\n",
            metrics.cpu_percent,
            load(metrics),
            bytes(metrics.memory_used),
            bytes(metrics.memory_total),
            bytes(metrics.disk_free),
            bytes(metrics.disk_total),
        ));
    }
    if agent.mode != AgentMode::Ready {
        let by = agent.mode_changed_by.as_deref().unwrap_or_default();
        let reason = agent.mode_reason.as_deref().unwrap_or("no reason given");
        out.push_str(&format!("  {} by {by}: {reason}\n", agent.mode.as_str()));
    }
    for lease in &agent.builds {
        out.push_str(&format!(
            "  works on build {}, attempt {}\n",
            lease.build_number, lease.attempt
        ));
    }
    out.lines()
        .map(|line| format!("{}\n", clean(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use testhide_protocol::AgentId;
    use testhide_protocol::Timestamp;
    use testhide_protocol::api::{Agent, AgentMode, HostMetrics, HostSample};

    #[test]
    fn an_agent_says_why_it_rests() {
        let agent = Agent {
            id: AgentId::from_bytes([1; 16]),
            name: "builder-1".to_owned(),
            state: "online".to_owned(),
            labels: vec!["linux".to_owned(), "builder-1".to_owned()],
            capacity: 2,
            version: "0.1.0".to_owned(),
            platform: "linux x86_64".to_owned(),
            enrolled_at: Timestamp(0),
            last_seen_at: None,
            builds: Vec::new(),
            host: Some(HostSample {
                time: Timestamp(0),
                metrics: HostMetrics {
                    cpu_percent: 12,
                    load_hundredths: 105,
                    memory_used: 1_000_000_000,
                    memory_total: 4_000_000_000,
                    disk_free: 20_000_000_000,
                    disk_total: 80_000_000_000,
                },
            }),
            mode: AgentMode::Draining,
            mode_reason: Some("new disk\u{1b}[2J".to_owned()),
            mode_changed_by: Some("anna".to_owned()),
            mode_changed_at: Some(Timestamp(0)),
        };
        assert_eq!(
            draw(&agent, &theme()),
            "builder-1  online, draining\n  linux x86_64 0.1.0  capacity 2  seen never\n  labels: linux, builder-1\n  cpu 12 %  load 1.05  memory 1.0 GB of 4.0 GB  disk 20.0 GB of 80.0 GB free\n  draining by anna: new disk\n"
        );
    }
}
