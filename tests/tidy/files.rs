//! Rules about a file as a whole: how it opens, how long it is, what it may not mention.

use super::repository::{Failure, Repository};

/// The most lines of code without tests that a file may have.
const MAX_LINES: usize = 500;

/// The most bytes that a file may have.
const MAX_BYTES: usize = 1024 * 1024;

/// Rust files that do not open with `//!`.
pub(crate) fn headers(repository: &Repository) -> Vec<Failure> {
    let silent = repository
        .sources()
        .filter(|source| !source.text.starts_with("//! "));
    silent
        .map(|source| {
            let what = "open with `//! `: what this file is for, then what it owns or promises";
            source.failure(1, "file-header", what.to_owned())
        })
        .collect()
}

/// Files that are too long, and exceptions that could be smaller.
pub(crate) fn lengths(repository: &Repository, exceptions: &[(&str, usize)]) -> Vec<Failure> {
    const RULE: &str = "file-length";
    let mut failures = Vec::new();
    for source in repository.sources() {
        let is_test = source.is_test_line();
        let all_tests = !source.tests.is_empty() && source.tests.iter().all(|test| *test);
        let length = (1..=source.text.lines().count())
            .filter(|&line| !is_test[line])
            .count();
        let exception = exceptions.iter().find(|(path, _)| *path == source.path);
        let limit = exception.map_or(MAX_LINES, |&(_, lines)| lines);
        if !all_tests && length > limit {
            let what = format!(
                "{length} lines of code, {limit} are allowed: split it, one use case a file"
            );
            failures.push(source.failure(MAX_LINES, RULE, what));
        } else if exception.is_some() && length < limit {
            let what = format!(
                "{length} lines of code now: lower its number in LONG_FILES, or take it out"
            );
            failures.push(source.failure(1, RULE, what));
        }
    }
    for (path, _) in exceptions
        .iter()
        .filter(|(path, _)| repository.text(path).is_none())
    {
        let what = "this file is gone: take it out of LONG_FILES".to_owned();
        failures.push(Failure {
            path: (*path).to_owned(),
            line: 1,
            rule: RULE,
            what,
        });
    }
    failures
}

/// Files that are too large to be committed.
pub(crate) fn sizes(repository: &Repository) -> Vec<Failure> {
    let large = repository
        .files
        .iter()
        .filter(|file| file.bytes > MAX_BYTES);
    large
        .map(|file| Failure {
            path: file.path.clone(),
            line: 1,
            rule: "file-size",
            what: format!(
                "{} bytes, {MAX_BYTES} are allowed: make it smaller or generate it",
                file.bytes
            ),
        })
        .collect()
}

/// Mentions of folders that exist only on a developer's machine.
pub(crate) fn places(repository: &Repository) -> Vec<Failure> {
    // In pieces, so that this file does not mention them either.
    let absolute = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let anywhere =
        ["corpus", "contracts", "design", "field"].map(|folder| format!("shared{}{folder}", '/'));
    let mut failures = Vec::new();
    for file in &repository.files {
        for (index, line) in file.text.iter().flat_map(|text| text.lines()).enumerate() {
            let found = absolute.into_iter().find(|place| is_absolute(line, place));
            let found = found.or_else(|| {
                anywhere
                    .iter()
                    .map(String::as_str)
                    .find(|place| line.contains(place))
            });
            if let Some(place) = found {
                let what = format!(
                    "`{place}` is a place on one machine: use a relative path or an example's"
                );
                let path = file.path.clone();
                failures.push(Failure {
                    path,
                    line: index + 1,
                    rule: "machine-path",
                    what,
                });
            }
        }
    }
    failures
}

/// Whether `line` holds `place` as the beginning of a path, not as a part of a longer one.
fn is_absolute(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "_-.~*})>".contains(c)))
    })
}

#[test]
fn a_file_without_a_header_is_found() {
    let repository = Repository::of(&[
        ("src/a.rs", "//! Good.\n"),
        ("src/b.rs", "\n//! Late.\n"),
        ("tests/c.rs", "use x;\n"),
        ("src/empty.rs", ""),
        ("d.md", "text"),
    ]);
    let found: Vec<_> = headers(&repository)
        .into_iter()
        .map(|failure| failure.path)
        .collect();
    assert_eq!(found, ["src/b.rs", "tests/c.rs", "src/empty.rs"]);
}

#[test]
fn a_long_file_is_found_and_its_tests_are_not_counted() {
    fn check(path: &str, code: usize, tests: usize, exceptions: &[(&str, usize)], expected: usize) {
        let code = "fn f() {}\n".repeat(code);
        let tests = "  fn t() {}\n".repeat(tests);
        let text = format!("{code}#[cfg(test)]\nmod tests {{\n{tests}}}\n");
        let found = lengths(&Repository::of(&[(path, &text)]), exceptions);
        assert_eq!(found.len(), expected, "{path}: {found:?}");
    }
    check("src/a.rs", 500, 900, &[], 0);
    check("src/a.rs", 501, 0, &[], 1);
    check("src/a_tests.rs", 900, 0, &[], 0);
    check("tests/a.rs", 900, 0, &[], 0);
    check("src/a.rs", 600, 0, &[("src/a.rs", 600)], 0);
    check("src/a.rs", 601, 0, &[("src/a.rs", 600)], 1);
    check("src/a.rs", 599, 0, &[("src/a.rs", 600)], 1);
    check("src/a.rs", 1, 0, &[("src/gone.rs", 600)], 1);
}

#[test]
fn comments_count_as_lines() {
    let text = "// why\n".repeat(501);
    assert_eq!(
        lengths(&Repository::of(&[("src/a.rs", &text)]), &[]).len(),
        1
    );
}

#[test]
fn a_large_file_is_found() {
    let text = "x".repeat(MAX_BYTES);
    let more = format!("{text}x");
    let found = sizes(&Repository::of(&[
        ("assets/a.css", &text),
        ("assets/b.css", &more),
    ]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "assets/b.css");
}

#[test]
fn a_place_on_one_machine_is_found() {
    fn check(line: &str, expected: usize) {
        let found = places(&Repository::of(&[("docs/a.md", line)]));
        assert_eq!(found.len(), expected, "of {line}");
    }
    check(concat!("see `/ro", "ot/.cargo`"), 1);
    check(concat!("cd /wo", "rk/main"), 1);
    check(concat!("\"", "/wo", "rk/\""), 1);
    check(concat!("agent/wo", "rk/builds"), 0);
    check(concat!("https://example.org/wo", "rk/"), 0);
    check(concat!("../sha", "red/corpus/junit"), 1);
    check("shared state", 0);
}
