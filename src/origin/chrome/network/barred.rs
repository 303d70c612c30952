//! Why a page may not or cannot reach something.

use super::address::Special;
use super::certificates::CertificateFault;

/// Why the way to a host is barred. The texts reach strangers: they name no resolved address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// One of its addresses is not public and not allowed.
    #[error("{host} has an address that is {why}")]
    Address {
        /// The host as it was named.
        host: String,
        /// The range that the address is in.
        why: Special,
    },
    /// The port is not one of those allowed.
    #[error("port {port} of {host} is not allowed")]
    Port {
        /// The host as it was named.
        host: String,
        /// The port.
        port: u16,
    },
    /// The name has no address.
    #[error("cannot resolve {host}")]
    Unresolved {
        /// The host as it was named.
        host: String,
    },
    /// Nobody takes the connection.
    #[error("cannot connect to {host}:{port}: {cause}")]
    Unreachable {
        /// The host as it was named.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        cause: String,
    },
    /// Its certificate leads to a root of `page_ca`, and cannot be accepted.
    #[error("the certificate of {host}:{port} is not accepted: {fault}")]
    Certificate {
        /// The host as it was named.
        host: String,
        /// The port.
        port: u16,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// The capture used up what it may.
    #[error("the page uses more than {limit} {what}")]
    Limit {
        /// The limit.
        limit: u64,
        /// What is limited.
        what: &'static str,
    },
}

impl Barred {
    /// Whether a rule says no, rather than the network or a bound.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Barred::Address { .. } | Barred::Port { .. })
    }
}
