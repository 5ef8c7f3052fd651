//! Tokens that `testhide login` keeps: one for each server, in a file that only its owner can read.
//!
//! A token is only ever sent to the server that made it.

use super::error::CliError;
use crate::config::Environment;
use crate::kit::{create_private_dir, read_secret, write_secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is kept about one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Login {
    /// Who logged in.
    pub username: String,
    /// The token's id, to revoke it by.
    pub token_id: String,
    /// The token.
    pub token: String,
}

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Credentials {
    /// The server that is asked when none is named: the one of the last login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Logins by server.
    #[serde(default)]
    pub logins: BTreeMap<String, Login>,
}

impl Credentials {
    /// Reads the file; an absent one is empty.
    pub(in crate::cli) fn load(path: &Path) -> Result<Self, CliError> {
        let Some(bytes) =
            read_secret(path).map_err(|error| CliError::file("read", path, &error))?
        else {
            return Ok(Self::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            CliError::usage(format!("`{}` cannot be read: {error}", path.display()))
                .hint("remove it and run `testhide login`")
        })
    }

    /// Writes the file whole, readable by its owner alone.
    pub(in crate::cli) fn save(&self, path: &Path) -> Result<(), CliError> {
        let json = serde_json::to_vec_pretty(self).expect("credentials are plain text");
        let dir = path.parent().unwrap_or(Path::new("."));
        create_private_dir(dir)
            .and_then(|()| write_secret(path, &json))
            .map_err(|error| CliError::file("write", path, &error))
    }
}

/// Where the file is: `testhide/credentials.json` below the user's configuration.
pub(in crate::cli) fn credentials_path(environment: &Environment) -> Result<PathBuf, CliError> {
    let base = environment
        .get("XDG_CONFIG_HOME")
        .or_else(|| environment.get("APPDATA"))
        .map(PathBuf::from);
    let home = || {
        environment
            .get("HOME")
            .map(|home| PathBuf::from(home).join(".config"))
    };
    let dir = base.or_else(home).ok_or_else(|| {
        CliError::usage("there is no home directory to keep credentials in")
            .hint("give the token in TESTHIDE_TOKEN or with --token-file")
    })?;
    Ok(dir.join("testhide").join("credentials.json"))
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Login, credentials_path};
    use crate::config::Environment;
    use std::path::PathBuf;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn the_file_has_its_place() {
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(
                credentials_path(&environment(pairs)).ok(),
                expected.map(PathBuf::from)
            );
        };
        check(
            &[("HOME", "/home/op")],
            Some("/home/op/.config/testhide/credentials.json"),
        );
        check(
            &[("HOME", "/home/op"), ("XDG_CONFIG_HOME", "/x")],
            Some("/x/testhide/credentials.json"),
        );
        check(&[], None);
    }

    #[test]
    fn what_is_saved_is_private_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("testhide/credentials.json");
        assert_eq!(Credentials::load(&path).unwrap(), Credentials::default());
        let login = Login {
            username: "anna".into(),
            token_id: "1".into(),
            token: "th_pat_x".into(),
        };
        let saved = Credentials {
            server: Some("http://a".into()),
            logins: [("http://a".to_owned(), login)].into(),
        };
        saved.save(&path).unwrap();
        assert_eq!(Credentials::load(&path).unwrap(), saved);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_broken_file_is_a_usage_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.json");
        crate::kit::write_secret(&path, b"{").unwrap();
        assert_eq!(
            Credentials::load(&path).unwrap_err().exit,
            crate::cli::Exit::Usage
        );
    }
}
