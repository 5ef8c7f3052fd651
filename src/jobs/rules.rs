//! What a job can be.
//!
//! A definition is checked as a whole before it is stored, so that a mistake is seen by who makes it and not by a build. Each
//! complaint names its place the way the JSON has it.

use globset::GlobBuilder;
use std::collections::BTreeMap;
use testhide_protocol::api::{JobDefinition, Source, Step};

/// Most steps and post steps together.
const STEPS_MAX: usize = 200;

/// Most bytes of one script.
const SCRIPT_MAX: usize = 256 * 1024;

/// Most bytes of the whole definition as JSON; each build keeps a copy.
const DEFINITION_MAX: usize = 1024 * 1024;

/// Most entries of an environment or of the parameters.
const VARIABLES_MAX: usize = 500;

/// Most bytes of one variable's value; operating systems limit what a process can be given.
const VALUE_MAX: usize = 32 * 1024;

/// Most labels.
const LABELS_MAX: usize = 50;

/// Most characters of a label, a step's name or a variable's name.
const NAME_MAX: usize = 100;

/// Most bytes of a path, a pattern or a URL.
const PATH_MAX: usize = 2048;

/// Longest timeout, a week.
const TIMEOUT_MAX: u32 = 604_800;

/// Most retries after a lost agent.
const RETRIES_MAX: u32 = 10;

/// A job that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadJob {
    /// Its name.
    #[error(
        "a name has 1 to {NAME_MAX} characters out of letters, digits, `.`, `_`, `-`, is not dots alone and not an id"
    )]
    Name,
    /// It does nothing.
    #[error("a job without steps does nothing")]
    NoSteps,
    /// Its definition is too large.
    #[error("the definition has {bytes} bytes as JSON, the most is {DEFINITION_MAX}")]
    TooLarge {
        /// Bytes it has.
        bytes: usize,
    },
    /// Something in its definition.
    #[error("`{place}` {what}")]
    Field {
        /// Where, e.g. `steps[2].path`.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Checks a job's name.
pub(super) fn check_name(name: &str) -> Result<(), BadJob> {
    if crate::projects::is_name(name) {
        Ok(())
    } else {
        Err(BadJob::Name)
    }
}

/// Checks a whole definition.
///
/// # Errors
/// The first thing in it that cannot be.
pub fn check_definition(definition: &JobDefinition) -> Result<(), BadJob> {
    if definition.steps.is_empty() {
        return Err(BadJob::NoSteps);
    }
    let steps = definition.steps.len() + definition.post_steps.len();
    ensure(steps <= STEPS_MAX, "steps", || {
        format!("and post steps are {steps} together, the most is {STEPS_MAX}")
    })?;
    definition
        .source_management
        .as_ref()
        .map_or(Ok(()), check_source)?;
    for (index, step) in definition.steps.iter().enumerate() {
        check_step(step, &format!("steps[{index}]"))?;
    }
    for (index, step) in definition.post_steps.iter().enumerate() {
        check_step(step, &format!("post_steps[{index}]"))?;
    }
    check_labels(&definition.labels)?;
    check_variables(&definition.environment, "environment")?;
    check_variables(&definition.parameters, "parameters")?;
    check_timeout(definition.timeout_seconds, "timeout_seconds")?;
    let retries = definition.infra_retries.unwrap_or_default();
    ensure(retries <= RETRIES_MAX, "infra_retries", || {
        format!("is {retries}, the most is {RETRIES_MAX}")
    })?;
    let bytes = serde_json::to_vec(definition).map_or(usize::MAX, |json| json.len());
    if bytes <= DEFINITION_MAX {
        Ok(())
    } else {
        Err(BadJob::TooLarge { bytes })
    }
}

fn check_source(source: &Source) -> Result<(), BadJob> {
    let Source::Git { url, branch } = source;
    check_git_word(url, "source_management.url")?;
    branch.as_deref().map_or(Ok(()), |branch| {
        check_git_word(branch, "source_management.branch")
    })
}

/// git takes a word that begins with `-` for an option.
fn check_git_word(word: &str, place: &str) -> Result<(), BadJob> {
    check_length(word, place, PATH_MAX)?;
    ensure(!word.starts_with('-'), place, || {
        "begins with `-`, which git takes for an option".to_owned()
    })?;
    ensure(!word.chars().any(char::is_control), place, || {
        "has control characters".to_owned()
    })
}

fn check_step(step: &Step, place: &str) -> Result<(), BadJob> {
    match step {
        Step::Bash {
            name,
            run,
            env,
            timeout_seconds,
            continue_on_error: _,
        } => {
            check_step_name(name.as_deref(), place)?;
            check_script(run, &format!("{place}.run"))?;
            check_variables(env, &format!("{place}.env"))?;
            check_timeout(*timeout_seconds, &format!("{place}.timeout_seconds"))
        }
        Step::TestProvider {
            name,
            provider: _,
            path,
        } => {
            check_step_name(name.as_deref(), place)?;
            check_glob(path, &format!("{place}.path"))
        }
        Step::CopyArtifacts {
            name,
            source,
            target,
        } => {
            check_step_name(name.as_deref(), place)?;
            check_glob(source, &format!("{place}.source"))?;
            if target.is_empty() {
                Ok(())
            } else {
                check_relative(target, &format!("{place}.target"))
            }
        }
    }
}

fn check_step_name(name: Option<&str>, place: &str) -> Result<(), BadJob> {
    let Some(name) = name else { return Ok(()) };
    let good =
        (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    ensure(good, &format!("{place}.name"), || {
        format!("has to have 1 to {NAME_MAX} characters, none of them a control character")
    })
}

fn check_script(script: &str, place: &str) -> Result<(), BadJob> {
    check_length(script, place, SCRIPT_MAX)?;
    ensure(!script.trim().is_empty(), place, || "is blank".to_owned())?;
    ensure(!script.contains('\0'), place, || {
        "has a zero byte".to_owned()
    })
}

fn check_labels(labels: &[String]) -> Result<(), BadJob> {
    ensure(labels.len() <= LABELS_MAX, "labels", || {
        format!("are {}, the most is {LABELS_MAX}", labels.len())
    })?;
    for (index, label) in labels.iter().enumerate() {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let good = (1..=NAME_MAX).contains(&label.len()) && label.chars().all(fits);
        ensure(good, &format!("labels[{index}]"), || {
            format!("is no label: 1 to {NAME_MAX} characters out of letters, digits, `.`, `_`, `-`")
        })?;
    }
    Ok(())
}

fn check_variables(variables: &BTreeMap<String, String>, place: &str) -> Result<(), BadJob> {
    let count = variables.len();
    ensure(count <= VARIABLES_MAX, place, || {
        format!("has {count} entries, the most is {VARIABLES_MAX}")
    })?;
    for (name, value) in variables {
        ensure(is_variable(name), place, || {
            let name: String = name.chars().take(NAME_MAX).collect();
            format!(
                "has a name {name:?}: letters, digits and `_`, not a digit first, at most {NAME_MAX}"
            )
        })?;
        let place = format!("{place}.{name}");
        ensure(value.len() <= VALUE_MAX, &place, || {
            format!("has {} bytes, the most is {VALUE_MAX}", value.len())
        })?;
        ensure(!value.contains('\0'), &place, || {
            "has a zero byte".to_owned()
        })?;
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn check_timeout(seconds: Option<u32>, place: &str) -> Result<(), BadJob> {
    let good = seconds.is_none_or(|seconds| (1..=TIMEOUT_MAX).contains(&seconds));
    ensure(good, place, || format!("has to be 1 to {TIMEOUT_MAX}"))
}

fn check_glob(pattern: &str, place: &str) -> Result<(), BadJob> {
    check_relative(pattern, place)?;
    let built = GlobBuilder::new(pattern).literal_separator(true).build();
    built
        .map(drop)
        .map_err(|error| field(place, format!("is no pattern: {}", error.kind())))
}

/// Below the workspace on every system: neither absolute, nor with a drive, nor with a way up.
fn check_relative(path: &str, place: &str) -> Result<(), BadJob> {
    check_length(path, place, PATH_MAX)?;
    ensure(!path.chars().any(char::is_control), place, || {
        "has control characters".to_owned()
    })?;
    let has_drive = path.as_bytes().get(1) == Some(&b':');
    ensure(!path.starts_with(['/', '\\']) && !has_drive, place, || {
        "is not relative to the workspace".to_owned()
    })?;
    ensure(
        path.split(['/', '\\']).all(|part| part != ".."),
        place,
        || "has `..` in it".to_owned(),
    )
}

fn check_length(text: &str, place: &str, most: usize) -> Result<(), BadJob> {
    ensure(!text.is_empty(), place, || "is empty".to_owned())?;
    ensure(text.len() <= most, place, || {
        format!("has {} bytes, the most is {most}", text.len())
    })
}

fn ensure(good: bool, place: &str, what: impl FnOnce() -> String) -> Result<(), BadJob> {
    if good {
        Ok(())
    } else {
        Err(field(place, what()))
    }
}

fn field(place: &str, what: String) -> BadJob {
    BadJob::Field {
        place: place.to_owned(),
        what,
    }
}
