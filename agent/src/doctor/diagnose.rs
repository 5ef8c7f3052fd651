//! The order of the checks.

use std::path::Path;

use super::report::{Diagnosis, State};
use super::{files, machine, server};
use crate::config::Config;

/// Looks at the agent in `dir`, at its machine and at its server. Changes nothing.
pub async fn diagnose(dir: &Path) -> Diagnosis {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let (config, mut findings) = files::configuration(&dir);
    findings.extend(files::identity(&dir));
    let usual = Config::default();
    let settings = config.as_ref().unwrap_or(&usual);
    findings.extend(files::directory(&dir, settings));
    findings.extend(files::process(&dir));
    findings.push(files::spool(&dir));
    findings.extend(files::quarantine(&dir));
    findings.extend(files::directories_to_clean(&dir, settings));
    if let Some(config) = &config {
        findings.extend(server::reach(config).await);
    }
    findings.extend(machine::programs().await);
    findings.extend(machine::limits(&dir, settings));
    findings.push(machine::open_files());
    findings.push(machine::isolation(&dir));
    Diagnosis {
        healthy: findings
            .iter()
            .all(|finding| finding.state != State::Attention),
        agent: config.map(|config| config.instance_id),
        directory: dir,
        findings,
    }
}
