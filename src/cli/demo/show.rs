//! What the demo prints.

use super::restart::Survivor;
use std::fmt::Write;
use testhide_protocol::api::{Build, BuildVerdicts, FailureVerdict, VerdictKind};

/// One line of progress.
pub(super) fn progress(place: usize, of: usize, build: &Build, commit: &str) -> String {
    let tests = &build.tests;
    let seconds = build.duration_ms.unwrap_or_default();
    format!(
        "  [{place}/{of}] build {} of {commit}: {} ({} passed, {} failed, {} skipped, {seconds} ms)",
        build.build_number, build.status, tests.passed, tests.failed, tests.skipped
    )
}

/// The table of all builds.
pub(super) fn table(builds: &[(Build, String)]) -> String {
    let mut out = String::from(
        "  build  commit                  result   passed  failed  new  known  flaky  fixed\n",
    );
    for (build, commit) in builds {
        let tps = &build.tps;
        let _ = writeln!(
            out,
            "  {:>5}  {commit:<22}  {:<7}  {:>6}  {:>6}  {:>3}  {:>5}  {:>5}  {:>5}",
            build.build_number,
            build.status.as_str(),
            build.tests.passed,
            build.tests.failed,
            tps.new_failures.len(),
            tps.known_failures.len(),
            tps.flaky_tests.len(),
            tps.fixed.len(),
        );
    }
    out
}

/// The verdicts of one build, failures first.
pub(super) fn verdicts(verdicts: &BuildVerdicts) -> String {
    let mut out = format!("Build {}: what its failures mean\n", verdicts.build_number);
    for verdict in &verdicts.failures {
        let _ = write!(out, "\n{}", one(verdict));
    }
    out
}

fn one(verdict: &FailureVerdict) -> String {
    let word = match verdict.verdict.kind {
        VerdictKind::New => "NEW  ",
        VerdictKind::Known => "KNOWN",
        VerdictKind::Flaky => "FLAKY",
        VerdictKind::Fixed => "FIXED",
    };
    let mut out = format!(
        "  {word}  {}\n         {}\n",
        verdict.display_name, verdict.verdict.reason
    );
    if verdict.verdict.kind == VerdictKind::Fixed {
        return out;
    }
    if let Some(line) = verdict
        .message
        .lines()
        .next()
        .filter(|line| !line.is_empty())
    {
        let _ = writeln!(
            out,
            "         it says: {}",
            line.chars().take(100).collect::<String>()
        );
    }
    if let Some(similar) = verdict.similar.first() {
        let build = similar
            .run
            .build_number
            .map(|number| format!(" in build {number}"))
            .unwrap_or_default();
        let share = (similar.similarity * 100.0).round();
        let _ = writeln!(
            out,
            "         most similar: {}{build} ({share} % alike)",
            similar.display_name
        );
    }
    let _ = writeln!(out, "         cause: {}", verdict.root_cause.reason);
    out
}

/// What comes now.
pub(super) fn before_restart() -> &'static str {
    "Now the server is stopped in the middle of a build, and started again:\n"
}

/// What became of the build.
pub(super) fn survivor(survivor: &Survivor) -> String {
    let Survivor {
        number,
        before,
        stored,
        without,
        lines,
    } = *survivor;
    let mut out = String::new();
    let stored = format!("printed before it had stopped; {stored} of them were stored");
    for (from, to, what) in [
        (1, before, stored.as_str()),
        (before + 1, without, "printed while there was no server"),
        (without + 1, lines, "printed from its new start on"),
    ] {
        let range = format!("{from}\u{2013}{to}");
        let _ = writeln!(out, "  lines {range:<7}  {what}");
    }
    let _ = writeln!(
        out,
        "\nBuild {number} passed in its first attempt. Its log was read again: lines 1\u{2013}{lines}, each once, in order, nothing missing."
    );
    out
}

/// Address and what to try next.
pub(super) fn next_steps(address: &str, token: &str) -> String {
    format!(
        "The demo serves on {address} until ctrl-c. In another terminal:\n\n\
         \x20 export TESTHIDE_SERVER={address}\n\
         \x20 export TESTHIDE_TOKEN={token}\n\n\
         \x20 testhide build list\n\
         \x20 testhide build verdicts 8\n\
         \x20 testhide build log 8\n\
         \x20 testhide search 'rounding OR AssertionError'\n\
         \x20 testhide tui\n"
    )
}
