//! Removes a gate.

use super::error::GatesError;
use super::handle::Gates;
use super::store;
use crate::accounts::{Principal, require};
use crate::events;
use testhide_protocol::GateId;
use testhide_protocol::api::{Event, ProjectPermission};

impl Gates {
    /// Removes a gate; what it said of builds stays with them.
    ///
    /// # Errors
    /// [`GatesError::NotFound`], [`GatesError::Refused`] without WRITE in its project.
    pub async fn delete(&self, principal: &Principal, id: GateId) -> Result<(), GatesError> {
        let project = self.resolve(principal, id)?.project_id;
        require(principal, ProjectPermission::Write, project)?;
        let now = self.clock.now();
        self.storage
            .write(move |wtxn| {
                let gate = store::gate(wtxn, id)?.ok_or(GatesError::NotFound(id))?;
                store::remove(wtxn, &gate)?;
                events::append(wtxn, now, Some(project), &Event::GateDeleted { gate: id })?;
                Ok(())
            })
            .await
    }
}
