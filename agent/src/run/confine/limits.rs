//! The limits of an agent's owner, and how each can be held here.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// What the owner of a machine allows each attempt. Absent: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory, in MB.
    pub memory_mb: Option<NonZeroU64>,
    /// Processes and threads at once.
    pub processes: Option<NonZeroU64>,
    /// Processor time, in hundredths of one processor.
    pub cpu_percent: Option<NonZeroU64>,
    /// Size of any one file, in MB.
    pub file_size_mb: Option<NonZeroU64>,
    /// Files that a process has open at once.
    pub open_files: Option<NonZeroU64>,
    /// How much lower than the agent's the priority of steps is, 0 to 19.
    pub niceness: u8,
}

/// How a limit is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the attempt's cgroup, over all its processes.
    Cgroup,
    /// By `ulimit`; over what, in words.
    Process(&'static str),
    /// Not at all; why.
    Nothing(&'static str),
}

/// What this process has to hold limits with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Means {
    /// The cgroup controllers `memory`, `pids` and `cpu`.
    pub(crate) memory: bool,
    pub(crate) pids: bool,
    pub(crate) cpu: bool,
    /// Root is not held to its number of processes.
    pub(crate) is_root: bool,
}

impl Means {
    /// Each limit's name in the configuration, and how it is held.
    pub(crate) fn ways(self) -> [(&'static str, Way); 5] {
        let memory = match self.memory {
            true => Way::Cgroup,
            false if cfg!(target_os = "linux") => {
                Way::Process("each process by itself, its private memory only")
            }
            false => Way::Nothing("this system holds no process to an amount of memory"),
        };
        let processes = match (self.pids, self.is_root) {
            (true, _) => Way::Cgroup,
            (false, true) => Way::Nothing("root is held to a number of processes only by a cgroup"),
            (false, false) if cfg!(target_os = "linux") => Way::Process(
                "all processes of this user together, counted from those there are when a step begins",
            ),
            (false, false) => Way::Nothing(NOT_HERE),
        };
        let cpu = if self.cpu {
            Way::Cgroup
        } else {
            Way::Nothing("only a cgroup can hold processes to a share of the processors")
        };
        let by_process = |what| {
            if cfg!(unix) {
                Way::Process(what)
            } else {
                Way::Nothing(NOT_HERE)
            }
        };
        [
            ("MaxMemoryMb", memory),
            ("MaxProcesses", processes),
            ("MaxCpuPercent", cpu),
            ("MaxFileSizeMb", by_process("each file")),
            ("MaxOpenFiles", by_process("each process by itself")),
        ]
    }
}

const NOT_HERE: &str = "this version cannot on this system";

impl Limits {
    /// The limits that are set and that nothing here holds, each as a sentence.
    pub(crate) fn unenforced(&self, means: Means) -> Vec<String> {
        let ways = means.ways().into_iter().zip(self.values());
        ways.filter_map(|((key, way), value)| match (way, value) {
            (Way::Nothing(why), Some(value)) => Some(format!(
                "the limit `{key}` of {value} is not enforced on this machine: {why}"
            )),
            _ => None,
        })
        .collect()
    }

    /// The values, in the order of [`Means::ways`].
    pub(crate) fn values(&self) -> [Option<NonZeroU64>; 5] {
        [
            self.memory_mb,
            self.processes,
            self.cpu_percent,
            self.file_size_mb,
            self.open_files,
        ]
    }

    /// Options of bash's `ulimit` with their values. `tasks` counts what this user runs already.
    pub(super) fn ulimits(&self, means: Means, tasks: impl FnOnce() -> u64) -> Vec<(char, u64)> {
        // Bash counts memory and files in KiB.
        let kibibytes = |mb: NonZeroU64| mb.get().saturating_mul(1024);
        let by_process = |key: usize| matches!(means.ways()[key].1, Way::Process(_));
        let mut ulimits = Vec::new();
        if by_process(0) {
            ulimits.extend(self.memory_mb.map(|mb| ('d', kibibytes(mb))));
        }
        if by_process(1) {
            // The system counts all of the user's, and an agent is seldom its user's only program.
            let allowed = self.processes.map(|count| count.get() + tasks());
            ulimits.extend(allowed.map(|count| ('u', count)));
        }
        ulimits.extend(self.file_size_mb.map(|mb| ('f', kibibytes(mb))));
        ulimits.extend(self.open_files.map(|count| ('n', count.get())));
        ulimits
    }
}

/// What bash does before it becomes the step; the first argument is the cgroup's list of processes, or empty.
pub(super) fn script(ulimits: &[(char, u64)]) -> String {
    use std::fmt::Write;
    // A core file only where a step asks for one.
    let mut script = "ulimit -S -c 0\n".to_owned();
    for (option, value) in ulimits {
        // One that the system has set lower stays.
        writeln!(
            script,
            "ulimit -{option} {value} 2>/dev/null || ulimit -S -{option} {value} 2>/dev/null || \
             echo \"this step runs with \\`ulimit -{option}\\` at $(ulimit -{option}), not {value}\" >&2"
        )
        .expect("a string takes everything");
    }
    script.push_str(
        "if [ -n \"$1\" ] && ! { echo 0 >\"$1\"; } 2>/dev/null; then\n\
         echo 'this step runs outside of its cgroup: the system does not let it in' >&2\nfi\n\
         shift\nexec \"$@\"\n",
    );
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let some = NonZeroU64::new;
        Limits {
            memory_mb: some(512),
            processes: some(64),
            cpu_percent: some(150),
            file_size_mb: some(100),
            open_files: some(256),
            niceness: 5,
        }
    }

    #[test]
    fn a_limit_is_held_in_one_way_or_told_of() {
        let cgroup = Means {
            memory: true,
            pids: true,
            cpu: true,
            is_root: true,
        };
        let user = Means::default();
        let root = Means {
            is_root: true,
            ..user
        };
        let check = |means: Means, expected: &[(char, u64)], untold: &[&str]| {
            let ulimits = limits().ulimits(means, || 1000);
            assert_eq!(ulimits, expected, "{means:?}");
            let told = limits().unenforced(means);
            assert_eq!(told.len(), untold.len(), "{told:?}");
            for (told, key) in told.iter().zip(untold) {
                assert!(told.contains(key), "{told}");
            }
        };
        let files = [('f', 102_400), ('n', 256)];
        check(cgroup, &files, &[]);
        if cfg!(target_os = "linux") {
            let both = [('d', 524_288), ('u', 1064), files[0], files[1]];
            check(user, &both, &["MaxCpuPercent"]);
            check(
                root,
                &[both[0], files[0], files[1]],
                &["MaxProcesses", "MaxCpuPercent"],
            );
        }
        assert!(Limits::default().unenforced(root).is_empty());
    }
}
