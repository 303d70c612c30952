//! What is sent is what came, joined to the base byte for byte, with nothing added but the configured fields,
//! parameters and `Host`. Connections are pooled; a request that met one which the origin had closed meanwhile
//! is sent once more. The bound on exchanges holds until a body has ended or is dropped.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tintype::listener::{Config as ListenerConfig, TlsFiles};
use tintype::message::body::{Body, BodyError};
use tintype::origin::remote::{Error, Protocol, Remote};
use tintype::origin::{Origin, OriginError};

use crate::support::{
    Gate, Identity, Reply, ScriptedOrigin, Serving, ask, read, remote_at, remote_config, within,
};

#[tokio::test]
async fn the_request_arrives_as_it_was_with_nothing_added() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture").header("X-Answer", "a")).await;
    let remote = remote_at(&format!("{}/v1/", origin.base()), |_| {});
    let request =
        Request::get("http://client.test/a/../%7E?q=%20+&&x=").header("x-own", "b").version(Version::HTTP_2);
    let response = remote.fetch(request.body(Body::Empty).unwrap()).await.unwrap();
    assert_eq!(response.headers()["x-answer"], "a");
    assert!(response.extensions().is_empty());
    assert_eq!(read(response).await.unwrap(), "picture");
    let seen = &origin.requests()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/a/../%7E?q=%20+&&x="));
    let mut fields: Vec<_> = seen.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.sort();
    assert_eq!(fields, [("host", origin.address().to_string().as_str()), ("x-own", "b")]);
}

#[tokio::test]
async fn configured_fields_parameters_and_host_are_set() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("")).await;
    let remote = remote_at(&origin.base(), |config| {
        config.set_headers.insert("x-api-key", HeaderValue::from_static("ours"));
        config.set_query = vec![("token".into(), "ours".into())];
        config.preserve_host = true;
    });
    let request = Request::get("http://client.test:81/a?token=theirs&b=%7e").header("x-api-key", "theirs");
    remote.fetch(request.body(Body::Empty).unwrap()).await.unwrap();
    let seen = &origin.requests()[0];
    assert_eq!(seen.target, "/a?b=%7e&token=ours");
    assert_eq!(seen.header_all("x-api-key"), ["ours"]);
    assert_eq!(seen.header_all("host"), ["client.test:81"]);
}

/// A body of pieces whose number and end nobody knows before.
fn streamed(pieces: Vec<Result<&'static str, BodyError>>) -> Body {
    let frames = pieces.into_iter().map(|piece| piece.map(|data| Frame::data(Bytes::from(data))));
    Body::stream(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn request_bodies_are_sent_with_their_framing() {
    let origin = ScriptedOrigin::start(|request| Reply::ok(request.body)).await;
    let remote = remote_at(&origin.base(), |_| {});
    let post = || Request::post("http://client.test/");
    let halves = || streamed(vec![Ok("bo"), Ok("dy")]);
    for (request, field) in [
        (post().body(Body::whole("body")), ("content-length", "4")),
        (post().header("content-length", "4").body(halves()), ("content-length", "4")),
        (post().body(halves()), ("transfer-encoding", "chunked")),
    ] {
        let response = remote.fetch(request.unwrap()).await.unwrap();
        assert_eq!(read(response).await.unwrap(), "body");
        let seen = origin.requests().pop().unwrap();
        assert_eq!((seen.header(field.0), seen.headers.len()), (Some(field.1), 2));
    }
    let broken = post().body(streamed(vec![Ok("bo"), Err(BodyError::Stalled)])).unwrap();
    let error = remote.fetch(broken).await.unwrap_err();
    assert!(matches!(&error, OriginError::Reset(text) if text.contains("request body")), "{error}");
}

#[tokio::test]
async fn heads_without_a_body_and_interim_responses() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let origin = ScriptedOrigin::sequence([
        Reply::status(304).header("ETag", "\"a\""),
        Reply::status(204),
        Reply::raw(format!("{interim}HTTP/1.1 200 Odd Reason\r\nContent-Length: 2\r\n\r\nok")),
        Reply::ok("until the end").until_close(),
    ])
    .await;
    let remote = remote_at(&origin.base(), |_| {});
    for (status, body) in [(304, ""), (204, ""), (200, "ok"), (200, "until the end")] {
        let response = ask(&remote, "/").await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(read(response).await.unwrap(), body);
    }
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture")).await;
    let remote = remote_at(&origin.base(), |_| {});
    for _ in 0..3 {
        read(ask(&remote, "/").await.unwrap()).await.unwrap();
    }
    assert_eq!((origin.count(), origin.connections()), (3, 1));
    remote.shutdown().await;
    origin.closed(1).await;
    assert!(matches!(ask(&remote, "/").await, Err(OriginError::Connect(_))));
}

#[tokio::test]
async fn a_request_that_met_a_stale_connection_is_sent_once_more() {
    for stale in [Reply::hang_up(), Reply::reset()] {
        let origin = ScriptedOrigin::sequence([Reply::ok("one"), stale, Reply::ok("two")]).await;
        let remote = remote_at(&origin.base(), |_| {});
        assert_eq!(read(ask(&remote, "/a").await.unwrap()).await.unwrap(), "one");
        assert_eq!(read(ask(&remote, "/b").await.unwrap()).await.unwrap(), "two");
        let seen: Vec<_> = origin.requests().iter().map(|r| (r.connection, r.target.clone())).collect();
        assert_eq!(seen, [(0, "/a".into()), (0, "/b".into()), (1, "/b".into())]);
    }
}

#[tokio::test]
async fn a_request_that_may_have_had_an_effect_is_not_sent_again() {
    for (method, reply) in [
        ("POST", Reply::hang_up()),
        ("DELETE", Reply::hang_up()),
        ("GET", Reply::raw("HTTP/1.1 2").cut()),
        ("GET", Reply::raw("HTTP/1.1 200 OK\r\n").then_reset()),
    ] {
        let origin = ScriptedOrigin::sequence([Reply::ok("one"), reply, Reply::ok("two")]).await;
        let remote = remote_at(&origin.base(), |_| {});
        read(ask(&remote, "/").await.unwrap()).await.unwrap();
        let request = Request::builder().method(method).uri("http://client.test/").body(Body::Empty).unwrap();
        let error = within("an error", remote.fetch(request)).await.unwrap_err();
        assert!(matches!(error, OriginError::Reset(_)), "{method}: {error}");
        assert_eq!(origin.count(), 2, "{method}");
    }
}

#[tokio::test]
async fn exchanges_at_once_are_bounded_until_their_body_ends_or_is_dropped() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.target.as_str() {
            "/held" => Reply::ok("first").gate(&gate).piece("second").chunked(),
            "/gone" => Reply::hang_up(),
            _ => Reply::ok("picture"),
        }
    })
    .await;
    let remote = remote_at(&origin.base(), |config| {
        config.max_concurrent = 1;
        config.connect_timeout = Duration::from_millis(200);
    });
    // A body that is still coming holds its slot; dropping it gives the slot back.
    let held = ask(&remote, "/held").await.unwrap();
    let busy = ask(&remote, "/").await.unwrap_err();
    assert!(
        matches!(busy, OriginError::Busy { retry_after } if retry_after >= Duration::from_secs(1)),
        "{busy}"
    );
    assert_eq!(origin.count(), 1, "a request without a slot is not sent");
    drop(held);
    // So does a whole body that was read but not dropped, a failure, and a fetch that is given up.
    let whole = ask(&remote, "/").await.unwrap();
    let mut body = whole.into_body();
    while body.frame().await.is_some() {}
    assert!(ask(&remote, "/gone").await.is_err());
    let given_up = ask(&remote, "/held");
    drop(given_up);
    let held = ask(&remote, "/held").await.unwrap();
    gate.open();
    assert_eq!(read(held).await.unwrap(), "firstsecond");
    ask(&remote, "/").await.unwrap();
}

#[tokio::test]
async fn tls_with_a_root_of_its_own() {
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::new());
    let (certificate, _) = identity.write(folder.path());
    let origin = ScriptedOrigin::start_tls(identity.server(&["http/1.1"]), |_| Reply::ok("secret")).await;
    let remote = remote_at(&origin.base(), |config| config.tls_ca = Some(certificate));
    assert_eq!(read(ask(&remote, "/").await.unwrap()).await.unwrap(), "secret");
}

/// Says over which version and with which host it was asked.
async fn introspect(request: Request<Body>, _: tintype::listener::Peer) -> Response<Body> {
    let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
    let authority = request.uri().authority().map(|authority| authority.to_string());
    Response::new(Body::whole(format!("{:?} {host:?} {authority:?}", request.version())))
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let serving = Serving::start(Serving::config(), introspect).await;
    let base = serving.url("");
    let remote = remote_at(&base, |config| config.protocol = Protocol::Http2);
    let request =
        Request::get("http://client.test/").header("host", "client.test").body(Body::Empty).unwrap();
    let body = read(remote.fetch(request).await.unwrap()).await.unwrap();
    assert_eq!(body, format!("HTTP/2.0 None {:?}", Some(serving.address.to_string())));
}

#[tokio::test]
async fn http2_by_alpn_unless_told_otherwise_or_the_host_differs() {
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::new());
    let (certificate, key) = identity.write(folder.path());
    let tls = Some(TlsFiles { certificate: certificate.clone(), key });
    let serving = Serving::start(ListenerConfig { tls, ..Serving::config() }, introspect).await;
    let base = format!("https://localhost:{}", serving.address.port());
    for (protocol, preserve_host, version) in [
        (Protocol::Auto, false, "HTTP/2.0"),
        (Protocol::Http2, false, "HTTP/2.0"),
        (Protocol::Http1, false, "HTTP/1.1"),
        (Protocol::Auto, true, "HTTP/1.1"),
    ] {
        let remote = remote_at(&base, |config| {
            config.tls_ca = Some(certificate.clone());
            (config.protocol, config.preserve_host) = (protocol, preserve_host);
        });
        let body = read(ask(&remote, "/").await.unwrap()).await.unwrap();
        assert!(body.starts_with(version), "{protocol:?}: {body}");
        assert_eq!(body.contains("client.test"), preserve_host, "{body}");
    }
}

#[tokio::test]
async fn what_cannot_be_set_up_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let mut config = remote_config("https://o.test");
    config.tls_ca = Some(empty.clone());
    assert!(matches!(Remote::new(config), Err(Error::Roots { path, .. }) if path == empty));
    let mut config = remote_config("https://o.test");
    config.tls_ca = Some(folder.path().join("absent.pem"));
    assert!(matches!(Remote::new(config), Err(Error::Roots { .. })));
    let mut config = remote_config("http://o.test");
    (config.protocol, config.preserve_host) = (Protocol::Http2, true);
    assert!(matches!(Remote::new(config), Err(Error::HostOverHttp2)));
}
