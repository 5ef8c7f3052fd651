//! Who may do what: pure decisions about a principal.

use super::principal::Principal;
use crate::web::ApiError;
use testhide_protocol::ProjectId;
use testhide_protocol::api::ProjectPermission;

/// Why a caller does not get what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may not even know that the thing exists, so the answer is that of a thing that does not.
    #[error("there is no such thing, or you may not see it")]
    Invisible,
    /// It sees the thing and may not do this to it.
    #[error("you may see this but not do it")]
    NotAllowed,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invisible => Self::not_found("not_found", refusal.to_string()),
            Refusal::NotAllowed => Self::forbidden(refusal.to_string())
                .hint("ask somebody who may grant permissions in the project, or a superuser"),
        }
    }
}

/// What concerns the whole instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalPermission {
    /// Make projects; every user may.
    ProjectsWrite,
    /// See agents.
    NodesRead,
    /// Enrol and change agents.
    NodesWrite,
    /// See users.
    UsersRead,
    /// Make and change users.
    UsersWrite,
    /// See what analysis has learnt.
    AiAssistRead,
    /// Change what analysis learns from.
    AiAssistWrite,
    /// See settings, without secrets.
    ConfigurationRead,
    /// Change settings, take backups.
    ConfigurationWrite,
    /// See how the server does.
    MonitoringRead,
    /// Repair: retry what was set aside.
    MonitoringWrite,
}

/// Whether `principal` may do `op` in `project`.
///
/// # Errors
/// [`Refusal::Invisible`] without READ there, [`Refusal::NotAllowed`] with READ but without `op`.
pub fn require(
    principal: &Principal,
    op: ProjectPermission,
    project: ProjectId,
) -> Result<(), Refusal> {
    if principal.may(op, project) {
        Ok(())
    } else if principal.may(ProjectPermission::Read, project) {
        Err(Refusal::NotAllowed)
    } else {
        Err(Refusal::Invisible)
    }
}

/// Whether `principal` may do what concerns the whole instance: a superuser everything, others look and make projects. A token that is
/// limited to a project or to permissions is for looking alone.
///
/// # Errors
/// [`Refusal::NotAllowed`].
pub fn require_global(principal: &Principal, permission: GlobalPermission) -> Result<(), Refusal> {
    use GlobalPermission as Global;
    let for_everybody = match permission {
        Global::ProjectsWrite => principal.require_whole().is_ok(),
        Global::NodesRead
        | Global::UsersRead
        | Global::AiAssistRead
        | Global::ConfigurationRead
        | Global::MonitoringRead => true,
        Global::NodesWrite
        | Global::UsersWrite
        | Global::AiAssistWrite
        | Global::ConfigurationWrite
        | Global::MonitoringWrite => false,
    };
    if for_everybody || principal.is_superuser() {
        Ok(())
    } else {
        Err(Refusal::NotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use super::{GlobalPermission, Refusal, require, require_global};
    use crate::accounts::{Principal, Visible};
    use testhide_protocol::api::ProjectPermission::{self, Delete, Execute, Read, Write};
    use testhide_protocol::{ProjectId, UserId};

    #[test]
    fn permissions_in_a_project() {
        let (project, other) = (ProjectId::generate(), ProjectId::generate());
        let check = |granted: &[ProjectPermission], op, expected| {
            let principal = Principal::new(UserId::generate(), "ann", false)
                .granting(project, granted.iter().copied());
            assert_eq!(
                require(&principal, op, project),
                expected,
                "{granted:?} {op:?}"
            );
            assert_eq!(require(&principal, op, other), Err(Refusal::Invisible));
        };
        check(&[], Read, Err(Refusal::Invisible));
        check(&[], Write, Err(Refusal::Invisible));
        check(&[Write, Execute, Delete], Write, Err(Refusal::Invisible));
        check(&[Read], Read, Ok(()));
        check(&[Read], Write, Err(Refusal::NotAllowed));
        check(&[Read], Execute, Err(Refusal::NotAllowed));
        check(&[Read, Execute], Execute, Ok(()));
        check(&[Read, Execute], Delete, Err(Refusal::NotAllowed));
        check(&[Read, Write, Execute, Delete], Delete, Ok(()));
    }

    #[test]
    fn a_superuser_may_everything_everywhere() {
        for principal in [
            Principal::system(),
            Principal::new(UserId::generate(), "root", true),
        ] {
            for op in [Read, Write, Execute, Delete] {
                assert_eq!(require(&principal, op, ProjectId::generate()), Ok(()));
            }
            assert_eq!(
                require_global(&principal, GlobalPermission::ConfigurationWrite),
                Ok(())
            );
            assert_eq!(principal.visible_projects(), Visible::All);
        }
    }

    #[test]
    fn what_is_visible_is_what_can_be_read() {
        let (read, run) = (ProjectId::generate(), ProjectId::generate());
        let principal = Principal::new(UserId::generate(), "ann", false)
            .granting(read, [Read])
            .granting(run, [Execute]);
        assert_eq!(principal.visible_projects(), Visible::Only([read].into()));
        assert!(principal.visible_projects().contains(read));
        assert!(!principal.visible_projects().contains(run));
    }

    #[test]
    fn plain_users_look_and_make_projects() {
        let principal = Principal::new(UserId::generate(), "ann", false);
        let check = |permission, expected| {
            assert_eq!(
                require_global(&principal, permission),
                expected,
                "{permission:?}"
            );
        };
        check(GlobalPermission::ProjectsWrite, Ok(()));
        check(GlobalPermission::NodesRead, Ok(()));
        check(GlobalPermission::UsersRead, Ok(()));
        check(GlobalPermission::MonitoringRead, Ok(()));
        check(GlobalPermission::NodesWrite, Err(Refusal::NotAllowed));
        check(GlobalPermission::UsersWrite, Err(Refusal::NotAllowed));
        check(
            GlobalPermission::ConfigurationWrite,
            Err(Refusal::NotAllowed),
        );
        check(GlobalPermission::MonitoringWrite, Err(Refusal::NotAllowed));
    }
}
