//! Settings, resolved: typed once, before any work starts.

use super::error::ConfigError;
use super::load::{Environment, Found};
use super::table::KNOWN;
use crate::kit::{InvalidNetwork, Networks};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const MB: u64 = 1024 * 1024;

/// Everything the server can be told.
#[derive(Clone)]
pub struct Settings {
    /// Directory that holds everything.
    pub data_dir: PathBuf,
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate and key, in PEM, when the server speaks TLS itself.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Networks,
    /// Address for links.
    pub public_url: Option<String>,
    /// Signs access tokens; made at the first start when absent.
    pub jwt_secret: Option<String>,
    /// Silence after which an agent is lost.
    pub agent_lost_after: Duration,
    /// Largest file of an agent.
    pub max_file_bytes: u64,
    /// Free disk below which files are refused.
    pub soft_floor_bytes: u64,
    /// Free disk below which the server is read-only.
    pub hard_floor_bytes: u64,
    /// Long polls and live sockets at once.
    pub max_viewers: usize,
    /// Of one account.
    pub max_viewers_of_account: usize,
    /// How long a reader may take nothing.
    pub viewer_patience: Duration,
    /// Verbose log.
    pub debug: bool,
    /// Name a cause for failures.
    pub root_cause: bool,
    /// Call failures flaky.
    pub flakiness: bool,
    /// Look for similar earlier failures.
    pub retriever: bool,
    values: BTreeMap<&'static str, Found>,
}

/// One setting as people read it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Key in the file.
    pub key: &'static str,
    /// Name in the environment.
    pub env: &'static str,
    /// Effective value; secrets masked.
    pub value: String,
    /// Where it came from.
    pub source: String,
    /// What it does.
    pub doc: &'static str,
}

impl Settings {
    pub(super) fn resolve(
        mut values: BTreeMap<&'static str, Found>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        if !values.contains_key("data_dir") {
            let dir = default_data_dir(environment).ok_or(ConfigError::NoDataDir)?;
            values.insert(
                "data_dir",
                (dir.display().to_string(), "default".to_owned()),
            );
        }
        let get = |key: &'static str| Value {
            key,
            found: values.get(key),
        };
        let ai = get("ai_enabled").flag()?;
        let tls = match (get("tls_certificate").text(), get("tls_key").text()) {
            _ if !get("tls").flag()? => None,
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            _ => {
                let what = "needs `tls_certificate` (CERT_FILE) and `tls_key` (CERT_KEY)";
                return Err(get("tls").refuse(what));
            }
        };
        let settings = Self {
            data_dir: PathBuf::from(get("data_dir").text().unwrap_or_default()),
            listen: get("listen").parse("is not an address such as `0.0.0.0:8000`")?,
            tls,
            trusted_proxies: get("trusted_proxies").networks()?,
            public_url: get("public_url").text(),
            jwt_secret: get("jwt_secret").text(),
            agent_lost_after: Duration::from_secs(get("agent_lost_after_seconds").at_least(20)?),
            max_file_bytes: get("max_file_mb").at_least(1)?.saturating_mul(MB),
            soft_floor_bytes: get("soft_floor_mb").at_least(0)?.saturating_mul(MB),
            hard_floor_bytes: get("hard_floor_mb").at_least(0)?.saturating_mul(MB),
            max_viewers: get("max_viewers").count()?,
            max_viewers_of_account: get("max_viewers_of_account").count()?,
            viewer_patience: Duration::from_secs(get("viewer_patience_seconds").at_least(1)?),
            debug: get("debug").flag()?,
            root_cause: get("ai_root_cause").flag()? && ai,
            flakiness: get("ai_flakiness").flag()? && ai,
            retriever: get("ai_retriever").flag()? && ai,
            values: BTreeMap::new(),
        };
        if let Some(secret) = &settings.jwt_secret
            && secret.len() < 32
        {
            return Err(get("jwt_secret").refuse("is shorter than 32 bytes"));
        }
        Ok(Self { values, ..settings })
    }

    /// Every setting as people read it.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        KNOWN
            .iter()
            .map(|known| {
                let (value, source) = self.values.get(known.key).cloned().unwrap_or_default();
                let value = if known.secret && !value.is_empty() {
                    "********".to_owned()
                } else {
                    value
                };
                let source = if source.is_empty() {
                    "not set".to_owned()
                } else {
                    source
                };
                Row {
                    key: known.key,
                    env: known.env,
                    value,
                    source,
                    doc: known.doc,
                }
            })
            .collect()
    }
}

fn default_data_dir(environment: &Environment) -> Option<PathBuf> {
    let data = environment.get("XDG_DATA_HOME").map(PathBuf::from);
    let home = || {
        environment
            .get("HOME")
            .map(|home| PathBuf::from(home).join(".local/share"))
    };
    data.or_else(home).map(|dir| dir.join("testhide"))
}

struct Value<'a> {
    key: &'static str,
    found: Option<&'a Found>,
}

impl Value<'_> {
    fn text(&self) -> Option<String> {
        self.found
            .map(|(value, _)| value.clone())
            .filter(|value| !value.is_empty())
    }

    fn parse<T: std::str::FromStr>(&self, what: &str) -> Result<T, ConfigError> {
        let value = self.text().unwrap_or_default();
        value
            .parse()
            .map_err(|_| self.refuse(&format!("`{value}` {what}")))
    }

    fn networks(&self) -> Result<Networks, ConfigError> {
        let read = self.text().unwrap_or_default().parse();
        read.map_err(|error: InvalidNetwork| self.refuse(&error.to_string()))
    }

    fn at_least(&self, least: u64) -> Result<u64, ConfigError> {
        let number: u64 = self.parse("is not a whole number")?;
        if number < least {
            Err(self.refuse(&format!("{number} is less than {least}")))
        } else {
            Ok(number)
        }
    }

    fn count(&self) -> Result<usize, ConfigError> {
        Ok(usize::try_from(self.at_least(1)?).unwrap_or(usize::MAX))
    }

    fn flag(&self) -> Result<bool, ConfigError> {
        match self
            .text()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            other => Err(self.refuse(&format!("`{other}` is neither `true` nor `false`"))),
        }
    }

    fn refuse(&self, what: &str) -> ConfigError {
        let from = self
            .found
            .map_or_else(|| "nowhere".to_owned(), |(_, source)| source.clone());
        ConfigError::Value {
            key: self.key,
            from,
            what: what.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment(
            [("HOME", "/home/op")]
                .iter()
                .chain(pairs)
                .map(own)
                .collect(),
        )
    }

    fn load(file: &str, pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("testhide.toml");
        std::fs::write(&path, file).unwrap();
        let overrides = Overrides {
            config_file: Some(path),
            ..Overrides::default()
        };
        Settings::load(&overrides, &environment(pairs))
    }

    fn error(file: &str, pairs: &[(&str, &str)]) -> String {
        load(file, pairs).err().expect("it is refused").to_string()
    }

    #[test]
    fn the_stronger_source_wins_and_is_named() {
        let settings = load(
            "listen = \"127.0.0.1:1\"\nmax_file_mb = 7",
            &[("TESTHIDE_LISTEN", "127.0.0.1:2")],
        )
        .unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.max_file_bytes, 7 * MB);
        assert_eq!(
            settings.data_dir,
            PathBuf::from("/home/op/.local/share/testhide")
        );
        let rows = settings.rows();
        let source = |key| {
            rows.iter()
                .find(|row| row.key == key)
                .map(|row| row.source.clone())
                .unwrap()
        };
        assert_eq!(source("listen"), "environment TESTHIDE_LISTEN");
        assert!(source("max_file_mb").starts_with("file "));
        assert_eq!(source("hard_floor_mb"), "default");
        assert_eq!(source("jwt_secret"), "not set");
    }

    #[test]
    fn wrong_settings_say_what_and_where() {
        assert!(error("lisen = 1", &[]).contains("unknown key `lisen`; did you mean `listen`?"));
        assert!(error("listen = ", &[]).contains("testhide.toml"));
        assert!(
            error("", &[("TESTHIDE_LISTEN", "here")])
                .contains("(from environment TESTHIDE_LISTEN)")
        );
        assert!(error("", &[("JWT_SECRET", "short")]).contains("shorter than 32 bytes"));
        assert!(error("", &[("USE_SSL", "true")]).contains("CERT_FILE"));
        assert!(
            error("", &[("TESTHIDE_TRUSTED_PROXIES", "proxy")]).contains("neither an address nor")
        );
        assert!(error("", &[("DEBUG", "maybe")]).contains("neither `true` nor `false`"));
        assert!(error("", &[("TPS_HEARTBEAT_TIMEOUT_SEC", "3")]).contains("3 is less than 20"));
    }

    #[test]
    fn a_secret_is_read_from_its_file_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        let settings = load("", &[("JWT_SECRET_FILE", path.to_str().unwrap())]).unwrap();
        assert_eq!(
            settings.jwt_secret.as_deref(),
            Some("0123456789abcdef0123456789abcdef")
        );
        assert!(
            settings
                .rows()
                .iter()
                .all(|row| !row.value.contains("0123456789"))
        );
    }

    #[test]
    fn the_master_switch_turns_everything_off() {
        let settings = load("", &[("AI_ENABLE_AI_ASSIST", "false")]).unwrap();
        assert!(!settings.root_cause && !settings.flakiness && !settings.retriever);
    }
}
