//! One connection to the server: who we are, what we hold, then work in and records out.
//!
//! A session owns no state that matters. Records lie in the spool; the server says how far it has them; after any break the
//! next session goes on from there.

mod backoff;
mod connect;
mod cursor;
mod deliver;
mod handshake;
mod probe;
mod serve;
mod uplink;

pub(crate) use probe::probe;
pub(crate) use serve::serve_forever;
pub(crate) use uplink::Tcp;
pub use uplink::{ByteStream, Opening, Uplink};
