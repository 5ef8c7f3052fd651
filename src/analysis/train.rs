//! Trains a project's model anew when its labels changed.

use super::error::AnalysisError;
use super::handle::blocking;
use super::model::{StoredModel, StoredTraining};
use super::store::{LABEL_CHANGES, LABELS, TRAININGS};
use crate::events::{Attempted, Consumer};
use crate::kit::Clock;
use crate::ml::{self, Features, Training};
use crate::storage::{Storage, StorageError};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use testhide_protocol::api::{Event, EventRecord};
use testhide_protocol::{ProjectId, Timestamp};

/// Fixed, so that the same labels give the same model.
const SEED: u64 = 1;

/// The consumer `root_cause`: labels that arrive together are learned together.
pub(super) struct Trainer {
    storage: Storage,
    clock: Clock,
}

impl Trainer {
    pub(super) fn new(storage: Storage, clock: Clock) -> Self {
        Self { storage, clock }
    }

    /// Trains the model of `project`, unless it knows all labels.
    async fn train(&self, project: ProjectId) -> Result<(), AnalysisError> {
        let (storage, now) = (self.storage.clone(), self.clock.now());
        let Some(training) = blocking(move || Ok(learn(&storage, project, now)?)).await? else {
            return Ok(());
        };
        let write = move |wtxn: &_| TRAININGS.write(wtxn)?.put(&project, &training);
        Ok(self.storage.write(write).await?)
    }
}

impl Consumer for Trainer {
    fn name(&self) -> &'static str {
        "root_cause"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            let labelled =
                |record: &&EventRecord| matches!(record.event, Event::FailureLabelled { .. });
            let projects: BTreeSet<ProjectId> = batch
                .iter()
                .filter(labelled)
                .filter_map(|record| record.project_id)
                .collect();
            for project in projects {
                if let Err(error) = self.train(project).await {
                    return Attempted {
                        done: first_of(batch, project),
                        error: Some(error.into()),
                    };
                }
            }
            Attempted::all(batch)
        })
    }
}

/// Events before the first one of `project`.
fn first_of(batch: &[EventRecord], project: ProjectId) -> usize {
    let of_project = |record: &EventRecord| {
        matches!(record.event, Event::FailureLabelled { .. }) && record.project_id == Some(project)
    };
    batch.iter().position(of_project).unwrap_or(0)
}

/// What the labels of a project teach; `None` when that is known.
fn learn(
    storage: &Storage,
    project: ProjectId,
    now: Timestamp,
) -> Result<Option<StoredTraining>, StorageError> {
    let rtxn = storage.begin_read()?;
    let changes = LABEL_CHANGES.read(&rtxn)?.get(&project)?.unwrap_or(0);
    if TRAININGS
        .read(&rtxn)?
        .get(&project)?
        .is_some_and(|training| training.changes == changes)
    {
        return Ok(None);
    }
    let table = LABELS.read(&rtxn)?;
    let labels = table
        .prefix(&project)?
        .map(|row| row.map(|(_, label)| label))
        .collect::<Result<Vec<_>, _>>()?;
    let mut numbers: BTreeMap<&str, u32> = labels
        .iter()
        .map(|label| (label.category.as_str(), 0))
        .collect();
    for (number, slot) in (0..).zip(numbers.values_mut()) {
        *slot = number;
    }
    let samples: Vec<(Features, u32)> = labels
        .iter()
        .map(|label| (label.essence.features(), numbers[label.category.as_str()]))
        .collect();
    let model = match ml::train(&samples, SEED) {
        Training::NotEnough { .. } => None,
        Training::Trained(classifier) => Some(StoredModel {
            categories: numbers.keys().map(|name| (*name).to_owned()).collect(),
            samples: classifier.samples(),
            hold_out: classifier
                .hold_out()
                .map(|check| (check.correct, check.samples)),
            classifier,
        }),
    };
    if let Some(model) = &model {
        let checked = model.hold_out.map_or_else(String::new, |(right, all)| {
            format!(", right in {right} of {all} unseen")
        });
        tracing::info!(project.id = %project, "root-cause model of project {project}: {} labels{checked}", model.samples);
    }
    Ok(Some(StoredTraining {
        changes,
        trained_at: now,
        model,
    }))
}
