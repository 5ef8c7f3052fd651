//! Who runs next: pure rules over what waits and what an agent can.

use testhide_protocol::BuildId;

/// A build that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Its place: the number of its build.
    pub number: u64,
    pub build: BuildId,
    /// All of these must be among the agent's labels.
    pub labels: Vec<String>,
    /// The agent that lost it before, if one did.
    pub avoid: Option<String>,
}

/// The build that an agent with `labels` and `name` takes: the first that it can run, leaving one that this very agent lost before to
/// others as long as there is something else to do.
pub(super) fn pick<'a>(
    waiting: impl IntoIterator<Item = &'a Waiting>,
    labels: &[String],
    name: &str,
) -> Option<&'a Waiting> {
    let mut second_choice = None;
    for entry in waiting {
        if !entry
            .labels
            .iter()
            .all(|label| label_matches(label, labels, name))
        {
            continue;
        }
        if entry.avoid.as_deref() != Some(name) {
            return Some(entry);
        }
        second_choice.get_or_insert(entry);
    }
    second_choice
}

/// Whether an agent with `labels` and `name` has `label`; its name counts as a label.
#[must_use]
pub fn label_matches(label: &str, labels: &[String], name: &str) -> bool {
    label == name || labels.iter().any(|own| own == label)
}

/// Labels and name of an agent.
pub(super) type LabelsAndName = (Vec<String>, String);

/// The agents, as far as they matter for saying why a build waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Workforce {
    /// Connected, and they take builds.
    pub taking: Vec<LabelsAndName>,
    /// Somebody drained or disabled them.
    pub resting: Vec<LabelsAndName>,
}

fn has_all(wanted: &[String], (labels, name): &LabelsAndName) -> bool {
    wanted
        .iter()
        .all(|label| label_matches(label, labels, name))
}

/// Why a build that wants `wanted` waits.
pub(super) fn why_waiting(wanted: &[String], workforce: &Workforce) -> String {
    let agents = &workforce.taking;
    if agents.iter().any(|agent| has_all(wanted, agent)) {
        return "every agent that could run it is busy".to_owned();
    }
    let mut resting = workforce
        .resting
        .iter()
        .filter(|agent| has_all(wanted, agent));
    if let Some((_, name)) = resting.next() {
        return match resting.count() {
            0 => format!("agent `{name}` could run it, but is drained or disabled"),
            more => {
                format!("agent `{name}` and {more} more could run it, but are drained or disabled")
            }
        };
    }
    if agents.is_empty() {
        return "no agent is connected".to_owned();
    }
    for label in wanted {
        if !agents
            .iter()
            .any(|(labels, name)| label_matches(label, labels, name))
        {
            return format!("no connected agent has label `{label}`");
        }
    }
    format!(
        "no connected agent has all of the labels {}",
        wanted.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting() -> impl Strategy<Value = Waiting> {
        let label = prop_oneof![
            Just("linux".to_owned()),
            Just("gpu".to_owned()),
            Just("one".to_owned())
        ];
        (
            any::<[u8; 16]>(),
            proptest::collection::vec(label, 0..3),
            proptest::option::of(Just("one".to_owned())),
        )
            .prop_map(|(build, labels, avoid)| Waiting {
                number: 1,
                build: BuildId::from_bytes(build),
                labels,
                avoid,
            })
    }

    proptest! {
        #[test]
        fn the_pick_is_the_first_that_can_run(list in proptest::collection::vec(waiting(), 0..12)) {
            let labels = vec!["linux".to_owned()];
            let can = |entry: &&Waiting| entry.labels.iter().all(|label| label == "linux" || label == "one");
            let first = list.iter().filter(can).find(|entry| entry.avoid.is_none()).or(list.iter().find(can));
            prop_assert_eq!(pick(&list, &labels, "one"), first);
        }
    }

    /// Labels and name, as the rows of a table have them.
    type Agent<'a> = (&'a [&'a str], &'a str);

    fn reason(wanted: &[&str], taking: &[Agent<'_>], resting: &[Agent<'_>]) -> String {
        let own = |list: &[&str]| list.iter().map(|&label| label.to_owned()).collect();
        let agents = |list: &[Agent<'_>]| {
            let agents = list.iter();
            agents
                .map(|&(labels, name)| (own(labels), name.to_owned()))
                .collect()
        };
        let workforce = Workforce {
            taking: agents(taking),
            resting: agents(resting),
        };
        why_waiting(&own(wanted), &workforce)
    }

    #[test]
    fn the_reason_names_what_is_missing() {
        let check = |wanted: &[&str], agents: &[Agent<'_>], expected: &str| {
            assert_eq!(reason(wanted, agents, &[]), expected);
        };
        check(&[], &[], "no agent is connected");
        check(
            &["gpu"],
            &[(&["linux"], "a")],
            "no connected agent has label `gpu`",
        );
        check(
            &["gpu", "linux"],
            &[(&["linux"], "a"), (&["gpu"], "b")],
            "no connected agent has all of the labels gpu, linux",
        );
        check(
            &["a"],
            &[(&["linux"], "a")],
            "every agent that could run it is busy",
        );
    }

    #[test]
    fn the_reason_names_an_agent_that_somebody_took_out() {
        let check =
            |wanted: &[&str], taking: &[Agent<'_>], resting: &[Agent<'_>], expected: &str| {
                assert_eq!(reason(wanted, taking, resting), expected);
            };
        let linux: Agent<'_> = (&["linux"], "a");
        check(
            &["linux"],
            &[],
            &[linux],
            "agent `a` could run it, but is drained or disabled",
        );
        check(
            &["linux"],
            &[(&["mac"], "m")],
            &[linux, (&["linux"], "b"), (&["linux"], "c")],
            "agent `a` and 2 more could run it, but are drained or disabled",
        );
        check(
            &["linux"],
            &[(&["linux"], "b")],
            &[linux],
            "every agent that could run it is busy",
        );
        check(&["gpu"], &[], &[linux], "no agent is connected");
    }
}
