//! A page sees one ordinary visitor (puppeteer#665, puppeteer-extra#51: no `Accept-Language`, and Headless in every name):
//! - `User-Agent`, `Accept-Language`, client hints and `navigator` agree with one another, and with the browser's version;
//! - in the page, its frames, those of other sites, its workers and theirs, from the first request on;
//! - whatever the request, the device or the configuration says about the visitor;
//! - a probe asks as the browser does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tintype::message::body::Body;
use tintype::origin::Origin;
use tintype::origin::chrome::{Config, DefaultVisitor, Probe};
use tokio::net::TcpListener;

use crate::chrome_site::{config, picture, shoot, start};

/// What scripts see of the visitor.
const WHO: &str = "const who = async () => { const n = navigator, d = n.userAgentData; return {
    userAgent: n.userAgent, appVersion: n.appVersion, platform: n.platform, language: n.language,
    languages: n.languages.join(), locale: Intl.DateTimeFormat().resolvedOptions().locale,
    brands: d ? d.brands.map(b => b.brand + ' ' + b.version).join() : null,
    hints: d ? await d.getHighEntropyValues(['architecture', 'bitness', 'model', 'platformVersion', 'fullVersionList'])
        : null } };
    const report = async name => fetch('/report/' + name, { method: 'POST', body: JSON.stringify(await who()) });";

/// Requests by path, and what scripts reported.
#[derive(Clone, Default)]
struct Seen {
    requests: Arc<Mutex<BTreeMap<String, HeaderMap>>>,
    reports: Arc<Mutex<BTreeMap<String, Value>>>,
}

struct Visited {
    address: SocketAddr,
    seen: Seen,
}

impl Visited {
    async fn start() -> Self {
        let seen = Seen::default();
        let other = serve(Ipv4Addr::new(127, 0, 0, 3), seen.clone(), String::new()).await;
        let address = serve(Ipv4Addr::new(127, 0, 0, 2), seen.clone(), format!("http://{other}")).await;
        Visited { address, seen }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn requests(&self) -> BTreeMap<String, HeaderMap> {
        self.seen.requests.lock().unwrap().clone()
    }

    fn reports(&self) -> BTreeMap<String, Value> {
        self.seen.reports.lock().unwrap().clone()
    }
}

async fn serve(at: Ipv4Addr, seen: Seen, other: String) -> SocketAddr {
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (seen, other) = (seen.clone(), other.clone());
            let serve = service_fn(move |request| answer(seen.clone(), other.clone(), request));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve),
            );
        }
    });
    address
}

async fn answer(seen: Seen, other: String, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let named = if request.method() == Method::HEAD { format!("HEAD {path}") } else { path.clone() };
    seen.requests.lock().unwrap().insert(named, request.headers().clone());
    if let Some(name) = path.strip_prefix("/report/") {
        let report = request.into_body().collect().await.unwrap().to_bytes();
        seen.reports.lock().unwrap().insert(name.to_owned(), serde_json::from_slice(&report).unwrap());
    }
    let worker = |name: &str, more: &str| {
        (
            "text/javascript",
            format!(
                "{WHO} fetch('/fetched-by-{name}').then(() => report('{name}')).then(() => {{ {more} }})"
            ),
        )
    };
    let (kind, body) = match path.as_str() {
        // What is done in the frames and workers is told by channel or message.
        "/" => (
            "text/html",
            format!(
                "<!doctype html><body bgcolor=lime><img src=/image><iframe src=/frame></iframe>
                 <iframe src='{other}/other-frame'></iframe><script>{WHO}
                 const all = [fetch('/fetched').then(() => report('page'))];
                 const told = from => new Promise(done => from.onmessage = done);
                 all.push(told(new Worker('/dedicated')), told(new Worker('/module', {{ type: 'module' }})));
                 all.push(told(new Worker(URL.createObjectURL(new Blob([`{WHO}
                    fetch('${{location.origin}}/fetched-by-blob').then(who).then(said => postMessage(said))`])))
                    ).then(said => fetch('/report/blob', {{ method: 'POST', body: JSON.stringify(said.data) }})));
                 all.push(told(new Worker('/parent')));
                 let frames = 2; all.push(new Promise(done => onmessage = () => --frames || done()));
                 all.push(told(new SharedWorker('/shared').port));
                 all.push(told(navigator.serviceWorker), navigator.serviceWorker.register('/service'));
                 Promise.all(all).then(() => document.body.insertAdjacentHTML('beforeend', '<p id=done>'))</script>"
            ),
        ),
        "/frame" | "/other-frame" => {
            let name = &path[1..];
            let done = "parent.postMessage(1, '*')";
            ("text/html", format!("<script>{WHO} report('{name}').then(() => {done})</script>"))
        }
        "/dedicated" | "/module" | "/child" => worker(&path[1..], "postMessage(1)"),
        "/parent" => {
            ("text/javascript", "new Worker('/child').onmessage = said => postMessage(said.data)".to_owned())
        }
        "/shared" => {
            let (kind, script) = worker("shared", "port.postMessage(1)");
            (kind, format!("let port; onconnect = come => {{ port = come.ports[0]; {script} }}"))
        }
        "/service" => {
            let tell = "clients.matchAll({ includeUncontrolled: true }).then(all => all.forEach(c => c.postMessage(1)))";
            worker("service", tell)
        }
        _ => ("text/plain", String::new()),
    };
    let all_hints =
        "Sec-CH-UA-Full-Version-List, Sec-CH-UA-Platform-Version, Sec-CH-UA-Model, Sec-CH-UA-Arch";
    let response = Response::builder().header("content-type", kind).header("accept-ch", all_hints);
    Ok(response.header("last-modified", "Sun, 06 Nov 1994 08:49:00 GMT").body(Body::whole(body)).unwrap())
}

fn wide() -> Config {
    Config { allow_ranges: vec!["127.0.0.2/31".parse().unwrap()], ..config() }
}

fn text<'f>(fields: &'f HeaderMap, name: &str) -> Option<&'f str> {
    fields.get(name).map(|value| value.to_str().unwrap())
}

/// What a capture has to look like from the site.
struct Expected<'e> {
    /// What `User-Agent` contains.
    user_agent: &'e [&'e str],
    accept_language: &'e str,
    languages: &'e str,
    locale: &'e str,
    platform: &'e str,
    /// `Sec-CH-UA-Platform` and `-Mobile`; nothing of browsers without client hints.
    hints: Option<(&'e str, bool)>,
    model: &'e str,
}

const LINUX: Expected<'_> = Expected {
    user_agent: &["(X11; Linux ", " Chrome/", ".0.0.0 Safari/537.36"],
    accept_language: "en-US,en;q=0.9",
    languages: "en-US,en",
    locale: "en-US",
    platform: "Linux ",
    hints: Some(("\"Linux\"", false)),
    model: "",
};

/// Workers that Chrome asks no page about: they have what the browser was started with.
const LONE: [&str; 4] = ["shared", "service", "fetched-by-shared", "fetched-by-service"];
/// The script of a worker's worker, which Chrome loads as if no page were there. The worker itself is as all others.
const CHILD: &str = "/child";

fn check(site: &Visited, expected: &Expected<'_>, of_the_request: bool, what: &str) {
    let requests = site.requests();
    let page = &requests["/"];
    let user_agent = text(page, "user-agent").unwrap();
    for part in expected.user_agent {
        assert!(user_agent.contains(part), "{what}: {part} in {user_agent}");
    }
    for (path, fields) in &requests {
        let lone = path == CHILD || LONE.iter().any(|lone| path.ends_with(lone));
        assert!(!format!("{fields:?}").contains("Headless"), "{what} {path}: {fields:?}");
        if lone && of_the_request {
            continue;
        }
        assert_eq!(text(fields, "user-agent"), Some(user_agent), "{what} {path}");
        let language = text(fields, "accept-language").unwrap();
        // Without weights where nobody is asked, see above.
        let same = language == expected.accept_language || lone && language == expected.languages;
        assert!(same, "{what} {path}: {language}");
        if expected.hints.is_none() {
            let hints: Vec<_> = fields.keys().filter(|name| name.as_str().starts_with("sec-ch-")).collect();
            assert!(hints.is_empty(), "{what} {path}: {hints:?}");
        }
    }
    // Chrome sends hints along for documents and what they load, not for workers.
    for path in ["/", "/frame", "/other-frame", "/image", "/fetched"] {
        let fields = &requests[path];
        let Some((platform, mobile)) = expected.hints else { continue };
        assert_eq!(text(fields, "sec-ch-ua-platform"), Some(platform), "{what} {path}");
        assert_eq!(text(fields, "sec-ch-ua-mobile"), Some(if mobile { "?1" } else { "?0" }), "{what} {path}");
        assert_eq!(text(fields, "sec-ch-ua"), text(page, "sec-ch-ua"), "{what} {path}");
    }

    let reports = site.reports();
    let mut names: Vec<_> = reports.keys().map(String::as_str).collect();
    names.sort_unstable();
    let all = ["blob", "child", "dedicated", "frame", "module", "other-frame", "page", "service", "shared"];
    assert_eq!(names, all, "{what}");
    let own = &reports["page"];
    assert_eq!(own["userAgent"], user_agent, "{what}");
    assert_eq!(own["languages"], expected.languages, "{what}");
    assert_eq!(own["locale"], expected.locale, "{what}");
    assert!(own["platform"].as_str().unwrap().starts_with(expected.platform), "{what}: {own}");
    match expected.hints {
        None => assert_eq!((&own["brands"], &own["hints"]), (&Value::Null, &Value::Null), "{what}"),
        Some((platform, mobile)) => {
            assert_eq!(own["hints"]["platform"].to_string(), platform, "{what}");
            assert_eq!(
                (&own["hints"]["mobile"], &own["hints"]["model"]),
                (&json!(mobile), &json!(expected.model))
            );
            let field = text(page, "sec-ch-ua").unwrap();
            for brand in own["hints"]["brands"].as_array().unwrap() {
                let member = format!("{};v={}", brand["brand"], brand["version"]);
                assert!(field.contains(&member), "{what}: {member} in {field}");
            }
            let model = text(&requests["/image"], "sec-ch-ua-model");
            assert_eq!(model.map(|model| model.trim_matches('"')), Some(expected.model), "{what}");
        }
    }
    for (name, report) in &reports {
        if LONE.contains(&name.as_str()) {
            assert!(of_the_request || report["userAgent"] == user_agent, "{what} {name}: {report}");
            assert!(!report["userAgent"].as_str().unwrap().contains("Headless"), "{what} {name}: {report}");
        } else {
            assert_eq!(report, own, "{what} {name}");
        }
    }
}

#[tokio::test]
async fn a_plain_capture_is_an_ordinary_visit() {
    let (site, engine) = (Visited::start().await, start(wide()));
    picture(shoot(&engine, &site.url(), "wait_for_selector=%23done").await);
    check(&site, &LINUX, false, "plain");

    // The version is the browser's own, told in full where a site asks for it.
    let reports = site.reports();
    let full = reports["page"]["hints"]["fullVersionList"].as_array().unwrap();
    let of = |brand: &str| {
        full.iter().find(|one| one["brand"] == brand).map(|one| one["version"].as_str().unwrap())
    };
    assert_eq!(of("Chromium"), of("Google Chrome"));
    let number = of("Chromium").unwrap();
    assert_eq!(number.split('.').count(), 4, "{number}");
    let major = number.split('.').next().unwrap();
    let user_agent = reports["page"]["userAgent"].as_str().unwrap();
    assert!(user_agent.contains(&format!("Chrome/{major}.0.0.0 ")), "{user_agent} {number}");
    engine.shutdown().await;

    let program = tintype::origin::chrome::find_program(&config()).unwrap();
    let told = std::process::Command::new(program).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains(number), "{told:?} {number}");
}

#[tokio::test]
async fn who_visits_is_what_the_request_says() {
    let engine = start(wide());
    let in_chrome = |system: &str, version: &str, mobile: &str| {
        format!(
            "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}{mobile} Safari/537.36"
        )
    };
    let agent = |text: &str| -> String {
        let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        format!("user_agent={text}")
    };
    let (mac, android) = ("Macintosh; Intel Mac OS X 10_15_7", "Linux; Android 13; Pixel 7");
    let (on_mac, on_android) =
        (in_chrome(mac, "120.0.0.0", ""), in_chrome(android, "121.0.6167.101", " Mobile"));
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    for (query, expected) in [
        (
            "locale=de-CH".to_owned(),
            Expected { accept_language: "de-CH,de;q=0.9", languages: "de-CH,de", locale: "de-CH", ..LINUX },
        ),
        ("locale=ja".to_owned(), Expected { accept_language: "ja", languages: "ja", locale: "ja", ..LINUX }),
        (
            agent(&on_mac),
            Expected {
                user_agent: &["Chrome/120.0.0.0"],
                platform: "MacIntel",
                hints: Some(("\"macOS\"", false)),
                ..LINUX
            },
        ),
        (
            agent(&on_android),
            Expected {
                user_agent: &["Android 13; Pixel 7", "Chrome/121.0.6167.101 Mobile"],
                platform: "Linux armv81",
                hints: Some(("\"Android\"", true)),
                model: "Pixel 7",
                ..LINUX
            },
        ),
        (
            agent(firefox) + "&locale=fr-FR",
            Expected {
                user_agent: &["Firefox/140.0"],
                accept_language: "fr-FR,fr;q=0.9",
                languages: "fr-FR,fr",
                locale: "fr-FR",
                hints: None,
                ..LINUX
            },
        ),
        (
            "device=iphone-15".to_owned(),
            Expected { user_agent: &["(iPhone; ", " Safari/"], platform: "iPhone", hints: None, ..LINUX },
        ),
        (
            "device=pixel-8&freeze_time=true".to_owned(),
            Expected {
                user_agent: &["(Linux; Android 10; K)", " Chrome/", ".0.0.0 Mobile Safari/"],
                platform: "Linux armv81",
                hints: Some(("\"Android\"", true)),
                model: "Pixel 8",
                ..LINUX
            },
        ),
        ("device=laptop".to_owned(), LINUX),
    ] {
        let site = Visited::start().await;
        picture(shoot(&engine, &site.url(), &format!("{query}&wait_for_selector=%23done")).await);
        check(&site, &expected, query != "device=laptop", &query);
    }
    engine.shutdown().await;
}

/// The Chrome of a device is of the version of the browser that makes the picture, and not of the day of its preset.
#[tokio::test]
async fn devices_have_the_browser_s_own_version() {
    let (site, engine) = (Visited::start().await, start(wide()));
    let mut versions = Vec::new();
    for query in ["", "device=galaxy-s23", "device=pixel-8", "device=desktop"] {
        picture(shoot(&engine, &site.url(), &format!("{query}&wait_for_selector=%23done")).await);
        let requests = site.requests();
        let user_agent = text(&requests["/"], "user-agent").unwrap().to_owned();
        versions.push(user_agent.split("Chrome/").nth(1).unwrap().split(' ').next().unwrap().to_owned());
    }
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
    engine.shutdown().await;
}

#[tokio::test]
async fn the_operator_says_who_visits_where_no_request_does() {
    let user_agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/130.0.0.0 Safari/537.36";
    let languages = DefaultVisitor::read_languages("fr;q=0.5,de-AT,de;q=0.9").unwrap();
    let visitor = DefaultVisitor { user_agent: Some(user_agent.to_owned()), languages };
    let (site, engine) = (Visited::start().await, start(Config { visitor, ..wide() }));
    picture(shoot(&engine, &site.url(), "wait_for_selector=%23done").await);
    let expected = Expected {
        user_agent: &[user_agent],
        accept_language: "de-AT,de;q=0.9,fr;q=0.8",
        languages: "de-AT,de,fr",
        locale: "de-AT",
        platform: "Win32",
        hints: Some(("\"Windows\"", false)),
        model: "",
    };
    check(&site, &expected, false, "configured");
    engine.shutdown().await;
}

#[tokio::test]
async fn automation_is_not_shown() {
    let page = "<body bgcolor=lime><script>if (navigator.webdriver !== false) document.body.bgColor = 'red'</script>";
    let site = crate::chrome_site::Site::start([("/", crate::chrome_site::html(page))]).await;
    let engine = start(config());
    let shown = crate::chrome_site::Pixels::decode(&picture(shoot(&engine, &site.url("/"), "").await));
    assert_eq!(shown.at(5, 5), [0, 255, 0]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_probe_asks_as_the_browser_does() {
    let probe = Probe { timeout: std::time::Duration::from_secs(30), unchanged_on_error: false };
    let engine = start(Config { probe: Some(probe), ..wide() });
    let agent = "user_agent=Mozilla/5.0+(X11;+Linux+x86_64;+rv:140.0)+Gecko/20100101+Firefox/140.0";
    for query in ["", "locale=de-CH", "device=pixel-8", "device=iphone-15", agent] {
        let site = Visited::start().await;
        picture(shoot(&engine, &site.url(), query).await);
        let url: String = form_urlencoded::byte_serialize(site.url().as_bytes()).collect();
        let request = Request::get(format!("http://shots.example/screenshot?url={url}&{query}"))
            .header("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
        let answer = engine.fetch(request.body(Body::Empty).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 304, "{query}");
        let requests = site.requests();
        for name in ["user-agent", "accept-language"] {
            assert!(text(&requests["/"], name).is_some());
            assert_eq!(text(&requests["HEAD /"], name), text(&requests["/"], name), "{query} {name}");
        }
    }
    engine.shutdown().await;
}
