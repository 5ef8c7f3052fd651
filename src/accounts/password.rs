//! Password hashes: Argon2id, a few at a time, off the async threads.

use super::error::AccountsError;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory, rounds and lanes that OWASP names as the least for Argon2id: 19 MiB, 2, 1.
const MEMORY_KIB: u32 = 19 * 1024;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;

/// Hashes computed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;

/// Sign-ins that may wait for their turn; at 30 ms each, a second or two of work.
const WAITING: usize = 100;

/// What a password is compared with when there is no such user, so that the answer takes as long. It is the hash of nothing.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hands out turns to hash; clones share them.
#[derive(Clone)]
pub(super) struct Passwords {
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// The right to hash one password now. Held by the work itself, so a caller that goes away does not free it early.
pub(super) struct Turn {
    permits: Arc<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING + AT_ONCE));
        Self {
            waiting,
            working: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`AccountsError::Busy`] when too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn, AccountsError> {
        let place = self
            .waiting
            .clone()
            .try_acquire_owned()
            .map_err(|_| AccountsError::Busy)?;
        let work = self
            .working
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| AccountsError::Busy)?;
        Ok(Turn {
            permits: Arc::new((place, work)),
        })
    }
}

impl Turn {
    /// The hash of a new password, with a salt of its own.
    pub(super) async fn hash(&self, password: String) -> Result<String, AccountsError> {
        self.run(move || {
            let hash = argon2().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| AccountsError::Hash(error.to_string()))
        })
        .await
    }

    /// Whether `password` belongs to `hash`. Does the same work when there is none.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, AccountsError> {
        self.run(move || {
            let stored = PasswordHash::new(hash.as_deref().unwrap_or(NOBODY));
            let stored = stored.map_err(|error| AccountsError::Hash(error.to_string()))?;
            let matches = argon2()
                .verify_password(password.as_bytes(), &stored)
                .is_ok();
            Ok(matches && hash.is_some())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<T, AccountsError> {
        let permits = self.permits.clone();
        let working = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(permits);
            answer
        });
        working
            .await
            .unwrap_or_else(|error| Err(AccountsError::Hash(error.to_string())))
    }
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, ROUNDS, LANES, None).expect("these parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, NOBODY, Passwords, WAITING};
    use crate::accounts::AccountsError;
    use argon2::password_hash::phc::PasswordHash;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let turn = Passwords::new().turn().await.unwrap();
        let hash = turn.hash("right password".into()).await.unwrap();
        assert_ne!(
            hash,
            turn.hash("right password".into()).await.unwrap(),
            "each has its salt"
        );
        assert!(
            turn.verify("right password".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !turn
                .verify("right password ".into(), Some(hash))
                .await
                .unwrap()
        );
        assert!(!turn.verify("right password".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody() {
        let hash = Passwords::new()
            .turn()
            .await
            .unwrap()
            .hash("right password".into())
            .await
            .unwrap();
        let (somebody, nobody) = (
            PasswordHash::new(&hash).unwrap(),
            PasswordHash::new(NOBODY).unwrap(),
        );
        assert_eq!(somebody.algorithm, nobody.algorithm);
        assert_eq!(somebody.version, nobody.version);
        assert_eq!(somebody.params, nobody.params);
        let length = |hash: &PasswordHash| hash.hash.as_ref().map(|hash| hash.as_bytes().len());
        assert_eq!(length(&somebody), length(&nobody));
    }

    #[tokio::test]
    async fn a_crowd_is_turned_away() {
        let passwords = Passwords::new();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(passwords.turn().await.unwrap());
        }
        let crowd: Vec<_> = (0..WAITING).map(|_| passwords.clone()).collect();
        let mut waiting: Vec<_> = crowd
            .iter()
            .map(|passwords| Box::pin(passwords.turn()))
            .collect();
        for turn in &mut waiting {
            assert!(
                poll_once(turn.as_mut()).await.is_none(),
                "waits for its turn"
            );
        }
        assert!(matches!(passwords.turn().await, Err(AccountsError::Busy)));
        drop(turns);
        assert!(waiting.remove(0).await.is_ok());
    }

    /// Polls once.
    async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(
            |context| match std::pin::Pin::new(&mut future).poll(context) {
                std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
                std::task::Poll::Pending => std::task::Poll::Ready(None),
            },
        )
        .await
    }
}
