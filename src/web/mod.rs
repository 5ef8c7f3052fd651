//! The furniture of HTTP: problem documents, strict JSON, pages, and the layers every route passes.
//!
//! Knows no feature. A slice's errors become [`ApiError`]s; a handler extracts, calls one use case, maps the answer.

mod error;
mod extract;
mod layers;
mod page;

pub use error::{ApiError, ApiResult};
pub use extract::{Body, Json, Path, Query, Upload};
pub use layers::with_layers;
pub use page::{Cursor, PageQuery, page_of};
