//! Lists of addresses and networks, as operators write them.

use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Addresses and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<[IpNet]>);

/// A text that is no list of addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network such as `10.0.0.0/8`")]
pub struct InvalidNetwork(String);

impl FromStr for Networks {
    type Err = InvalidNetwork;

    /// Reads addresses and networks between commas.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let networks = parts.map(|part| {
            let network = part.parse::<IpNet>();
            network
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| InvalidNetwork(part.to_owned()))
        });
        networks.collect::<Result<Arc<[IpNet]>, _>>().map(Self)
    }
}

impl Networks {
    /// Whether `address` is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_lists_say_what_is_wrong() {
        let check = |text: &str, expected: Option<&str>| {
            let read = text.parse::<Networks>();
            assert_eq!(
                read.err().map(|error| error.0).as_deref(),
                expected,
                "{text}"
            );
        };
        check("", None);
        check("10.0.0.1, 192.168.0.0/16,::1", None);
        check("10.0.0.1, proxy", Some("proxy"));
        check("10.0.0.0/33", Some("10.0.0.0/33"));
    }
}
