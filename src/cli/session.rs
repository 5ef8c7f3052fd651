//! What every command works with: flags, environment, output, and on demand a client of the right server.

use super::args::GlobalArgs;
use super::client::{Client, Patience};
use super::credentials::{Credentials, credentials_path};
use super::error::CliError;
use super::output::{Printer, Wishes};
use super::prompt::Prompt;
use crate::config::Environment;
use crate::kit::Clock;
use std::path::Path;

/// Asked when nobody names a server.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";

/// One run of the program.
pub(in crate::cli) struct Session {
    /// Results and messages.
    pub out: Printer,
    /// The process's environment.
    pub environment: Environment,
    /// Questions to the person at the keyboard.
    pub prompt: Prompt,
    global: GlobalArgs,
}

impl Session {
    /// The session of these flags in this environment.
    pub(in crate::cli) fn new(global: GlobalArgs, environment: Environment) -> Self {
        let wishes = Wishes {
            json: global.json,
            quiet: global.quiet,
            no_color: global.no_color,
        };
        let out = Printer::new(wishes, &environment, Clock::system());
        let prompt = Prompt {
            allowed: !global.no_input,
        };
        Self {
            out,
            environment,
            prompt,
            global,
        }
    }

    /// A client for questions.
    pub(in crate::cli) fn client(&self) -> Result<Client, CliError> {
        self.connect(Patience::Talk)
    }

    /// A client for files, which take longer.
    pub(in crate::cli) fn bulk_client(&self) -> Result<Client, CliError> {
        self.connect(Patience::Bulk)
    }

    /// A client without any token, for what comes before a login.
    pub(in crate::cli) fn stranger(&self) -> Result<Client, CliError> {
        Client::new(&self.server(&self.credentials()), None, Patience::Talk)
    }

    /// The stored logins; none where there is no place for them.
    pub(in crate::cli) fn credentials(&self) -> Credentials {
        let path = credentials_path(&self.environment);
        path.and_then(|path| Credentials::load(&path))
            .unwrap_or_else(|error| {
                self.out.warn(&error.to_string());
                Credentials::default()
            })
    }

    fn connect(&self, patience: Patience) -> Result<Client, CliError> {
        let given = self.given_token()?;
        let needs_file = given.is_none() || self.named_server().is_none();
        let credentials = if needs_file {
            self.credentials()
        } else {
            Credentials::default()
        };
        let client = Client::new(&self.server(&credentials), None, patience)?;
        let kept = || {
            credentials
                .logins
                .get(client.server())
                .map(|login| login.token.clone())
        };
        Ok(match given.or_else(kept) {
            Some(token) => client.with_token(token),
            None => client,
        })
    }

    fn named_server(&self) -> Option<&str> {
        self.global
            .server
            .as_deref()
            .or_else(|| self.environment.get("TESTHIDE_SERVER"))
    }

    fn server(&self, credentials: &Credentials) -> String {
        self.named_server()
            .or(credentials.server.as_deref())
            .unwrap_or(DEFAULT_SERVER)
            .to_owned()
    }

    /// The token of `--token-file`, `TESTHIDE_TOKEN` or `TESTHIDE_TOKEN_FILE`, in this order.
    fn given_token(&self) -> Result<Option<String>, CliError> {
        if let Some(file) = &self.global.token_file {
            return read_token(file).map(Some);
        }
        if let Some(token) = self.environment.get("TESTHIDE_TOKEN") {
            return Ok(Some(token.trim().to_owned()));
        }
        self.environment
            .get("TESTHIDE_TOKEN_FILE")
            .map(|file| read_token(Path::new(file)))
            .transpose()
    }
}

fn read_token(file: &Path) -> Result<String, CliError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| CliError::file("read", file, &error))?;
    let token = text.trim();
    if token.is_empty() || token.contains(|c: char| !c.is_ascii_graphic()) {
        return Err(CliError::usage(format!(
            "`{}` does not hold a token",
            file.display()
        )));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Session;
    use crate::cli::args::GlobalArgs;
    use crate::cli::credentials::{Credentials, Login};
    use crate::config::Environment;

    /// A session whose credentials name the server `http://kept` with the token `th_pat_kept`.
    fn session(dir: &tempfile::TempDir, global: GlobalArgs, pairs: &[(&str, &str)]) -> Session {
        let login = Login {
            username: "anna".into(),
            token_id: "1".into(),
            token: "th_pat_kept".into(),
        };
        let kept = Credentials {
            server: Some("http://kept".into()),
            logins: [("http://kept".to_owned(), login)].into(),
        };
        kept.save(&dir.path().join("testhide/credentials.json"))
            .unwrap();
        let config = [("XDG_CONFIG_HOME", dir.path().to_str().unwrap())];
        let all = config
            .iter()
            .chain(pairs)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        crate::cli::test_server::install_crypto();
        Session::new(global, Environment(all.collect()))
    }

    #[test]
    fn server_and_token_come_from_the_strongest_source() {
        let dir = tempfile::tempdir().unwrap();
        let check =
            |server: Option<&str>, pairs: &[(&str, &str)], expected: (&str, Option<&str>)| {
                let global = GlobalArgs {
                    server: server.map(str::to_owned),
                    ..GlobalArgs::default()
                };
                let client = session(&dir, global, pairs).client().unwrap();
                assert_eq!((client.server(), client.token()), expected);
            };
        check(None, &[], ("http://kept", Some("th_pat_kept")));
        check(
            Some("http://kept/"),
            &[],
            ("http://kept", Some("th_pat_kept")),
        );
        // A token never goes to another server than its own.
        check(Some("http://other"), &[], ("http://other", None));
        check(
            None,
            &[("TESTHIDE_SERVER", "http://other")],
            ("http://other", None),
        );
        check(
            Some("http://flag"),
            &[("TESTHIDE_SERVER", "http://other")],
            ("http://flag", None),
        );
        check(
            None,
            &[("TESTHIDE_TOKEN", "th_pat_env")],
            ("http://kept", Some("th_pat_env")),
        );
    }

    #[test]
    fn a_token_file_holds_one_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let check = |content: &str, expected: Option<&str>| {
            std::fs::write(&file, content).unwrap();
            let global = GlobalArgs {
                token_file: Some(file.clone()),
                ..GlobalArgs::default()
            };
            let token = session(&dir, global, &[("TESTHIDE_TOKEN", "th_pat_env")])
                .client()
                .ok();
            assert_eq!(token.as_ref().and_then(|client| client.token()), expected);
        };
        check("th_pat_file\n", Some("th_pat_file"));
        check("", None);
        check("two words", None);
    }
}
