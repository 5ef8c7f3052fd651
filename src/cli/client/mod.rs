//! A client of `/api/v3` for the command line: one connection, typed answers, refusals as exit codes.

mod download;
mod http;
mod pages;
mod problem;
mod retry;
mod upload;

pub(in crate::cli) use download::Download;
pub(in crate::cli) use http::Client;
pub(in crate::cli) use http::Patience;
pub(in crate::cli) use retry::{Backoff, with_retries};
pub(in crate::cli) use upload::Upload;
