//! The furniture of HTTP: problem documents, strict JSON, pages, and the layers every route passes.
//!
//! Also who may look at the server at once, and how much of it ([`Viewers`]). Knows no feature. A slice's errors become [`ApiError`]s; a handler extracts, calls one use case, maps the answer.

mod address;
mod error;
mod extract;
mod layers;
mod listen;
mod page;
mod range;
mod tls;
mod viewers;

pub use address::{ClientAddress, find_client};
pub use error::{ApiError, ApiResult};
pub use extract::{Body, Json, Path, Query, Upload};
pub use layers::with_layers;
pub use listen::{Patient, PatientListener, Peer};
pub use page::{Cursor, PageQuery, page_of};
pub use range::ByteRange;
pub use tls::{Certificate, TlsError, TlsFiles, TlsListener};
pub use viewers::{Delivery, Seat, Turn, ViewerLimits, Viewers};
