//! What a query says, without how it was written.

use crate::index::{Compare, Facet, Kind, facet_value};

/// A query that was read without error; the only way to one is [`Query::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(super) expr: Expr,
}

impl Query {
    /// The query's tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }
}

/// A condition on a line and the block around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A word, a name, or words in a row. Quotes only keep them together: what they hold follows the same rules.
    Text(String),
    /// The beginning of a word.
    Prefix(String),
    /// Text anywhere.
    Substring(String),
    /// A regular expression, as it stood between the slashes.
    Regex(String),
    /// One of the block's names.
    Facet(Facet, Name),
    /// The name of the block's project.
    Project(Name),
    /// The number of the block's build.
    Build(u64),
    /// What the block is.
    Kind(Kind),
    /// The block is older; milliseconds since the epoch.
    Before(i64),
    /// The block is of this moment or later; milliseconds since the epoch.
    After(i64),
    /// All hold; at least two, none of them `And`.
    And(Vec<Expr>),
    /// One holds; at least two, none of them `Or`.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
}

impl Expr {
    /// All of `parts`, of which there is at least one.
    pub(super) fn and(parts: Vec<Expr>) -> Expr {
        Expr::joined(parts, Expr::And, |part| match part {
            Expr::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// One of `parts`, of which there is at least one.
    pub(super) fn or(parts: Vec<Expr>) -> Expr {
        Expr::joined(parts, Expr::Or, |part| match part {
            Expr::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn joined(
        parts: Vec<Expr>,
        join: fn(Vec<Expr>) -> Expr,
        inner: fn(Expr) -> Result<Vec<Expr>, Expr>,
    ) -> Expr {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match inner(part) {
                Ok(inner) => flat.extend(inner),
                Err(other) => flat.push(other),
            }
        }
        if flat.len() == 1 {
            flat.remove(0)
        } else {
            join(flat)
        }
    }
}

/// The value of a field, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What the name is compared with.
    pub text: String,
    /// Written with a final `*`: the name starts so.
    pub prefix: bool,
}

impl Name {
    /// How the name is compared for a facet. Names of tests and steps are long and have structure, so a piece of
    /// them is enough; the others are compared whole.
    pub(super) fn compare(&self, facet: Facet) -> Compare {
        match facet {
            _ if self.prefix => Compare::Prefix,
            Facet::Test | Facet::Step => Compare::Contains,
            Facet::Job | Facet::Branch | Facet::Status | Facet::Agent => Compare::Exact,
        }
    }

    /// Whether a project of this name is meant.
    pub(super) fn accepts_project(&self, project: &str) -> bool {
        let compare = if self.prefix {
            Compare::Prefix
        } else {
            Compare::Exact
        };
        compare.accepts(&facet_value(&self.text), &facet_value(project))
    }
}
