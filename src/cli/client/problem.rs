//! Answers that are no success, and answers that do not come.

use crate::cli::error::{CliError, Exit};
use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use std::error::Error;
use std::time::Duration;
use testhide_protocol::api::Problem;

/// Longest pause that a server can ask for.
const LONGEST_PAUSE: u64 = 300;

/// Longest refusal that is read; what comes from outside has a limit.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// The refusal that a server answered with.
pub(super) async fn refusal(mut response: Response, had_token: bool) -> CliError {
    let status = response.status();
    let retry_after = pause_asked_for(response.headers());
    if status.is_redirection() {
        let target = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("nowhere");
        return CliError::new(
            Exit::Usage,
            "moved",
            format!("the server sends this request to `{target}`"),
        )
        .hint("give the server's real address with --server");
    }
    let mut body = Vec::new();
    while body.len() < LONGEST_REFUSAL {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) | Err(_) => break,
        }
    }
    let mut error = match serde_json::from_slice::<Problem>(&body) {
        // The status line is what proxies and retries go by.
        Ok(problem) => CliError::refused(
            Problem {
                status: status.as_u16(),
                ..problem
            },
            retry_after,
        ),
        Err(_) => CliError {
            retry_after,
            ..CliError::new(
                Exit::of_status(status.as_u16()),
                "http",
                format!("the server answered {status}"),
            )
        },
    };
    if status.as_u16() == 401 {
        let hint = if had_token {
            "the token is wrong or has ended: run `testhide login`"
        } else {
            "run `testhide login`"
        };
        error.hint = Some(hint.to_owned());
    }
    error
}

/// The error of a server that did not answer, or stopped in the middle.
pub(super) fn unreachable(server: &str, error: &reqwest::Error) -> CliError {
    let detail = if error.is_timeout() {
        format!("`{server}` did not answer in time")
    } else {
        format!("`{server}` cannot be reached: {}", innermost(error))
    };
    let hint = "is it running, and is this its address? `testhide serve` starts one, --server names another";
    CliError::new(Exit::TryAgain, "unreachable", detail).hint(hint)
}

/// The error of an answer that is not what was asked for.
pub(super) fn unreadable(server: &str, error: &serde_json::Error) -> CliError {
    CliError::new(
        Exit::TryAgain,
        "unreadable_answer",
        format!("the answer of `{server}` cannot be read: {error}"),
    )
    .hint("is it a testhide server, and not older than this program?")
}

/// The cause at the bottom of a chain: that is the one people can do something about.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

fn pause_asked_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_PAUSE)))
}
