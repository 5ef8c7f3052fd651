//! Steps that do not want to end, and steps that want too much.
//!
//! Adoption and cgroups are of a whole process, so each such test runs once more, alone, in a process of its own.

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::clock::WorkClock;
use crate::run::exec::{Ending, Voice, execute};
use crate::run::log::Log;
use crate::run::stop::StopSwitch;
use crate::tests::{Scratch, lease, within};

const ALONE: &str = "TESTHIDE_TEST_ALONE";

/// Whether this process runs nothing but the test `name`; if it does not, one that does is run, and has to pass.
fn is_alone(name: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&format!("{module}::{name}"), "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// Runs a script within bounds; its scratch directory is its second argument, by which its processes are known.
async fn run(bounds: &Confinement, scratch: &Scratch, script: &str, limit: Duration) -> Ending {
    let (_spool, journal) = scratch.journal(lease(1));
    let mut log = Log::new(journal, Instant::now());
    within(run_into(&mut log, bounds, scratch, script, limit)).await
}

async fn run_into(
    log: &mut Log,
    bounds: &Confinement,
    scratch: &Scratch,
    script: &str,
    limit: Duration,
) -> Ending {
    let (_switch, mut stop) = StopSwitch::new();
    let mut command = bounds.command("bash");
    command
        .args(["-e", "-c", script, "step"])
        .arg(scratch.path())
        .current_dir(scratch.path());
    let deadline = WorkClock::start().after(limit);
    execute(
        command,
        Voice::Own,
        bounds,
        log,
        &deadline,
        &mut stop,
        async |_| {},
    )
    .await
    .unwrap()
}

/// Living processes that were given the directory as an argument.
fn left(scratch: &Path) -> Vec<String> {
    let token = scratch.to_str().unwrap();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| {
        let read = |name: &str| fs::read(entry.path().join(name)).ok();
        let line = String::from_utf8_lossy(&read("cmdline")?).replace('\0', " ");
        let stat = String::from_utf8_lossy(&read("stat")?).into_owned();
        let is_dead = stat.rsplit_once(") ")?.1.starts_with('Z');
        (line.contains(token) && !is_dead).then_some(line)
    });
    lines.collect()
}

/// Ways out of a step. Each writes `ready` when it is out.
#[cfg(target_os = "linux")]
const RUNAWAYS: &[&str] = &[
    // A new session, no environment, no open file.
    "env -i setsid bash -c 'exec <&- >&- 2>&-; echo 1 > ready; while :; do sleep 1000; done' x \"$1\" &",
    // Its parent and its parent's parent are dead.
    "(setsid bash -c '(env -i bash -c \"echo 1 > ready; while :; do sleep 1000; done\" x \"$1\" &) &' x \"$1\" &) &",
    // Deaf.
    "env -i setsid bash -c 'trap \"\" TERM HUP INT; echo 1 > ready; while :; do sleep 1000; done' x \"$1\" &",
    // Stands still, inside of its group and outside.
    "bash -c 'echo 1 > in; kill -STOP $$; exit' x \"$1\" &
     env -i setsid bash -c 'while [ ! -s in ]; do :; done; echo 1 > ready; kill -STOP $$; exit' x \"$1\" &",
    // Many at once, all deaf.
    "for i in {1..60}; do env -i setsid bash -c 'trap \"\" TERM; echo 1 >> count; while :; do sleep 1000; done' x \"$1\" & done
     while [ \"$(wc -l < count || echo 0)\" -lt 60 ]; do sleep 0.02; done; echo 1 > ready",
    // Never the same process for long; it ends by itself after a while, should this test fail.
    "echo 'trap \"\" TERM; if [ $2 -lt 3000 ]; then env -i setsid bash runner \"$1\" $(($2 + 1)) & fi; [ $2 -ne 20 ] || echo 1 > ready' > runner
     bash runner \"$1\" 0 &",
];

#[cfg(target_os = "linux")]
async fn nothing_outlives_its_step(bounds: &Confinement) {
    for script in RUNAWAYS {
        let scratch = Scratch::new();
        let script = format!("{script}\nwhile [ ! -s ready ]; do sleep 0.02; done");
        let ending = run(bounds, &scratch, &script, Duration::from_secs(60)).await;
        assert!(
            matches!(ending, Ending::Exited(status) if status.success()),
            "{script}: {ending:?}"
        );
        assert_eq!(left(scratch.path()), Vec::<String>::new(), "{script}");
    }
    // The same at the end of a step's time.
    let scratch = Scratch::new();
    let script = "trap '' TERM; env -i setsid bash -c 'while :; do sleep 1000; done' x \"$1\" & while :; do wait; done";
    let ending = run(bounds, &scratch, script, Duration::from_millis(300)).await;
    assert!(matches!(ending, Ending::TimedOut), "{ending:?}");
    assert_eq!(left(scratch.path()), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_runner_ends_whatever_its_steps_orphan() {
    if is_alone("a_runner_ends_whatever_its_steps_orphan") {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let bounds = Confinement::for_attempt(&Limits::default(), &lease(1), Home::Own);
            nothing_outlives_its_step(&bounds).await;
            assert!(bounds.end().await, "it is certain that nothing is left");
        });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_cgroup_ends_whatever_runs_away() {
    if is_alone("a_cgroup_ends_whatever_runs_away") {
        if let Err(why) = Base::prepare() {
            eprintln!("not checked: {why}");
            return;
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let lease = lease(1);
            let bounds = Confinement::for_attempt(&Limits::default(), &lease, Home::Shared);
            nothing_outlives_its_step(&bounds).await;
            assert!(bounds.end().await, "it is certain that nothing is left");
            drop(bounds);

            // A runner that was killed leaves its group; the agent ends what is in it.
            let scratch = Scratch::new();
            let bounds = Confinement::for_attempt(&Limits::default(), &lease, Home::Shared);
            let script = "env -i setsid bash -c 'echo 1 > ready; while :; do sleep 1000; done' x \"$1\" &
                          while :; do wait; done";
            let ready = async {
                while !scratch.path().join("ready").exists() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = run(&bounds, &scratch, script, Duration::from_secs(60)) => panic!("it does not end"),
                () = within(ready) => {}
            }
            super::super::cgroup::end_left(&lease).await;
            assert_eq!(left(scratch.path()), Vec::<String>::new());
        });
    } else {
        super::super::cgroup::forget_own();
    }
}

/// The kernel's part is played by plain files: few machines that run tests let them have controllers.
#[test]
fn a_group_is_given_its_limits_and_tells_why_a_step_failed() {
    let scratch = Scratch::new();
    let base = Base::pretend(scratch.path(), "cpu memory pids");
    let some = NonZeroU64::new;
    let limits = Limits {
        memory_mb: some(512),
        processes: some(64),
        cpu_percent: some(150),
        ..Limits::default()
    };
    let lease = lease(3);
    let cgroup = base.begin(&lease, &limits).unwrap();
    let name = format!("attempt-{}-1-3", lease.build);
    let file = |name_of: &str| scratch.path().join(&name).join(name_of);
    for (name, expected) in [
        ("memory.max", "536870912"),
        ("memory.oom.group", "1"),
        ("pids.max", "64"),
        ("cpu.max", "150000 100000"),
    ] {
        assert_eq!(fs::read_to_string(file(name)).unwrap(), expected);
    }
    let bounds = Confinement {
        means: Means::of(Some(&base)),
        limits,
        cgroup: Some(cgroup),
        family: None,
        explained: Mutex::default(),
    };
    let happened = |file_name: &str, text: &str| fs::write(file(file_name), text).unwrap();
    assert_eq!(bounds.explain(), None);
    happened("pids.events", "max 3\n");
    let processes = "the 64 processes that this agent allows were not enough";
    assert_eq!(bounds.explain().as_deref(), Some(processes));
    assert_eq!(bounds.explain(), None, "of an earlier step");
    happened("memory.events", "low 0\noom 1\noom_kill 4\n");
    let memory = "out of the 512 MB of memory that this agent allows";
    assert_eq!(bounds.explain().as_deref(), Some(memory));
    assert!(bounds.unenforced().is_empty());
    happened("cgroup.events", "populated 1\nfrozen 0\n");
    assert!(!bounds.is_empty());
    happened("cgroup.events", "populated 0\nfrozen 0\n");
    assert!(bounds.is_empty());
}

#[tokio::test]
async fn each_process_is_held_to_its_limits() {
    let scratch = Scratch::new();
    let some = NonZeroU64::new;
    let limits = Limits {
        memory_mb: some(128),
        file_size_mb: some(1),
        open_files: some(64),
        niceness: 5,
        ..Limits::default()
    };
    let bounds = Confinement::for_attempt(&limits, &lease(1), Home::Shared);
    let script = "ulimit -Hn > hard; ulimit -f > file; ulimit -d > data; ulimit -S -c > core
                  until [ $(nice) -ge $1 ]; do :; done
                  head -c 3M /dev/zero > big";
    let own = rustix::process::getpriority_process(None).unwrap();
    let script = script.replace("$1", &(own + 5).min(19).to_string());
    let ending = run(&bounds, &scratch, &script, Duration::from_secs(60)).await;
    assert!(
        matches!(ending, Ending::Exited(status) if !status.success()),
        "{ending:?}"
    );
    let said = |name: &str| fs::read_to_string(scratch.path().join(name)).unwrap();
    assert_eq!(
        (said("hard").as_str(), said("file").as_str()),
        ("64\n", "1024\n")
    );
    assert_eq!(said("core"), "0\n");
    let size = fs::metadata(scratch.path().join("big")).unwrap().len();
    assert_eq!(size, 1 << 20, "a file ends at its limit");
    if cfg!(target_os = "linux") {
        assert_eq!(said("data"), format!("{}\n", 128 * 1024));
        let script = "x=$(head -c 200M /dev/zero | tr '\\0' x); echo ${#x} > got";
        let ending = run(&bounds, &scratch, script, Duration::from_secs(60)).await;
        assert!(
            matches!(ending, Ending::Exited(status) if !status.success()),
            "{ending:?}"
        );
        assert!(!scratch.path().join("got").exists());
    }
}

/// Root is not held to its number of processes, so that this is checked only for another user.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_fork_bomb_is_held() {
    if rustix::process::geteuid().is_root() {
        eprintln!("not checked: root is held to a number of processes only by a cgroup");
        return;
    }
    let scratch = Scratch::new();
    let limits = Limits {
        processes: NonZeroU64::new(64),
        ..Limits::default()
    };
    let bounds = Confinement::for_attempt(&limits, &lease(1), Home::Shared);
    // It would stop by itself at 1,000.
    let script = "set +e; for i in {1..1000}; do sleep 1000 & echo $! >> started; done 2>/dev/null";
    run(&bounds, &scratch, script, Duration::from_secs(60)).await;
    let started = fs::read_to_string(scratch.path().join("started")).unwrap();
    assert!(started.lines().count() < 1000);
}

/// The most memory that this process has had, in bytes.
#[cfg(target_os = "linux")]
fn most_resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}

/// 64 MB, or as many as `TESTHIDE_TEST_OUTPUT_MB` says. They may not all be in memory, of which an agent takes at most 100 MB.
#[cfg(target_os = "linux")]
#[test]
fn a_line_that_never_ends_takes_little_memory() {
    if is_alone("a_line_that_never_ends_takes_little_memory") {
        let megabytes: u64 =
            std::env::var("TESTHIDE_TEST_OUTPUT_MB").map_or(64, |n| n.parse().unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let scratch = Scratch::new();
            let (spool, journal) = scratch.journal(lease(1));
            let mut log = Log::new(journal, Instant::now());
            let before = most_resident();
            // Nothing that compresses to nothing: the journal holds each byte.
            let script = format!("head -c {megabytes}M /dev/urandom | tr '\\n' x");
            let bounds = Confinement::none();
            let ending = run_into(&mut log, &bounds, &scratch, &script, Duration::MAX).await;
            assert!(matches!(ending, Ending::Exited(status) if status.success()));
            log.journal().sync().await.unwrap();
            let grown = most_resident() - before;
            let limit = 100 << 20;
            assert!(grown < limit.min(megabytes << 20), "grew by {grown} bytes");
            let chunks = crate::tests::entries(&spool).into_iter();
            let raw = chunks.map(|entry| {
                let crate::spool::Entry::Chunk(frame) = entry else {
                    panic!("only chunks were written")
                };
                let Ok(testhide_protocol::wire::Frame::Chunk { chunk, .. }) =
                    testhide_protocol::wire::Frame::decode(frame)
                else {
                    panic!("a chunk is a frame")
                };
                u64::from(chunk.raw_len)
            });
            assert_eq!(raw.sum::<u64>(), megabytes << 20);
            eprintln!("grew by {} KB over {megabytes} MB of output", grown / 1024);
        });
    }
}
