//! Use cases: quality gates.

use super::args::{CreateGate as CreateArgs, UpdateGate as UpdateArgs};
use super::client::Client;
use super::error::{CliError, Exit};
use super::gate_rules::{read_rules, words};
use super::output::{Cell, Colour, Table, Theme, age, clean, clean_lines};
use super::session::Session;
use testhide_protocol::GateId;
use testhide_protocol::api::{Gate, PutGate};

/// Makes a gate.
pub(super) async fn create(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let rules = read_rules(args.rules)?;
    if rules.is_empty() {
        return Err(
            CliError::usage("a gate without rules lets every build through")
                .hint("give at least one, e.g. `--pass-rate 95` or `--file rules.json`"),
        );
    }
    let new = PutGate {
        name: args.name,
        description: args.description,
        job: args.job,
        enabled: Some(!args.disabled),
        rules,
    };
    let gate: Gate = session
        .client()?
        .post(&["projects", &args.project, "gates"], &new)
        .await?;
    session.out.show(&gate, |_| {
        format!(
            "created gate {}/{} ({})\n",
            clean(&args.project),
            clean(&gate.name),
            gate.id
        )
    })
}

/// Lists the gates of a project.
pub(super) async fn list(session: &Session, project: &str) -> Result<(), CliError> {
    let (gates, _) = session
        .client()?
        .list::<Gate>(&["projects", project, "gates"], &[], usize::MAX)
        .await?;
    let mut table = Table::new(&["GATE", "STATE", "JOB", "~RULES", "ID"]);
    for gate in &gates {
        let rules: Vec<String> = gate.rules.iter().map(words).collect();
        table.row([
            Cell::from(&gate.name),
            state(gate),
            job(gate).into(),
            rules.join(", ").into(),
            gate.id.to_string().into(),
        ]);
    }
    session.out.list(
        &gates,
        &table,
        "the project has no gates; `testhide gate create PROJECT NAME --pass-rate 95` makes one",
    )
}

/// Shows a gate.
pub(super) async fn show(session: &Session, gate: &str) -> Result<(), CliError> {
    let gate = find_gate(&session.client()?, gate).await?;
    session.out.show(&gate, |theme| draw(&gate, theme))
}

/// Changes a gate; what is not named stays as it is.
pub(super) async fn update(session: &Session, args: UpdateArgs) -> Result<(), CliError> {
    let rules = read_rules(args.rules)?;
    let is_named = args.name.is_some() || args.description.is_some() || args.job.is_some();
    if !(is_named || args.all_jobs || args.enable || args.disable) && rules.is_empty() {
        return Err(CliError::usage("there is nothing to change")
            .hint("give what is to be another, e.g. `--pass-rate 98` or `--disable`"));
    }
    let client = session.client()?;
    let before = find_gate(&client, &args.gate).await?;
    let job = match (args.job, args.all_jobs) {
        (Some(job), _) => Some(job),
        (None, true) => None,
        (None, false) => before.job_id.map(|job| job.to_string()),
    };
    let put = PutGate {
        name: args.name.unwrap_or(before.name),
        description: args.description.unwrap_or(before.description),
        job,
        enabled: match (args.enable, args.disable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        rules: if rules.is_empty() {
            before.rules
        } else {
            rules
        },
    };
    let gate: Gate = client
        .replace(&["gates", &before.id.to_string()], &put)
        .await?;
    session.out.show(&gate, |_| {
        format!("updated gate {} ({})\n", clean(&gate.name), gate.id)
    })
}

/// Removes a gate.
pub(super) async fn delete(session: &Session, gate: &str) -> Result<(), CliError> {
    let client = session.client()?;
    let gate = find_gate(&client, gate).await?;
    client.delete(&["gates", &gate.id.to_string()]).await?;
    session.out.show(&gate, |_| {
        format!("deleted gate {} ({})\n", clean(&gate.name), gate.id)
    })
}

/// The gate that `PROJECT/NAME` or an id stands for.
async fn find_gate(client: &Client, given: &str) -> Result<Gate, CliError> {
    if let Ok(id) = given.parse::<GateId>() {
        return client.get(&["gates", &id.to_string()], &[]).await;
    }
    let Some((project, name)) = given.split_once('/') else {
        return Err(CliError::usage(format!(
            "`{given}` is neither PROJECT/NAME nor the id of a gate"
        )));
    };
    let (gates, _) = client
        .list::<Gate>(&["projects", project, "gates"], &[], usize::MAX)
        .await?;
    gates
        .into_iter()
        .find(|gate| gate.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            CliError::new(
                Exit::NotFound,
                "gate_not_found",
                format!("project `{project}` has no gate `{name}`"),
            )
            .hint(format!("`testhide gate list {project}` lists its gates"))
        })
}

fn state(gate: &Gate) -> Cell {
    if gate.enabled {
        Cell::from("enabled")
    } else {
        Cell::from("disabled").colour(Colour::Yellow)
    }
}

/// The job's name, or that all are meant, or that there is none any more.
fn job(gate: &Gate) -> &str {
    match (&gate.job_name, gate.job_id) {
        (Some(name), _) => name,
        (None, Some(_)) => "(gone)",
        (None, None) => "(all)",
    }
}

fn draw(gate: &Gate, theme: &Theme) -> String {
    let enabled = if gate.enabled { "enabled" } else { "disabled" };
    let dot = theme.dot();
    let mut out = format!(
        "gate {}{dot}{enabled}{dot}job {}{dot}changed {}\n  id {}\n",
        clean(&gate.name),
        clean(job(gate)),
        age(theme.now, gate.updated_at),
        gate.id
    );
    for line in clean_lines(&gate.description) {
        out.push_str(&format!("  {line}\n"));
    }
    out.push('\n');
    // JSON, because that is what `gate update --file` takes.
    let json = serde_json::to_string_pretty(&gate.rules).expect("rules are plain data");
    for line in clean_lines(&json) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}
