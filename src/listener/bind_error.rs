//! [`BindError`]: why a listener cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The reason that a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is in use, not of this machine, or not permitted.
    #[error("cannot listen on {address}: {source}; {}", remedy(source))]
    Listen {
        /// The address that was to be bound.
        address: SocketAddr,
        /// The error of the system call.
        source: io::Error,
    },
    /// A file of the TLS identity cannot be read, or is not PEM of the right kind.
    #[error("cannot use {}: {reason}; have it be a PEM file that this user may read", path.display())]
    Pem {
        /// The certificate or key file.
        path: PathBuf,
        /// What is wrong with the file.
        reason: String,
    },
    /// Certificate and key do not belong together.
    #[error(
        "cannot use {} with {}: {reason}; have both be of the same certificate, leaf first",
        certificate.display(),
        key.display()
    )]
    Identity {
        /// File of the certificate chain.
        certificate: PathBuf,
        /// File of the private key.
        key: PathBuf,
        /// What is wrong with the pair.
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
