//! Habits that the code does without: silenced lints, skipped tests, unfinished code, waiting.

use super::lexer::Kind;
use super::paths::paths;
use super::repository::{Failure, Repository};
use super::scopes;

/// Attributes nobody writes, and what to write instead.
const ATTRIBUTES: &[(&str, &str)] = &[
    (
        "allow",
        "write `#[expect(lint, reason = \"…\")]`, which ends when the reason does",
    ),
    ("ignore", "make the test run everywhere, or delete it"),
    (
        "should_panic",
        "call the function that says why it fails, and compare what it says",
    ),
];

/// Macros that mark code as unfinished.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Ways to wait for time to pass.
const SLEEPS: &[&str] = &["thread::sleep", "time::sleep", "time::sleep_until"];

/// Attributes that hide a problem.
pub(crate) fn attributes(repository: &Repository) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository.sources() {
        for attribute in scopes::attributes(&source.tokens) {
            for (name, instead) in ATTRIBUTES.iter().filter(|(name, _)| attribute.may_be(name)) {
                let line = source.tokens[attribute.start].line;
                failures.push(source.failure(
                    line,
                    "attribute",
                    format!("no `#[{name}]`: {instead}"),
                ));
            }
        }
    }
    failures
}

/// Macros that stand where code should.
pub(crate) fn unfinished(repository: &Repository) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository.sources() {
        for pair in source.tokens.windows(2) {
            let is_macro = pair[0].kind == Kind::Word && pair[1].is("!");
            if is_macro && UNFINISHED.contains(&pair[0].text) {
                let what = format!("no `{}!`: finish the code or leave it out", pair[0].text);
                failures.push(source.failure(pair[0].line, "unfinished", what));
            }
        }
    }
    failures
}

/// `unwrap` outside tests.
pub(crate) fn unwraps(repository: &Repository) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository.sources() {
        for (pair, test) in source.tokens.windows(2).zip(source.tests.iter().skip(1)) {
            if !test && (pair[0].is(".") || pair[0].is("::")) && pair[1].is("unwrap") {
                let what = "no `unwrap`: give the error on, or `expect(\"why it cannot fail\")`";
                failures.push(source.failure(pair[1].line, "unwrap", what.to_owned()));
            }
        }
    }
    failures
}

/// Tests that wait for time to pass. Benches may: what an idle server takes is only seen at rest.
pub(crate) fn sleeping_tests(repository: &Repository) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository
        .sources()
        .filter(|source| !source.path.starts_with("benches/"))
    {
        let waits = |path: &&super::paths::Named| {
            path.test && SLEEPS.iter().any(|sleep| path.ends_with(sleep))
        };
        for named in paths(&source).iter().filter(waits) {
            let what = "no sleep in a test: wait for the event itself, or move a manual clock";
            failures.push(source.failure(named.line, "sleeping-test", what.to_owned()));
        }
    }
    failures
}

#[cfg(test)]
fn check(rule: fn(&Repository) -> Vec<Failure>, path: &str, text: &str, expected: &[usize]) {
    let found = rule(&Repository::of(&[(path, text)]));
    let lines: Vec<_> = found.iter().map(|failure| failure.line).collect();
    assert_eq!(lines, expected, "of {path}: {text}");
}

#[test]
fn attributes_that_hide_a_problem_are_found() {
    let check = |text, expected| check(attributes, "src/kit/a.rs", text, expected);
    check("#![allow(dead_code)]", &[1]);
    check("\n#[allow(clippy::all, reason = \"x\")]\nfn f() {}", &[2]);
    check("#[cfg_attr(windows, allow(dead_code))]\nfn f() {}", &[1]);
    check(
        "#[expect(dead_code, reason = \"allow\")]\nfn allow() {}",
        &[],
    );
    check(
        "#[cfg(test)] mod tests { #[test]\n#[ignore = \"slow\"]\nfn f() {} }",
        &[2],
    );
    check(
        "#[test]\n#[should_panic(expected = \"x\")]\nfn f() {}",
        &[2],
    );
    check("#[cfg_attr(unix, ignore)] fn f() {}", &[1]);
    check("#[arg(ignore_case = true)] struct S; // #[allow(x)]", &[]);
    check("#[tool(ignore)] struct S;", &[]);
}

#[test]
fn unfinished_code_is_found() {
    let check = |text, expected| check(unfinished, "src/kit/a.rs", text, expected);
    check("fn f() {\n  todo!()\n}", &[2]);
    check("fn f() { unimplemented!(\"x\") }", &[1]);
    check("#[cfg(test)] mod tests { fn f() { dbg!(1); } }", &[1]);
    check("// todo!()\nfn f() { let todo = !x; \"dbg!\" }", &[]);
}

#[test]
fn unwraps_outside_tests_are_found() {
    let path = "src/kit/a.rs";
    check(unwraps, path, "fn f() { x()\n  .unwrap() }", &[2]);
    check(unwraps, path, "fn f() { x().map(Option::unwrap) }", &[1]);
    check(
        unwraps,
        path,
        "fn f() { x().unwrap_or(1); x.expect(\"unwrap()\") }",
        &[],
    );
    check(
        unwraps,
        path,
        "#[cfg(test)] mod tests { fn f() { x().unwrap() } }\nfn g() { y.unwrap() }",
        &[2],
    );
    check(unwraps, path, "#[test] fn f() { x().unwrap() }", &[]);
    check(
        unwraps,
        "src/kit/a_tests.rs",
        "fn f() { x().unwrap() }",
        &[],
    );
    check(unwraps, "tests/it/a.rs", "fn f() { x().unwrap() }", &[]);
}

#[test]
fn sleeping_tests_are_found() {
    check(
        sleeping_tests,
        "tests/it/a.rs",
        "fn f() { std::thread::sleep(d) }",
        &[1],
    );
    check(
        sleeping_tests,
        "tests/it/a.rs",
        "use std::thread;\nfn f() { thread::sleep(d) }",
        &[2],
    );
    check(
        sleeping_tests,
        "tests/it/a.rs",
        "use tokio::time::{self, sleep};",
        &[1],
    );
    check(
        sleeping_tests,
        "benches/a.rs",
        "fn f() { std::thread::sleep(d) }",
        &[],
    );
    check(
        sleeping_tests,
        "src/kit/a.rs",
        "#[cfg(test)] mod tests { use tokio::time::sleep; }",
        &[1],
    );
    check(
        sleeping_tests,
        "src/kit/a.rs",
        "async fn f() { tokio::time::sleep(d).await }",
        &[],
    );
    check(
        sleeping_tests,
        "tests/it/a.rs",
        "async fn f() { tokio::time::advance(d).await }",
        &[],
    );
}
