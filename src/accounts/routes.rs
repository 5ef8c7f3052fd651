//! The HTTP of accounts.

mod caller;
mod sign_in;
mod tokens;
mod users;

pub use caller::{Caller, identify};

use super::handle::Accounts;
use utoipa_axum::router::OpenApiRouter;

/// The routes of accounts, below `/api/v3`.
pub fn routes(accounts: Accounts) -> OpenApiRouter {
    sign_in::routes()
        .merge(users::routes())
        .merge(tokens::routes())
        .with_state(accounts)
}
