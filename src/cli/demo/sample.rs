//! The sample repository: commits made from the files in `assets/demo`, with fixed authors and dates.

use anyhow::{Context, bail};
use rust_embed::RustEmbed;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The demo project, inside the binary.
#[derive(RustEmbed)]
#[folder = "assets/demo"]
struct Assets;

/// What the sample is and what must be said of it.
#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    pub demo: Demo,
}

/// The schedule of builds.
#[derive(Debug, Deserialize)]
pub(super) struct Demo {
    /// Folder of the commit that each build builds.
    pub commits: Vec<String>,
    /// What the last build must be told.
    pub last: Expected,
}

/// Tests by verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Expected {
    pub new: Vec<String>,
    pub known: Vec<String>,
    pub flaky: Vec<String>,
    pub fixed: Vec<String>,
}

/// The schedule that is built into the binary.
pub(super) fn plan() -> anyhow::Result<Plan> {
    let file =
        Assets::get("expected.json").context("the demo's plan is missing from the binary")?;
    serde_json::from_slice(&file.data).context("the demo's plan cannot be read")
}

/// Makes the repository in `dir`; answers the hash of each commit by its folder's name.
pub(super) fn create(dir: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    std::fs::create_dir_all(dir)?;
    git(dir, &["init", "--quiet", "--initial-branch=main"], &[])?;
    let mut folders: Vec<String> = Assets::iter().filter_map(|path| folder_of(&path)).collect();
    folders.sort();
    folders.dedup();
    let mut commits = BTreeMap::new();
    for folder in folders {
        let hash = commit(dir, &folder)
            .with_context(|| format!("failed to make demo commit `{folder}`"))?;
        commits.insert(folder, hash);
    }
    Ok(commits)
}

fn folder_of(path: &str) -> Option<String> {
    path.strip_prefix("commits/")?
        .split_once('/')
        .map(|(folder, _)| folder.to_owned())
}

fn commit(dir: &Path, folder: &str) -> anyhow::Result<String> {
    let prefix = format!("commits/{folder}/");
    for path in Assets::iter().filter(|path| path.starts_with(&prefix)) {
        let name = &path[prefix.len()..];
        let Some(file) = Assets::get(&path) else {
            continue;
        };
        match name {
            "COMMIT" => {}
            "DELETED" => {
                for gone in String::from_utf8_lossy(&file.data)
                    .lines()
                    .filter(|line| !line.is_empty())
                {
                    std::fs::remove_file(dir.join(gone))?;
                }
            }
            _ => {
                let target = dir.join(name);
                std::fs::create_dir_all(target.parent().unwrap_or(dir))?;
                std::fs::write(target, &file.data)?;
            }
        }
    }
    let words = Assets::get(&format!("{prefix}COMMIT")).context("it has no `COMMIT`")?;
    let words = String::from_utf8_lossy(&words.data).into_owned();
    let (head, message) = words
        .split_once("\n\n")
        .context("its `COMMIT` has no message")?;
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let author = field("Author:").context("its `COMMIT` has no author")?;
    let date = field("Date:").context("its `COMMIT` has no date")?;
    let (name, email) = author
        .trim_end_matches('>')
        .split_once(" <")
        .context("its author has no address")?;
    git(dir, &["add", "--all"], &[])?;
    let identity = [
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", email),
        ("GIT_AUTHOR_DATE", date),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", email),
        ("GIT_COMMITTER_DATE", date),
    ];
    git(
        dir,
        &[
            "commit",
            "--quiet",
            "--no-gpg-sign",
            "--message",
            message.trim(),
        ],
        &identity,
    )?;
    Ok(git(dir, &["rev-parse", "HEAD"], &[])?.trim().to_owned())
}

/// Runs git without the configuration of this machine's user.
fn git(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs(environment.iter().copied())
        .output()
        .context("failed to run `git`; the demo needs it")?;
    if !output.status.success() {
        bail!(
            "`git {}` failed: {}",
            arguments[0],
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
