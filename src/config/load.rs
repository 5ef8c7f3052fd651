//! Reading settings from flags, environment and file.

use super::error::ConfigError;
use super::settings::Settings;
use super::table::{KNOWN, Known};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What flags say; the strongest source.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config_file: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
}

/// The process's environment as a value, so that tests can make one.
#[derive(Debug, Clone, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl Environment {
    /// The environment of this process; names and values that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let plain = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(plain.collect())
    }

    /// The value of `name`; empty counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl Settings {
    /// Reads every setting by precedence.
    ///
    /// # Errors
    /// A file that cannot be read or has unknown keys, and values that cannot be used.
    pub fn load(overrides: &Overrides, environment: &Environment) -> Result<Self, ConfigError> {
        let file = config_file(overrides, environment)?;
        let written = match &file {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let mut values = BTreeMap::new();
        for known in KNOWN {
            if let Some(found) = find(known, overrides, environment, &written, file.as_deref())? {
                values.insert(known.key, found);
            }
        }
        Self::resolve(values, environment)
    }
}

/// A value with the words that say where it came from.
pub(super) type Found = (String, String);

fn find(
    known: &Known,
    overrides: &Overrides,
    environment: &Environment,
    written: &BTreeMap<String, String>,
    file: Option<&Path>,
) -> Result<Option<Found>, ConfigError> {
    let flag = match known.key {
        "data_dir" => overrides
            .data_dir
            .as_ref()
            .map(|dir| (dir.display().to_string(), "--data-dir")),
        "listen" => overrides.listen.clone().map(|listen| (listen, "--listen")),
        _ => None,
    };
    if let Some((value, source)) = flag {
        return Ok(Some((value, source.to_owned())));
    }
    if let Some(value) = environment.get(known.env) {
        return Ok(Some((
            value.to_owned(),
            format!("environment {}", known.env),
        )));
    }
    let by_file = format!("{}_FILE", known.env);
    if known.secret
        && let Some(path) = environment.get(&by_file)
    {
        let path = PathBuf::from(path);
        let text =
            std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path, source })?;
        return Ok(Some((
            text.trim_end().to_owned(),
            format!("environment {by_file}"),
        )));
    }
    if let Some(value) = written.get(known.key) {
        let path = file
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        return Ok(Some((value.clone(), format!("file {path}"))));
    }
    Ok((!known.default.is_empty()).then(|| (known.default.to_owned(), "default".to_owned())))
}

/// The named file, or `testhide.toml` here or in /etc/testhide when there is one.
fn config_file(
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Option<PathBuf>, ConfigError> {
    let named = overrides
        .config_file
        .clone()
        .or_else(|| environment.get("TESTHIDE_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        return match std::fs::metadata(&path) {
            Ok(_) => Ok(Some(path)),
            Err(source) => Err(ConfigError::Read { path, source }),
        };
    }
    let usual = ["testhide.toml", "/etc/testhide/testhide.toml"];
    Ok(usual.iter().map(PathBuf::from).find(|path| path.is_file()))
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let table: toml::Table =
        text.parse()
            .map_err(|error: toml::de::Error| ConfigError::Syntax {
                path: path.to_owned(),
                what: error.to_string(),
            })?;
    let mut written = BTreeMap::new();
    for (key, value) in table {
        if !KNOWN.iter().any(|known| known.key == key) {
            let hint = nearest(&key)
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                key,
                hint,
            });
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(yes) => yes.to_string(),
            other => {
                let what = format!(
                    "`{key}` is a {}, not a text, number or boolean",
                    other.type_str()
                );
                return Err(ConfigError::Syntax {
                    path: path.to_owned(),
                    what,
                });
            }
        };
        written.insert(key, text);
    }
    Ok(written)
}

/// The known key with the most letters in common at start and end, if it is near at all.
fn nearest(key: &str) -> Option<&'static str> {
    let alike = |known: &str| {
        let start = known
            .bytes()
            .zip(key.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let end = known
            .bytes()
            .rev()
            .zip(key.bytes().rev())
            .take_while(|(a, b)| a == b)
            .count();
        start + end
    };
    let best = KNOWN.iter().max_by_key(|known| alike(known.key))?;
    (alike(best.key) * 2 >= key.len().max(best.key.len())).then_some(best.key)
}
