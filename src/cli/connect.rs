//! The HTTP client of subcommands that send requests, with TLS where the URL says so.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

/// A client that keeps and shares its connections.
pub(super) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The HTTP version of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// A client. `https` says whether the roots of the system are needed, which take time to read.
///
/// # Errors
/// TLS cannot be set up.
pub(super) fn client(https: bool, speaks: Speaks, connect: Duration) -> Result<Http, rustls::Error> {
    let mut roots = RootCertStore::empty();
    if https {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect));
    let schemes = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let connector = match speaks {
        Speaks::Http1 => schemes.enable_http1().wrap_connector(tcp),
        Speaks::Http2 => schemes.enable_http2().wrap_connector(tcp),
    };
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).http2_only(speaks == Speaks::Http2);
    Ok(client.build(connector))
}

/// The reason that there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoConnection {
    /// Nothing listens at the address.
    Refused,
    /// The certificate is not trusted, or the server does not speak TLS.
    Tls,
    Other,
}

/// Finds the cause of a connection `error`.
pub(super) fn why(error: &(dyn Error + 'static)) -> NoConnection {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return NoConnection::Tls;
        }
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
            return NoConnection::Refused;
        }
        // `source` skips the inner error of an `io::Error`.
        let inner = io.and_then(std::io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        cause = inner.or_else(|| error.source());
    }
    NoConnection::Other
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error as Io, ErrorKind};

    #[test]
    fn what_kept_from_connecting_is_found() {
        let tls = Io::new(ErrorKind::InvalidData, rustls::Error::DecryptError);
        for (error, expected) in [
            (Io::from(ErrorKind::ConnectionRefused), NoConnection::Refused),
            (Io::other(tls), NoConnection::Tls),
            (Io::other(Io::from(ErrorKind::ConnectionRefused)), NoConnection::Refused),
            (Io::from(ErrorKind::TimedOut), NoConnection::Other),
        ] {
            assert_eq!(why(&error), expected, "{error:?}");
        }
    }
}
