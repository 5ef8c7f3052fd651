//! The course of the demo.

use super::lab::Lab;
use super::restart::survive;
use super::sample::{self, Expected};
use super::show;
use crate::cli::serve::{log_to_stderr, stop_signal};
use anyhow::Context;
use std::io::Write;
use std::process::ExitCode;
use testhide_protocol::api::{BuildVerdicts, VerdictKind};

/// What `testhide demo` was given.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// End after the verdicts instead of serving on.
    pub exit: bool,
    /// Address and port; a free port on this machine when absent.
    pub listen: Option<String>,
}

/// Runs the demo; 0 when the verdicts are what the sample really contains.
pub async fn run(options: DemoOptions) -> ExitCode {
    match Box::pin(shown(&options)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "testhide: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn shown(options: &DemoOptions) -> anyhow::Result<bool> {
    if std::env::var_os("TESTHIDE_LOG").is_some() {
        log_to_stderr(false);
    }
    let mut out = std::io::stdout();
    let shutdown = stop_signal()?;
    let dir = tempfile::Builder::new()
        .prefix("testhide-demo-")
        .tempdir()
        .context("failed to make a directory")?;
    let repository = dir.path().join("shop.git");
    let plan = sample::plan()?.demo;
    writeln!(
        out,
        "Making a sample repository and a server in {}",
        dir.path().display()
    )?;
    let commits = sample::create(&repository)?;
    let listen = options.listen.as_deref().unwrap_or("127.0.0.1:0");
    let lab = Box::pin(Lab::start(dir.path(), listen, &repository, shutdown)).await?;
    writeln!(
        out,
        "Server on {}, one agent, {} builds of {} commits:\n",
        lab.address(),
        plan.commits.len(),
        commits.len()
    )?;

    let mut builds = Vec::new();
    let mut last = None;
    for (place, folder) in plan.commits.iter().enumerate() {
        let hash = commits
            .get(folder)
            .with_context(|| format!("there is no commit `{folder}`"))?;
        let (build, verdicts) = lab.build(hash).await?;
        writeln!(
            out,
            "{}",
            show::progress(place + 1, plan.commits.len(), &build, folder)
        )?;
        out.flush()?;
        builds.push((build, folder.clone()));
        last = Some(verdicts);
    }
    let last = last.context("the plan has no builds")?;
    writeln!(out, "\n{}\n{}", show::table(&builds), show::verdicts(&last))?;
    let found = by_kind(&last);
    let right = found == plan.last;
    if right {
        writeln!(
            out,
            "These are the verdicts that the sample really contains.\n"
        )?;
    } else {
        writeln!(
            std::io::stderr(),
            "testhide: the verdicts are wrong: expected {:?}, found {found:?}",
            plan.last
        )?;
    }
    writeln!(out, "{}", show::before_restart())?;
    out.flush()?;
    let (lab, survivor) = Box::pin(survive(lab, dir.path())).await?;
    writeln!(out, "{}", show::survivor(&survivor))?;
    if options.exit {
        Box::pin(lab.stop()).await?;
    } else {
        writeln!(out, "{}", show::next_steps(&lab.address(), lab.token()))?;
        Box::pin(lab.serve_on()).await?;
    }
    Ok(right)
}

fn by_kind(verdicts: &BuildVerdicts) -> Expected {
    let of = |kind: VerdictKind| {
        let mut names: Vec<String> = verdicts
            .failures
            .iter()
            .filter(|verdict| verdict.verdict.kind == kind)
            .map(|verdict| verdict.display_name.clone())
            .collect();
        names.sort();
        names
    };
    Expected {
        new: of(VerdictKind::New),
        known: of(VerdictKind::Known),
        flaky: of(VerdictKind::Flaky),
        fixed: of(VerdictKind::Fixed),
    }
}
