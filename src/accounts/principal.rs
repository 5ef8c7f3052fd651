//! Who stands behind a request, with the rights of this moment.

use super::authorize::Refusal;
use super::model::{StoredScope, StoredToken};
use super::rules::PermissionSet;
use crate::audit;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use testhide_protocol::api::{AuditActor, ProjectPermission};
use testhide_protocol::{ProjectId, SessionId, Timestamp, TokenId, UserId};

/// A user, as one request knows it. Made anew for each request; keep it no longer than that.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Who.
    pub user: UserId,
    /// Log-in name.
    pub username: String,
    superuser: bool,
    grants: Arc<BTreeMap<ProjectId, PermissionSet>>,
    /// The API token that it came with.
    token: Option<TokenId>,
    /// When that ends: tokens made with it end no later.
    token_ends_at: Option<Timestamp>,
    /// Where the request came from.
    address: Option<IpAddr>,
    /// What the API token that it came with is limited to.
    scope: StoredScope,
    /// The session that it came with.
    session: Option<SessionId>,
}

impl Principal {
    /// A user without rights in any project.
    #[must_use]
    pub fn new(user: UserId, username: impl Into<String>, superuser: bool) -> Self {
        Self {
            user,
            username: username.into(),
            superuser,
            grants: Arc::default(),
            token: None,
            token_ends_at: None,
            address: None,
            scope: StoredScope::default(),
            session: None,
        }
    }

    /// Who this is, for the audit log.
    #[must_use]
    pub fn actor(&self) -> AuditActor {
        match self.token {
            Some(token) => audit::token(token, &self.username),
            None if self.user == Self::system().user => audit::system(),
            None => audit::user(self.user, &self.username),
        }
    }

    /// Where the request came from, for the audit log.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The server itself, for use cases that it starts on its own. It is no stored user and has no token.
    #[must_use]
    pub fn system() -> Self {
        Self::new(UserId::from_bytes([0; 16]), "system", true)
    }

    /// The same with exactly these permissions in `project`.
    #[must_use]
    pub fn granting(
        self,
        project: ProjectId,
        permissions: impl IntoIterator<Item = ProjectPermission>,
    ) -> Self {
        let mut grants = Arc::unwrap_or_clone(self.grants);
        grants.insert(project, permissions.into_iter().collect());
        Self {
            grants: Arc::new(grants),
            ..self
        }
    }

    pub(super) fn with_grants(
        self,
        grants: impl IntoIterator<Item = (ProjectId, PermissionSet)>,
    ) -> Self {
        Self {
            grants: Arc::new(grants.into_iter().collect()),
            ..self
        }
    }

    pub(super) fn by_token(self, id: TokenId, token: &StoredToken) -> Self {
        Self {
            token: Some(id),
            token_ends_at: token.expires_at,
            scope: token.scope,
            ..self
        }
    }

    pub(super) fn coming_from(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    pub(super) fn in_session(self, session: SessionId) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// The session that it came with; none with an API token.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Whether it may do everything: a superuser that did not come with a limited token.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        self.superuser && self.scope.is_whole()
    }

    /// Refuses a caller that came with a limited token: it is not for what concerns the account itself.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`].
    pub(super) fn require_whole(&self) -> Result<(), Refusal> {
        if self.scope.is_whole() {
            Ok(())
        } else {
            Err(Refusal::NotAllowed)
        }
    }

    pub(super) fn token_ends_at(&self) -> Option<Timestamp> {
        self.token_ends_at
    }

    /// Whether it may do `op` in `project`. Nothing may be done without READ, because the project is not visible then.
    #[must_use]
    pub fn may(&self, op: ProjectPermission, project: ProjectId) -> bool {
        if self.scope.project.is_some_and(|only| only != project) {
            return false;
        }
        let all = PermissionSet::ALL;
        let granted = match self.superuser {
            true => all,
            false => self.grants.get(&project).copied().unwrap_or_default(),
        };
        let allowed = granted.and(self.scope.permissions.unwrap_or(all));
        allowed.contains(ProjectPermission::Read) && allowed.contains(op)
    }

    /// The projects that exist for it.
    #[must_use]
    pub fn visible_projects(&self) -> Visible {
        let only = |projects: &mut dyn Iterator<Item = ProjectId>| {
            let readable = projects.filter(|project| self.may(ProjectPermission::Read, *project));
            Visible::Only(readable.collect())
        };
        let may_read = |set: PermissionSet| set.contains(ProjectPermission::Read);
        match self.scope.project {
            Some(project) => only(&mut std::iter::once(project)),
            None if self.superuser && self.scope.permissions.is_none_or(may_read) => Visible::All,
            None => only(&mut self.grants.keys().copied()),
        }
    }
}

/// The projects that exist for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visible {
    /// Every project.
    All,
    /// These.
    Only(BTreeSet<ProjectId>),
}

impl Visible {
    /// Whether `project` is among them.
    #[must_use]
    pub fn contains(&self, project: ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Only(projects) => projects.contains(&project),
        }
    }
}
