//! The environment of a step: an allow-list of the machine's variables, the build's own, and never the agent's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use testhide_protocol::wire::{Assignment, Lease};

use super::workspace::Workspace;

/// Variables of the machine that a step sees. Everything else that the agent was started with (tokens, proxies with
/// passwords, sockets of other programs) stays with the agent.
const MACHINE: &[&str] = &[
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "SHELL",
];

/// The same for Windows, where no program starts without some of these.
const WINDOWS: &[&str] = &[
    "SystemRoot",
    "SystemDrive",
    "windir",
    "ComSpec",
    "PATHEXT",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "CommonProgramFiles",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
    "OS",
];

/// What git needs above that to reach a repository as the agent's user: the keys and helpers are the machine's.
const GIT: &[&str] = &["HOME", "USERPROFILE", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK"];

/// Where programs are found when the agent itself was started without a path.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names and values.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// The variables that mark a process as one of this attempt, however far it has run from its step.
pub(crate) fn marks(build: testhide_protocol::BuildId, attempt: u32) -> [String; 2] {
    [
        format!("TESTHIDE_BUILD_ID={build}"),
        format!("TESTHIDE_ATTEMPT={attempt}"),
    ]
}

/// A step's environment. A later source goes over an earlier one: machine, job, parameters, step; what testhide says of the build
/// goes over all, so that a parameter cannot lie about it.
///
/// # Errors
/// The name of a variable that no process can have.
pub(crate) fn for_step(
    assignment: &Assignment,
    commit: Option<&str>,
    workspace: &Workspace,
    step: &BTreeMap<String, String>,
) -> Result<Variables, String> {
    let mut variables = from_machine(MACHINE);
    variables.extend(from_machine(if cfg!(windows) { WINDOWS } else { &[] }));
    variables
        .entry("PATH".into())
        .or_insert_with(|| DEFAULT_PATH.into());
    let mut set = |name: &str, value: &Path| variables.insert(name.into(), value.into());
    set(
        if cfg!(windows) { "USERPROFILE" } else { "HOME" },
        &workspace.home,
    );
    let temporary: &[&str] = if cfg!(windows) {
        &["TMP", "TEMP"]
    } else {
        &["TMPDIR"]
    };
    for name in temporary {
        set(name, &workspace.temp);
    }
    variables.insert("CI".into(), "true".into());
    let given = [
        &assignment.definition.environment,
        &assignment.parameters,
        step,
    ];
    for (name, value) in given.into_iter().flatten() {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(name.escape_default().to_string());
        }
        variables.insert(name.into(), value.into());
    }
    let mut fact = |name: &str, value: &dyn std::fmt::Display| {
        variables.insert(format!("TESTHIDE{name}").into(), value.to_string().into());
    };
    fact("", &true);
    fact("_BUILD_NUMBER", &assignment.build_number);
    fact("_BUILD_ID", &assignment.lease.build);
    fact("_ATTEMPT", &assignment.lease.attempt);
    fact("_JOB", &assignment.job_name);
    fact("_PROJECT", &assignment.project_name);
    fact("_BRANCH", &assignment.branch);
    fact(
        "_COMMIT",
        &commit.or(assignment.commit.as_deref()).unwrap_or_default(),
    );
    variables.insert("TESTHIDE_WORKSPACE".into(), workspace.dir.clone().into());
    Ok(variables)
}

/// The environment of the agent's own `git`, which is a process of the attempt and found by its marks, too.
pub(crate) fn for_git(lease: Lease) -> Variables {
    let mut variables = from_machine(MACHINE);
    for mark in marks(lease.build, lease.attempt) {
        let (name, value) = mark.split_once('=').expect("a mark is a variable");
        variables.insert(name.into(), value.into());
    }
    variables.extend(from_machine(GIT));
    variables.extend(from_machine(if cfg!(windows) { WINDOWS } else { &[] }));
    variables
        .entry("PATH".into())
        .or_insert_with(|| DEFAULT_PATH.into());
    // Nobody is there to answer a question; without these git or ssh would wait for one.
    variables.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
    variables.insert("GIT_SSH_COMMAND".into(), "ssh -o BatchMode=yes".into());
    variables
}

fn from_machine(names: &[&str]) -> Variables {
    names
        .iter()
        .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{assignment, lease};

    fn workspace() -> Workspace {
        Workspace::at("/w/dir".into(), "/w/home".into(), "/w/temp".into())
    }

    #[test]
    fn nothing_of_the_agent_leaks() {
        // Cargo sets these for every test: they stand for whatever an agent was started with.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let variables = for_step(
            &assignment(lease(1), Vec::new()),
            None,
            &workspace(),
            &BTreeMap::new(),
        )
        .unwrap();
        let of_ours = |name: &str| {
            name == "TESTHIDE"
                || name.starts_with("TESTHIDE_")
                || ["CI", "HOME", "TMPDIR"].contains(&name)
        };
        for name in variables.keys().map(|name| name.to_string_lossy()) {
            assert!(
                of_ours(&name)
                    || MACHINE.contains(&name.as_ref())
                    || WINDOWS.contains(&name.as_ref()),
                "{name}"
            );
        }
        assert_eq!(variables[&OsString::from("HOME")], "/w/home");
    }

    #[test]
    fn every_process_of_an_attempt_carries_its_marks() {
        let lease = lease(1);
        let assignment = assignment(lease, Vec::new());
        let of_step = for_step(&assignment, None, &workspace(), &BTreeMap::new());
        for variables in [of_step.unwrap(), for_git(lease)] {
            for mark in marks(lease.build, lease.attempt) {
                let (name, value) = mark.split_once('=').unwrap();
                assert_eq!(variables[&OsString::from(name)], value);
            }
        }
    }

    #[test]
    fn the_nearest_source_wins_and_facts_cannot_be_changed() {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect()
        };
        let mut assignment = assignment(lease(1), Vec::new());
        assignment.definition.environment = map(&[("A", "job"), ("B", "job"), ("C", "job")]);
        assignment.parameters = map(&[
            ("B", "parameter"),
            ("C", "parameter"),
            ("TESTHIDE_BRANCH", "lie"),
        ]);
        let step = map(&[("C", "step")]);
        let variables = for_step(&assignment, Some("abc"), &workspace(), &step).unwrap();
        let check = |name: &str, expected: &str| {
            assert_eq!(variables[&OsString::from(name)], expected, "{name}");
        };
        check("A", "job");
        check("B", "parameter");
        check("C", "step");
        check("TESTHIDE_BRANCH", "main");
        check("TESTHIDE_COMMIT", "abc");
        for name in ["", "A=B", "A\0"] {
            let step = map(&[(name, "x")]);
            assert!(
                for_step(&assignment, None, &workspace(), &step).is_err(),
                "{name:?}"
            );
        }
    }
}
