//! TLS in the exit for sites whose certificates lead to a root of `page_ca`.
//!
//! Neither an argument nor DevTools can give Chrome a root for one browser, see docs/adr/0005-page-roots.md. So for
//! such a site the exit makes the TLS connection itself, verified against those roots, and speaks TLS to the browser
//! with a certificate of its own, whose key the browser is told to trust at its launch. Bytes pass unchanged in
//! between. Every other site keeps its connection end to end, and the browser's own verdict on its certificate.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::server::Acceptor;
use rustls::{CertificateError, ClientConfig, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};

use super::barred::Barred;
use super::certificates::{CertificateFault, PageRoots, TlsSetupError, provider};
use super::page_network::{PageNetwork, Site, unreachable};
use crate::clock::Stopwatch;

/// Time for the handshakes of one connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// First byte of a TLS connection (RFC 8446 section 5.1). A WebSocket in the clear begins with a letter.
const TLS_HANDSHAKE: u8 = 22;
/// How long a site is taken for one with another root, before its certificate is looked at again.
const FOREIGN_TTL: Duration = Duration::from_secs(600);
/// Sites that are remembered so; with one more, all are forgotten.
const MAX_FOREIGN: usize = 4096;

/// The exit's TLS for one engine.
pub(crate) struct TlsBridge {
    /// Towards sites: trusts the roots alone.
    client: ClientConfig,
    /// Towards the browser.
    server: ServerConfig,
    /// The hash of our key, as Chrome's argument has it.
    key_hash: String,
    foreign: Mutex<HashMap<Site, Stopwatch>>,
}

/// Where the certificate of a site leads.
enum Verdict {
    /// To a root of ours, and something is wrong with it.
    Faulty(CertificateFault),
    /// To another root.
    Foreign,
    /// Nothing came of the handshake that says it.
    Unknown,
}

impl TlsBridge {
    /// With a key that is made here, kept in memory, and trusted by our own browsers alone.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new(roots: &PageRoots) -> Result<Self, TlsSetupError> {
        let key = KeyPair::generate().map_err(TlsSetupError::of)?;
        let params = CertificateParams::new(["tintype.invalid".to_owned()]).map_err(TlsSetupError::of)?;
        let certificate = params.self_signed(&key).map_err(TlsSetupError::of)?;
        let key_hash = BASE64_STANDARD.encode(Sha256::digest(key.subject_public_key_info()));
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsSetupError::of)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(TlsSetupError::of)?;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(TlsBridge { client: roots.client()?, server, key_hash, foreign: Mutex::default() })
    }

    /// The SHA-256 of our public key, in base64: `--ignore-certificate-errors-spki-list`.
    pub(crate) fn key_hash(&self) -> &str {
        &self.key_hash
    }

    /// Joins `browser`, which wants a connection to `site`, with `there`, one that was just opened.
    ///
    /// # Errors
    /// If the certificate is one of ours and faulty, or another connection is needed and cannot be made.
    pub(crate) async fn join(
        &self,
        browser: impl AsyncRead + AsyncWrite + Unpin,
        there: impl AsyncRead + AsyncWrite + Unpin,
        site: &Site,
        network: &PageNetwork,
    ) -> Result<(), Barred> {
        let mut browser = Rewind::new(browser);
        let late = || unreachable(site, &io::Error::from(io::ErrorKind::TimedOut));
        let first = tokio::time::timeout(HANDSHAKE_TIMEOUT, browser.read_u8()).await.map_err(|_| late())?;
        browser.rewind();
        let Ok(first) = first else { return Ok(()) };
        if first != TLS_HANDSHAKE || self.is_foreign(site) {
            browser.stop_keeping();
            return blind(browser, there).await;
        }
        // What the browser offers is offered to the site.
        let hello = LazyConfigAcceptor::new(Acceptor::default(), &mut browser);
        let hello = tokio::time::timeout(HANDSHAKE_TIMEOUT, hello).await.map_err(|_| late())?;
        let Ok(hello) = hello else { return Ok(()) };
        hello.io.stop_keeping();
        let mut client = self.client.clone();
        client.alpn_protocols =
            hello.client_hello().alpn().map(|names| names.map(<[u8]>::to_vec).collect()).unwrap_or_default();
        let name = ServerName::try_from(site.0.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| unreachable(site, &error))?;
        let connecting = TlsConnector::from(Arc::new(client)).connect(name, there);
        let error = match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await.map_err(|_| late())? {
            Ok(there) => {
                let mut server = self.server.clone();
                server.alpn_protocols =
                    there.get_ref().1.alpn_protocol().into_iter().map(<[u8]>::to_vec).collect();
                let browser = hello.into_stream(Arc::new(server));
                if let Ok(Ok(browser)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, browser).await {
                    return blind(browser, EndsShort(there)).await;
                }
                return Ok(());
            }
            Err(error) => error,
        };
        // A request that ignores errors leaves them to the browser, which was told to.
        match verdict(&error) {
            Verdict::Faulty(fault) if !network.ignores_certificates() => {
                return Err(Barred::Certificate { host: site.0.clone(), port: site.1, fault });
            }
            Verdict::Foreign => self.remember_foreign(site),
            Verdict::Faulty(_) | Verdict::Unknown => {}
        }
        // The browser's own handshake, on a connection that has seen none.
        drop(hello);
        browser.rewind();
        blind(browser, network.connect(site).await?).await
    }

    fn is_foreign(&self, site: &Site) -> bool {
        let foreign = self.foreign.lock();
        foreign.get(site).is_some_and(|since| since.elapsed() < FOREIGN_TTL)
    }

    fn remember_foreign(&self, site: &Site) {
        let mut foreign = self.foreign.lock();
        if foreign.len() >= MAX_FOREIGN {
            foreign.clear();
        }
        foreign.insert(site.clone(), Stopwatch::start());
    }
}

fn verdict(error: &io::Error) -> Verdict {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match (error, error.and_then(CertificateFault::of)) {
        (_, Some(fault)) => Verdict::Faulty(fault),
        (Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)), None) => Verdict::Foreign,
        _ => Verdict::Unknown,
    }
}

/// Passes bytes both ways, unseen, until both ends are done.
async fn blind(
    mut here: impl AsyncRead + AsyncWrite + Unpin,
    mut there: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(), Barred> {
    // A connection that breaks off is for the browser to judge.
    let _ = copy_bidirectional(&mut here, &mut there).await;
    Ok(())
}

/// A stream whose beginning can be read again.
struct Rewind<S> {
    stream: S,
    /// What was read since the beginning; no longer than the hello of a TLS client.
    kept: Vec<u8>,
    /// The first byte of it that is still to be read.
    at: usize,
    keeping: bool,
}

impl<S> Rewind<S> {
    fn new(stream: S) -> Self {
        Rewind { stream, kept: Vec::new(), at: 0, keeping: true }
    }

    /// Reads from the beginning again.
    fn rewind(&mut self) {
        self.at = 0;
    }

    /// Keeps nothing of what is read from now on.
    fn stop_keeping(&mut self) {
        self.keeping = false;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Rewind { stream, kept, at, keeping } = &mut *self;
        if let Some(again) = kept.get(*at..).filter(|again| !again.is_empty()) {
            let length = again.len().min(buf.remaining());
            buf.put_slice(&again[..length]);
            *at += length;
            return Poll::Ready(Ok(()));
        }
        if !*keeping {
            return Pin::new(stream).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        kept.extend_from_slice(&buf.filled()[before..]);
        *at = kept.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A TLS stream whose peer may end it without `close_notify`, as many servers do. HTTP itself says where a message
/// ends, and browsers take it so too.
struct EndsShort<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for EndsShort<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_read(cx, buf)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EndsShort<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_rewound_stream_is_read_from_its_beginning() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Rewind::new(near);
        far.write_all(b"abcdef").await.unwrap();
        let mut read = [0; 4];
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        stream.rewind();
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
        stream.rewind();
        stream.stop_keeping();
        let mut rest = String::new();
        drop(far);
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((rest.as_str(), stream.kept.len()), ("abcdef", 4));
    }

    #[test]
    fn only_unknown_issuers_make_a_site_foreign() {
        let of = |error: CertificateError| {
            verdict(&io::Error::new(io::ErrorKind::InvalidData, rustls::Error::from(error)))
        };
        assert!(matches!(of(CertificateError::UnknownIssuer), Verdict::Foreign));
        assert!(matches!(of(CertificateError::Expired), Verdict::Faulty(CertificateFault::Expired)));
        assert!(matches!(of(CertificateError::BadSignature), Verdict::Unknown));
        assert!(matches!(verdict(&io::ErrorKind::ConnectionReset.into()), Verdict::Unknown));
    }
}
