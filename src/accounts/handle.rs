//! The handle that the rest of the server holds.

use super::brief::BriefSessions;
use super::error::AccountsError;
use super::jwt::Keys;
use super::password::Passwords;
use super::tries::Tries;
use super::uses::Uses;
use crate::kit::{Clock, create_private_dir, random_bytes, read_secret, to_hex, write_secret};
use crate::storage::Storage;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Fewest bytes of the signing secret: as many as HS256 has bits to protect.
const SECRET_MIN_BYTES: usize = 32;

/// Users, sign-in, tokens and permissions; clones share them.
#[derive(Clone)]
pub struct Accounts {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) keys: Arc<Keys>,
    pub(super) passwords: Passwords,
    pub(super) tries: Arc<Tries>,
    pub(super) uses: Arc<Uses>,
    pub(super) brief: Arc<BriefSessions>,
}

impl Accounts {
    /// The accounts in `storage`. Access tokens are signed with `jwt_secret`, or else with `jwt.key` in `keys_dir`, which is
    /// made at the first start and can be read by its owner alone.
    ///
    /// # Errors
    /// A secret of fewer than 32 bytes, and a key file that cannot be read or made or that others can read.
    pub fn open(
        storage: Storage,
        clock: Clock,
        keys_dir: &Path,
        jwt_secret: Option<String>,
    ) -> Result<Self, AccountsError> {
        let secret = match jwt_secret {
            Some(secret) => secret.into_bytes(),
            None => {
                let path = keys_dir.join("jwt.key");
                key_of_file(keys_dir, &path)
                    .map_err(|source| AccountsError::Key { path, source })?
            }
        };
        if secret.len() < SECRET_MIN_BYTES {
            return Err(AccountsError::WeakSecret {
                bytes: secret.len(),
                least: SECRET_MIN_BYTES,
            });
        }
        let tries = Arc::new(Tries::new(clock.clone()));
        Ok(Self {
            storage,
            clock,
            keys: Arc::new(Keys::new(&secret)),
            passwords: Passwords::new(),
            tries,
            uses: Arc::default(),
            brief: Arc::default(),
        })
    }
}

fn key_of_file(dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    if let Some(key) = read_secret(path)? {
        return Ok(key);
    }
    create_private_dir(dir)?;
    let key = to_hex(&random_bytes::<32>()).into_bytes();
    write_secret(path, &key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::Accounts;
    use crate::accounts::AccountsError;
    use crate::kit::Clock;
    use crate::storage::OpenOptions;
    use testhide_protocol::{SessionId, Timestamp, UserId};

    #[test]
    fn the_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let (keys, clock) = (dir.path().join("keys"), Clock::manual(Timestamp(0)));
        let open = |secret: Option<&str>| {
            Accounts::open(
                storage.clone(),
                clock.clone(),
                &keys,
                secret.map(str::to_owned),
            )
        };
        let (user, now) = (UserId::generate(), Timestamp(0));
        let session = SessionId::generate();

        let token = open(None).unwrap().keys.issue(user, session, now);
        assert_eq!(
            open(None).unwrap().keys.verify(&token, now),
            Some((user, session)),
            "the second start has the same key"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(
                (mode(keys.join("jwt.key")), mode(keys.clone())),
                (0o600, 0o700)
            );
        }
        assert_eq!(
            open(Some(&"s".repeat(32)))
                .unwrap()
                .keys
                .verify(&token, now),
            None,
            "another key"
        );
        assert!(matches!(
            open(Some("short")),
            Err(AccountsError::WeakSecret {
                bytes: 5,
                least: 32
            })
        ));
    }
}
