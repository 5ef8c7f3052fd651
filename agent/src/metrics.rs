//! How the agent's machine is: sampled every ten seconds, sent with the next heartbeat.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use testhide_protocol::api::HostMetrics;
use tokio::time::{MissedTickBehavior, interval};

/// How often the machine is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// Looks at the machine while [`Meter::run`] runs.
#[derive(Debug)]
pub(crate) struct Meter {
    /// The agent's directory: its disk is the one that fills up.
    dir: PathBuf,
    /// A sample that nobody sent yet.
    fresh: Mutex<Option<HostMetrics>>,
}

impl Meter {
    /// A meter for the machine that holds `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            fresh: Mutex::default(),
        }
    }

    /// Samples until the caller drops it. A system that tells nothing is told of once, and never sampled.
    pub(crate) async fn run(&self) {
        let Ok(mut system) = System::new() else {
            tracing::warn!("this machine's load cannot be read");
            return std::future::pending().await;
        };
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let dir = self.dir.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let sample = sample(&mut system, &dir);
                (system, sample)
            });
            let Ok((back, sample)) = looked.await else {
                tracing::warn!("looking at this machine's load failed");
                return std::future::pending().await;
            };
            system = back;
            *self.fresh.lock().expect("nothing panics in here") = Some(sample);
        }
    }

    /// The latest sample, once.
    pub(crate) fn take(&self) -> Option<HostMetrics> {
        self.fresh.lock().expect("nothing panics in here").take()
    }
}

/// Looks once. The share of the processors counts from the look before; the first one says 0.
fn sample(system: &mut System, dir: &Path) -> HostMetrics {
    system.refresh_specifics(
        RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram()),
    );
    let total = system.total_memory();
    let (disk_free, disk_total) = disk(dir).unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    let whole = |value: f64| value.clamp(0.0, f64::from(u32::MAX)) as u32;
    HostMetrics {
        cpu_percent: whole(f64::from(system.global_cpu_usage()).round()).min(100),
        load_hundredths: System::load_average().map_or(0, |load| whole(load.one * 100.0)),
        memory_used: total.saturating_sub(system.available_memory()),
        memory_total: total,
        disk_free,
        disk_total,
    }
}

/// Bytes free and bytes of the disk that holds `dir`; other disks are not touched, for one that is away would hold up the look.
#[cfg(unix)]
pub(crate) fn disk(dir: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}

/// Bytes free and bytes of the disk that holds `dir`.
#[cfg(windows)]
pub(crate) fn disk(dir: &Path) -> Option<(u64, u64)> {
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    // The deepest mount point that holds the directory.
    let disk = disks
        .list()
        .iter()
        .filter(|disk| dir.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().components().count())?;
    Some((disk.available_space(), disk.total_space()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_memory_and_a_disk() {
        let mut system = System::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let sample = sample(&mut system, dir.path());
        assert!(sample.memory_total > 0 && sample.memory_used <= sample.memory_total);
        assert!(sample.disk_total > 0 && sample.disk_free <= sample.disk_total);
        assert!(sample.cpu_percent <= 100);
    }
}
