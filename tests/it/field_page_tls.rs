//! Certificates of pages: further roots by `page_ca`, and requests with `ignore_https_errors`. Sources:
//! elastic/synthetics#1149, chrome-remote-interface#183, playwright#4785 (roots of a company), puppeteer's
//! `ignoreHTTPSErrors`.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tintype::message::body::Body;
use tintype::origin::chrome::{Config, Engine, Limits, PageRoots, Probe};
use tintype::origin::{Origin, OriginError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::chrome_site::{Pixels, Site, config, html, picture, problem, shoot, start};
use crate::support::tls::{Authority, Identity, Validity};

const LIME: [u8; 3] = [0, 255, 0];

/// A site behind TLS: every path answers with the page or, below `/part`, with a picture; remembers what was asked
/// for, and by which protocol.
struct Secure {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Secure {
    async fn start(at: [u8; 4], server: Arc<ServerConfig>, page: impl Into<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::from(at), 0)).await.unwrap();
        let secure = Secure { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (acceptor, asked, page) = (TlsAcceptor::from(server), secure.asked.clone(), page.into());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, asked, page) = (acceptor.clone(), asked.clone(), page.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let serve = service_fn(move |request| serve(request, page.clone(), asked.clone()));
                    let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = http.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        secure
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.retain(|path| path != "/favicon.ico");
        asked.sort();
        asked.dedup();
        asked
    }
}

async fn serve(
    request: Request<Incoming>,
    page: String,
    asked: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    asked.lock().unwrap().push(format!("{path} {:?}", request.version()));
    let (kind, body) = match path.as_str() {
        _ if path.ends_with(".svg") => (
            "image/svg+xml",
            "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9' fill='lime'/></svg>"
                .to_owned(),
        ),
        _ if path.ends_with(".js") => ("text/javascript", "fetch('/from' + location.pathname)".to_owned()),
        "/" => ("text/html", page),
        _ => ("text/plain", String::new()),
    };
    let response =
        Response::builder().header("content-type", kind).header("access-control-allow-origin", "*");
    Ok(response.header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT").body(Body::whole(body)).unwrap())
}

fn roots(pem: &str) -> PageRoots {
    let mut roots = PageRoots::default();
    roots.add_pem(pem.as_bytes()).unwrap();
    roots
}

/// May reach every loopback address of these tests, and trusts these roots.
fn trusting(page_ca: PageRoots) -> Config {
    Config { allow_ranges: vec!["127.0.0.0/8".parse().unwrap()], page_ca, ..config() }
}

async fn error(engine: &Engine, url: &str) -> String {
    match shoot(engine, url, "").await {
        Err(OriginError::Capture(why)) => why,
        other => panic!("{url}: {other:?}"),
    }
}

/// Own pictures and scripts, workers of three kinds, and a frame, a picture and a fetch of another host; lime once
/// `wanted` of them have come.
fn page(other: &str, wanted: usize) -> String {
    format!(
        "<!doctype html><body style='background:#f00;margin:0'><script>
        let come = 0;
        const done = () => {{ if (++come === {wanted}) [document.body.style.background, document.body.id] = ['#0f0', 'done'] }};
        </script>
        <img src=/own.svg onload=done()><img src='{other}/other.svg' onload=done()>
        <iframe src='{other}/frame' onload=done()></iframe>
        <script>
        fetch('{other}/fetch').then(done);
        new Worker('/dedicated.js');
        new SharedWorker('/shared.js');
        navigator.serviceWorker.register('/service.js').then(done);
        if (!isSecureContext) document.body.remove();
        </script>"
    )
}

/// The page, its parts, frames and workers of two hosts, all by certificates of the company's root.
#[tokio::test]
async fn page_ca_vouches_for_pages_parts_frames_and_workers() {
    let company = Authority::new("Company Root");
    let server = |host: &str| company.server(&[host], Validity::Current);
    let other = Secure::start([127, 0, 0, 3], server("127.0.0.3"), "").await;
    let site = Secure::start([127, 0, 0, 2], server("127.0.0.2"), page(&other.url(""), 5)).await;
    let engine = start(trusting(roots(&company.root)));
    let query = "wait_for_selector=%23done&delay=500";
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), query).await));
    assert_eq!(shown.at(310, 190), LIME);
    // All by HTTP/2, which browser and site agreed on.
    let own = ["/", "/dedicated.js", "/from/dedicated.js", "/from/service.js", "/from/shared.js", "/own.svg"];
    let own = own.into_iter().chain(["/service.js", "/shared.js"]);
    assert_eq!(site.asked(), own.map(|path| format!("{path} HTTP/2.0")).collect::<Vec<_>>());
    assert_eq!(other.asked(), ["/fetch HTTP/2.0", "/frame HTTP/2.0", "/other.svg HTTP/2.0"]);
    engine.shutdown().await;
}

/// A root vouches for names and dates as ever; without it nothing is accepted; other roots stay unknown.
#[tokio::test]
async fn page_ca_accepts_no_faulty_certificate() {
    let (company, stranger) = (Authority::new("Company Root"), Authority::new("Strange Root"));
    let at = [127, 0, 0, 2];
    let good = Secure::start(at, company.server(&["127.0.0.2"], Validity::Current), "<p>good").await;
    let expired = Secure::start(at, company.server(&["127.0.0.2"], Validity::Expired), "<p>x").await;
    let wrong = Secure::start(at, company.server(&["other.test"], Validity::Current), "<p>x").await;
    let strange = Secure::start(at, stranger.server(&["127.0.0.2"], Validity::Current), "<p>x").await;
    let with = start(trusting(roots(&company.root)));
    picture(shoot(&with, &good.url("/"), "").await);
    for _ in 0..2 {
        let found = error(&with, &expired.url("/")).await;
        assert!(found.ends_with("is not accepted: it expired"), "{found}");
        let found = error(&with, &wrong.url("/")).await;
        assert!(found.ends_with("is not accepted: it is not for this host"), "{found}");
        // Once its root is known to be another one, its connections are left to the browser at once.
        let found = error(&with, &strange.url("/")).await;
        assert!(found.ends_with(": net::ERR_CERT_AUTHORITY_INVALID"), "{found}");
    }
    // As parts of a page they are missing, and the page goes on.
    let broken = format!(
        "<!doctype html><body style='background:#0f0;margin:0'><img src='{}'><iframe src='{}'></iframe>\
         <script>fetch('{}').then(() => document.body.style.background = '#f00')</script>",
        expired.url("/part.svg"),
        wrong.url("/frame"),
        strange.url("/fetch"),
    );
    let open = Site::start([("/", html(broken))]).await;
    assert_eq!(Pixels::decode(&picture(shoot(&with, &open.url("/"), "").await)).at(310, 190), LIME);
    for site in [&expired, &wrong, &strange] {
        assert_eq!(site.asked(), Vec::<String>::new());
    }
    with.shutdown().await;

    let without = start(trusting(PageRoots::default()));
    let found = error(&without, &good.url("/")).await;
    assert!(found.ends_with(": net::ERR_CERT_AUTHORITY_INVALID"), "{found}");
    without.shutdown().await;
}

/// The root appended to a chain that it did not sign, which `--ignore-certificate-errors-spki-list` with the root's own
/// key would take for good.
#[tokio::test]
async fn page_ca_checks_signatures() {
    let company = Authority::new("Company Root");
    let rogue = Identity::new();
    let key = rustls::pki_types::pem::PemObject::from_pem_slice(rogue.key.as_bytes()).unwrap();
    let pem = format!("{}{}", rogue.certificate, company.root);
    let chain: Result<Vec<_>, _> =
        rustls::pki_types::pem::PemObject::pem_slice_iter(pem.as_bytes()).collect();
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.unwrap(), key)
        .unwrap();
    let site = Secure::start([127, 0, 0, 1], Arc::new(server), "<p>x").await;
    let engine = start(trusting(roots(&company.root)));
    let found = error(&engine, &site.url("/")).await;
    assert!(found.ends_with(": net::ERR_CERT_AUTHORITY_INVALID"), "{found}");
    assert_eq!(site.asked(), Vec::<String>::new());
    engine.shutdown().await;
}

/// A certificate that a server signed itself may be listed too. WebSockets in the clear pass through the same tunnel.
#[tokio::test]
async fn page_ca_takes_self_signed_certificates_and_leaves_plain_websockets() {
    let own = Identity::new();
    let other = Authority::new("Another");
    let socket = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 4), 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let greeted = tokio::spawn(async move {
        let (stream, _) = socket.accept().await.unwrap();
        let mut head = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut { stream }, &mut head).await.unwrap();
        head
    });
    let site = Secure::start([127, 0, 0, 1], own.server(&["h2"]), "<p>x").await;
    let open =
        Site::start([("/", html(format!("<script>new WebSocket('ws://127.0.0.4:{port}/')</script>")))]).await;
    let engine = start(trusting(roots(&format!("{}{}", other.root, own.certificate))));
    picture(shoot(&engine, &site.url("/"), "").await);
    picture(shoot(&engine, &open.url("/"), "").await);
    assert_eq!(&greeted.await.unwrap(), b"GET ");
    engine.shutdown().await;
}

/// Only where the operator allows it, and for that request alone.
#[tokio::test]
async fn ignore_https_errors_is_for_one_request_of_those_that_may() {
    let (company, stranger) = (Authority::new("Company Root"), Authority::new("Strange Root"));
    let other = Secure::start([127, 0, 0, 3], stranger.server(&["x.test"], Validity::Expired), "").await;
    // Chrome asks nobody about service workers and new connections of shared workers, and refuses them.
    let page = page(&other.url(""), 4).replace("new SharedWorker('/shared.js');", "");
    let page = page.replace("navigator.serviceWorker.register('/service.js').then(done);", "");
    let site = Secure::start([127, 0, 0, 2], stranger.server(&["y.test"], Validity::Expired), page).await;
    let expired = Secure::start([127, 0, 0, 2], company.server(&["z.test"], Validity::Expired), "<p>x").await;

    let strict = start(trusting(PageRoots::default()));
    let refused = problem(shoot(&strict, &site.url("/"), "ignore_https_errors=true").await, 400);
    assert_eq!(refused["errors"][0]["parameter"], "ignore_https_errors");
    assert!(refused["errors"][0]["allowed"].as_str().unwrap().contains("allow_ignore_https_errors"));
    strict.shutdown().await;

    for page_ca in [PageRoots::default(), roots(&company.root)] {
        let limits = Limits { allow_ignore_https_errors: true, ..config().limits };
        let engine = start(Config { limits, ..trusting(page_ca) });
        let query = "ignore_https_errors=true&wait_for_selector=%23done&delay=300";
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), query).await));
        assert_eq!(shown.at(310, 190), LIME);
        picture(shoot(&engine, &expired.url("/"), "ignore_https_errors=true").await);
        // The next capture in the same browser is strict.
        error(&engine, &site.url("/")).await;
        error(&engine, &expired.url("/")).await;
        error(&engine, &expired.url("/?ignore_https_errors=true")).await;
        engine.shutdown().await;
    }
    let own = ["/", "/dedicated.js", "/from/dedicated.js", "/own.svg"];
    assert_eq!(site.asked(), own.map(|path| format!("{path} HTTP/2.0")));
    assert_eq!(other.asked(), ["/fetch HTTP/2.0", "/frame HTTP/2.0", "/other.svg HTTP/2.0"]);
}

/// The `HEAD` of a probe takes and refuses what the browser does.
#[tokio::test]
async fn probes_follow_the_same_rules() {
    let company = Authority::new("Company Root");
    let at = [127, 0, 0, 2];
    let good = Secure::start(at, company.server(&["127.0.0.2"], Validity::Current), "<p>good").await;
    let expired = Secure::start(at, company.server(&["127.0.0.2"], Validity::Expired), "<p>x").await;
    let limits = Limits { allow_ignore_https_errors: true, ..config().limits };
    let probe = Probe { timeout: std::time::Duration::from_secs(20), unchanged_on_error: false };
    let engine = start(Config { limits, probe: Some(probe), ..trusting(roots(&company.root)) });
    for (site, query, unchanged) in
        [(&good, "", true), (&expired, "", false), (&expired, "&ignore_https_errors=true", true)]
    {
        let url: String = form_urlencoded::byte_serialize(site.url("/").as_bytes()).collect();
        let request = Request::get(format!("http://shots.example/screenshot?url={url}{query}"))
            .header("if-modified-since", "Mon, 07 Nov 1994 08:49:37 GMT")
            .body(Body::Empty)
            .unwrap();
        let answer = engine.fetch(request).await.map(|answer| answer.status().as_u16());
        assert_eq!(answer.ok(), unchanged.then_some(304), "{url} {query}");
    }
    engine.shutdown().await;
}
