//! Free disk: what goes first when there is too little.

use std::io;
use std::path::Path;

use super::directories;
use crate::machine::MachineRules;
use crate::metrics::disk;
use crate::removal;
use crate::run::{Discarded, Kind, Workspaces};

/// Less than this is too little for almost any build.
const DIRE: u64 = 1 << 30;

/// What there is to say when room was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// What was deleted, and what could not be.
    pub(super) said: Vec<String>,
    /// How much is free, when that is still less than should be.
    pub(super) shortage: Option<Shortage>,
}

/// A disk that stays short.
#[derive(Debug)]
pub(super) struct Shortage {
    /// In words.
    pub(super) sentence: String,
    /// Whether a build will hardly get through.
    pub(super) is_dire: bool,
}

/// Deletes until enough is free: what lies in quarantine, temporary files of dead attempts, workspaces that nobody uses and then homes, the longest unused first, and
/// at last what is in the directories that the owner names, when no build runs.
pub(super) fn make(workspaces: &Workspaces, rules: &MachineRules) -> Made {
    let root = workspaces.root();
    make_with(workspaces, rules, &|| {
        disk(root).map_or(u64::MAX, |(free, _)| free)
    })
}

/// The same with another way to know what is free.
fn make_with(workspaces: &Workspaces, rules: &MachineRules, free: &dyn Fn() -> u64) -> Made {
    let wanted = rules.min_free_bytes;
    let before = free();
    if before >= wanted {
        return Made::default();
    }
    let mut work = Work {
        wanted,
        free,
        deleted: Vec::new(),
        said: Vec::new(),
    };
    if let Err(error) = work.delete(workspaces, rules) {
        work.said.push(format!(
            "the disk cannot be cleaned as it should be: {error}"
        ));
    }
    let Work {
        deleted, mut said, ..
    } = work;
    let after = free();
    if !deleted.is_empty() {
        said.push(format!(
            "only {} of disk were free: deleted {}, which freed {}",
            gigabytes(before),
            deleted.join(", "),
            gigabytes(after.saturating_sub(before))
        ));
    }
    let shortage = (after < wanted).then(|| Shortage {
        sentence: format!(
            "only {} of disk are free, less than the {} that should be",
            gigabytes(after),
            gigabytes(wanted)
        ),
        is_dire: after < DIRE,
    });
    Made { said, shortage }
}

struct Work<'a> {
    wanted: u64,
    free: &'a dyn Fn() -> u64,
    /// In words.
    deleted: Vec<String>,
    said: Vec<String>,
}

impl Work<'_> {
    fn is_enough(&self) -> bool {
        (self.free)() >= self.wanted
    }

    fn delete(&mut self, workspaces: &Workspaces, rules: &MachineRules) -> io::Result<()> {
        if let Err(error) = workspaces.empty_quarantine() {
            self.said.push(format!("in quarantine, {error}"));
        }
        // Of runners that were killed.
        if let Err(error) = workspaces.forget_temporary() {
            self.said.push(format!("of temporary files, {error}"));
        }
        for kind in [Kind::Workspace, Kind::Home] {
            for used in workspaces.unused(kind)? {
                if self.is_enough() {
                    return Ok(());
                }
                match workspaces.discard(kind, &used.name)? {
                    Discarded::Deleted => self
                        .deleted
                        .push(format!("{kind} `{}`", used.name.display())),
                    Discarded::Aside(notice) => self.said.push(notice),
                    Discarded::Taken => {}
                }
            }
        }
        for dir in &rules.directories_to_clean {
            if self.is_enough() || workspaces.are_in_use()? {
                return Ok(());
            }
            self.empty(dir, workspaces);
        }
        Ok(())
    }

    /// Deletes what is in a directory, the oldest entries first.
    fn empty(&mut self, dir: &Path, workspaces: &Workspaces) {
        if let Some(why) = directories::refusal(dir, workspaces.root()) {
            self.said
                .push(format!("`{}` is not cleaned: {why}", dir.display()));
            return;
        }
        let entries = match directories::oldest_first(dir) {
            Ok(entries) => entries,
            Err(error) => {
                self.said
                    .push(format!("`{}` cannot be cleaned: {error}", dir.display()));
                return;
            }
        };
        let mut count = 0u64;
        for entry in entries {
            // A build may have begun since the last one.
            if self.is_enough() || workspaces.are_in_use().unwrap_or(true) {
                break;
            }
            match removal::remove(&entry) {
                Ok(()) => count += 1,
                Err(undeleted) => self
                    .said
                    .push(format!("in `{}`, {undeleted}", dir.display())),
            }
        }
        if count > 0 {
            self.deleted
                .push(format!("{count} entries of `{}`", dir.display()));
        }
    }
}

fn gigabytes(bytes: u64) -> String {
    let hundredths = bytes / (1 << 20) * 100 / 1024;
    format!("{}.{:02} GB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Scratch, assignment, lease};
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    /// An agent's directory with workspaces and homes of the jobs, the first the longest unused.
    fn used(scratch: &Scratch, jobs: &[&str]) -> Workspaces {
        let workspaces = Workspaces::new(scratch.path().join("agent"));
        let mut assignment = assignment(lease(1), Vec::new());
        for (job, hours) in jobs.iter().zip((1..=jobs.len() as u64).rev()) {
            assignment.job_name = (*job).to_owned();
            let claimed = workspaces.claim(&assignment).unwrap();
            let then = SystemTime::now() - Duration::from_secs(hours * 3600);
            for dir in [&claimed.dir, &claimed.home] {
                fs::write(dir.join("file"), "").unwrap();
                File::open(dir).unwrap().set_modified(then).unwrap();
            }
        }
        workspaces
    }

    fn entries(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_goes_first_and_no_more_than_has_to() {
        const EACH: u64 = 1 << 30;
        let scratch = Scratch::new();
        let workspaces = used(&scratch, &["a", "b", "c"]);
        let agent = scratch.path().join("agent");
        let extra = scratch.path().join("extra");
        fs::create_dir_all(extra.join("folder/in")).unwrap();
        fs::write(extra.join("file"), "").unwrap();
        // A disk on which each of them takes a gigabyte.
        let count = || {
            let dirs = [
                agent.join("workspaces/project"),
                agent.join("homes/project"),
                extra.clone(),
            ];
            dirs.iter()
                .map(|dir| entries(dir).len() as u64)
                .sum::<u64>()
        };
        let free = || 20 * EACH - count() * EACH;
        let check = |wanted: u64, workspace: &[&str], home: &[&str], more: usize| {
            let rules = MachineRules {
                min_free_bytes: wanted * EACH,
                directories_to_clean: vec![extra.clone()],
                ..MachineRules::default()
            };
            let said = make_with(&workspaces, &rules, &free);
            assert_eq!(entries(&agent.join("workspaces/project")), workspace);
            assert_eq!(entries(&agent.join("homes/project")), home);
            assert_eq!(entries(&extra).len(), more);
            said
        };
        let enough = check(12, &["a", "b", "c"], &["a", "b", "c"], 2);
        assert!(enough.said.is_empty() && enough.shortage.is_none());
        assert_eq!(
            check(14, &["c"], &["a", "b", "c"], 2).said,
            [
                "only 12.00 GB of disk were free: deleted workspace `project/a`, workspace `project/b`, which freed 2.00 GB"
            ]
        );
        check(16, &[], &["b", "c"], 2);
        let mut assignment = assignment(lease(2), Vec::new());
        assignment.job_name = "c".to_owned();
        let running = workspaces.claim(&assignment).unwrap();
        // What a build uses stays, and what others may use stays while it runs.
        let shortage = check(30, &["c"], &["c"], 2).shortage.unwrap();
        let sentence = "only 16.00 GB of disk are free, less than the 30.00 GB that should be";
        assert_eq!(
            (shortage.sentence.as_str(), shortage.is_dire),
            (sentence, false)
        );
        drop(running);
        check(30, &[], &[], 0);
    }
}
