//! Which library may be named where, and what files without effects may not name.

use std::collections::BTreeSet;

use super::paths::paths;
use super::repository::{Failure, Repository};

/// A library of the server and the places it stays in.
pub(crate) struct Room {
    pub(crate) library: &'static str,
    pub(crate) homes: &'static [&'static str],
}

/// Types whose `now` reads the system's clock.
const CLOCKS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
];

/// Libraries outside their room. Tests may name any library.
pub(crate) fn rooms(repository: &Repository, rooms: &[Room]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository.sources() {
        let Some(path) = source.in_server() else {
            continue;
        };
        let mut said = BTreeSet::new();
        for named in paths(&source).iter().filter(|named| !named.test) {
            let Some(room) = rooms.iter().find(|room| room.library == named.segments[0]) else {
                continue;
            };
            let is_home = room.homes.iter().any(|home| matches(home, path));
            if !is_home && said.insert(room.library) {
                let what = format!(
                    "`{}` stays in {}: hide it behind a function of one of these",
                    room.library,
                    places(room)
                );
                failures.push(source.failure(named.line, "library-room", what));
            }
        }
    }
    failures
}

fn places(room: &Room) -> String {
    if room.homes.is_empty() {
        "another crate".to_owned()
    } else {
        room.homes.join(", ")
    }
}

/// Effects in files that should have none.
pub(crate) fn purity(repository: &Repository, files: &[&str], impure: &[&str]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in repository.sources() {
        if !files.iter().any(|pattern| matches(pattern, source.path)) {
            continue;
        }
        let mut said = BTreeSet::new();
        for named in paths(&source).iter().filter(|named| !named.test) {
            let is_effect = impure.iter().any(|prefix| named.is_below(prefix));
            let is_clock = CLOCKS.iter().any(|clock| named.ends_with(clock));
            if (is_effect || is_clock) && said.insert(named.text()) {
                let what = format!(
                    "`{}` is an effect: let the caller do it and hand in the value",
                    named.text()
                );
                failures.push(source.failure(named.line, "pure-file", what));
            }
        }
    }
    failures
}

/// Whether `path` fits `pattern`: `*` is any folders, `x/` all of a folder, `x.rs` also `x/`.
fn matches(pattern: &str, path: &str) -> bool {
    if let Some((before, after)) = pattern.split_once("*/") {
        let Some(rest) = path.strip_prefix(before) else {
            return false;
        };
        return rest
            .match_indices('/')
            .any(|(at, _)| matches(after, &rest[at + 1..]));
    }
    if pattern.ends_with('/') {
        return path.starts_with(pattern)
            || path == format!("{}.rs", pattern.trim_end_matches('/'));
    }
    let folder = pattern.strip_suffix(".rs").unwrap_or(pattern);
    path == pattern
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[test]
fn patterns_mean_what_they_say() {
    fn check(pattern: &str, path: &str, expected: bool) {
        assert_eq!(matches(pattern, path), expected, "{pattern} of {path}");
    }
    check("*/routes.rs", "builds/routes.rs", true);
    check("*/routes.rs", "accounts/sso/routes.rs", true);
    check("*/routes.rs", "builds/routes/list.rs", true);
    check("*/routes.rs", "routes.rs", false);
    check("*/routes.rs", "builds/troutes.rs", false);
    check("src/*/queue.rs", "src/builds/queue.rs", true);
    check("src/*/queue.rs", "agent/src/queue.rs", false);
    check("web/", "web/upload.rs", true);
    check("web/", "website/upload.rs", false);
    check("ml/", "ml.rs", true);
}

#[test]
fn a_library_outside_its_room_is_found() {
    fn check(path: &str, text: &str, expected: &[usize]) {
        let rooms_here = [Room {
            library: "redb",
            homes: &["storage/", "*/store.rs"],
        }];
        let found = rooms(&Repository::of(&[(path, text)]), &rooms_here);
        let lines: Vec<_> = found.iter().map(|failure| failure.line).collect();
        assert_eq!(lines, expected, "of {path}: {text}");
    }
    check(
        "src/builds/start.rs",
        "\nuse redb::Database;\nuse redb::Table;",
        &[2],
    );
    check(
        "src/builds/start.rs",
        "fn f(x: redb::ReadTransaction) {}",
        &[1],
    );
    check("src/builds/start.rs", "use {serde, redb as r};", &[1]);
    check(
        "src/builds/start.rs",
        "// redb::X\nlet redb = \"redb::X\";",
        &[],
    );
    check("src/builds/start.rs", "#[cfg(test)]\nuse redb::X;", &[]);
    check("src/builds/store.rs", "use redb::Database;", &[]);
    check("src/storage/codec.rs", "use redb::Database;", &[]);
    check("benches/storage.rs", "use redb::Database;", &[]);
}

#[test]
fn an_effect_in_a_pure_file_is_found() {
    fn check(path: &str, text: &str, expected: &[usize]) {
        let repository = Repository::of(&[(path, text)]);
        let found = purity(
            &repository,
            &["src/*/queue.rs", "src/ml/"],
            &["tokio", "std::fs", "crate::storage"],
        );
        let lines: Vec<_> = found.iter().map(|failure| failure.line).collect();
        assert_eq!(lines, expected, "of {path}: {text}");
    }
    check(
        "src/builds/queue.rs",
        "use std::collections::VecDeque;",
        &[],
    );
    check("src/builds/queue.rs", "use std::{\nfs,\nio};", &[2]);
    check(
        "src/builds/queue.rs",
        "use std::time::{Duration, Instant};\nfn f() { Instant::now() }",
        &[2],
    );
    check(
        "src/builds/queue.rs",
        "fn f() { testhide_protocol::Timestamp::now() }",
        &[1],
    );
    check(
        "src/ml/tree.rs",
        "async fn f() { tokio::task::yield_now().await }",
        &[1],
    );
    check("src/ml/tree.rs", "use crate::storage::Storage;", &[1]);
    check(
        "src/ml/tree.rs",
        "#[cfg(test)] mod tests { use std::fs; }",
        &[],
    );
    check("src/builds/claim.rs", "use std::fs;", &[]);
}
