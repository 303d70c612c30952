//! Every way in which an origin can fail to answer has one typed cause, and every wait ends. A body that ends
//! short, stalls or is too large ends with an error, never as if it were whole.

use std::time::Duration;

use http::{Request, Response};
use tintype::message::body::{Body, BodyError};
use tintype::origin::OriginError;
use tintype::origin::remote::{Config, Protocol};
use tokio::net::TcpListener;

use crate::support::{Identity, Reply, ScriptedOrigin, Serving, ask, read, remote_at};

const SHORT: Duration = Duration::from_millis(100);

async fn failure(base: &str, change: impl FnOnce(&mut Config)) -> OriginError {
    ask(&remote_at(base, change), "/").await.unwrap_err()
}

#[tokio::test]
async fn nobody_listens() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("")).await;
    let base = origin.base();
    origin.stop().await;
    assert!(matches!(failure(&base, |_| {}).await, OriginError::Connect(_)));
}

#[tokio::test]
async fn no_address() {
    // A label of more than 63 bytes has none anywhere, and no resolver has to be asked.
    let host = "x".repeat(64);
    let error = failure(&format!("http://{host}"), |_| {}).await;
    assert_eq!(error, OriginError::Resolve { host });
}

#[tokio::test]
async fn a_handshake_that_does_not_come() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", silent.local_addr().unwrap());
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::new());
    let (certificate, _) = identity.write(folder.path());
    let error = failure(&base, |config| {
        config.connect_timeout = SHORT;
        config.tls_ca = Some(certificate);
    });
    assert_eq!(error.await, OriginError::TimedOut { phase: "connect", after: SHORT });
}

#[tokio::test]
async fn nobody_to_trust() {
    let (folder, stranger, trusted) = (tempfile::tempdir().unwrap(), Identity::new(), Identity::new());
    let (certificate, _) = trusted.write(folder.path());
    let origin = ScriptedOrigin::start_tls(stranger.server(&[]), |_| Reply::ok("")).await;
    let error = failure(&origin.base(), |config| config.tls_ca = Some(certificate.clone())).await;
    assert!(matches!(&error, OriginError::Tls(reason) if reason.contains("certificate")), "{error}");

    let handler = |_: Request<Body>, _| async { Response::new(Body::Empty) };
    let plain = Serving::start(Serving::config(), handler).await;
    let base = format!("https://{}", plain.address);
    let error = failure(&base, |config| config.tls_ca = Some(certificate)).await;
    assert!(matches!(error, OriginError::Tls(_)), "{error}");
}

#[tokio::test]
async fn the_connection_ends_before_a_whole_head() {
    for reply in [Reply::reset(), Reply::hang_up(), Reply::raw("HTTP/1.1 200 OK\r\nX-Half").cut()] {
        let origin = ScriptedOrigin::sequence([reply]).await;
        let error = failure(&origin.base(), |_| {}).await;
        assert!(matches!(error, OriginError::Reset(_)), "{error}");
        assert_eq!(origin.count(), 1, "a fresh connection is no reason to ask again");
    }
}

#[tokio::test]
async fn silence_and_half_a_head_time_out() {
    for reply in [Reply::silence(), Reply::raw("HTTP/1.1 200 OK\r\n").stall()] {
        let origin = ScriptedOrigin::sequence([reply]).await;
        let error = failure(&origin.base(), |config| config.first_byte_timeout = SHORT).await;
        assert_eq!(error, OriginError::TimedOut { phase: "first byte", after: SHORT });
        origin.closed(1).await;
    }
}

#[tokio::test]
async fn heads_that_break_the_protocol_or_a_limit() {
    let many = (0..11).fold(Reply::ok(""), |reply, _| reply.header("X-Many", "1"));
    for (what, reply) in [
        ("garbage", Reply::raw("SMTP 220 hello\r\n\r\n").close()),
        ("bad field", Reply::raw("HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n").close()),
        ("bad length", Reply::ok("").header("Content-Length", "1x")),
        ("too long", Reply::ok("").header("X-Long", "x".repeat(5000))),
        ("endless", Reply::raw(format!("HTTP/1.1 200 OK\r\nX-Long: {}", "x".repeat(100_000))).stall()),
        ("too many", many),
        ("protocol switched", Reply::status(101).header("Upgrade", "x").header("Connection", "upgrade")),
    ] {
        let origin = ScriptedOrigin::sequence([reply]).await;
        let base = origin.base();
        let limits = |config: &mut Config| (config.max_header_bytes, config.max_header_count) = (4096, 10);
        let error = failure(&base, limits).await;
        assert!(matches!(error, OriginError::BadResponse(_)), "{what}: {error}");
    }
}

#[tokio::test]
async fn http1_where_http2_was_told() {
    let origin = ScriptedOrigin::sequence([Reply::hang_up()]).await;
    let error = failure(&origin.base(), |config| config.protocol = Protocol::Http2).await;
    assert!(matches!(error, OriginError::Reset(_)), "{error}");
}

async fn broken(reply: Reply, change: impl FnOnce(&mut Config)) -> BodyError {
    let origin = ScriptedOrigin::sequence([reply]).await;
    let response = ask(&remote_at(&origin.base(), change), "/").await.unwrap();
    let error = read(response).await.unwrap_err();
    origin.closed(1).await;
    error
}

#[tokio::test]
async fn bodies_that_end_before_their_framing_does() {
    for reply in [
        Reply::ok("half").length(9).cut(),
        Reply::ok("half").length(9).then_reset(),
        Reply::ok("half").chunked().cut(),
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf").cut(),
    ] {
        let what = format!("{reply:?}");
        let error = broken(reply, |_| {}).await;
        assert!(matches!(error, BodyError::Short(_)), "{what}: {error}");
    }
}

#[tokio::test]
async fn bodies_that_stall() {
    for reply in [Reply::ok("half").length(9).stall(), Reply::ok("half").chunked().stall()] {
        let error = broken(reply, |config| config.idle_timeout = SHORT).await;
        assert!(matches!(error, BodyError::Stalled), "{error}");
    }
}

#[tokio::test]
async fn bodies_beyond_the_limit() {
    for reply in [
        Reply::ok("12345").length(1 << 40).stall(),
        Reply::ok("123").piece("45").chunked().stall(),
        Reply::ok("12345").until_close(),
    ] {
        let error = broken(reply, |config| config.max_body_bytes = 4).await;
        assert!(matches!(error, BodyError::TooLarge { limit: 4 }), "{error}");
    }
}
