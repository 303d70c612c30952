//! Exchanges over every kind of connection: HTTP/1.1 with keep-alive and half-close, HTTP/2 with prior
//! knowledge, either over TLS by ALPN. A request head beyond the limits is answered 431. A TLS identity that
//! cannot be used is an error that names its file.

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use tintype::listener::{BindError, Config, Listener, Peer, TlsFiles};
use tintype::message::body::Body;

use crate::support::{Answer, Client, Identity, RawClient, Serving};

/// Answers with what it saw: method, path, version, TLS, body.
async fn echo(request: Request<Body>, peer: Peer) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = format!(
        "{} {} {:?} tls={} {}",
        head.method,
        head.uri.path(),
        head.version,
        peer.tls,
        String::from_utf8_lossy(&body)
    );
    assert!(peer.address.ip().is_loopback() && peer.local.ip().is_loopback());
    Response::new(Body::whole(seen))
}

#[tokio::test]
async fn http1_connections_are_kept_and_bodies_pass_both_ways() {
    let serving = Serving::start(Serving::config(), echo).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.get("/a", &[]).await;
    assert_eq!(raw.response().await.text(), "GET /a HTTP/1.1 tls=false ");
    raw.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody").await;
    assert_eq!(raw.response().await.text(), "POST /b HTTP/1.1 tls=false body");
    raw.send(
        "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(raw.response().await.text(), "POST /c HTTP/1.1 tls=false body");
    raw.send("HEAD /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let head = raw.response_to("HEAD").await;
    assert_eq!(head.header("content-length"), Some("27"));
    raw.closed().await;
}

#[tokio::test]
async fn a_client_that_closed_its_half_still_gets_its_answer() {
    let serving = Serving::start(Serving::config(), echo).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.get("/half", &[]).await;
    raw.half_close().await;
    let answer = raw.response().await;
    assert_eq!((answer.status(), answer.complete), (200, true));
    raw.closed().await;
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let serving = Serving::start(Serving::config(), echo).await;
    let client = Client::h2();
    let answer = client.request("POST", &serving.url("/x"), &[], "body").await;
    assert_eq!(
        (answer.version, answer.text().as_str()),
        (Version::HTTP_2, "POST /x HTTP/2.0 tls=false body")
    );
}

#[tokio::test]
async fn streamed_bodies_arrive_as_they_are_made() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(Some(receiver)));
    let handler = move |_: Request<Body>, _| {
        let receiver = receiver.clone();
        async move {
            let mut receiver = receiver.lock().await.take().unwrap();
            let frames = futures_util::stream::poll_fn(move |cx| {
                receiver.poll_recv(cx).map(|piece| piece.map(|data| Ok(http_body::Frame::data(data))))
            });
            Response::new(Body::stream(http_body_util::StreamBody::new(frames)))
        }
    };
    let serving = Serving::start(Serving::config(), handler).await;
    let mut answer = Client::new().open("GET", &serving.url("/"), &[], "").await;
    for piece in ["one", "two"] {
        sender.send(Bytes::from(piece)).await.unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), piece);
    }
    drop(sender);
    assert!(answer.next().await.is_none());
}

async fn over_tls(h2: bool) -> Answer {
    let (identity, folder) = (Identity::new(), tempfile::tempdir().unwrap());
    let (certificate, key) = identity.write(folder.path());
    let config = Config { tls: Some(TlsFiles { certificate, key }), ..Serving::config() };
    let serving = Serving::start(config, echo).await;
    let url = format!("https://localhost:{}/tls", serving.address.port());
    Client::tls(&identity.certificate, h2).get(&url, &[]).await
}

#[tokio::test]
async fn tls_speaks_either_version_by_alpn() {
    assert_eq!(over_tls(true).await.text(), "GET /tls HTTP/2.0 tls=true ");
    assert_eq!(over_tls(false).await.text(), "GET /tls HTTP/1.1 tls=true ");
}

#[tokio::test]
async fn an_unusable_identity_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Identity::new().write(folder.path());
    let other = tempfile::tempdir().unwrap();
    let (_, other_key) = Identity::new().write(other.path());
    let absent = folder.path().join("absent.pem");
    for (certificate, key, named) in [
        (&absent, &key, "absent.pem"),
        (&certificate, &absent, "absent.pem"),
        (&key, &key, "key.pem"),
        (&certificate, &certificate, "certificate.pem"),
        (&certificate, &other_key, "key.pem"),
    ] {
        let tls = Some(TlsFiles { certificate: certificate.clone(), key: key.clone() });
        let error = Listener::bind(Config { tls, ..Serving::config() }).await.err().unwrap();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_it() {
    let first = Listener::bind(Serving::config()).await.unwrap();
    let again = Config { listen: first.local_addr(), ..Serving::config() };
    let error = Listener::bind(again).await.err().unwrap();
    assert!(matches!(&error, BindError::Listen { address, .. } if *address == first.local_addr()), "{error}");
}

#[tokio::test]
async fn a_head_beyond_its_limits_is_answered_431() {
    let config = Config { max_header_bytes: 2000, max_header_count: 5, ..Serving::config() };
    let serving = Serving::start(config, echo).await;
    let (long, longer) = ("x".repeat(1000), "x".repeat(4000));
    let many: Vec<_> = (0..6).map(|_| ("x-many", "1")).collect();
    for (fields, status) in
        [(vec![("x-long", long.as_str())], 200), (vec![("x-long", longer.as_str())], 431), (many, 431)]
    {
        let mut raw = RawClient::connect(serving.address).await;
        raw.get("/", &fields).await;
        assert_eq!(raw.response().await.status(), status, "HTTP/1.1");
        let answer = Client::h2().get(&serving.url("/"), &fields).await;
        assert_eq!(answer.status, status, "HTTP/2");
    }
}

#[tokio::test]
async fn nonsense_is_answered_400_and_closed() {
    let serving = Serving::start(Serving::config(), echo).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.send("NONSENSE\r\n\r\n").await;
    assert_eq!(raw.response().await.status(), 400);
    raw.closed().await;
}
