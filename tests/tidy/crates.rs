//! Crate edges: `agent -> protocol <- tui`, and only the server knows all three.

use toml::{Table, Value};

use super::paths::paths;
use super::repository::{Failure, Repository};

const RULE: &str = "crate-edges";

/// Each manifest, its package, and which of this repository's packages it may depend on.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("src/protocol/Cargo.toml", "testhide-protocol", &[]),
    ("agent/Cargo.toml", "testhide-agent", &["testhide-protocol"]),
    ("tui/Cargo.toml", "testhide-tui", &["testhide-protocol"]),
    (
        "Cargo.toml",
        "testhide",
        &["testhide-protocol", "testhide-agent", "testhide-tui"],
    ),
];

/// Dependencies in the manifests that go against the order.
pub(crate) fn edges(repository: &Repository) -> Vec<Failure> {
    let shared = parse(repository.text("Cargo.toml").unwrap_or_default());
    let shared = shared
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"));
    let mut failures = Vec::new();
    for &(path, package, allowed) in CRATES {
        let Some(text) = repository.text(path) else {
            failures.push(failure(
                path,
                1,
                format!("write this manifest, the one of `{package}`"),
            ));
            continue;
        };
        let manifest = parse(text);
        let name = manifest.get("package").and_then(|table| table.get("name"));
        if name.and_then(Value::as_str) != Some(package) {
            failures.push(failure(path, 1, format!("name this package `{package}`")));
        }
        for (key, dependency) in dependencies(&manifest) {
            let inherited = shared.and_then(|table| table.get(&key));
            let target = renamed(&dependency)
                .or_else(|| inherited.and_then(renamed))
                .unwrap_or(&key);
            let is_ours = CRATES.iter().any(|&(_, ours, _)| ours == target);
            if is_ours && !allowed.contains(&target) {
                let line = text
                    .lines()
                    .position(|line| line.trim_start().starts_with(&key));
                let what = format!(
                    "`{package}` may not depend on `{target}`: move what it needs into `testhide-protocol`"
                );
                failures.push(failure(path, line.unwrap_or(0) + 1, what));
            }
        }
    }
    failures
}

/// Names of the server inside the crates that may not see it.
pub(crate) fn names_of_the_server(repository: &Repository) -> Vec<Failure> {
    let mut failures = Vec::new();
    let outside = |path: &str| {
        ["agent/", "tui/", "src/protocol/"]
            .iter()
            .any(|folder| path.starts_with(folder))
    };
    for source in repository.sources().filter(|source| outside(source.path)) {
        for named in paths(&source)
            .iter()
            .filter(|named| named.is_below("testhide"))
        {
            let what = format!(
                "`{}` is the server's: use `testhide_protocol` instead",
                named.text()
            );
            failures.push(source.failure(named.line, RULE, what));
        }
    }
    failures
}

fn failure(path: &str, line: usize, what: String) -> Failure {
    Failure {
        path: path.to_owned(),
        line,
        rule: RULE,
        what,
    }
}

fn parse(manifest: &str) -> Table {
    manifest
        .parse()
        .expect("cargo has read this manifest before it built this test")
}

/// The package a dependency means, where it is written under another name.
fn renamed(dependency: &Value) -> Option<&str> {
    dependency.get("package")?.as_str()
}

/// All dependencies of a manifest: of every kind, for every target.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    tables
        .flat_map(|table| KINDS.iter().filter_map(|&kind| table.get(kind)?.as_table()))
        .flat_map(|table| {
            table
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
        })
        .collect()
}

#[test]
fn a_wrong_edge_is_found_under_any_name() {
    fn check(agent: &str, expected: &[usize]) {
        let agent = format!("[package]\nname = \"testhide-agent\"\n{agent}");
        let repository = Repository::of(&[
            (
                "src/protocol/Cargo.toml",
                "package.name = \"testhide-protocol\"",
            ),
            ("tui/Cargo.toml", "package.name = \"testhide-tui\""),
            (
                "Cargo.toml",
                "package.name = \"testhide\"\n[workspace.dependencies]\nhidden = { package = \"testhide\", path = \".\" }",
            ),
            ("agent/Cargo.toml", &agent),
        ]);
        let lines: Vec<_> = edges(&repository)
            .iter()
            .map(|failure| failure.line)
            .collect();
        assert_eq!(lines, expected, "of {agent}");
    }
    check(
        "[dependencies]\ntesthide-protocol.workspace = true\nserde = \"1\"",
        &[],
    );
    check("[dependencies]\ntesthide = { path = \"..\" }", &[4]);
    check("[dev-dependencies]\ntesthide-tui.workspace = true", &[4]);
    check(
        "[dependencies]\nserver = { package = \"testhide\", path = \"..\" }",
        &[4],
    );
    check("[dependencies]\nhidden.workspace = true", &[4]);
    check("[target.'cfg(unix)'.dependencies]\ntesthide = \"1\"", &[4]);
}

#[test]
fn a_missing_or_misnamed_manifest_is_found() {
    let repository = Repository::of(&[("Cargo.toml", "package.name = \"other\"")]);
    assert_eq!(edges(&repository).len(), 4);
}

#[test]
fn a_name_of_the_server_is_found_in_the_other_crates() {
    let repository = Repository::of(&[
        (
            "agent/src/a.rs",
            "//! testhide::x\nuse testhide_protocol::X;\nuse testhide::kit;\n",
        ),
        (
            "tui/src/b.rs",
            "fn f() { let testhide = 1; testhide::app::run() }",
        ),
        ("src/main.rs", "fn main() { testhide::cli::main() }"),
    ]);
    let found: Vec<_> = names_of_the_server(&repository)
        .into_iter()
        .map(|f| (f.path, f.line))
        .collect();
    assert_eq!(
        found,
        [
            ("agent/src/a.rs".to_owned(), 3),
            ("tui/src/b.rs".to_owned(), 1)
        ]
    );
}
