//! Use case: show one of the server's agents with its past.

use super::agent_manage::load;
use super::args::AgentName;
use super::error::CliError;
use super::output::{Theme, age, bytes, clean};
use super::session::Session;
use testhide_protocol::api::{AgentConnection, AgentDetails, AgentMode, HostSample};

/// Connections that are shown; `--json` has all that are kept.
const CONNECTIONS: usize = 5;

/// Shows one agent.
pub(super) async fn run(session: &Session, args: &AgentName) -> Result<(), CliError> {
    let agent: AgentDetails = session.client()?.get(&["agents", &args.agent], &[]).await?;
    session.out.show(&agent, |theme| draw(&agent, theme))
}

fn draw(details: &AgentDetails, theme: &Theme) -> String {
    let agent = &details.agent;
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
    if let Some(address) = &agent.address {
        out.push_str(&format!("  from {address}\n"));
    }
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
    if let Some(error) = &agent.last_error {
        let when = age(theme.now, error.time);
        out.push_str(&format!("  last error {when}: {}\n", error.text));
    }
    for lease in &agent.builds {
        out.push_str(&format!(
            "  works on build {}, attempt {}\n",
            lease.build_number, lease.attempt
        ));
    }
    if !details.refusals.is_empty() {
        out.push_str("refused of it\n");
    }
    for refusal in &details.refusals {
        let (count, kind) = (refusal.count, &refusal.kind);
        let (when, why) = (age(theme.now, refusal.last_at), &refusal.last_reason);
        out.push_str(&format!("  {count} × {kind}, last {when}: {why}\n"));
    }
    if !details.connections.is_empty() {
        out.push_str("connections\n");
    }
    for connection in details.connections.iter().take(CONNECTIONS) {
        out.push_str(&format!("  {}\n", told(connection, theme)));
    }
    let more = details.connections.len().saturating_sub(CONNECTIONS);
    if more > 0 {
        out.push_str(&format!("  and {more} before; --json shows them\n"));
    }
    out.lines()
        .map(|line| format!("{}\n", clean(line)))
        .collect()
}

fn told(connection: &AgentConnection, theme: &Theme) -> String {
    let address = connection.address.as_deref().unwrap_or("-");
    let ended = match (&connection.ended, connection.until) {
        (None, _) => "open".to_owned(),
        (Some(why), Some(until)) => format!("ended {}: {why}", age(theme.now, until)),
        (Some(why), None) => format!("ended: {why}"),
    };
    format!(
        "{}  {address}  {}  {ended}",
        age(theme.now, connection.from),
        connection.version
    )
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use testhide_protocol::api::{
        Agent, AgentConnection, AgentDetails, AgentMode, AgentRefusals, AgentTrouble, HostMetrics,
        HostSample,
    };
    use testhide_protocol::{AgentId, Timestamp};

    fn agent() -> Agent {
        Agent {
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
            address: None,
            last_error: None,
        }
    }

    #[test]
    fn an_agent_says_why_it_rests() {
        let details = AgentDetails {
            agent: agent(),
            connections: Vec::new(),
            refusals: Vec::new(),
        };
        assert_eq!(
            draw(&details, &theme()),
            "builder-1  online, draining\n  linux x86_64 0.1.0  capacity 2  seen never\n  labels: linux, builder-1\n  cpu 12 %  load 1.05  memory 1.0 GB of 4.0 GB  disk 20.0 GB of 80.0 GB free\n  draining by anna: new disk\n"
        );
    }

    #[test]
    fn an_agent_has_a_past() {
        let now = theme().now;
        let at = |seconds: i64| now.plus_millis(-seconds * 1000);
        let connection = |from, until: Option<Timestamp>, ended: Option<&str>| AgentConnection {
            from,
            until,
            address: Some("10.0.0.7".to_owned()),
            version: "0.1.0".to_owned(),
            ended: ended.map(str::to_owned),
        };
        let text = "refused (foreign_lease): a lease of another";
        let details = AgentDetails {
            agent: Agent {
                host: None,
                mode: AgentMode::Ready,
                address: Some("10.0.0.7".to_owned()),
                last_error: Some(AgentTrouble {
                    time: at(120),
                    text: text.to_owned(),
                }),
                ..agent()
            },
            connections: vec![
                connection(at(60), None, None),
                connection(at(7200), Some(at(3600)), Some("silent for 20 s\u{1b}[2J")),
                connection(at(9000), None, Some("the server was stopped")),
            ],
            refusals: vec![AgentRefusals {
                kind: "foreign_lease".to_owned(),
                count: 3,
                last_at: at(120),
                last_reason: "a lease of another".to_owned(),
            }],
        };
        let expected = "builder-1  online, ready\n  linux x86_64 0.1.0  capacity 2  seen never\n  labels: linux, builder-1\n  from 10.0.0.7\n  \
             last error 2m ago: refused (foreign_lease): a lease of another\nrefused of it\n  3 × foreign_lease, last 2m ago: a lease of another\n\
             connections\n  60s ago  10.0.0.7  0.1.0  open\n  2h ago  10.0.0.7  0.1.0  ended 60m ago: silent for 20 s\n  \
             2h ago  10.0.0.7  0.1.0  ended: the server was stopped\n";
        assert_eq!(draw(&details, &theme()), expected);
    }
}
