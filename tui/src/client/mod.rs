//! The only part that talks to a server: requests for [`crate::event::Effect`]s, and the feed.

mod feed;
mod http;
mod perform;

pub(crate) use feed::follow;
pub(crate) use http::Client;
