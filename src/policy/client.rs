//! The address of the client behind trusted proxies.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::message::forwarded::{Chain, Spelling, told_from_last};

/// The trusted proxies, and the field in which they name the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Address ranges of trusted proxies.
    pub ranges: Vec<IpNet>,
    /// The field that the proxies set. The other field is ignored, as a proxy may pass it on
    /// unchanged from a client.
    pub spelling: Spelling,
}

impl Trust {
    /// The chain of addresses by which a request arrived from `peer`; `None` if `peer` is not
    /// trusted.
    ///
    /// Addresses are read from last to first. An address is believed if the proxy that added it is
    /// trusted, so reading stops at the first untrusted address: the client.
    pub fn chain(&self, peer: IpAddr, fields: &HeaderMap) -> Option<Chain> {
        if !self.trusts(peer) {
            return None;
        }
        let mut chain = vec![Some(peer)];
        for address in told_from_last(fields, self.spelling) {
            chain.push(address);
            if !address.is_some_and(|address| self.trusts(address)) {
                break;
            }
        }
        Some(Chain::from_last(chain))
    }

    /// As [`chain`](Self::chain), with the fields looked up only if `peer` is trusted.
    pub fn chain_in(&self, peer: IpAddr, lines: impl FnOnce(&HeaderName) -> HeaderMap) -> Option<Chain> {
        if !self.trusts(peer) {
            return None;
        }
        self.chain(peer, &lines(&self.spelling.name()))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines;

    #[test]
    fn client_is_last_untrusted_address() {
        let trust = Trust {
            ranges: vec!["10.0.0.0/8".parse().expect("range"), "::1/128".parse().expect("range")],
            spelling: Spelling::XForwardedFor,
        };
        for (peer, told, client) in [
            ("10.0.0.1", &["1.2.3.4"][..], Some("1.2.3.4")),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4"], Some("1.2.3.4")),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.9.9.9"], Some("1.2.3.4")),
            ("::ffff:10.0.0.1", &["1.2.3.4, ::1"], Some("1.2.3.4")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            // Unknown becomes the unspecified address, which no list of allowed addresses contains.
            ("10.0.0.1", &["1.2.3.4, unknown"], Some("0.0.0.0")),
            ("10.0.0.1", &["1.2.3.4, <script>"], Some("0.0.0.0")),
            ("9.9.9.9", &["1.2.3.4"], None),
        ] {
            let fields: Vec<_> = told.iter().map(|told| ("x-forwarded-for", *told)).collect();
            let mut fields = lines(&fields);
            // The other field is ignored.
            fields.insert("forwarded", http::HeaderValue::from_static("for=10.0.0.7"));
            let chain = trust.chain(peer.parse().expect("address"), &fields);
            let found = chain.map(|chain| chain.client().to_string());
            assert_eq!(found.as_deref(), client, "{peer} {told:?}");
        }
    }
}
