//! The short way of a hit takes nothing from the allocator: neither a 200 nor a 304, from the bytes of the request to those of the answer,
//! of what is stored and of what was made of it.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Request, Response, header};
use tintype::clock::{Clock, ManualClock};
use tintype::config::Config;
use tintype::message::body::Body;
use tintype::message::plain::{Begins, begins};
use tintype::origin::{Origin, OriginError};
use tintype::proxy::Proxy;
use tintype::proxy::route::Routes;
use tintype::store::MemoryStore;
use tintype::telemetry::counters::Counters;

use super::derived::png;
use super::support::START;

struct Fixed;

impl Origin for Fixed {
    fn fetch(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        let answer = Response::builder()
            .header("cache-control", "max-age=600")
            .header("content-type", "image/png")
            .header("etag", "\"x\"")
            .body(Body::whole(png(60, 40, 7, false)))
            .expect("a response");
        Box::pin(async { Ok(answer) })
    }
}

#[tokio::test]
async fn the_short_way_of_a_hit_allocates_nothing() {
    let toml = "[store]\ndir = \"\"\n[upstream.u]\nkind = \"remote\"\nurl = \"http://127.0.0.1\"\n\
                [route.all]\npath = \"/\"\nupstream = \"u\"\n\
                [route.shot]\npath = \"/shot\"\nupstream = \"u\"\ncapture = true\nonly_pictures = false\ndialect = \"tintype\"\nderive = true\n";
    let config = Config::from_toml(toml).unwrap_or_else(|problems| panic!("{}", problems.to_text(false)));
    let routes =
        Routes::new(&config.proxy, |_| Some((Arc::new(Fixed) as Arc<dyn Origin>, false))).expect("routes");
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(START));
    let store = Arc::new(MemoryStore::new(&config.store));
    let proxy = Proxy::new(config.proxy, routes, store, clock, Arc::new(Counters::default()));
    let client = IpAddr::from([127, 0, 0, 1]);
    for (target, kind) in [
        ("/a?b=c", "image/png"),
        ("/shot?url=http://a.example/&format=jpeg", "image/jpeg"),
        ("/shot?url=http://a.example/&format=auto&image_width=20", "image/webp"),
    ] {
        let accept = "text/html, image/webp;q=0.9, */*;q=0.8";
        let mut tag = None;
        for _ in 0..3 {
            let request = Request::get(target).header("host", "h").header("accept", accept);
            let answer = proxy.handle(request.body(Body::Empty).expect("a request"), client, false).await;
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            tag = answer.headers()[header::ETAG].to_str().map(str::to_owned).ok();
            proxy.settled().await;
        }
        let condition = format!("If-None-Match: {}\r\n", tag.expect("a tag"));

        let mut head = Vec::with_capacity(4096);
        for (condition, status) in [("", 200), (condition.as_str(), 304)] {
            let bytes = format!(
                "GET {target} HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\nAccept: {accept}\r\n{condition}\r\n"
            )
            .into_bytes();
            let mut answered = None;
            let taken = allocation_counter::measure(|| {
                if let Begins::Plain(plain, _) = begins(&bytes, 100) {
                    answered = proxy.short(&plain, &mut head).map(|answer| answer.status.as_u16());
                }
            });
            assert_eq!(answered, Some(status), "{target}");
            assert_eq!(taken.count_total, 0, "{target} {status}: {taken:?}");
            head.clear();
        }
    }
    // The measure measures.
    assert_eq!(allocation_counter::measure(|| drop(Box::new(7_u64))).count_total, 1);
}
