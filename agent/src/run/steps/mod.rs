//! The steps, one file a type.

mod bash;
mod bundle;
mod collect;
mod context;
mod copy_artifacts;
mod test_provider;

pub(crate) use context::{Outcome, StepContext, run};
