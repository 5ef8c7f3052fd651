//! An agent and its machine: what steps may use, what they may leave, and what the doctor says. All with the real binary.

use crate::support::{TestServer, job_with_script, lines_of};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use testhide_protocol::api::{BuildState, LogPage};

fn agent(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testhide"));
    command
        .arg("agent")
        .args(arguments)
        .env("TESTHIDE_AGENT_DIR", dir)
        .env("TESTHIDE_LOG", "info")
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn run(dir: &Path, arguments: &[&str], exit: i32) -> Output {
    let output = agent(dir, arguments).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    output
}

/// What the doctor finds; `exit` is how it ends.
#[track_caller]
fn diagnose(dir: &Path, exit: i32) -> Value {
    let output = run(dir, &["doctor", "--json"], exit);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// State and words of what a check found, a line each.
fn found(diagnosis: &Value, check: &str) -> String {
    let findings = diagnosis["findings"].as_array().expect("findings").iter();
    let of_check = findings.filter(|finding| finding["check"] == check);
    let lines = of_check.map(|finding| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {} -> {}", word("state"), word("found"), word("advice"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// An agent that is configured and enrolled, in a directory of the server.
async fn enrolled(server: &TestServer) -> PathBuf {
    let dir = server.path("machine");
    let url = server.root.base();
    run(&dir, &["config", "--url", url, "--instance-id", "m"], 0);
    let enrolment = server.root.post("/agents/enrolments", &json!({})).await;
    let token = server.path("token");
    let text = enrolment.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    std::fs::write(&token, text).expect("a file");
    let token = token.to_str().expect("UTF-8");
    run(&dir, &["enroll", "--token-file", token], 0);
    dir
}

/// Changes keys of the configuration.
fn configure(dir: &Path, changes: &Value) {
    let path = dir.join("config.json");
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    for (key, value) in changes.as_object().expect("keys") {
        config[key] = value.clone();
    }
    std::fs::write(&path, config.to_string()).expect("a file");
}

/// `agent run`, ended in order when it is dropped.
struct Running(Child);

impl Running {
    fn start(dir: &Path) -> Self {
        let log = std::fs::File::create(dir.join("stderr")).expect("a file");
        Self(agent(dir, &["run"]).stderr(log).spawn().expect("an agent"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.0);
        let asked = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let ended = self.0.wait();
        if !std::thread::panicking() {
            assert!(asked.is_ok() && ended.is_ok_and(|status| status.success()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let server = TestServer::start().await;
    let nowhere = diagnose(&server.path("nowhere"), 1);
    assert_eq!(nowhere["healthy"], false);
    for (check, words) in [
        ("configuration", "agent config --url URL"),
        ("identity", "agent enroll --token-file"),
        ("directory", "`agent config` makes it"),
    ] {
        let found = found(&nowhere, check);
        assert!(
            found.starts_with("attention") && found.contains(words),
            "{found}"
        );
    }

    let dir = enrolled(&server).await;
    configure(
        &dir,
        &json!({"MinDiskSpaceGbForCleanup": 0, "LogCleanupDays": 9}),
    );
    let fresh = diagnose(&dir, 0);
    assert_eq!(
        (&fresh["healthy"], &fresh["agent"]),
        (&json!(true), &json!("m"))
    );
    for (check, words) in [
        ("server", "is ready"),
        ("session", "takes agents"),
        ("clock", "differs from the server's by"),
        ("key", "for this user alone"),
        ("spool", "nothing waits"),
        ("bash", "bash"),
    ] {
        let found = found(&fresh, check);
        assert!(
            found.starts_with("fine") && found.contains(words),
            "{found}"
        );
    }
    let noted = found(&fresh, "configuration");
    assert!(
        noted.contains("`LogCleanupDays` is set and has no effect"),
        "{noted}"
    );
    assert!(found(&fresh, "isolation").starts_with("note: steps run as"));
    let text = String::from_utf8(run(&dir, &["doctor"], 0).stdout).expect("UTF-8");
    assert!(text.ends_with("nothing needs attention\n"), "{text}");

    let before: Vec<_> = std::fs::read_dir(&dir).expect("a folder").collect();
    configure(&dir, &json!({"DirectoriesToClean": ["/"]}));
    std::fs::create_dir_all(dir.join("workspaces/.quarantine/x")).expect("a folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(dir.join("agent.key"), open).expect("a mode");
    }
    let address = server.root.base().to_owned();
    let kept = server.stop().await;
    let broken = diagnose(&dir, 1);
    for (check, words) in [
        (
            "configuration",
            "`/` of `DirectoriesToClean` is not cleaned",
        ),
        ("quarantine", "delete them as root"),
        ("key", "chmod 600"),
        ("server", &format!("`{address}` cannot be reached")),
        ("session", "/ws/agent"),
    ] {
        let found = found(&broken, check);
        assert!(
            found.contains("attention") && found.contains(words),
            "{found}"
        );
    }
    let after = std::fs::read_dir(&dir).expect("a folder").count();
    assert_eq!(after, before.len() + 1, "the doctor leaves nothing behind");
    drop(kept);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_are_held_to_limits_and_leave_nothing() {
    let server = TestServer::start().await;
    let dir = enrolled(&server).await;
    configure(
        &dir,
        &json!({"MinDiskSpaceGbForCleanup": 0, "MaxOpenFiles": 200, "MaxFileSizeMb": 1, "MaxCpuPercent": 50,
                "StepNiceness": 3}),
    );
    let running = Running::start(&dir);
    let daemon = server.path("daemon");
    let script = format!(
        "ulimit -Hn
         env -i setsid bash -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 1000; done' <&- >&- 2>&- &
         while [ ! -s {0} ]; do sleep 0.02; done
         head -c 2M /dev/zero > big",
        daemon.display()
    );
    let job = server.job("greedy", job_with_script(&script)).await;
    let build = server.trigger(&job, json!({})).await;
    let build = server
        .wait_for(build.build_number, &[BuildState::Failed])
        .await;
    let path = format!("/builds/{}/log", build.build_number);
    let page: LogPage = server.root.get(&path).await.ok();
    let lines = lines_of(&page);
    assert!(lines.contains(&"200"), "{lines:?}");
    let big = dir.join("workspaces/shop/greedy/big");
    let size = std::fs::metadata(big).expect("what fitted").len();
    assert_eq!(size, 1 << 20, "a file ends at its limit");
    let daemon = std::fs::read_to_string(daemon).expect("the step ran");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.trim()));
    assert!(
        stat.map_or(true, |stat| stat.contains(") Z ")),
        "a daemon outlives its build"
    );
    let diagnosis = agent(&dir, &["doctor"]).output().expect("the binary runs");
    let text = String::from_utf8(diagnosis.stdout).expect("UTF-8");
    for words in [
        "the agent runs",
        "at the agent's last start",
        "`MaxOpenFiles` is 200; enforced",
    ] {
        assert!(text.contains(words), "{text}");
    }
    // Only a machine that gives its agent the controller can hold it to this one; any other says so, to both who may ask.
    let is_held = text.contains("`MaxCpuPercent` is 50; enforced");
    let is_told = |line: &&str| line.contains("`MaxCpuPercent` of 50 is not enforced");
    assert_eq!(lines.iter().any(is_told), !is_held, "{lines:?}\n{text}");
    assert_eq!(diagnosis.status.code(), Some(i32::from(!is_held)));
    drop(running);
}
