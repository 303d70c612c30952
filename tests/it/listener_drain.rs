//! Shutdown: the port closes, idle connections close, current exchanges finish within the grace period and say
//! `Connection: close` or GOAWAY, what is left is cut and counted.

use std::time::Duration;

use http::{Request, Response};
use tintype::listener::{Config, Peer};
use tintype::message::body::Body;
use tokio::net::TcpStream;

use crate::support::{Client, Gate, RawClient, Serving, within};

/// Answers `/slow` once `gate` is open, and opens `begun` before; anything else at once.
fn gated(
    begun: &Gate,
    gate: &Gate,
) -> impl Fn(Request<Body>, Peer) -> Answering + Clone + Send + Sync + 'static {
    let (begun, gate) = (begun.clone(), gate.clone());
    move |request, _| {
        let (begun, gate) = (begun.clone(), gate.clone());
        Box::pin(async move {
            if request.uri().path() == "/slow" {
                begun.open();
                gate.wait().await;
            }
            Response::new(Body::whole("done"))
        })
    }
}

type Answering = futures_util::future::BoxFuture<'static, Response<Body>>;

async fn refused(serving: &Serving) {
    within("the port to close", async {
        while TcpStream::connect(serving.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn current_exchanges_finish_and_new_ones_are_refused() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let serving = Serving::start(Serving::config(), gated(&begun, &gate)).await;
    let mut idle = RawClient::connect(serving.address).await;
    idle.get("/", &[]).await;
    idle.response().await;
    let mut slow = RawClient::connect(serving.address).await;
    slow.get("/slow", &[]).await;
    within("the handler", begun.wait()).await;

    serving.stop();
    refused(&serving).await;
    idle.closed().await;
    gate.open();
    let answer = slow.response().await;
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("done", Some("close")));
    slow.closed().await;
    let report = serving.drain().await;
    // Who came to the queue before the port closed, as our own look at it may have, was let in.
    assert!(report.accepted >= 2 && report.cut == 0, "{report:?}");
}

#[tokio::test]
async fn http2_streams_finish() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let serving = Serving::start(Serving::config(), gated(&begun, &gate)).await;
    let slow = tokio::spawn(Client::h2().get(&serving.url("/slow"), &[]));
    within("the handler", begun.wait()).await;
    serving.stop();
    refused(&serving).await;
    gate.open();
    assert_eq!(slow.await.unwrap().text(), "done");
    assert_eq!(serving.drain().await.cut, 0);
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_the_drain() {
    let serving = Serving::start(Serving::config(), gated(&Gate::new(), &Gate::new())).await;
    let mut silent = RawClient::connect(serving.address).await;
    let mut served = RawClient::connect(serving.address).await;
    served.get("/", &[]).await;
    served.response().await;
    let report = serving.drain().await;
    assert_eq!((report.accepted, report.cut), (2, 0));
    silent.closed().await;
    served.closed().await;
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_cut_and_counted() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let config = Config { drain_grace: Duration::from_millis(50), ..Serving::config() };
    let serving = Serving::start(config, gated(&begun, &gate)).await;
    let mut slow = RawClient::connect(serving.address).await;
    slow.get("/slow", &[]).await;
    within("the handler", begun.wait()).await;
    let report = serving.drain().await;
    assert_eq!((report.accepted, report.cut), (1, 1));
    slow.closed().await;
}
