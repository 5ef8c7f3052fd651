//! A build that prints while its server is stopped and started again, and what became of it.

use super::lab::Lab;
use crate::app::App;
use crate::logs::RawLog;
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testhide_protocol::BuildId;
use testhide_protocol::api::{BuildState, JobDefinition, Step};

/// Lines that each part of the build has at least: before, without and after the server.
const PART: u64 = 10;

/// How often the demo looks how far the step is.
const LOOK: Duration = Duration::from_millis(10);

/// How long the demo waits for a few lines before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints until it is told that it is enough, and says in a file how far it is. The limit is only for a demo that is gone.
const SCRIPT: &str = r#"
line=0
while [ ! -e "$DEMO/enough" ] && [ "$line" -lt 10000 ]; do
    line=$((line + 1))
    echo "line $line"
    echo "$line" > "$DEMO/printed"
    sleep 0.02
done
"#;

/// A build that lived through a restart of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Survivor {
    /// Its number.
    pub number: u64,
    /// Lines that were printed when the server had stopped.
    pub before: u64,
    /// Those of them that it had stored by then.
    pub stored: u64,
    /// Lines that were printed when it was started again.
    pub without: u64,
    /// Lines that were printed when the build ended.
    pub lines: u64,
}

/// Restarts the server in the middle of a build, and checks that the build did not notice.
///
/// # Errors
/// When anything is missing, doubled or repeated, and says what.
pub(super) async fn survive(lab: Lab, dir: &Path) -> anyhow::Result<(Lab, Survivor)> {
    let files = dir.join("restart");
    std::fs::create_dir_all(&files)?;
    let job = lab.make_job("restart", definition(&files)).await?;
    let (id, number) = lab.trigger(job, None).await?;
    lab.wait_for_line(id, PART).await?;

    let stopped = lab.stop_server().await?;
    let before = wait_for_printed(&files, 0).await?;
    let without = wait_for_printed(&files, before + PART).await?;
    let (lab, stored) = stopped.start_server(|app| stored_lines(app, id)).await?;

    lab.wait_for_line(id, without + PART).await?;
    std::fs::write(files.join("enough"), "")?;
    let (build, _) = lab.wait_for_end(number).await?;
    let lines = wait_for_printed(&files, 0).await?;
    ensure!(
        build.status == BuildState::Passed,
        "build {number} ended as {}",
        build.status
    );
    ensure!(
        build.attempt == 1,
        "build {number} needed {} attempts",
        build.attempt
    );
    check_log(&lab.server.app, id, lines)
        .with_context(|| format!("the log of build {number} is not what was printed"))?;
    let survivor = Survivor {
        number,
        before,
        stored,
        without,
        lines,
    };
    Ok((lab, survivor))
}

fn definition(files: &Path) -> JobDefinition {
    JobDefinition {
        steps: vec![Step::Bash {
            name: Some("print".to_owned()),
            run: SCRIPT.to_owned(),
            env: BTreeMap::from([("DEMO".to_owned(), files.display().to_string())]),
            timeout_seconds: None,
            continue_on_error: false,
        }],
        ..JobDefinition::default()
    }
}

fn stored_lines(app: &App, build: BuildId) -> anyhow::Result<u64> {
    Ok(app.logs.head(build, 1)?.ended)
}

/// Waits until the step says that it has printed line `line`; answers how far it is.
async fn wait_for_printed(files: &Path, line: u64) -> anyhow::Result<u64> {
    let path: PathBuf = files.join("printed");
    let looking = async {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            // The file is empty for a moment each time it is written.
            let printed = std::fs::read_to_string(&path).unwrap_or_default();
            match printed.trim().parse() {
                Ok(printed) if printed >= line => return printed,
                _ => {}
            }
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(printed) => Ok(printed),
        Err(_) => bail!(
            "the build does not print without its server: no line {line} in {} s",
            PATIENCE.as_secs()
        ),
    }
}

/// Checks that the log is lines 1 to `lines`, each once and in order.
fn check_log(app: &App, build: BuildId, lines: u64) -> anyhow::Result<()> {
    let all = 0..app.logs.head(build, 1)?.bytes;
    let mut log = RawLog::new(app.logs.clone(), build, 1, all);
    let mut stored = Vec::new();
    while let Some(bytes) = log.next_bytes()? {
        stored.extend_from_slice(&bytes);
    }
    let stored = String::from_utf8_lossy(&stored);
    let mut printed = (1..=lines).map(|line| format!("line {line}"));
    for (place, line) in stored.lines().enumerate() {
        let expected = printed.next();
        ensure!(
            expected.as_deref() == Some(line),
            "its line {} is `{line}`",
            place + 1
        );
    }
    match printed.next() {
        Some(missing) => bail!("it ends before `{missing}`"),
        None => Ok(()),
    }
}
