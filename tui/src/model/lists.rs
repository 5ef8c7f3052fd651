//! The states of the screens that are lists or documents.

use std::collections::BTreeMap;

use testhide_protocol::api::{
    Agent, AgentDetails, Build, BuildVerdicts, FailureVerdict, SearchAnswer, SearchHit, SearchLine,
};
use testhide_protocol::{AgentId, ResultId};

use crate::event::Failure;

/// The list of builds.
#[derive(Default)]
pub(crate) struct Builds {
    pub(crate) known: BTreeMap<u64, Build>,
    /// Whether a first answer came.
    pub(crate) loaded: bool,
    /// Why the last answer was none.
    pub(crate) error: Option<String>,
    /// A request is on its way.
    pub(crate) loading: bool,
    /// The feed said that the list changed since it was asked for.
    pub(crate) stale: bool,
    /// Leads to older builds.
    pub(crate) next: Option<String>,
    /// The selection stays with a build, not with a row.
    pub(crate) selected: Option<u64>,
    pub(crate) filter: String,
}

impl Builds {
    /// What the list shows, newest first.
    pub(crate) fn shown(&self) -> Vec<&Build> {
        self.known
            .values()
            .rev()
            .filter(|build| fits(&self.filter, &words_of(build)))
            .collect()
    }

    /// The row of the selection.
    pub(crate) fn cursor(&self, shown: &[&Build]) -> usize {
        let Some(selected) = self.selected else {
            return 0;
        };
        shown
            .iter()
            .position(|build| build.build_number <= selected)
            .unwrap_or(shown.len().saturating_sub(1))
    }

    pub(crate) fn current(&self) -> Option<&Build> {
        let shown = self.shown();
        shown.get(self.cursor(&shown)).copied()
    }
}

/// What a filter looks at.
fn words_of(build: &Build) -> String {
    format!(
        "{} {} {} {} {} {} {}",
        build.build_number,
        crate::words::build_state(build.status).word,
        build.status,
        build.job_name,
        build.branch,
        build.triggered_by,
        build.agent_name.as_deref().unwrap_or_default(),
    )
}

/// Whether `text` has what the filter wants: all its words, or with `!` in front none of them.
fn fits(filter: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    filter
        .to_lowercase()
        .split_whitespace()
        .all(|word| match word.strip_prefix('!') {
            Some("") => true,
            Some(unwanted) => !text.contains(unwanted),
            None => text.contains(word),
        })
}

/// One build.
#[derive(Default)]
pub(crate) struct BuildView {
    pub(crate) number: u64,
    pub(crate) build: Option<Build>,
    pub(crate) verdicts: Option<BuildVerdicts>,
    pub(crate) error: Option<String>,
    /// Why there are no verdicts, when that was the answer.
    pub(crate) verdicts_error: Option<String>,
    pub(crate) loading: bool,
    pub(crate) stale: bool,
    pub(crate) selected: Option<ResultId>,
    pub(crate) filter: String,
}

impl BuildView {
    /// The failures that the list shows, as the server orders them: failures first.
    pub(crate) fn shown(&self) -> Vec<&FailureVerdict> {
        let all = self.verdicts.iter().flat_map(|verdicts| &verdicts.failures);
        all.filter(|failure| {
            let kind = failure.verdict.kind.as_str();
            fits(
                &self.filter,
                &format!("{kind} {} {}", failure.display_name, failure.message),
            )
        })
        .collect()
    }

    pub(crate) fn cursor(&self, shown: &[&FailureVerdict]) -> usize {
        shown
            .iter()
            .position(|failure| Some(failure.result_id) == self.selected)
            .unwrap_or(0)
    }
}

/// One failure.
#[derive(Default)]
pub(crate) struct FailureView {
    pub(crate) id: Option<ResultId>,
    pub(crate) failure: Option<Failure>,
    pub(crate) error: Option<String>,
    pub(crate) loading: bool,
    pub(crate) stale: bool,
    /// First row shown.
    pub(crate) top: usize,
}

/// A search and its hits.
#[derive(Default)]
pub(crate) struct Search {
    pub(crate) query: String,
    pub(crate) answer: Option<SearchAnswer>,
    pub(crate) error: Option<String>,
    pub(crate) loading: bool,
    pub(crate) cursor: usize,
}

impl Search {
    /// Every line that can be opened with its hit; a hit without lines counts as one.
    pub(crate) fn entries(&self) -> Vec<(&SearchHit, Option<&SearchLine>)> {
        let mut entries = Vec::new();
        for hit in self.answer.iter().flat_map(|answer| &answer.hits) {
            if hit.lines.is_empty() {
                entries.push((hit, None));
            }
            entries.extend(hit.lines.iter().map(|line| (hit, Some(line))));
        }
        entries
    }
}

/// The list of agents.
#[derive(Default)]
pub(crate) struct Agents {
    pub(crate) known: Option<Vec<Agent>>,
    pub(crate) error: Option<String>,
    pub(crate) loading: bool,
    pub(crate) stale: bool,
    pub(crate) selected: Option<AgentId>,
    pub(crate) filter: String,
    /// The past of the agent that was asked for last.
    pub(crate) details: Option<Box<AgentDetails>>,
    /// Whose past was asked for, since the list was read.
    pub(crate) asked: Option<AgentId>,
}

impl Agents {
    /// The past of `agent`, if it is known.
    pub(crate) fn past_of(&self, agent: AgentId) -> Option<&AgentDetails> {
        self.details
            .as_deref()
            .filter(|details| details.agent.id == agent)
    }

    pub(crate) fn shown(&self) -> Vec<&Agent> {
        let all = self.known.iter().flatten();
        all.filter(|agent| {
            let labels = agent.labels.join(" ");
            fits(
                &self.filter,
                &format!("{} {} {} {labels}", agent.name, agent.state, agent.platform),
            )
        })
        .collect()
    }

    pub(crate) fn cursor(&self, shown: &[&Agent]) -> usize {
        shown
            .iter()
            .position(|agent| Some(agent.id) == self.selected)
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_filter_wants_all_its_words() {
        fn check(filter: &str, expected: bool) {
            assert_eq!(
                fits(filter, "421 failed unit-tests Main"),
                expected,
                "{filter}"
            );
        }
        check("", true);
        check("main failed", true);
        check("main passed", false);
        check("!passed", true);
        check("!failed", false);
        check("!", true);
        check("UNIT !passed", true);
    }
}
