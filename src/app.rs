//! Composition root.

use crate::config::Config;

/// Why serving ended with a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Serves `config` until SIGTERM or SIGINT.
///
/// # Errors
/// Everything that keeps it from starting.
pub async fn run(config: Config) -> Result<(), Error> {
    let address = config.server.listen;
    let listener = tokio::net::TcpListener::bind(address).await;
    listener.map(drop).map_err(|source| Error::Listen { address, source })
}
