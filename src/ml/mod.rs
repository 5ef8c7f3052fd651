//! Learning and text skills: pure functions from values to values.
//!
//! Nothing here knows what a build, a report or a project is, and nothing here opens a file, reads a clock or asks a
//! store: the slices above hand in text and numbers and keep what comes back. Everything is deterministic: the same
//! input gives the same output on every machine, in every order of arrival.
//!
//! * [`mask()`] takes the volatile parts out of a text; [`words`] cuts a text into identifier-aware tokens.
//! * [`frames()`] reads stack frames of Python, Java, Kotlin, JavaScript, TypeScript, Go, Rust and C#.
//! * [`signature()`] names a failure so that the same failure has the same name tomorrow on another machine.
//! * [`embed()`] turns texts into a unit vector for nearest-neighbour search; [`cosine`] compares two of them.
//! * [`Features`] and [`train`] learn categories from labelled texts and say how sure they are.
//! * [`wilson_90`] says how far a rate can be trusted.

mod classifier;
mod embed;
mod features;
mod frames;
mod hashing;
mod interval;
mod mask;
mod origin;
mod signature;
mod tokens;
mod weights;

pub use self::signature::{Signature, failure_kind, signature};
pub use classifier::{
    Classifier, MIN_CATEGORIES, MIN_SAMPLES_PER_CATEGORY, Prediction, Training, train,
};
pub use embed::{DIMENSIONS, cosine, embed};
pub use features::Features;
pub use frames::{Frame, frames};
pub use interval::{Interval, wilson_90};
pub use mask::mask;
pub use origin::Origin;
pub use tokens::words;
pub use weights::HoldOut;
