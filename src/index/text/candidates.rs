//! What the index is asked: a condition on a block's terms and facets, and the limits of the search; pure.

use super::block::Kind;
use super::tokenizer::fold;

/// Longest name, in characters, that facets are compared by.
const MAX_FACET_CHARS: usize = 256;

/// Which blocks may hold an answer. Always a superset of the blocks that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidates {
    /// Every block.
    All,
    /// The block has this term.
    Term(String),
    /// The block has a term that starts so.
    Prefix(String),
    /// The block has a term that ends so, or a run that was cut.
    Suffix(String),
    /// The block has a term that contains this, or a run that was cut.
    Contains(String),
    /// A name that belongs to the block compares so with a value.
    Facet(Facet, Compare, String),
    /// The block is of one of these projects.
    Projects(Vec<[u8; 16]>),
    /// The block is of the build of this number.
    Build(u64),
    /// The block is of this kind.
    Kind(Kind),
    /// The block is older than this, in milliseconds since the epoch.
    Before(i64),
    /// The block is of this moment or later, in milliseconds since the epoch.
    After(i64),
    /// All hold; true if there are none.
    And(Vec<Candidates>),
    /// One holds; false if there are none.
    Or(Vec<Candidates>),
}

impl Candidates {
    /// Both conditions, without needless nesting.
    #[must_use]
    pub fn and(parts: Vec<Candidates>) -> Candidates {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Candidates::All => {}
                Candidates::And(inner) => flat.extend(inner),
                part if flat.contains(&part) => {}
                part => flat.push(part),
            }
        }
        match flat.len() {
            0 => Candidates::All,
            1 => flat.remove(0),
            _ => Candidates::And(flat),
        }
    }

    /// One of the conditions, without needless nesting.
    #[must_use]
    pub fn or(parts: Vec<Candidates>) -> Candidates {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Candidates::All => return Candidates::All,
                Candidates::Or(inner) => flat.extend(inner),
                part if flat.contains(&part) => {}
                part => flat.push(part),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Candidates::Or(flat),
        }
    }
}

/// A name that belongs to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    /// The job.
    Job,
    /// The branch.
    Branch,
    /// State of the build or outcome of the test.
    Status,
    /// The agent.
    Agent,
    /// The test.
    Test,
    /// The step.
    Step,
}

impl Facet {
    /// Every facet.
    pub const ALL: [Facet; 6] = [
        Facet::Job,
        Facet::Branch,
        Facet::Status,
        Facet::Agent,
        Facet::Test,
        Facet::Step,
    ];

    /// The facet's name in queries and in the index.
    pub fn name(self) -> &'static str {
        match self {
            Facet::Job => "job",
            Facet::Branch => "branch",
            Facet::Status => "status",
            Facet::Agent => "agent",
            Facet::Test => "test",
            Facet::Step => "step",
        }
    }
}

/// How a facet's value is compared with what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// Equal.
    Exact,
    /// The value starts so.
    Prefix,
    /// The value contains it.
    Contains,
}

impl Compare {
    /// Compares two values made by [`facet_value`].
    pub fn accepts(self, asked: &str, value: &str) -> bool {
        match self {
            Compare::Exact => value == asked,
            Compare::Prefix => value.starts_with(asked),
            Compare::Contains => value.contains(asked),
        }
    }
}

/// The form in which a facet's value is indexed and compared: folded, control characters as spaces, cut after 256
/// characters.
pub fn facet_value(value: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { fold(c) };
    value.chars().take(MAX_FACET_CHARS).map(plain).collect()
}

/// The projects whose blocks a search may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projects {
    /// Every project.
    All,
    /// These projects; none of them means no answer.
    Only(Vec<[u8; 16]>),
}

/// Limits of a search beside its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The projects that the asking account may see.
    pub projects: Projects,
    /// Conditions that all hold, such as one job, one build, a time range.
    pub conditions: Vec<Candidates>,
}

impl Filter {
    /// A search over everything that may be seen.
    pub fn new(projects: Projects) -> Filter {
        Filter {
            projects,
            conditions: Vec::new(),
        }
    }

    /// Keeps only blocks whose facet has exactly this value.
    #[must_use]
    pub fn facet(self, facet: Facet, value: &str) -> Filter {
        self.and(Candidates::Facet(facet, Compare::Exact, facet_value(value)))
    }

    /// Keeps only blocks for which the condition holds.
    #[must_use]
    pub fn and(mut self, condition: Candidates) -> Filter {
        self.conditions.push(condition);
        self
    }
}
