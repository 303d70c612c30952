//! TLS sessions are not shared: a capture resumes those of its own connections, never those of an earlier capture or of
//! one at the same time, by which a site could know that both were made here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::{HandshakeKind, SupportedProtocolVersion};
use tintype::message::body::Body;
use tintype::origin::Origin;
use tintype::origin::chrome::Config;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::chrome_site::{Pixels, browser, config, picture, shoot, start};
use crate::support::tls::Identity;

/// Two more connections, one after the other; lime when both answered.
const PAGE: &str = "<!doctype html><body style='background:#f00'><script>
    fetch('/one').then(() => fetch('/two')).then(() => { document.body.style.background = '#0f0' })
</script>";

/// A site whose every answer closes its connection, and the handshakes that it saw: the path, and whether it was
/// a resumption.
struct Secure {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Secure {
    async fn start(version: &'static SupportedProtocolVersion) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.unwrap();
        let acceptor = TlsAcceptor::from(Identity::new().server_of(&[version]));
        let secure = Secure { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = secure.seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                    let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        seen.lock().unwrap().push((request.uri().path().to_owned(), resumed));
                        let answer = Response::builder().header("connection", "close");
                        let answer =
                            answer.header("content-type", "text/html").header("cache-control", "no-store");
                        async move { Ok::<_, Infallible>(answer.body(Body::whole(PAGE)).unwrap()) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        secure
    }

    /// Whether the handshakes for `path` were resumptions, one by one.
    fn resumed(&self, path: &str) -> Vec<bool> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(of, _)| of == path).map(|(_, resumed)| *resumed).collect()
    }
}

/// The real browser, content with certificates that nobody vouches for.
async fn trusting(folder: &tempfile::TempDir) -> PathBuf {
    let engine = start(config());
    let real = std::fs::read_link(format!("/proc/{}/exe", browser(&engine).await)).unwrap();
    engine.shutdown().await;
    let program = folder.path().join("trusting");
    let script = format!("#!/bin/sh\nexec {} --ignore-certificate-errors \"$@\"\n", real.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    program
}

#[tokio::test]
async fn no_capture_resumes_a_session_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(Config { program: Some(trusting(&folder).await), ..config() });
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let site = Secure::start(version).await;
        let url = format!("https://{}/", site.address);
        let shot = async || {
            let shown = Pixels::decode(&picture(shoot(&engine, &url, "delay=500ms").await));
            assert_eq!(shown.at(310, 190), [0, 255, 0]);
        };
        shot().await;
        shot().await;
        tokio::join!(shot(), shot());
        // Within a capture sessions are resumed, so that the site would notice.
        assert_eq!(site.resumed("/two"), [true; 4], "{version:?}");
        assert_eq!(site.resumed("/"), [false; 4], "{version:?}");
    }
    engine.shutdown().await;
}
