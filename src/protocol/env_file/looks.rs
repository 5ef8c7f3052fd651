//! Whether a variable looks as if it should not be seen: by its name, by the shape that services give their tokens, by randomness.
//!
//! A guess for people to correct. A secret that is shown is worse than a setting that is hidden, so in doubt it is a secret; names that only
//! speak about secrets (`TOKEN_URL`, `PASSWORD_MIN_LENGTH`) and values that cannot be one (`true`) are no doubt.

use std::fmt;

/// Why a variable looks secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its name says so.
    Name,
    /// Its value has the shape of this.
    Shape(&'static str),
    /// Its value is a URL with a password in it.
    PasswordInUrl,
    /// Its value looks like random characters.
    Random,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the name says so"),
            Self::Shape(what) => write!(f, "the value looks like {what}"),
            Self::PasswordInUrl => f.write_str("the value is a URL with a password"),
            Self::Random => f.write_str("the value looks random"),
        }
    }
}

/// Beginnings that services give their tokens, the fewest characters of one, and what it is.
const SHAPES: &[(&str, usize, &str)] = &[
    ("th_pat_", 20, "a testhide token"),
    ("th_setup_", 20, "a testhide token"),
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghu_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("ghr_", 36, "a GitHub token"),
    ("github_pat_", 40, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("gldt-", 20, "a GitLab token"),
    ("glrt-", 20, "a GitLab token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("xoxa-", 20, "a Slack token"),
    ("xoxr-", 20, "a Slack token"),
    ("xoxs-", 20, "a Slack token"),
    ("xapp-", 20, "a Slack token"),
    ("https://hooks.slack.com/services/", 45, "a Slack webhook"),
    ("https://discord.com/api/webhooks/", 45, "a Discord webhook"),
    ("AKIA", 20, "an AWS key"),
    ("ASIA", 20, "an AWS key"),
    ("AIza", 35, "a Google API key"),
    ("ya29.", 30, "a Google token"),
    ("sk_live_", 20, "a Stripe key"),
    ("sk_test_", 20, "a Stripe key"),
    ("rk_live_", 20, "a Stripe key"),
    ("whsec_", 20, "a webhook secret"),
    ("sk-", 30, "an API key"),
    ("npm_", 36, "an npm token"),
    ("pypi-", 40, "a PyPI token"),
    ("dckr_pat_", 20, "a Docker token"),
    ("dop_v1_", 40, "a DigitalOcean token"),
    ("hvs.", 24, "a Vault token"),
    ("SG.", 40, "a SendGrid key"),
    ("shpat_", 32, "a Shopify token"),
    ("glsa_", 32, "a Grafana token"),
    ("sntrys_", 32, "a Sentry token"),
    ("ATATT3", 40, "an Atlassian token"),
    ("AGE-SECRET-KEY-1", 40, "an age key"),
];

/// Words that name a secret.
const SECRET_WORDS: &[&str] = &[
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "APIKEY",
    "SECRETKEY",
    "PRIVATEKEY",
    "APITOKEN",
    "AUTHTOKEN",
    "KEY",
    "KEYS",
    "SALT",
    "PAT",
];

/// Words before `KEY` with which it opens nothing.
const HARMLESS_KEYS: &[&str] = &[
    "PUBLIC",
    "PUB",
    "PRIMARY",
    "FOREIGN",
    "SORT",
    "PARTITION",
    "CACHE",
    "ROUTING",
    "SORTING",
    "HOST",
    "REGISTRY",
    "ISSUE",
    "PROJECT",
    "GROUP",
    "UNIQUE",
    "OBJECT",
    "MAP",
];

/// Last words of names that speak about a secret rather than hold it.
const ABOUT: &[&str] = &[
    "URL",
    "URI",
    "FILE",
    "PATH",
    "DIR",
    "NAME",
    "ID",
    "LENGTH",
    "TTL",
    "EXPIRY",
    "EXPIRES",
    "EXPIRATION",
    "TIMEOUT",
    "LIFETIME",
    "AGE",
    "TYPE",
    "COUNT",
    "MIN",
    "MAX",
    "ENABLED",
    "DISABLED",
    "REQUIRED",
    "ALGORITHM",
    "ALG",
    "POLICY",
    "SIZE",
    "LIMIT",
    "ENDPOINT",
    "HEADER",
    "PREFIX",
    "FIELD",
    "ISSUER",
    "AUDIENCE",
    "SECONDS",
    "MINUTES",
    "HOURS",
    "DAYS",
    "REGEX",
    "PATTERN",
    "VERSION",
    "PROVIDER",
    "STORE",
    "MANAGER",
    "ROTATION",
    "HOST",
    "PORT",
    "REGION",
];

/// Words in names of values that look random and are none: anybody may see them.
const RANDOM_BUT_OPEN: &[&str] = &[
    "SHA",
    "SHA1",
    "SHA256",
    "SHA512",
    "COMMIT",
    "HASH",
    "DIGEST",
    "CHECKSUM",
    "INTEGRITY",
    "REVISION",
    "REV",
    "REF",
    "TAG",
    "IMAGE",
    "ETAG",
    "VERSION",
    "FINGERPRINT",
    "TRACEPARENT",
    "PUBLIC",
    "UUID",
    "GUID",
];

/// Values that no secret has.
const SETTINGS: &[&str] = &[
    "true", "false", "yes", "no", "on", "off", "none", "null", "enabled", "disabled", "always",
    "never",
];

/// Fewest characters of a value that is judged by its randomness.
const RANDOM_LENGTH: usize = 20;

/// Why the variable looks secret, if it does. An empty value never does.
#[must_use]
pub fn looks_secret(name: &str, value: &str) -> Option<Why> {
    let value = value.trim();
    if value.is_empty() || is_reference(value) {
        return None;
    }
    let words = words(name);
    let shape = shape(value).map(Why::Shape);
    let shape = shape.or_else(|| has_password_in_url(value).then_some(Why::PasswordInUrl));
    shape
        .or_else(|| (names_secret(&words) && !is_setting(value)).then_some(Why::Name))
        .or_else(|| (!is_open(&words) && is_random(value)).then_some(Why::Random))
}

/// `$NAME`, `${NAME}` and `${{ … }}` say where a value is, not what it is.
fn is_reference(value: &str) -> bool {
    let name = value.strip_prefix('$').unwrap_or_default();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    (name.starts_with('{') && name.ends_with('}'))
        || (!name.is_empty() && name.chars().all(is_plain))
}

fn is_setting(value: &str) -> bool {
    SETTINGS
        .iter()
        .any(|setting| value.eq_ignore_ascii_case(setting))
}

fn shape(value: &str) -> Option<&'static str> {
    if value.contains("-----BEGIN") && value.contains("PRIVATE KEY") {
        return Some("a private key");
    }
    let parts: Vec<_> = value.split('.').collect();
    let is_part = |part: &&str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if value.starts_with("eyJ") && parts.len() == 3 && parts.iter().all(is_part) {
        return Some("a JSON web token");
    }
    let is_one_word = !value.contains(char::is_whitespace);
    let shape = SHAPES
        .iter()
        .find(|(begin, len, _)| is_one_word && value.starts_with(begin) && value.len() >= *len);
    shape.map(|(_, _, what)| *what)
}

/// `scheme://user:password@host`.
fn has_password_in_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else {
        return false;
    };
    let is_scheme = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let password = authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .map(|(_, password)| password);
    is_scheme && password.is_some_and(|password| !password.is_empty() && !is_reference(password))
}

/// The words of a name in upper case: `dbPassword`, `DB_PASSWORD` and `db.password` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for char in name.chars() {
        let is_new = !char.is_ascii_alphanumeric() || (was_lower && char.is_ascii_uppercase());
        if is_new && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if char.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(char.to_ascii_uppercase());
        }
        was_lower = char.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn names_secret(words: &[String]) -> bool {
    if words.len() == 1 && words[0] == "PWD"
        || words
            .last()
            .is_some_and(|last| ABOUT.contains(&last.as_str()))
    {
        return false;
    }
    words.iter().enumerate().any(|(index, word)| {
        let is_key = matches!(word.as_str(), "KEY" | "KEYS");
        let before = index.checked_sub(1).map(|before| words[before].as_str());
        SECRET_WORDS.contains(&word.as_str())
            && !(is_key && before.is_some_and(|before| HARMLESS_KEYS.contains(&before)))
    })
}

fn is_open(words: &[String]) -> bool {
    words
        .iter()
        .any(|word| RANDOM_BUT_OPEN.contains(&word.as_str()))
}

/// Whether letters and digits follow each other as they do in random characters, and in hardly any word, path, date or version.
fn is_random(value: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.~".contains(&byte);
    if value.len() < RANDOM_LENGTH || !value.bytes().all(is_of_token) || is_uuid(value) {
        return false;
    }
    let class = |byte: u8| match byte {
        b'0'..=b'9' => Some(0),
        b'a'..=b'z' => Some(1),
        b'A'..=b'Z' => Some(2),
        _ => None,
    };
    let pairs = value.as_bytes().windows(2);
    let pairs: Vec<_> = pairs
        .filter_map(|pair| Some((class(pair[0])?, class(pair[1])?)))
        .collect();
    let changes = pairs
        .iter()
        .filter(|(first, second)| first != second)
        .count();
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    // Random hex changes between letters and digits in 47 of 100 places, words and versions in fewer than 15.
    has_digit
        && changes * 100 >= pairs.len() * 28
        && pairs.len() + 4 >= RANDOM_LENGTH
        && entropy(value) >= 3.0
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<_> = value.split('-').map(str::len).collect();
    let is_hex = |char: char| char.is_ascii_hexdigit() || char == '-';
    lengths == [8, 4, 4, 4, 12] && value.chars().all(is_hex)
}

/// Bits a character, by how often each occurs.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let len = value.len() as f64;
    let shares = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / len);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_told() {
        let body = "x7Kq2Lm9Zt4Rw8Vb3Nc6Yh1Jd5Fs0Pg7Qa2We";
        let shaped: Vec<_> = SHAPES
            .iter()
            .map(|(begin, _, what)| (format!("{begin}{body}"), *what))
            .collect();
        for (value, what) in &shaped {
            assert_eq!(
                looks_secret("SETTING", value),
                Some(Why::Shape(what)),
                "{value}"
            );
        }
        for (name, value, why) in [
            ("DB_PASSWORD", "hunter2", Why::Name),
            ("dbPassword", "x", Why::Name),
            ("DEPLOY_TOKEN", "abc", Why::Name),
            ("TOKEN_PROD", "abc", Why::Name),
            ("app.client-secret", "abc", Why::Name),
            ("SECRET_KEY_BASE", "abc", Why::Name),
            ("API_KEY", "abc", Why::Name),
            ("APIKEY", "abc", Why::Name),
            ("SSH_PRIVATE_KEY", "abc", Why::Name),
            ("DB_PWD", "abc", Why::Name),
            ("PIN_PASS", "1234", Why::Name),
            (
                "SETTING",
                "-----BEGIN RSA PRIVATE KEY-----\nx",
                Why::Shape("a private key"),
            ),
            (
                "SETTING",
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                Why::Shape("a JSON web token"),
            ),
            (
                "DATABASE_URL",
                "postgres://app:hunter2@db:5432/app",
                Why::PasswordInUrl,
            ),
            ("SETTING", "d41d8cd98f00b204e9800998ecf8427e", Why::Random),
            ("SETTING", "Zm9vYmFy0x7Kq2Lm9Zt4Rw8=", Why::Random),
            ("SETTING", "q7x2k9m4z1v8w3n6b5c0", Why::Random),
        ] {
            assert_eq!(looks_secret(name, value), Some(why), "{name}={value}");
        }
    }

    #[test]
    fn settings_are_told() {
        for (name, value) in [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("PWD", "/home/ci/project"),
            ("KEYBOARD", "us-intl"),
            ("MONKEY", "george"),
            ("TOKENIZER", "whitespace"),
            ("PASSENGER_COUNT", "3"),
            ("COMPASS", "north"),
            ("PUBLIC_KEY", "abc"),
            ("CACHE_KEY", "v1-linux"),
            ("PRIMARY_KEY", "id"),
            ("TOKEN_URL", "https://example.org/token"),
            ("PASSWORD_MIN_LENGTH", "12"),
            ("SECRET_NAME", "my-secret"),
            ("KEY_FILE", "/etc/ssl/key.pem"),
            ("USE_TOKEN", "true"),
            ("PASSWORD", ""),
            ("PASSWORD", "${DB_PASSWORD}"),
            ("TOKEN", "$CI_JOB_TOKEN"),
            ("GIT_COMMIT", "d41d8cd98f00b204e9800998ecf8427ea1b2c3d4"),
            (
                "IMAGE_DIGEST",
                "sha256-d41d8cd98f00b204e9800998ecf8427ea1b2c3d4",
            ),
            ("RUN", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
            ("IMAGE", "registry.example.com/Team/app2:22.04"),
            ("RUNNER", "ubuntu-22.04-amd64-v20240101"),
            ("URL", "https://example.org:8080/a?b=c@d:e"),
            ("URL", "http://user@example.org/"),
            ("DATABASE_URL", "postgres://app:${DB_PASSWORD}@db/app"),
            ("TEXT", "some words about nothing 42"),
            ("MODULE", "node_modules/typescript/lib/typescript"),
            ("NUMBER", "12345678901234567890123"),
            ("PREFIXED", "sk-short"),
            ("CERT", "-----BEGIN CERTIFICATE-----\nMIIB"),
        ] {
            assert_eq!(looks_secret(name, value), None, "{name}={value}");
        }
    }

    proptest! {
        #[test]
        fn nearly_all_random_tokens_are_told(tokens in proptest::collection::vec("[A-Za-z0-9]{32}|[0-9a-f]{40}", 100)) {
            let told = tokens.iter().filter(|token| looks_secret("SETTING", token) == Some(Why::Random)).count();
            prop_assert!(told >= 90, "{} of 100", told);
        }

        #[test]
        fn any_variable_is_judged(name in "\\PC{0,20}", value in "\\PC{0,40}") {
            let why = looks_secret(&name, &value);
            prop_assert!(why.is_none() || !value.trim().is_empty());
        }
    }
}
