//! Every table of the state, gathered from the slices that own them.

use crate::storage::TableCheck;
use crate::{
    accounts, agents, analysis, artifacts, audit, builds, events, gates, history, jobs, logs,
    projects, reports,
};

/// How the rows of each table are read; for whoever looks at a directory as a whole.
#[must_use]
pub fn tables() -> Vec<TableCheck> {
    [
        events::TABLES,
        audit::TABLES,
        accounts::TABLES,
        projects::TABLES,
        jobs::TABLES,
        history::TABLES,
        logs::TABLES,
        artifacts::TABLES,
        reports::TABLES,
        builds::TABLES,
        agents::TABLES,
        analysis::TABLES,
        gates::TABLES,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::tables;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Names in `Table::new("…")` outside of `storage`, whose tests have tables of their own.
    fn declared(dir: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                declared(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let named = code.split("Table::new(").skip(1).filter_map(|rest| {
                    let (name, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
                    Some(name.to_owned())
                });
                names.extend(named);
            }
        }
    }

    #[test]
    fn no_table_is_forgotten_and_none_is_named_twice() {
        let mut in_code = BTreeSet::new();
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for entry in std::fs::read_dir(&src).unwrap() {
            let path = entry.unwrap().path();
            let is_other = ["storage", "cli", "app"]
                .iter()
                .any(|name| path.ends_with(name));
            if path.is_dir() && !is_other {
                declared(&path, &mut in_code);
            }
        }
        let known: Vec<&str> = tables().iter().map(|table| table.name()).collect();
        let known_once: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known.len(), known_once.len(), "a name is there twice");
        assert_eq!(
            known_once, in_code,
            "add a new table to its slice's `TABLES`"
        );
    }
}
