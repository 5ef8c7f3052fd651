//! Which names a file reaches for: every path in it, with groups unfolded and imports followed.
//!
//! `use a::{b, c::D}` gives `a::b` and `a::c::D`; after `use std::time`, `time::Instant::now` gives
//! `std::time::Instant::now`; `self` and `super` are followed to `crate`.

use std::collections::HashMap;

use super::lexer::{Kind, Token};
use super::repository::Source;
use super::scopes::closing;

/// A path that a file names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    pub(crate) test: bool,
}

impl Named {
    /// Whether the path is `prefix` (written with `::`) or goes on below it.
    pub(crate) fn is_below(&self, prefix: &str) -> bool {
        let mut segments = self.segments.iter();
        prefix
            .split("::")
            .all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
    }

    /// Whether the path's last segments are `suffix`.
    pub(crate) fn ends_with(&self, suffix: &str) -> bool {
        let mut segments = self.segments.iter().rev();
        suffix
            .rsplit("::")
            .all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
    }

    /// The path as it would be written.
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// Every path of `source`, in order. A word that stands alone is a path only in a `use`.
pub(crate) fn paths(source: &Source<'_>) -> Vec<Named> {
    let mut reader = Reader {
        tokens: &source.tokens,
        modules: module_of(source.path),
        open: Vec::new(),
        imports: HashMap::new(),
        found: Vec::new(),
    };
    reader.read();
    let Reader { imports, found, .. } = reader;
    found
        .into_iter()
        .map(|(at, segments)| Named {
            line: source.tokens[at].line,
            segments: follow(segments, &imports),
            test: source.tests[at],
        })
        .collect()
}

/// The modules that a file's own content lies in: `src/builds/queue.rs` is `builds::queue`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let below = path.rsplit_once("src/").map_or(path, |(_, below)| below);
    let mut modules: Vec<_> = below.split('/').map(str::to_owned).collect();
    if matches!(
        modules.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        modules.pop();
    }
    modules
}

/// Replaces an imported first segment by what was imported.
fn follow(segments: Vec<String>, imports: &HashMap<String, Vec<String>>) -> Vec<String> {
    match imports.get(&segments[0]) {
        Some(target) if segments.len() > 1 => {
            target.iter().chain(&segments[1..]).cloned().collect()
        }
        _ => segments,
    }
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    modules: Vec<String>,
    /// Ends of the inline modules that are open.
    open: Vec<usize>,
    imports: HashMap<String, Vec<String>>,
    found: Vec<(usize, Vec<String>)>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            while self.open.last() == Some(&at) {
                self.open.pop();
                self.modules.pop();
            }
            if self.is(at, "mod") && self.is(at + 2, "{") {
                self.modules.push(self.tokens[at + 1].text.to_owned());
                self.open.push(closing(self.tokens, at + 2));
                at += 3;
            } else if self.is(at, "use") && !self.is(at + 1, "<") {
                at = self.tree(at + 1, &[]);
            } else if self.tokens[at].kind == Kind::Word {
                at = self.expression(at);
            } else {
                at += 1;
            }
        }
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(text))
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens
            .get(at)
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text)
    }

    /// Reads one branch of a `use`; gives the position after it.
    fn tree(&mut self, start: usize, prefix: &[String]) -> usize {
        let mut segments = prefix.to_vec();
        let mut at = start;
        loop {
            if self.is(at, "::") {
                at += 1;
            } else if self.is(at, "*") {
                segments.push("*".to_owned());
                at += 1;
            } else if self.is(at, "{") {
                let end = closing(self.tokens, at);
                at += 1;
                while at < end {
                    at = if self.is(at, ",") {
                        at + 1
                    } else {
                        self.tree(at, &segments).max(at + 1)
                    };
                }
                return end + 1;
            } else if self.is(at, "as") {
                let name = self.word(at + 1).unwrap_or("_").to_owned();
                self.import(start, segments, Some(name));
                return at + 2;
            } else if let Some(word) = self.word(at) {
                segments.push(word.to_owned());
                at += 1;
            } else {
                self.import(start, segments, None);
                return at;
            }
        }
    }

    fn import(&mut self, at: usize, mut segments: Vec<String>, name: Option<String>) {
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let segments = self.absolute(segments);
        let Some(last) = segments.last() else { return };
        let name = name.unwrap_or_else(|| last.clone());
        if segments.len() > 1 || name != segments[0] {
            self.imports.insert(name, segments.clone());
        }
        self.found.push((at, segments));
    }

    /// Reads a path outside `use`; gives the position after it.
    fn expression(&mut self, start: usize) -> usize {
        let mut segments = vec![self.tokens[start].text.to_owned()];
        let mut at = start + 1;
        while self.is(at, "::")
            && let Some(word) = self.word(at + 1)
        {
            segments.push(word.to_owned());
            at += 2;
        }
        let is_field = start > 0 && self.is(start - 1, ".");
        let goes_on = start > 1 && self.is(start - 1, "::") && !self.is(start - 2, "$");
        let follows_type = goes_on && (self.is(start - 2, ">") || self.word(start - 2).is_some());
        if segments.len() > 1 && !is_field && !follows_type {
            let segments = self.absolute(segments);
            self.found.push((start, segments));
        }
        at
    }

    /// Follows `self` and `super` from the module that is open.
    fn absolute(&self, segments: Vec<String>) -> Vec<String> {
        let mut here = self.modules.clone();
        let relative = segments
            .iter()
            .take_while(|word| *word == "self" || *word == "super");
        let count = relative
            .inspect(|word| {
                if *word == "super" {
                    here.pop();
                }
            })
            .count();
        if count == 0 {
            return segments;
        }
        let mut absolute = vec!["crate".to_owned()];
        absolute.extend(here);
        absolute.extend_from_slice(&segments[count..]);
        absolute
    }
}

#[test]
fn paths_are_unfolded_and_followed() {
    fn check(path: &str, text: &str, expected: &[&str]) {
        let repository = super::repository::Repository::of(&[(path, text)]);
        let source = repository.sources().next().expect("one file");
        let found: Vec<_> = paths(&source).iter().map(Named::text).collect();
        assert_eq!(found, expected, "of {text}");
    }
    let path = "src/builds/queue.rs";
    check(
        path,
        "use crate::{kit, a::{self, b::C}};",
        &["crate::kit", "crate::a", "crate::a::b::C"],
    );
    check(
        path,
        "use std::time; fn f() { time::Instant::now() }",
        &["std::time", "std::time::Instant::now"],
    );
    check(
        path,
        "use redb as r; r::Database::open()",
        &["redb", "redb::Database::open"],
    );
    check(path, "use super::model::X;", &["crate::builds::model::X"]);
    check(path, "use super::super::app::App;", &["crate::app::App"]);
    check(
        path,
        "mod tests { use super::*; } use super::a;",
        &["crate::builds::queue::*", "crate::builds::a"],
    );
    check(
        path,
        "self::x::y(); crate::agents::Z::new()",
        &["crate::builds::queue::x::y", "crate::agents::Z::new"],
    );
    check(
        path,
        "macro_rules! m { () => { $crate::kit::x() } }",
        &["crate::kit::x"],
    );
    check(
        path,
        "a.b::<C>(); x::<Y>(); Vec::<crate::p::Q>::new()",
        &["crate::p::Q"],
    );
    check(
        path,
        "fn f() -> impl Sized + use<'_> {} // crate::x::y",
        &[],
    );
    check(
        path,
        "use ::tokio::spawn; pub(crate) use self::a::*;",
        &["tokio::spawn", "crate::builds::queue::a::*"],
    );
    check(
        "src/builds/mod.rs",
        "use super::kit::x;",
        &["crate::kit::x"],
    );
    check("src/lib.rs", "use self::kit::x;", &["crate::kit::x"]);
    check(path, "use a::{b, c", &["a::b"]);
    check(path, "use", &[]);
}
