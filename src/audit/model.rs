//! An entry before it has its place in the chain: who, what, to what.

use std::fmt::Display;
use std::net::IpAddr;
use testhide_protocol::api::{AuditActor, AuditActorKind, AuditChange, AuditObject, AuditOutcome};

/// Longest text in an entry, in characters.
const TEXT_MAX: usize = 500;

/// What is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub actor: AuditActor,
    /// From where.
    pub address: Option<IpAddr>,
    /// Stable name of what was done: the object's kind, a dot, a verb in past tense.
    pub action: &'static str,
    /// To what.
    pub object: AuditObject,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// Stable code of a refusal.
    pub code: Option<&'static str>,
    /// What changed.
    pub changes: Vec<AuditChange>,
    /// Why.
    pub reason: Option<String>,
    /// How often.
    pub times: u64,
}

impl Entry {
    /// Something that was done.
    #[must_use]
    pub fn done(actor: AuditActor, action: &'static str, object: AuditObject) -> Self {
        Self {
            actor,
            address: None,
            action,
            object,
            outcome: AuditOutcome::Ok,
            code: None,
            changes: Vec::new(),
            reason: None,
            times: 1,
        }
    }

    /// Something that was refused, with the stable code of the refusal and why in words.
    #[must_use]
    pub fn refused(
        actor: AuditActor,
        action: &'static str,
        object: AuditObject,
        code: &'static str,
        reason: &str,
    ) -> Self {
        Self {
            outcome: AuditOutcome::Refused,
            code: Some(code),
            reason: Some(plain(reason)),
            ..Self::done(actor, action, object)
        }
    }

    /// Adds where the request came from.
    #[must_use]
    pub fn from(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// Adds why.
    #[must_use]
    pub fn because(mut self, reason: Option<&str>) -> Self {
        self.reason = reason.map(plain);
        self
    }

    /// Adds a field that changed; one that did not is left out. Never give it a secret.
    #[must_use]
    pub fn change(
        mut self,
        field: &'static str,
        before: Option<&dyn Display>,
        after: Option<&dyn Display>,
    ) -> Self {
        let text = |value: Option<&dyn Display>| value.map(|value| plain(&value.to_string()));
        let (before, after) = (text(before), text(after));
        if before != after {
            self.changes.push(AuditChange {
                field: field.to_owned(),
                before,
                after,
            });
        }
        self
    }
}

/// A person.
#[must_use]
pub fn user(id: impl Display, name: &str) -> AuditActor {
    actor(AuditActorKind::User, Some(id.to_string()), Some(name))
}

/// An API token; `owner` is the name of its owner.
#[must_use]
pub fn token(id: impl Display, owner: &str) -> AuditActor {
    actor(AuditActorKind::Token, Some(id.to_string()), Some(owner))
}

/// An agent.
#[must_use]
pub fn agent(id: impl Display, name: &str) -> AuditActor {
    actor(AuditActorKind::Agent, Some(id.to_string()), Some(name))
}

/// The server itself.
#[must_use]
pub fn system() -> AuditActor {
    actor(AuditActorKind::System, None, None)
}

/// Nobody that is known.
#[must_use]
pub fn anonymous() -> AuditActor {
    actor(AuditActorKind::Anonymous, None, None)
}

/// What something is done to.
#[must_use]
pub fn object(kind: &'static str, id: Option<&dyn Display>, name: Option<&str>) -> AuditObject {
    AuditObject {
        kind: kind.to_owned(),
        id: id.map(|id| plain(&id.to_string())),
        name: name.map(plain),
    }
}

fn actor(kind: AuditActorKind, id: Option<String>, name: Option<&str>) -> AuditActor {
    AuditActor {
        kind,
        id,
        name: name.map(plain),
    }
}

/// A text that is safe to print and short.
fn plain(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_short_plain_texts_and_what_changed() {
        let entry = Entry::done(
            user(1, "ann\u{1b}[2J"),
            "agent.drained",
            object("agent", None, None),
        )
        .because(Some(&"x".repeat(TEXT_MAX + 1)))
        .change("mode", Some(&"ready"), Some(&"draining"))
        .change("name", Some(&"one"), Some(&"one"));
        assert_eq!(entry.actor.name.as_deref(), Some("ann[2J"));
        assert_eq!(entry.reason.map(|reason| reason.len()), Some(TEXT_MAX));
        assert_eq!(entry.changes.len(), 1);
        assert_eq!(entry.changes[0].after.as_deref(), Some("draining"));
    }
}
