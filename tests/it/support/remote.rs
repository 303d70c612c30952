//! A remote origin under test.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tintype::message::body::{Body, BodyError};
use tintype::origin::remote::{Config, Protocol, Remote};
use tintype::origin::{Origin, OriginError};

use super::within;

/// A configuration of `base` with limits that no test reaches by accident.
///
/// ```ignore
/// let remote = remote_at(&origin.base(), |config| config.max_body_bytes = 10);
/// let response = ask(&remote, "/a?b").await.unwrap();
/// let body = read(response).await;
/// ```
pub(crate) fn remote_config(base: &str) -> Config {
    Config {
        base: base.parse().expect("a URI"),
        set_headers: HeaderMap::new(),
        set_query: Vec::new(),
        preserve_host: false,
        forwarded: Default::default(),
        protocol: Protocol::Auto,
        tls_ca: None,
        connect_timeout: Duration::from_secs(30),
        first_byte_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(30),
        max_idle_connections: 10,
        keep_alive: Duration::from_secs(30),
        max_concurrent: 100,
        request_buffer: 64 << 10,
        max_header_bytes: 32 * 1024,
        max_header_count: 100,
        max_body_bytes: 1 << 20,
        retries: 0,
        retry_base: Duration::from_millis(1),
        retry_max: Duration::from_millis(10),
        restraint: Default::default(),
    }
}

/// A remote origin at `base`, with changes to [`remote_config`].
pub(crate) fn remote_at(base: &str, change: impl FnOnce(&mut Config)) -> Remote {
    let mut config = remote_config(base);
    change(&mut config);
    Remote::new(config).expect("a usable configuration")
}

/// Asks `remote` for `http://client.test` and this path, by GET.
#[track_caller]
pub(crate) fn ask(remote: &Remote, path: &str) -> impl Future<Output = Result<Response<Body>, OriginError>> {
    let request = Request::builder().uri(format!("http://client.test{path}"));
    within("the remote origin", remote.fetch(request.body(Body::Empty).expect("a request")))
}

/// Reads a body to its end, or to the error that ends it.
#[track_caller]
pub(crate) fn read(response: Response<Body>) -> impl Future<Output = Result<String, BodyError>> {
    within("the body's end", async {
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    })
}
