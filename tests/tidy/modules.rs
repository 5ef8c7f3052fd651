//! The server's modules: their order, and that each is entered by its `mod.rs`.

use std::collections::BTreeSet;

use super::lexer::Token;
use super::paths::paths;
use super::repository::{Failure, Repository, Source};
use super::scopes::{attributes, closing};

const ORDER: &str = "module-order";
const FRONT_DOOR: &str = "front-door";
const NO_LOGIC: &str = "mod-without-logic";

/// Names of an order as it is written down: white space between them, `|` between floors.
fn names(order: &str) -> Vec<&str> {
    order
        .split_whitespace()
        .filter(|name| *name != "|")
        .collect()
}

/// The module of `src/` that a file belongs to; nothing for `lib.rs` and `main.rs`.
fn slice_of<'a>(source: &Source<'a>) -> Option<&'a str> {
    let below = source
        .path
        .strip_prefix("src/")
        .filter(|_| source.in_server().is_some())?;
    let slice = below.split('/').next()?.trim_end_matches(".rs");
    (!matches!(slice, "lib" | "main")).then_some(slice)
}

/// Imports that do not come from the left, modules without a place, places without a module.
pub(crate) fn order(repository: &Repository, order: &str) -> Vec<Failure> {
    let names = names(order);
    let place = |module: &str| names.iter().position(|name| *name == module);
    let (mut failures, mut present) = (Vec::new(), BTreeSet::new());
    for source in repository.sources() {
        let Some(slice) = slice_of(&source) else {
            continue;
        };
        let is_new = present.insert(slice);
        let Some(here) = place(slice) else {
            if is_new {
                let what = format!(
                    "give `{slice}` a place in MODULE_ORDER of tests/tidy.rs and in ARCHITECTURE.md"
                );
                failures.push(source.failure(1, ORDER, what));
            }
            continue;
        };
        let mut said = BTreeSet::new();
        for named in paths(&source)
            .iter()
            .filter(|named| named.is_below("crate"))
        {
            let Some(target) = named.segments.get(1) else {
                continue;
            };
            if place(target).is_some_and(|there| there > here) && said.insert(target.clone()) {
                let what = format!(
                    "`{slice}` may not import `{target}`, which is right of it: move what is shared to the left, or call from the right"
                );
                failures.push(source.failure(named.line, ORDER, what));
            }
        }
    }
    for name in names.iter().filter(|name| !present.contains(**name)) {
        let what = format!(
            "there is no src/{name}: take `{name}` out of MODULE_ORDER and of ARCHITECTURE.md"
        );
        failures.push(Failure {
            path: "tests/tidy.rs".to_owned(),
            line: 1,
            rule: ORDER,
            what,
        });
    }
    failures
}

/// Whether the block `module-order` of ARCHITECTURE.md shows this order.
pub(crate) fn documented(repository: &Repository, order: &str) -> Vec<Failure> {
    const PATH: &str = "ARCHITECTURE.md";
    let failure = |line, what: &str| {
        vec![Failure {
            path: PATH.to_owned(),
            line,
            rule: ORDER,
            what: what.to_owned(),
        }]
    };
    let mut lines = repository.text(PATH).unwrap_or_default().lines();
    let Some(start) = lines.position(|line| line.trim() == "```module-order") else {
        return failure(
            1,
            "show MODULE_ORDER of tests/tidy.rs in a code block whose info string is `module-order`",
        );
    };
    let block: Vec<_> = lines.take_while(|line| line.trim() != "```").collect();
    if names(&block.join("\n")) == names(order) {
        return Vec::new();
    }
    failure(
        start + 1,
        "make this block and MODULE_ORDER of tests/tidy.rs the same",
    )
}

/// Paths that reach past another module's `mod.rs`.
pub(crate) fn front_doors(repository: &Repository) -> Vec<Failure> {
    let rooms = rooms(repository);
    let mut failures = Vec::new();
    for source in repository
        .sources()
        .filter(|source| source.in_server().is_some())
    {
        let here = slice_of(&source);
        let mut said = BTreeSet::new();
        for named in paths(&source) {
            let [first, slice, part, _, ..] = named.segments.as_slice() else {
                continue;
            };
            let is_private = rooms.contains(&(slice.as_str(), part.as_str()));
            if first == "crate" && here != Some(slice) && is_private && said.insert(part.clone()) {
                let what = format!(
                    "`{}` reaches past src/{slice}/mod.rs: re-export there what others need and import `crate::{slice}::…`",
                    named.text()
                );
                failures.push(source.failure(named.line, FRONT_DOOR, what));
            }
        }
    }
    failures
}

/// `(slice, file of the slice)` for every file that the slice's `mod.rs` does not make public.
fn rooms(repository: &Repository) -> BTreeSet<(&str, &str)> {
    let mut private = BTreeSet::new();
    let mut public = BTreeSet::new();
    for source in repository.sources() {
        let Some(slice) = slice_of(&source) else {
            continue;
        };
        let mut parts = source.path.split('/').skip(2);
        let Some(file) = parts.next() else { continue };
        if file != "mod.rs" {
            private.insert((slice, file.trim_end_matches(".rs")));
            continue;
        }
        let triples = source.tokens.windows(3);
        public.extend(
            triples
                .filter(|t| t[0].is("pub") && t[1].is("mod"))
                .map(|t| (slice, t[2].text)),
        );
    }
    private.difference(&public).copied().collect()
}

/// Items in a `mod.rs` other than `mod x;`, `use` and what only tests compile.
pub(crate) fn doors_without_logic(repository: &Repository) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository
        .sources()
        .filter(|source| source.path.ends_with("/mod.rs"))
    {
        if source.path.starts_with("tests/") {
            continue;
        }
        if let Some(line) = logic(&source.tokens, &source.tests) {
            let what = "move this into a file of its own and re-export it: `mod.rs` holds docs, `mod` and `use`";
            failures.push(source.failure(line, NO_LOGIC, what.to_owned()));
        }
    }
    failures
}

/// The line of the first item that is more than a `mod x;` or a `use`.
fn logic(tokens: &[Token<'_>], tests: &[bool]) -> Option<usize> {
    let mut skip = tests.to_vec();
    for attribute in attributes(tokens) {
        skip[attribute.start..=attribute.end].fill(true);
    }
    let mut at = 0;
    while at < tokens.len() {
        if skip[at] || tokens[at].is(";") {
            at += 1;
        } else if tokens[at].is("pub") {
            let restricted = tokens.get(at + 1).is_some_and(|token| token.is("("));
            at = if restricted {
                closing(tokens, at + 1) + 1
            } else {
                at + 1
            };
        } else if tokens[at].is("use") {
            at += tokens[at..].iter().position(|token| token.is(";"))?;
        } else if tokens[at].is("mod") && tokens.get(at + 2).is_some_and(|token| token.is(";")) {
            at += 3;
        } else {
            return Some(tokens[at].line);
        }
    }
    None
}

#[cfg(test)]
const SMALL: &str = "kit storage | reports builds | app";

#[test]
fn imports_from_the_right_are_found() {
    fn check(path: &str, text: &str, expected: &[usize]) {
        let repository = Repository::of(&[
            ("src/kit/mod.rs", ""),
            ("src/storage/mod.rs", ""),
            ("src/reports/mod.rs", ""),
            ("src/builds/mod.rs", ""),
            ("src/app/mod.rs", ""),
            (path, text),
        ]);
        let lines: Vec<_> = order(&repository, SMALL)
            .iter()
            .map(|failure| failure.line)
            .collect();
        assert_eq!(lines, expected, "of {text}");
    }
    let path = "src/reports/ingest.rs";
    check(path, "use crate::storage::X;\nuse crate::reports::Y;", &[]);
    check(
        path,
        "// crate::app\nuse crate::app::App;\nuse crate::app::Other;",
        &[2],
    );
    check(path, "use crate::{\n  kit,\n  builds::{A, B},\n};", &[3]);
    check(path, "fn f() {\n  crate::builds::run()\n}", &[2]);
    check(path, "use super::super::builds::X;", &[1]);
    check(path, "use crate::X;", &[]);
    check("src/lib.rs", "pub mod app;\npub use crate::app::run;", &[]);
    check("src/protocol/ids.rs", "use crate::app::X;", &[]);
    check("src/gates/mod.rs", "//! New.", &[1]);
}

#[test]
fn places_without_a_module_are_found() {
    let found = order(&Repository::of(&[("src/kit/mod.rs", "")]), "kit | app");
    assert_eq!(found.len(), 1);
    assert!(found[0].what.contains("src/app"), "{}", found[0]);
}

#[test]
fn the_block_of_the_architecture_is_compared() {
    fn check(text: &str, expected: &[usize]) {
        let found = documented(&Repository::of(&[("ARCHITECTURE.md", text)]), SMALL);
        let lines: Vec<_> = found.iter().map(|failure| failure.line).collect();
        assert_eq!(lines, expected, "of {text}");
    }
    check(
        "# A\n```module-order\nkit  storage |\nreports builds | app\n```\n",
        &[],
    );
    check(
        "# A\n```module-order\nkit storage | builds reports | app\n```\n",
        &[2],
    );
    check(
        "# A\n```text\nkit storage | reports builds | app\n```\n",
        &[1],
    );
}

#[test]
fn ways_past_the_front_door_are_found() {
    fn check(path: &str, text: &str, expected: &[usize]) {
        let repository = Repository::of(&[
            (
                "src/reports/mod.rs",
                "pub mod codes;\npub(crate) mod inner;\nmod ingest;\npub use ingest::run;",
            ),
            ("src/reports/codes.rs", ""),
            ("src/reports/inner.rs", ""),
            ("src/reports/ingest.rs", ""),
            ("src/reports/parse/mod.rs", ""),
            (path, text),
        ]);
        let lines: Vec<_> = front_doors(&repository)
            .iter()
            .map(|failure| failure.line)
            .collect();
        assert_eq!(lines, expected, "of {text}");
    }
    let path = "src/builds/start.rs";
    check(
        path,
        "use crate::reports::{Reports, run};\nuse crate::reports::codes::X;",
        &[],
    );
    check(path, "use crate::reports::ingest::run;", &[1]);
    check(
        path,
        "use crate::reports;\nfn f() { reports::inner::f() }",
        &[2],
    );
    check(path, "use crate::{kit, reports::{\nparse::detect}};", &[2]);
    check(
        "src/reports/view.rs",
        "use crate::reports::ingest::run;",
        &[],
    );
}

#[test]
fn logic_in_a_mod_file_is_found() {
    fn check(text: &str, expected: &[usize]) {
        let found = doors_without_logic(&Repository::of(&[("src/kit/mod.rs", text)]));
        let lines: Vec<_> = found.iter().map(|failure| failure.line).collect();
        assert_eq!(lines, expected, "of {text}");
    }
    check(
        "//! Doc.\nmod a;\npub mod b;\n#[path = \"x.rs\"]\npub(crate) mod c;\npub use a::{X, Y as Z};\n",
        &[],
    );
    check("mod a;\n#[cfg(test)]\nmod tests { fn f() {} }\n", &[]);
    check("mod a;\n\npub fn f() {}\n", &[3]);
    check("pub(crate) const A: u8 = 1;", &[1]);
    check("mod a { }", &[1]);
}
