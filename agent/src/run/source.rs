//! Fetches the source with the machine's `git`. What a trigger names (url, branch, commit) is never read as an option, and a
//! password in the url stays out of the log.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use testhide_protocol::api::Source;
use testhide_protocol::wire::Lease;
use tokio::process::Command;

use super::confine::Confinement;
use super::environment;
use super::exec::{self, Ending, Voice};
use super::log::Log;
use super::stop::{Stop, StopSignal};
use crate::clock::Deadline;

/// History that a build sees; `git describe` and changelogs of recent work still do what they should.
const DEPTH: &str = "50";

/// Why there is no source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// Something that the trigger or the job names cannot be fetched safely.
    #[error("the {what} `{value}` is refused: {why}")]
    Refused {
        what: &'static str,
        value: String,
        why: &'static str,
    },
    /// Git said no.
    #[error("`git {command}` {how}")]
    Failed { command: &'static str, how: String },
    /// It took too long.
    #[error("the checkout took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The attempt is stopped.
    #[error("the checkout was stopped")]
    Stopped(Stop),
    /// There is no usable git on this machine.
    #[error("`git` cannot be run on this agent: {0}")]
    Git(#[from] io::Error),
}

/// Where a checkout happens, and what holds it.
pub(crate) struct Checkout<'a> {
    /// Whose processes these are.
    pub(crate) lease: Lease,
    /// The empty directory; it may hold a part of the repository after a failure.
    pub(crate) dir: &'a Path,
    /// When it takes too long.
    pub(crate) deadline: &'a Deadline,
    /// What holds git's processes.
    pub(crate) bounds: &'a Confinement,
    /// Where git speaks.
    pub(crate) log: &'a mut Log,
    /// Who may stop it.
    pub(crate) stop: &'a mut StopSignal,
}

/// Checks out `commit`, or the head of `branch`. Gives the full hash.
///
/// # Errors
/// [`SourceError`].
pub(crate) async fn check_out(
    source: &Source,
    branch: &str,
    commit: Option<&str>,
    place: Checkout<'_>,
) -> Result<String, SourceError> {
    let Source::Git {
        url,
        branch: default_branch,
    } = source;
    let branch = if branch.is_empty() {
        default_branch.as_deref().unwrap_or("main")
    } else {
        branch
    };
    let reference = reference(branch)?;
    check_url(url)?;
    if let Some(commit) = commit {
        check_commit(commit)?;
    }
    let deadline = place.deadline;
    let mut git = Git {
        url,
        deadline,
        limit: deadline.left(),
        place,
    };
    git.run("init", &["init", "--quiet"]).await?;
    let Some(commit) = commit else {
        git.fetch(&["--depth", DEPTH], &reference).await?;
        git.run(
            "checkout",
            &["checkout", "--quiet", "--detach", "FETCH_HEAD"],
        )
        .await?;
        return git.head().await;
    };
    let whole = matches!(commit.len(), 40 | 64);
    // A server may refuse to hand out a bare commit, and none knows an abbreviated one: then the branch with its whole history.
    let fetched = whole && git.fetch_quietly(&["--depth", DEPTH], commit).await?;
    if !fetched {
        let refspec = format!("+{reference}:refs/remotes/origin/testhide");
        git.fetch(&[], &refspec).await?;
    }
    git.run("checkout", &["checkout", "--quiet", "--detach", commit])
        .await?;
    git.head().await
}

struct Git<'a> {
    url: &'a str,
    deadline: &'a Deadline,
    limit: Duration,
    place: Checkout<'a>,
}

impl Git<'_> {
    async fn fetch(&mut self, options: &[&str], what: &str) -> Result<(), SourceError> {
        let url = self.url;
        let arguments = [
            &["fetch", "--quiet", "--no-tags"],
            options,
            &["--", url, what],
        ]
        .concat();
        self.run("fetch", &arguments).await
    }

    /// Fetches; a refusal is an answer, not an error.
    async fn fetch_quietly(&mut self, options: &[&str], what: &str) -> Result<bool, SourceError> {
        match self.fetch(options, what).await {
            Ok(()) => Ok(true),
            Err(SourceError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn run(&mut self, command: &'static str, arguments: &[&str]) -> Result<(), SourceError> {
        let shown: Vec<_> = arguments
            .iter()
            .map(|argument| without_password(argument))
            .collect();
        self.place
            .log
            .say(&format!("$ git {}", shown.join(" ")))
            .await;
        let git = self.command(arguments);
        match exec::execute(
            git,
            Voice::Agent,
            self.place.bounds,
            self.place.log,
            self.deadline,
            self.place.stop,
            async |_| {},
        )
        .await?
        {
            Ending::Exited(status) if status.success() => Ok(()),
            Ending::Exited(status) => Err(SourceError::Failed {
                command,
                how: exec::describe(status),
            }),
            Ending::TimedOut => Err(SourceError::TimedOut(self.limit)),
            Ending::Stopped(stop) => Err(SourceError::Stopped(stop)),
        }
    }

    /// The commit that is checked out.
    async fn head(&self) -> Result<String, SourceError> {
        let output = self.command(&["rev-parse", "--verify", "HEAD"]).output();
        let output = tokio::select! {
            output = output => output?,
            () = self.deadline.passed() => return Err(SourceError::TimedOut(self.limit)),
        };
        let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && check_commit(&commit).is_ok() {
            Ok(commit)
        } else {
            Err(SourceError::Failed {
                command: "rev-parse",
                how: exec::describe(output.status),
            })
        }
    }

    fn command<T: AsRef<OsStr>>(&self, arguments: &[T]) -> Command {
        let mut command = Command::new("git");
        command
            .args([
                "-c",
                "advice.detachedHead=false",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(self.place.dir)
            .env_clear()
            .envs(environment::for_git(self.place.lease))
            .kill_on_drop(true);
        command
    }
}

fn refused(what: &'static str, value: &str, why: &'static str) -> SourceError {
    SourceError::Refused {
        what,
        value: without_password(value),
        why,
    }
}

fn check_url(url: &str) -> Result<(), SourceError> {
    if url.is_empty() || url.starts_with('-') || url.chars().any(char::is_control) {
        return Err(refused(
            "url",
            url,
            "it is empty, begins with `-` or holds control characters",
        ));
    }
    Ok(())
}

fn check_commit(commit: &str) -> Result<(), SourceError> {
    if (4..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(refused(
        "commit",
        commit,
        "a commit is 4 to 64 hexadecimal digits",
    ))
}

/// The full name of a branch, by git's own rules for names.
fn reference(branch: &str) -> Result<String, SourceError> {
    let bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let wrong = branch.is_empty()
        || branch.starts_with(['-', '+', '/', '.'])
        || branch.ends_with(['/', '.'])
        || branch.contains("..")
        || branch.contains("@{")
        || branch.contains("//")
        || branch.chars().any(bad);
    if wrong {
        return Err(refused(
            "branch",
            branch,
            "it is not a name that git allows",
        ));
    }
    // `refs/pull/7/head` and the like are whole already.
    Ok(if branch.starts_with("refs/") {
        branch.to_owned()
    } else {
        format!("refs/heads/{branch}")
    })
}

/// A url without its user and password.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::stop::StopSwitch;
    use crate::tests::{Scratch, lease, within};
    use std::fs;

    fn git(dir: &Path, arguments: &[&str]) -> String {
        let identity = [
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.com",
            "-c",
            "init.defaultBranch=main",
        ];
        let output = std::process::Command::new("git")
            .args(identity)
            .args(arguments)
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[tokio::test]
    async fn a_branch_and_a_commit_are_checked_out() {
        let scratch = Scratch::new();
        let (work, bare) = (scratch.path().join("w"), scratch.path().join("bare.git"));
        fs::create_dir(&work).unwrap();
        git(&work, &["init", "--quiet"]);
        let commit = |text: &str| {
            fs::write(work.join("file"), text).unwrap();
            git(&work, &["add", "file"]);
            git(&work, &["commit", "--quiet", "-m", text]);
            git(&work, &["rev-parse", "HEAD"])
        };
        let (first, second) = (commit("one"), commit("two"));
        git(
            scratch.path(),
            &["clone", "--quiet", "--bare", "w", "bare.git"],
        );

        let source = Source::Git {
            url: bare.to_string_lossy().into_owned(),
            branch: None,
        };
        let (_spool, journal) = scratch.journal(lease(1));
        let mut log = Log::new(journal, std::time::Instant::now());
        let (_switch, mut stop) = StopSwitch::new();
        let rows = [
            (None, &second, "two"),
            (Some(&first), &first, "one"),
            (Some(&first[..10].to_owned()), &first, "one"),
        ];
        for (number, (commit, expected, text)) in rows.into_iter().enumerate() {
            let dir = scratch.path().join(format!("checkout-{number}"));
            fs::create_dir(&dir).unwrap();
            let commit = commit.map(String::as_str);
            let place = Checkout {
                lease: lease(1),
                dir: &dir,
                deadline: &crate::clock::WorkClock::start().after(Duration::from_secs(60)),
                bounds: &Confinement::none(),
                log: &mut log,
                stop: &mut stop,
            };
            let got = within(check_out(&source, "main", commit, place)).await;
            assert_eq!(&got.unwrap(), expected);
            assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), text);
        }
        let dir = scratch.path().join("none");
        fs::create_dir(&dir).unwrap();
        let place = Checkout {
            lease: lease(1),
            dir: &dir,
            deadline: &crate::clock::WorkClock::start().after(Duration::from_secs(60)),
            bounds: &Confinement::none(),
            log: &mut log,
            stop: &mut stop,
        };
        let got = within(check_out(&source, "absent", None, place)).await;
        assert!(
            matches!(
                got,
                Err(SourceError::Failed {
                    command: "fetch",
                    ..
                })
            ),
            "{got:?}"
        );
    }

    #[test]
    fn what_could_be_an_option_or_a_refspec_is_refused() {
        let check = |branch: &str, expected: Option<&str>| {
            assert_eq!(reference(branch).ok().as_deref(), expected, "{branch:?}");
        };
        check("main", Some("refs/heads/main"));
        check("feature/x-1", Some("refs/heads/feature/x-1"));
        check("refs/pull/7/head", Some("refs/pull/7/head"));
        for branch in [
            "",
            "-x",
            "--upload-pack=x",
            "a:b",
            "+a",
            "a..b",
            "a b",
            "a\nb",
            "a@{1}",
            "/a",
            "a*",
        ] {
            check(branch, None);
        }
        for url in ["", "--upload-pack=touch x", "-oProxyCommand=x", "a\nb"] {
            assert!(check_url(url).is_err(), "{url:?}");
        }
        for commit in ["", "abc", "HEAD", "-aaaa", "aaaa:b"] {
            assert!(check_commit(commit).is_err(), "{commit:?}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let check = |url: &str, expected: &str| assert_eq!(without_password(url), expected);
        check(
            "https://me:secret@example.com/r.git",
            "https://…@example.com/r.git",
        );
        check("https://a@b:secret@example.com", "https://…@example.com");
        check("https://example.com/a@b", "https://example.com/a@b");
        check("git@example.com:team/r.git", "git@example.com:team/r.git");
    }
}
