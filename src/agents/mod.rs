//! Agents: who they are, whether they are here, and the session in which they take builds and deliver what builds say.
//!
//! An agent proves who it is with its own key at each connection; identity comes from the session, never from a payload. The
//! session hands out builds, applies journals and acknowledges after the commit. Nothing an agent sends is believed beyond the
//! leases it holds, and every refusal is counted and audited. An agent that stays silent is suspect after 15 s and lost after the configured time; its leases are then given up. Operators drain, disable and remove agents.

mod connect;
mod delivered;
mod door;
mod enroll;
mod error;
mod history;
mod incoming;
mod journal;
mod live;
mod manage;
mod metrics;
mod model;
mod patience;
mod receiving;
mod reconcile;
mod refusal;
mod routes;
mod session;
mod store;
mod working;

pub use error::AgentsError;
pub use reconcile::Reconcile;
pub use routes::routes;
pub use session::socket_routes;
pub use store::{Agents, TABLES};
