//! Why a listener cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}: {source}; {}", remedy(source))]
    Listen {
        /// The address to bind.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the TLS identity cannot be read or is not PEM of the right kind.
    #[error("cannot use {}: {reason}; have it be a PEM file that this user may read", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not make an identity.
    #[error(
        "cannot use {} with {}: {reason}; have both be of the same certificate, leaf first",
        certificate.display(),
        key.display()
    )]
    Identity {
        /// The certificate chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
}

/// What to do about an address that cannot be bound.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop what listens there, or change listen",
        io::ErrorKind::AddrNotAvailable => "change listen to an address of this machine",
        io::ErrorKind::PermissionDenied => {
            "take a port from 1024 on, or give this process the capability CAP_NET_BIND_SERVICE"
        }
        _ => "change listen",
    }
}
