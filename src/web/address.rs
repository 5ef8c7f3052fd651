//! Whose address a request comes from: the connection's, or what a proxy that the operator trusts says of it.

use super::listen::Peer;
use crate::kit::Networks;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

/// Most addresses of one header that are looked at; a longer list is nobody's.
const MOST_HOPS: usize = 32;

/// The client behind `peer`. Read from the right, where the nearest proxy wrote: the first address that is no trusted proxy's. What stands
/// left of it anybody may have written.
fn client(trusted: &Networks, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops.take(MOST_HOPS) {
        if !trusted.contains(client) {
            break;
        }
        // A proxy that writes something else is not understood: the last address that is certain counts.
        let Some(address) = address_of(hop.trim()) else {
            break;
        };
        client = address.to_canonical();
    }
    client
}

/// An address with or without a port and brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    bare.unwrap_or(text).parse().ok().or_else(with_port)
}

/// The address of whoever asks; nothing where a request came without a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().copied();
        Ok(known.unwrap_or_else(|| Self(peer(&parts.extensions))))
    }
}

/// Middleware (`from_fn_with_state`) that puts the [`ClientAddress`] into the request's extensions; `trusted` are the proxies whose
/// `X-Forwarded-For` is believed.
pub async fn find_client(
    State(trusted): State<Networks>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = peer(request.extensions());
    let client = peer.map(|peer| client(&trusted, peer, request.headers()));
    request.extensions_mut().insert(ClientAddress(client));
    next.run(request).await
}

fn peer(extensions: &axum::http::Extensions) -> Option<IpAddr> {
    let connection = extensions.get::<ConnectInfo<Peer>>();
    connection.map(|ConnectInfo(Peer(peer))| peer.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let check = |trusted: &str, peer: &str, lines: &[&str], expected: &str| {
            let trusted: Networks = trusted.parse().unwrap();
            let client = client(&trusted, peer.parse().unwrap(), &headers(lines));
            assert_eq!(client.to_string(), expected, "{trusted:?} {peer} {lines:?}");
        };
        check("", "192.0.2.1", &["203.0.113.9"], "192.0.2.1");
        check("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"], "192.0.2.1");
        check("10.0.0.0/8", "10.1.2.3", &["203.0.113.9"], "203.0.113.9");
        check("10.0.0.0/8", "10.1.2.3", &[], "10.1.2.3");
        // The client wrote the left one itself.
        check(
            "10.0.0.1",
            "10.0.0.1",
            &["127.0.0.1, 203.0.113.9"],
            "203.0.113.9",
        );
        check(
            "10.0.0.1",
            "10.0.0.1",
            &["127.0.0.1", "203.0.113.9"],
            "203.0.113.9",
        );
        check(
            "10.0.0.0/8",
            "10.0.0.1",
            &["203.0.113.9, 10.0.0.2, 10.0.0.3"],
            "203.0.113.9",
        );
        check(
            "10.0.0.1",
            "10.0.0.1",
            &["203.0.113.9, unknown"],
            "10.0.0.1",
        );
        check("10.0.0.1", "10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
        check(
            "10.0.0.1",
            "10.0.0.1",
            &["[2001:db8::1]:4711"],
            "2001:db8::1",
        );
        check(
            "10.0.0.1",
            "::ffff:10.0.0.1",
            &["2001:db8::1"],
            "2001:db8::1",
        );
        check("::1", "::1", &["[2001:db8::1]"], "2001:db8::1");
    }

    proptest! {
        #[test]
        fn what_strangers_write_never_matters(line in "[ -~]{0,80}") {
            let trusted: Networks = "10.0.0.1".parse().unwrap();
            let told = format!("{line}, 203.0.113.9");
            let client = client(&trusted, "10.0.0.1".parse().unwrap(), &headers(&[&told]));
            prop_assert_eq!(client.to_string(), "203.0.113.9");
        }
    }
}
