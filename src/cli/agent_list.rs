//! Use case: list the server's agents and what they work on.

use super::error::CliError;
use super::output::{Cell, Colour, Table, Theme, age};
use super::session::Session;
use testhide_protocol::api::{Agent, AgentMode};

/// Lists agents.
pub(super) async fn run(session: &Session) -> Result<(), CliError> {
    let agents: Vec<Agent> = session.client()?.short_list(&["agents"]).await?;
    session.out.list(
        &agents,
        &table(&agents, &session.out.theme()),
        "there are no agents; `testhide agent token` makes a token for one",
    )
}

fn table(agents: &[Agent], theme: &Theme) -> Table {
    let mut table = Table::new(&[
        "AGENT", "STATE", "BUSY", "~BUILDS", "~LABELS", "PLATFORM", "VERSION", "SEEN", "ERROR",
    ]);
    for agent in agents {
        let (sign, colour) = match (agent.state.as_str(), theme.unicode) {
            ("online", true) => ("● ", Colour::Green),
            ("online", false) => ("* ", Colour::Green),
            ("suspect", _) => ("? ", Colour::Yellow),
            (_, true) => ("○ ", Colour::Red),
            (_, false) => ("o ", Colour::Red),
        };
        let builds: Vec<String> = agent
            .builds
            .iter()
            .map(|lease| lease.build_number.to_string())
            .collect();
        table.row([
            Cell::from(&agent.name),
            match agent.mode {
                AgentMode::Ready => Cell::new(&format!("{sign}{}", agent.state)).colour(colour),
                resting => Cell::new(&format!("{sign}{}", resting.as_str())).colour(Colour::Yellow),
            },
            format!("{}/{}", agent.builds.len(), agent.capacity).into(),
            builds.join(" ").into(),
            agent.labels.join(",").into(),
            Cell::from(&agent.platform),
            Cell::from(&agent.version),
            agent
                .last_seen_at
                .map_or_else(|| "never".to_owned(), |seen| age(theme.now, seen))
                .into(),
            match &agent.last_error {
                Some(error) => {
                    Cell::new(&format!("! {}", age(theme.now, error.time))).colour(Colour::Yellow)
                }
                None => Cell::from(""),
            },
        ]);
    }
    table
}
