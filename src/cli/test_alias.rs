//! Use cases: tests that go on under another name.

use super::args::ListAliases;
use super::error::CliError;
use super::output::{Cell, Colour, Table, Theme, age, clean};
use super::session::Session;
use testhide_protocol::api::{AliasEnd, AliasState, TestAlias};

/// Lists the aliases of a project with what speaks for them.
pub(super) async fn list(session: &Session, args: ListAliases) -> Result<(), CliError> {
    let query = [("state", args.state.clone())];
    let (aliases, _) = session
        .client()?
        .list::<TestAlias>(&["projects", &args.project, "aliases"], &query, args.limit)
        .await?;
    let mut table = Table::new(&["CHANGE", ">ALIKE", "~OLD", "~NEW", "RIVALS", "ID"]);
    for alias in &aliases {
        let rivals = match alias.rivals {
            0 => Cell::from(""),
            more => Cell::from(more.to_string()).colour(Colour::Yellow),
        };
        table.row([
            alias.change.as_str().into(),
            format!("{:.0} %", alias.score * 100.0).into(),
            Cell::from(&alias.old.display_name),
            Cell::from(&alias.new.display_name),
            rivals,
            alias.id.to_string().into(),
        ]);
    }
    let none = format!("no aliases are {}", args.state);
    session.out.list(&aliases, &table, &none)?;
    if !session.out.json && args.state == "proposed" && !aliases.is_empty() {
        session
            .out
            .say("`testhide test accept ID` joins the two histories, `testhide test reject ID` keeps them apart");
    }
    Ok(())
}

/// Accepts or rejects an alias, or takes back what was said of it: `what` is the last part of the address.
pub(super) async fn decide(session: &Session, alias: &str, what: &str) -> Result<(), CliError> {
    let decided: TestAlias = session
        .client()?
        .post(&["aliases", alias, what], &serde_json::json!({}))
        .await?;
    session.out.show(&decided, |theme| draw(&decided, theme))
}

/// An alias with both ends.
pub(super) fn draw(alias: &TestAlias, theme: &Theme) -> String {
    let state = match alias.state {
        AliasState::Proposed => "proposed: nobody decided, they are two tests",
        AliasState::Accepted => "accepted: the history of the old one goes on in the new one",
        AliasState::Rejected => "rejected: they are two tests",
    };
    let mut out = format!(
        "{} {:.0} % alike, {state}\n",
        alias.change.as_str(),
        alias.score * 100.0
    );
    for (title, end) in [("old", &alias.old), ("new", &alias.new)] {
        out.push_str(&format!("  {title}  {}\n", told(end, theme)));
    }
    for reason in &alias.reasons {
        out.push_str(&format!("  {}\n", clean(reason)));
    }
    if alias.rivals > 0 {
        out.push_str(&format!(
            "  ambiguous: {} other proposals are about as likely\n",
            alias.rivals
        ));
    }
    out
}

fn told(end: &AliasEnd, theme: &Theme) -> String {
    let dot = theme.dot();
    let place = match &end.run {
        Some(run) => run
            .build_number
            .map(|number| format!("{dot}build {number}"))
            .unwrap_or_default(),
        None => String::new(),
    };
    format!(
        "{}  {}, {} failed{dot}{} {}{place}",
        theme.paint(Colour::Bold, &clean(&end.display_name)),
        super::test::runs(end.runs),
        end.failures,
        end.last_outcome.as_str(),
        age(theme.now, end.last_seen_at),
    )
}

#[cfg(test)]
pub(super) mod samples {
    use testhide_protocol::api::{AliasChange, AliasEnd, AliasState, Outcome, TestAlias};
    use testhide_protocol::{AliasId, ProjectId, ReportId, TestId, Timestamp};

    /// A proposal with one rival.
    pub(in crate::cli) fn alias() -> TestAlias {
        let end = |name: &str, runs| AliasEnd {
            test_id: TestId::from_bytes([1; 16]),
            display_name: name.to_owned(),
            file: None,
            runs,
            failures: 1,
            first_seen_at: Timestamp(0),
            last_seen_at: Timestamp(0),
            last_outcome: Outcome::Passed,
            run: None,
        };
        TestAlias {
            id: AliasId::from_bytes([2; 16]),
            project_id: ProjectId::from_bytes([3; 16]),
            state: AliasState::Proposed,
            change: AliasChange::Moved,
            score: 0.85,
            reasons: vec!["the name is the same".to_owned()],
            rivals: 1,
            old: end("a.py::x", 9),
            new: end("b.py::x", 1),
            report_id: ReportId::from_bytes([4; 16]),
            proposed_at: Timestamp(0),
            decided_at: None,
            decided_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::draw;
    use super::samples::alias;
    use crate::cli::build_show::samples::theme;

    #[test]
    fn both_ends_and_the_reasons_are_told() {
        let told = draw(&alias(), &theme());
        let mut lines = told.lines();
        assert_eq!(
            lines.next(),
            Some("moved 85 % alike, proposed: nobody decided, they are two tests")
        );
        assert!(
            lines
                .next()
                .is_some_and(|line| line.starts_with("  old  a.py::x  9 runs, 1 failed"))
        );
        assert!(
            lines
                .next()
                .is_some_and(|line| line.starts_with("  new  b.py::x  1 run, 1 failed"))
        );
        assert_eq!(lines.next(), Some("  the name is the same"));
        assert_eq!(
            lines.next(),
            Some("  ambiguous: 1 other proposals are about as likely")
        );
        assert_eq!(lines.next(), None);
    }
}
