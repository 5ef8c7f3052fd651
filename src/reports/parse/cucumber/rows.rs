//! Rows of scenario outlines share one name; their lines tell them apart.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::reports::parse::model::{ParsedCase, Repeat};

/// Rows that are remembered before all are forgotten; features of one file stand together.
const MOST: usize = 1 << 18;

/// What was seen of each file, by hash.
#[derive(Default)]
pub(super) struct Rows {
    /// Rows of each name.
    names: HashMap<u64, u32>,
    /// Number of each row among those of its name, from 0.
    lines: HashMap<u64, u32>,
}

impl Rows {
    /// Numbers a scenario among those of its name. The same line again is another attempt of the same row; numbers stay
    /// when lines move, so that history goes on.
    pub(super) fn tell_apart(&mut self, case: &mut ParsedCase) {
        let Some(line) = case.line else {
            case.repeat = Repeat::Row;
            return;
        };
        case.repeat = Repeat::Attempt;
        if self.lines.len() >= MOST {
            *self = Self::default();
        }
        let mut hasher = DefaultHasher::new();
        (&case.file, &case.classname, &case.name).hash(&mut hasher);
        let rows = self.names.entry(hasher.finish()).or_default();
        line.hash(&mut hasher);
        let number = *self.lines.entry(hasher.finish()).or_insert_with(|| {
            *rows += 1;
            *rows - 1
        });
        if number > 0 {
            case.name = format!("{} [{}]", case.name, number + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_attempts() {
        let mut rows = Rows::default();
        let mut name = |file: &str, line: Option<u32>| {
            let mut case = ParsedCase {
                file: Some(file.to_owned()),
                name: "a".to_owned(),
                line,
                ..ParsedCase::default()
            };
            rows.tell_apart(&mut case);
            (case.name, case.repeat)
        };
        let attempt = |name: &str| (name.to_owned(), Repeat::Attempt);
        assert_eq!(name("x", Some(3)), attempt("a"));
        assert_eq!(name("x", Some(4)), attempt("a [2]"));
        assert_eq!(name("y", Some(9)), attempt("a"));
        assert_eq!(name("x", Some(4)), attempt("a [2]"), "another attempt");
        assert_eq!(name("x", None), ("a".to_owned(), Repeat::Row));
    }
}
