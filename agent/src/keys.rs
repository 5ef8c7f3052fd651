//! The agent's key pair: made here, and the private half never leaves this machine.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::error::AgentError;
use crate::files;

/// An Ed25519 key pair.
#[derive(Clone)]
pub struct AgentKey(Arc<Ed25519KeyPair>);

impl AgentKey {
    /// Reads the key at `path`, or makes one there (mode 0600).
    ///
    /// # Errors
    /// When the file cannot be read, is no key, or cannot be written; an existing file is never changed.
    pub fn load_or_create(path: &Path) -> Result<Self, AgentError> {
        if path.exists() {
            return Self::load(path);
        }
        let failed = |why| AgentError::Key {
            path: path.to_owned(),
            why,
        };
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let pkcs8 = pkcs8.map_err(|_| failed("the system gives no random numbers"))?;
        files::write(path, pkcs8.as_ref())?;
        Self::load(path)
    }

    /// Reads the key at `path`.
    ///
    /// # Errors
    /// When the file cannot be read or is no key.
    pub fn load(path: &Path) -> Result<Self, AgentError> {
        let bytes = fs::read(path).map_err(AgentError::file(path))?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes);
        let pair = pair.map_err(|_| AgentError::Key {
            path: path.to_owned(),
            why: "it is not an Ed25519 key",
        })?;
        Ok(Self(Arc::new(pair)))
    }

    /// The public half, hex.
    #[must_use]
    pub fn public_hex(&self) -> String {
        HEXLOWER.encode(self.0.public_key().as_ref())
    }

    /// A signature, hex.
    #[must_use]
    pub fn sign_hex(&self, message: &[u8]) -> String {
        HEXLOWER.encode(self.0.sign(message).as_ref())
    }
}

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentKey({})", self.public_hex())
    }
}
