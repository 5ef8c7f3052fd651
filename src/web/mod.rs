//! The furniture of HTTP: problem documents, strict JSON, pages, and the layers every route passes.
//!
//! Knows no feature. A slice's errors become [`ApiError`]s; a handler extracts, calls one use case, maps the answer.

mod address;
mod error;
mod extract;
mod layers;
mod page;
mod tls;

pub use address::{ClientAddress, find_client};
pub use error::{ApiError, ApiResult};
pub use extract::{Body, Json, Path, Query, Upload};
pub use layers::with_layers;
pub use page::{Cursor, PageQuery, page_of};
pub use tls::{Certificate, TlsError, TlsFiles, TlsListener};
