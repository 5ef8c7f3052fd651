//! Refresh tokens as texts: whose session, and 256 random bits of which only the hash is stored.

use crate::kit::{random_bytes, sha256};
use data_encoding::BASE32_NOPAD;
use testhide_protocol::{SessionId, UserId};

/// How a refresh token begins, so that people and secret scanners know it.
const PREFIX: &str = "th_ref_";

/// The secret part of a refresh token.
pub(super) struct RefreshToken([u8; 32]);

impl RefreshToken {
    /// A new one.
    pub(super) fn generate() -> Self {
        Self(random_bytes())
    }

    /// What the store keeps of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// The text that its owner gets.
    pub(super) fn text(&self, user: UserId, session: SessionId) -> String {
        let parts = [&user.bytes()[..], &session.bytes()[..], &self.0[..]].concat();
        format!("{PREFIX}{}", BASE32_NOPAD.encode(&parts).to_lowercase())
    }

    /// Reads a text back; `None` when it never was a refresh token.
    pub(super) fn read(text: &str) -> Option<(UserId, SessionId, Self)> {
        let body = text.strip_prefix(PREFIX).filter(|body| body.len() <= 128)?;
        let parts = BASE32_NOPAD.decode(body.to_uppercase().as_bytes()).ok()?;
        let (user, rest) = parts.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let secret = <[u8; 32]>::try_from(rest).ok()?;
        Some((
            UserId::from_bytes(*user),
            SessionId::from_bytes(*session),
            Self(secret),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_read_back() {
        let (user, session) = (UserId::generate(), SessionId::generate());
        let token = RefreshToken::generate();
        let (read_user, read_session, read) =
            RefreshToken::read(&token.text(user, session)).unwrap();
        assert_eq!((read_user, read_session, read.0), (user, session, token.0));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(body in "[a-z2-7A-Z=_ä]{0,130}") {
            if let Some((user, session, token)) = RefreshToken::read(&format!("th_ref_{body}")) {
                prop_assert_eq!(token.text(user, session), format!("th_ref_{}", body.to_lowercase()));
            }
            prop_assert!(RefreshToken::read(&body).is_none());
        }
    }
}
