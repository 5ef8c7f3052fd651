//! Evaluates every build that ends, and again when a report comes after its end.

use super::error::GatesError;
use super::handle::Gates;
use crate::events::{Attempted, Consumer};
use std::future::Future;
use std::pin::Pin;
use testhide_protocol::api::EventRecord;

/// The consumer `gates`.
pub(super) struct Ended(pub(super) Gates);

impl Consumer for Ended {
    fn name(&self) -> &'static str {
        "gates"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            for (done, record) in batch.iter().enumerate() {
                if let Err(error) = self.0.evaluate_for(record).await {
                    let error = match error {
                        // Known to whoever runs consumers: such an error is not the event's fault.
                        GatesError::Storage(error) => error.into(),
                        other => other.into(),
                    };
                    return Attempted {
                        done,
                        error: Some(error),
                    };
                }
            }
            Attempted::all(batch)
        })
    }
}
