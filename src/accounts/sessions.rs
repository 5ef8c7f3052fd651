//! Sessions: opened by a sign-in, kept alive by refresh tokens that change with each use, ended by their owner.
//!
//! A refresh token is good once. Who comes with an older one of a session that still lives has copied it, or was copied from: the
//! session ends, and both have to sign in again (RFC 9700, section 4.14.2).

use super::error::AccountsError;
use super::handle::Accounts;
use super::jwt::LIFETIME_SECONDS;
use super::model::{StoredSession, StoredUser};
use super::principal::Principal;
use super::refresh_token::RefreshToken;
use super::store;
use crate::kit::constant_time_eq;
use crate::storage::WriteTxn;
use std::net::IpAddr;
use testhide_protocol::api::{LoginAnswer, Session};
use testhide_protocol::{SessionId, Timestamp, UserId};

/// How long a session lives without being refreshed: 30 days.
const LIFETIME_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How long a session lives that cannot be stored: as long as its access token.
const BRIEF_MILLIS: i64 = LIFETIME_SECONDS as i64 * 1000;

/// Sessions that one user may have; the one that was not refreshed for the longest time makes room.
const MOST_SESSIONS: usize = 100;

/// Used refresh tokens of a session by which copies are found. An older one is refused without ending the session.
const REMEMBERED: usize = 32;

/// Characters kept of what a program calls itself.
const PROGRAM_CHARS: usize = 120;

/// Where a request comes from, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The peer.
    pub address: Option<IpAddr>,
    /// What it calls itself (`User-Agent`).
    pub program: String,
}

impl Origin {
    fn program(&self) -> String {
        let plain = self.program.chars().filter(|c| !c.is_control());
        plain.take(PROGRAM_CHARS).collect()
    }
}

/// What came of a refresh token.
enum Refreshed {
    Renewed(Box<StoredUser>, StoredSession),
    /// It was used before: the session is ended, which has to be stored although the caller is refused.
    Reused,
    Unknown,
}

impl Accounts {
    /// Opens a session of `user`, whose identity is proven. A server that cannot write remembers it for as long as the access token.
    pub(super) async fn open_session(
        &self,
        user: UserId,
        origin: &Origin,
    ) -> Result<LoginAnswer, AccountsError> {
        let now = self.clock.now();
        let (id, token) = (SessionId::generate(), RefreshToken::generate());
        let session = StoredSession {
            created_at: now,
            refreshed_at: now,
            expires_at: now.plus_millis(LIFETIME_MILLIS),
            address: origin.address,
            program: origin.program(),
            current: token.hash(),
            used: Vec::new(),
        };
        let stored = session.clone();
        let written = self.storage.write(move |wtxn| {
            // It may have been shut out while its password was looked at.
            let known = store::user(wtxn, user)?.filter(|user| !user.disabled);
            let known = known.ok_or(AccountsError::WrongPassword)?;
            make_room(wtxn, user, now)?;
            store::put_session(wtxn, user, id, &stored)?;
            Ok::<_, AccountsError>(known)
        });
        let known = match written.await {
            Err(AccountsError::Storage(error)) if error.is_read_only() => {
                return self.open_brief_session(user, id);
            }
            written => written?,
        };
        Ok(self.answer(user, known, id, session.expires_at, Some(&token)))
    }

    /// A new access token and the next refresh token for the session of this one.
    ///
    /// # Errors
    /// [`AccountsError::NotAuthenticated`] for a token that is not the newest of a living session, or whose user is shut out. One that
    /// was used before ends its session.
    pub async fn refresh(
        &self,
        refresh_token: &str,
        address: Option<IpAddr>,
    ) -> Result<LoginAnswer, AccountsError> {
        let (user, id, given) =
            RefreshToken::read(refresh_token).ok_or(AccountsError::NotAuthenticated)?;
        let (now, next) = (self.clock.now(), RefreshToken::generate());
        let (given, next_hash) = (given.hash(), next.hash());
        let written = self.storage.write(move |wtxn| {
            let Some(session) = store::session(wtxn, user, id)? else {
                return Ok(Refreshed::Unknown);
            };
            let known = store::user(wtxn, user)?.filter(|user| !user.disabled);
            let Some(known) = known.filter(|_| session.expires_at > now) else {
                return Ok(Refreshed::Unknown);
            };
            if !constant_time_eq(&session.current, &given) {
                if !session.used.contains(&given) {
                    return Ok(Refreshed::Unknown);
                }
                store::remove_session(wtxn, user, id)?;
                return Ok(Refreshed::Reused);
            }
            let renewed = session.renewed(next_hash, now, address);
            store::put_session(wtxn, user, id, &renewed)?;
            Ok::<_, AccountsError>(Refreshed::Renewed(Box::new(known), renewed))
        });
        match written.await? {
            Refreshed::Renewed(known, session) => {
                Ok(self.answer(user, *known, id, session.expires_at, Some(&next)))
            }
            Refreshed::Reused => {
                tracing::warn!(user.id = %user, session.id = %id, "a refresh token came a second time; its session is ended");
                Err(AccountsError::NotAuthenticated)
            }
            Refreshed::Unknown => Err(AccountsError::NotAuthenticated),
        }
    }

    /// The caller's sessions, the latest sign-in first.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`](super::Refusal) for a caller with a limited token, failures of the store.
    pub fn list_sessions(&self, principal: &Principal) -> Result<Vec<Session>, AccountsError> {
        principal.require_whole()?;
        let now = self.clock.now();
        let sessions = self
            .storage
            .read(|rtxn| store::sessions(rtxn, principal.user))?;
        let alive = sessions
            .into_iter()
            .filter(|(_, session)| session.expires_at > now);
        let mut shown: Vec<Session> = alive
            .map(|(id, session)| session.shown(id, principal.session() == Some(id)))
            .collect();
        shown.reverse();
        Ok(shown)
    }

    /// Ends one of the caller's sessions: its refresh token and its access tokens are worth nothing from now on.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`](super::Refusal) for a caller with a limited token; [`AccountsError::SessionNotFound`], also for a session of
    /// somebody else.
    pub async fn end_session(
        &self,
        principal: &Principal,
        id: SessionId,
    ) -> Result<(), AccountsError> {
        principal.require_whole()?;
        let user = principal.user;
        if self.brief.end(user, id) {
            return Ok(());
        }
        let written = self.storage.write(move |wtxn| {
            if store::remove_session(wtxn, user, id)? {
                Ok(())
            } else {
                Err(AccountsError::SessionNotFound)
            }
        });
        written.await
    }

    /// Ends the session that the caller came with.
    ///
    /// # Errors
    /// [`AccountsError::NoSession`] for a caller that came with an API token.
    pub async fn log_out(&self, principal: &Principal) -> Result<(), AccountsError> {
        let session = principal.session().ok_or(AccountsError::NoSession)?;
        self.end_session(principal, session).await
    }

    fn open_brief_session(
        &self,
        user: UserId,
        id: SessionId,
    ) -> Result<LoginAnswer, AccountsError> {
        let known = self.storage.read(|rtxn| store::user(rtxn, user))?;
        let known = known.filter(|user| !user.disabled);
        let known = known.ok_or(AccountsError::WrongPassword)?;
        let now = self.clock.now();
        let end = now.plus_millis(BRIEF_MILLIS);
        self.brief.open(user, id, now, end);
        Ok(self.answer(user, known, id, end, None))
    }

    fn answer(
        &self,
        user: UserId,
        known: StoredUser,
        id: SessionId,
        expires_at: Timestamp,
        token: Option<&RefreshToken>,
    ) -> LoginAnswer {
        LoginAnswer {
            access_token: self.keys.issue(user, id, self.clock.now()),
            token_type: "Bearer".to_owned(),
            expires_in: LIFETIME_SECONDS,
            refresh_token: token.map(|token| token.text(user, id)),
            refresh_expires_at: expires_at,
            session: id,
            user: known.shown(user),
        }
    }
}

impl StoredSession {
    /// The session after its refresh token was used.
    fn renewed(&self, next: [u8; 32], now: Timestamp, address: Option<IpAddr>) -> Self {
        let mut used = self.used.clone();
        used.push(self.current);
        let forgotten = used.len().saturating_sub(REMEMBERED);
        used.drain(..forgotten);
        Self {
            refreshed_at: now,
            expires_at: now.plus_millis(LIFETIME_MILLIS),
            address: address.or(self.address),
            current: next,
            used,
            ..self.clone()
        }
    }
}

/// Forgets sessions that have ended, and the one that rested longest when there are too many.
fn make_room(wtxn: &WriteTxn, user: UserId, now: Timestamp) -> Result<(), AccountsError> {
    let mut alive = Vec::new();
    for (id, session) in store::sessions(wtxn, user)? {
        if session.expires_at > now {
            alive.push((session.refreshed_at, id));
        } else {
            store::remove_session(wtxn, user, id)?;
        }
    }
    alive.sort_unstable();
    let too_many = (alive.len() + 1).saturating_sub(MOST_SESSIONS);
    for (_, id) in &alive[..too_many] {
        store::remove_session(wtxn, user, *id)?;
    }
    Ok(())
}
