//! Whether the server can be reached as the agent reaches it.

use std::time::Duration;

use super::report::Finding;
use crate::clock;
use crate::config::{Addresses, Config};
use crate::crypto::install_crypto;
use crate::session::probe;

/// How long the server may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// A difference of the clocks that people notice in a log.
const CLOCKS_MS: i64 = 5_000;

/// Asks the server how it is, and opens the connection that the agent works over up to its first frame.
pub(super) async fn reach(config: &Config) -> Vec<Finding> {
    let addresses = match Addresses::of(&config.web_socket_url) {
        Ok(addresses) => addresses,
        Err(error) => {
            let advice = "set it with `agent config --url URL --instance-id NAME`";
            return vec![Finding::attention("server", error.to_string(), advice)];
        }
    };
    install_crypto();
    let mut findings = vec![health(&addresses.http).await];
    match probe(&addresses.web_socket).await {
        Ok(greeting) => {
            let url = &addresses.web_socket;
            findings.push(if greeting.speaks_our_protocol {
                Finding::fine("session", format!("`{url}` takes agents"))
            } else {
                let found = format!("`{url}` speaks another version of the agents' protocol");
                Finding::attention("session", found, "update the older of the two")
            });
            findings.push(clocks(clock::now().millis_since(greeting.time)));
        }
        Err(why) => findings.push(Finding::attention(
            "session",
            format!("no WebSocket at `{}`: {why}", addresses.web_socket),
            "when the server is fine, let proxies and firewalls on the way pass WebSockets to `/ws/agent`",
        )),
    }
    findings
}

async fn health(http: &str) -> Finding {
    let url = format!("{http}/readyz");
    let answer = async {
        let client = reqwest::Client::builder().timeout(LIMIT).build()?;
        client.get(&url).send().await
    };
    match answer.await {
        Ok(answer) if answer.status().is_success() => {
            Finding::fine("server", format!("`{http}` is ready"))
        }
        Ok(answer) => Finding::attention(
            "server",
            format!("`{url}` answers with status {}", answer.status().as_u16()),
            if answer.status().is_server_error() {
                "look at the server: it cannot work now, for example because its disk is full"
            } else {
                "check the address: this is no testhide server, or a proxy is in the way"
            },
        ),
        Err(error) => Finding::attention(
            "server",
            format!(
                "`{http}` cannot be reached: {}",
                crate::enroll::chain(&error)
            ),
            "check the address (`https` and `wss` only where TLS is spoken), the network and the server; builds that run go on meanwhile",
        ),
    }
}

/// What it means when this machine's clock is so much ahead.
fn clocks(ahead_ms: i64) -> Finding {
    let seconds = ahead_ms as f64 / 1000.0;
    if ahead_ms.abs() < CLOCKS_MS {
        return Finding::fine(
            "clock",
            format!("it differs from the server's by {seconds:.1} s"),
        );
    }
    let way = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let found = format!("it is {:.0} s {way} the server's", seconds.abs());
    Finding::note("clock", found).advise(
        "set it by a time service; until then times in logs look odd, and nothing else does",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_clock_is_told_of_when_people_would_notice() {
        let check = |ahead: i64, state: State, words: &str| {
            let finding = clocks(ahead);
            assert_eq!(finding.state, state, "{ahead}");
            assert!(finding.found.contains(words), "{}", finding.found);
        };
        check(0, State::Fine, "0.0 s");
        check(-1_200, State::Fine, "-1.2 s");
        check(7_200_000, State::Note, "7200 s ahead of");
        check(-60_000, State::Note, "60 s behind");
    }
}
