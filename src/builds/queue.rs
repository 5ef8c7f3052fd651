//! Who runs next: pure rules over what waits and what an agent can.

use testhide_protocol::BuildId;

/// A build that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
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
) -> Option<BuildId> {
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
            return Some(entry.build);
        }
        second_choice.get_or_insert(entry.build);
    }
    second_choice
}

/// Whether an agent with `labels` and `name` has `label`; its name counts as a label.
#[must_use]
pub fn label_matches(label: &str, labels: &[String], name: &str) -> bool {
    label == name || labels.iter().any(|own| own == label)
}

/// Why a build that wants `wanted` waits, given the labels and names of agents that are connected.
pub(super) fn why_waiting(wanted: &[String], agents: &[(Vec<String>, String)]) -> String {
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
    let able = agents.iter().any(|(labels, name)| {
        wanted
            .iter()
            .all(|label| label_matches(label, labels, name))
    });
    if able {
        "every agent that could run it is busy".to_owned()
    } else {
        format!(
            "no connected agent has all of the labels {}",
            wanted.join(", ")
        )
    }
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
            prop_assert_eq!(pick(&list, &labels, "one"), first.map(|entry| entry.build));
        }
    }

    #[test]
    fn the_reason_names_what_is_missing() {
        let check = |wanted: &[&str], agents: &[(&[&str], &str)], expected: &str| {
            let own = |list: &[&str]| {
                list.iter()
                    .map(|label| (*label).to_owned())
                    .collect::<Vec<_>>()
            };
            let agents: Vec<_> = agents
                .iter()
                .map(|(labels, name)| (own(labels), (*name).to_owned()))
                .collect();
            assert_eq!(why_waiting(&own(wanted), &agents), expected);
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
}
