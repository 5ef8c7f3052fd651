//! The files a rule looks at, and what a rule says when it is broken.
//!
//! A repository is read from disk once, or written down in a test as a few small files.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::lexer::{Token, lex};
use super::scopes::test_code;

/// Where this repository lies: cargo runs a test in the folder of its package.
const ROOT: &str = ".";

/// A rule that is broken somewhere. Printed as `file:line: rule: what to do`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Failure {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}: {}",
            self.path, self.line, self.rule, self.what
        )
    }
}

/// One file, named from the repository's root with `/` on every system.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: usize,
    /// Nothing when the file is not UTF-8.
    pub(crate) text: Option<String>,
}

/// Everything that is, or would be, committed.
pub(crate) struct Repository {
    pub(crate) files: Vec<File>,
}

/// A Rust file in tokens.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    pub(crate) tokens: Vec<Token<'a>>,
    /// For each token, whether it belongs to a test.
    pub(crate) tests: Vec<bool>,
}

impl Repository {
    /// This repository. Read once for all rules.
    pub(crate) fn here() -> &'static Repository {
        static HERE: OnceLock<Repository> = OnceLock::new();
        HERE.get_or_init(|| {
            let root = Path::new(ROOT);
            let names = listed_by_git(root).unwrap_or_else(|| walk(root));
            let mut files: Vec<_> = names
                .into_iter()
                .filter_map(|name| load(root, name))
                .collect();
            files.sort_by(|a, b| a.path.cmp(&b.path));
            Repository { files }
        })
    }

    /// A repository of a test.
    pub(crate) fn of(files: &[(&str, &str)]) -> Repository {
        let files = files
            .iter()
            .map(|&(path, text)| File {
                path: path.to_owned(),
                bytes: text.len(),
                text: Some(text.to_owned()),
            })
            .collect();
        Repository { files }
    }

    /// Text of the file `path`.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)?
            .text
            .as_deref()
    }

    /// All Rust files.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.files
            .iter()
            .filter(|file| file.path.ends_with(".rs"))
            .filter_map(|file| {
                let text = file.text.as_deref()?;
                let tokens = lex(text);
                let tests = if is_test_file(&file.path) {
                    vec![true; tokens.len()]
                } else {
                    test_code(&tokens)
                };
                Some(Source {
                    path: &file.path,
                    text,
                    tokens,
                    tests,
                })
            })
    }
}

impl Source<'_> {
    /// Path below the server's `src/`, or nothing for a file of another crate.
    pub(crate) fn in_server(&self) -> Option<&str> {
        self.path
            .strip_prefix("src/")
            .filter(|path| !path.starts_with("protocol/"))
    }

    /// A failure of `rule` at `line` of this file.
    pub(crate) fn failure(&self, line: usize, rule: &'static str, what: String) -> Failure {
        Failure {
            path: self.path.to_owned(),
            line,
            rule,
            what,
        }
    }

    /// The numbers of the lines that hold test code.
    pub(crate) fn is_test_line(&self) -> Vec<bool> {
        let mut lines = vec![false; self.text.lines().count() + 1];
        let mut previous: Option<usize> = None;
        for (token, &test) in self.tokens.iter().zip(&self.tests) {
            let from = if test {
                previous.unwrap_or(token.line)
            } else {
                token.line
            };
            if test {
                lines[from..=token.line].fill(true);
            }
            previous = test.then_some(token.line);
        }
        lines
    }
}

/// Whether everything in this file is test code.
fn is_test_file(path: &str) -> bool {
    let mut parts = path.split('/').rev();
    let stem = parts.next().unwrap_or_default().trim_end_matches(".rs");
    stem == "tests"
        || stem.ends_with("_tests")
        || parts.any(|folder| matches!(folder, "tests" | "benches"))
}

/// What git tracks or would track; nothing where there is no git or no checkout.
fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8(output.stdout).expect("git prints the names it stores as UTF-8");
    Some(
        names
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

/// Every file below `root` that no build made: what a release archive holds.
fn walk(root: &Path) -> Vec<String> {
    let (mut names, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root.join(&folder)).expect("a folder found just now");
        for entry in entries {
            let entry = entry.expect("an entry of a readable folder");
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            let is_folder = entry.file_type().expect("an entry has a type").is_dir();
            if is_folder && entry.file_name() != "target" && name != ".git" {
                folders.push(format!("{name}/"));
            } else if !is_folder {
                names.push(name);
            }
        }
    }
    names
}

/// Reads a file; one that was removed but is still in git's list is left out.
fn load(root: &Path, path: String) -> Option<File> {
    let bytes = std::fs::read(root.join(&path)).ok()?;
    Some(File {
        path,
        bytes: bytes.len(),
        text: String::from_utf8(bytes).ok(),
    })
}

#[test]
fn this_repository_has_its_own_checker() {
    let here = Repository::here();
    assert!(here.text("tests/tidy/repository.rs").is_some());
    assert!(walk(Path::new(ROOT)).contains(&"tests/tidy.rs".to_owned()));
}

#[test]
fn files_of_tests_are_recognised_by_name() {
    fn check(path: &str, expected: bool) {
        assert_eq!(is_test_file(path), expected, "of {path}");
    }
    check("tests/it/main.rs", true);
    check("agent/tests/spool.rs", true);
    check("benches/ingest.rs", true);
    check("src/reports/parse/junit_tests.rs", true);
    check("src/kit/tests.rs", true);
    check("src/kit/contests.rs", false);
    check("src/reports/tests_view.rs", false);
}
