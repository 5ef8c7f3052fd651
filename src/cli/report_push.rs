//! Use case: upload test reports; each is stored once however often it is sent. Then, when asked, what the build's gates say.

use super::args::Push;
use super::build_gates::{evaluate_now, exit_of, verdict};
use super::client::{Backoff, Client, Upload, with_retries};
use super::error::{CliError, Exit};
use super::output::clean;
use super::report::counts;
use super::report_input::{Input, inputs};
use super::session::Session;
use crate::reports::pack_allure_folder;
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;
use testhide_protocol::api::Report;

/// Tries for each file.
const TRIES: u32 = 6;

/// A file that was looked at before anything is sent.
struct Checked {
    path: PathBuf,
    name: String,
    size: u64,
    key: String,
    /// Holds a folder that was packed, until it is sent.
    _packed: Option<NamedTempFile>,
}

/// Uploads reports. All files are looked at first; those that cannot be stored do not keep the others back. With `--gate` the exit code is
/// that of the build's gates, which are asked only when every report is stored.
pub(super) async fn push(session: &Session, args: &Push) -> Result<Exit, CliError> {
    let client = session.bulk_client()?;
    let target = Target::of(args);
    let files = inputs(&args.files)?
        .into_iter()
        .map(|input| check(input, &target.identity()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut stored = Vec::new();
    let mut refused = Vec::new();
    for file in &files {
        match send(session, &client, &target, file).await {
            Ok(report) => {
                if !session.out.json {
                    session.out.line(&line(&report))?;
                }
                stored.push(report);
            }
            // Nothing that follows would fare better.
            Err(error)
                if matches!(
                    error.exit,
                    Exit::NotAllowed | Exit::NotFound | Exit::TryAgain
                ) =>
            {
                return Err(error);
            }
            Err(error) => {
                session
                    .out
                    .warn(&format!("`{}`: {error}", file.path.display()));
                refused.push(error);
            }
        }
    }
    if let Some(first) = refused.into_iter().next() {
        if session.out.json {
            session.out.json(&stored)?;
        }
        let detail = format!("{} of {} files were stored", stored.len(), files.len());
        return Err(CliError::new(first.exit, "some_refused", detail));
    }
    match (&args.build, args.gate) {
        (Some(build), true) => {
            let evaluation = evaluate_now(&session.client()?, build).await?;
            let both = json!({"reports": stored, "gates": evaluation});
            session
                .out
                .show(&both, |theme| verdict(&evaluation, theme))?;
            Ok(exit_of(session, &evaluation))
        }
        _ => {
            if session.out.json {
                session.out.json(&stored)?;
            }
            Ok(Exit::Ok)
        }
    }
}

async fn send(
    session: &Session,
    client: &Client,
    target: &Target<'_>,
    file: &Checked,
) -> Result<Report, CliError> {
    let bar = Arc::new(session.out.progress(&file.name, Some(file.size)));
    let upload = Upload {
        file: &file.path,
        size: file.size,
        bar,
        key: &file.key,
    };
    let query = target.query(&file.name);
    with_retries(&session.out, TRIES, Backoff::usual(), async || {
        client.upload(&target.path(), &query, &upload).await
    })
    .await
}

/// Where the reports belong.
enum Target<'a> {
    Build(&'a str),
    Project {
        name: &'a str,
        branch: Option<&'a str>,
        commit: Option<&'a str>,
    },
}

impl<'a> Target<'a> {
    fn of(args: &'a Push) -> Self {
        match (&args.build, &args.project) {
            (Some(build), _) => Self::Build(build),
            (None, project) => Self::Project {
                name: project.as_deref().unwrap_or_default(),
                branch: args.branch.as_deref(),
                commit: args.commit.as_deref(),
            },
        }
    }

    fn path(&self) -> [&'a str; 3] {
        match self {
            Self::Build(build) => ["builds", build, "reports"],
            Self::Project { name, .. } => ["projects", name, "reports"],
        }
    }

    fn query(&self, file_name: &str) -> Vec<(&'static str, String)> {
        let mut query = vec![("name", file_name.to_owned())];
        if let Self::Project { branch, commit, .. } = self {
            query.extend(branch.map(|branch| ("branch", branch.to_owned())));
            query.extend(commit.map(|commit| ("commit", commit.to_owned())));
        }
        query
    }

    /// What, besides the content, makes two uploads the same one.
    fn identity(&self) -> String {
        match self {
            Self::Build(build) => format!("build\0{build}"),
            Self::Project {
                name,
                branch,
                commit,
            } => {
                format!(
                    "project\0{name}\0{}\0{}",
                    branch.unwrap_or_default(),
                    commit.unwrap_or_default()
                )
            }
        }
    }
}

/// Reads a file once: it must be readable, and its content is the key under which it is stored once. A file that was named is called by its
/// own name alone, one that was found in a folder by its path there.
fn check(input: Input, identity: &str) -> Result<Checked, CliError> {
    let (path, name, packed) = match input {
        Input::Stdin => {
            return Err(CliError::usage("standard input cannot be pushed")
                .hint("write it to a file, so that it can be sent again after a break"));
        }
        Input::File { path, name, .. } => {
            let name = own_name(&path, name);
            (path, name, None)
        }
        Input::Allure { path, name } => {
            let name = own_name(&path, name);
            let packed = pack(&path)?;
            (
                packed.path().to_owned(),
                format!("{name}.zip"),
                Some(packed),
            )
        }
    };
    let failed = |error: std::io::Error| CliError::file("read", &path, &error);
    let file = File::open(&path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(identity.as_bytes());
    hasher.update(&[0]);
    hasher.update(name.as_bytes());
    hasher.update(&[0]);
    let before = hasher.count();
    hasher.update_reader(file).map_err(failed)?;
    let size = hasher.count() - before;
    Ok(Checked {
        size,
        key: format!("push-{}", hasher.finalize().to_hex()),
        path,
        name,
        _packed: packed,
    })
}

/// The name alone of what was named, the path below the folder of what was found there.
fn own_name(path: &Path, name: String) -> String {
    match path.file_name() {
        Some(own) if Path::new(&name) == path => own.to_string_lossy().into_owned(),
        _ => name,
    }
}

/// A folder of Allure results as one archive.
fn pack(folder: &Path) -> Result<NamedTempFile, CliError> {
    let failed = |error: std::io::Error| CliError::file("pack", folder, &error);
    let mut archive = NamedTempFile::new().map_err(failed)?;
    pack_allure_folder(folder, archive.as_file_mut()).map_err(failed)?;
    Ok(archive)
}

fn line(report: &Report) -> String {
    let truncated = if report.truncated { ", broke off" } else { "" };
    let warnings = match report.warnings.len() {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        many => format!(", {many} warnings"),
    };
    let note = format!("{truncated}{warnings}");
    clean(&format!(
        "{}  {}  {}  {}{note}",
        report.id,
        report.name,
        report.format,
        counts(&report.counts)
    ))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::cli::report_input::{Input, inputs};

    #[test]
    fn the_key_follows_content_name_and_place() {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str, content: &str, place: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            let input = inputs(&[path]).unwrap().remove(0);
            let checked = check(input, place).unwrap();
            assert_eq!(
                (checked.size, checked.name.as_str()),
                (content.len() as u64, name)
            );
            checked.key
        };
        let first = key("a.xml", "<x/>", "build\u{0}1");
        assert_eq!(first, key("a.xml", "<x/>", "build\u{0}1"));
        assert_ne!(first, key("a.xml", "<y/>", "build\u{0}1"));
        assert_ne!(first, key("b.xml", "<x/>", "build\u{0}1"));
        assert_ne!(first, key("a.xml", "<x/>", "build\u{0}2"));
        assert!(first.len() <= 200 && first.is_ascii());
        assert_eq!(
            check(Input::Stdin, "").err().map(|error| error.exit),
            Some(crate::cli::Exit::Usage)
        );
    }

    #[test]
    fn files_of_a_folder_keep_their_path_in_it() {
        let dir = tempfile::tempdir().unwrap();
        for shard in ["one", "two"] {
            let path = dir.path().join(shard).join("junit.xml");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "<testsuites/>").unwrap();
        }
        let checked: Vec<_> = inputs(&[dir.path().to_owned()])
            .unwrap()
            .into_iter()
            .map(|input| check(input, "").unwrap())
            .collect();
        assert_eq!(checked[1].name, "two/junit.xml");
        assert_ne!(checked[0].key, checked[1].key);
    }
}
