//! The rules of this repository that a program can check, as lists on one page.
//!
//! What each list means stands in `ARCHITECTURE.md` and `CONTRIBUTING.md`. How a rule is checked,
//! and a proof on small bad files that the check itself can fail, stands in `tests/tidy/`.

#[path = "tidy/crates.rs"]
mod crates;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/habits.rs"]
mod habits;
#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/libraries.rs"]
mod libraries;
#[path = "tidy/modules.rs"]
mod modules;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/repository.rs"]
mod repository;
#[path = "tidy/scopes.rs"]
mod scopes;

use libraries::Room;
use repository::{Failure, Repository};

/// Modules of `src/`; each imports only from modules left of it.
const MODULE_ORDER: &str = "
    kit config | storage events web index ml | audit accounts projects jobs |
    history logs artifacts reports builds agents triggers | search analysis gates feed | app cli";

/// Libraries of the server that stay in their room. A pattern is a path below `src/`; `*` stands
/// for any folders, a folder ends with `/`, and a file may have grown into a folder of its name.
const ROOMS: &[Room] = &[
    Room {
        library: "axum",
        homes: &[
            "web/",
            "app/",
            "*/routes.rs",
            "agents/session.rs",
            "feed/live.rs",
        ],
    },
    Room {
        library: "utoipa_axum",
        homes: &["web/", "app/", "*/routes.rs"],
    },
    Room {
        library: "redb",
        homes: &["storage/", "*/store.rs", "events/log.rs"],
    },
    Room {
        library: "bincode",
        homes: &["storage/"],
    },
    Room {
        library: "tantivy",
        homes: &["index/"],
    },
    Room {
        library: "usearch",
        homes: &["index/"],
    },
    Room {
        library: "smartcore",
        homes: &["ml/"],
    },
    Room {
        library: "ratatui",
        homes: &[],
    },
    Room {
        library: "crossterm",
        homes: &[],
    },
];

/// Files that take values and give values.
const PURE_FILES: &[&str] = &[
    "src/*/lifecycle.rs",
    "src/*/queue.rs",
    "src/*/plan.rs",
    "src/*/rules.rs",
    "src/*/matrix.rs",
    "src/ml/",
    "src/search/query/",
    "src/reports/parse/",
    "src/history/identity.rs",
    "src/protocol/mask/",
    "src/protocol/env_file/",
    "tui/src/update.rs",
];

/// What a pure file may not name.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "redb",
    "reqwest",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::process",
    "crate::storage",
    "crate::kit::clock",
];

/// Files with more than 500 lines of code, and how many they have. This list only shrinks.
const LONG_FILES: &[(&str, usize)] = &[];

/// Fails with every failure, one a line.
#[track_caller]
fn expect_none(mut failures: Vec<Failure>) {
    failures.sort();
    let lines: Vec<_> = failures.iter().map(Failure::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} broken rules:\n{}\n",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn crates_depend_in_one_direction() {
    expect_none(crates::edges(Repository::here()));
    expect_none(crates::names_of_the_server(Repository::here()));
}

#[test]
fn modules_import_from_the_left() {
    expect_none(modules::order(Repository::here(), MODULE_ORDER));
}

#[test]
fn the_architecture_shows_this_module_order() {
    expect_none(modules::documented(Repository::here(), MODULE_ORDER));
}

#[test]
fn slices_are_entered_by_their_front_door() {
    expect_none(modules::front_doors(Repository::here()));
    expect_none(modules::doors_without_logic(Repository::here()));
}

#[test]
fn libraries_stay_in_their_room() {
    expect_none(libraries::rooms(Repository::here(), ROOMS));
}

#[test]
fn pure_files_are_pure() {
    expect_none(libraries::purity(Repository::here(), PURE_FILES, IMPURE));
}

#[test]
fn files_are_small_and_say_what_they_are_for() {
    expect_none(files::headers(Repository::here()));
    expect_none(files::lengths(Repository::here(), LONG_FILES));
    expect_none(files::sizes(Repository::here()));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    expect_none(files::places(Repository::here()));
}

#[test]
fn code_has_no_bad_habits() {
    expect_none(habits::attributes(Repository::here()));
    expect_none(habits::unfinished(Repository::here()));
    expect_none(habits::unwraps(Repository::here()));
    expect_none(habits::sleeping_tests(Repository::here()));
}
