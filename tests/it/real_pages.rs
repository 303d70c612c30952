//! Pages that live by script, around real libraries, from a server that takes 150 ms for each answer: a capture with no wait of its
//! own shows what the page shows much later. They are 30 of the corpus of `make bench-pages` (benches/pages).
//!
//! The libraries are fetched by scripts/install-pages, which `make test` runs. Where they are missing, a line says that nothing was
//! tried; with TINTYPE_TEST_PAGES=required, as in the gate, that is a failure.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tintype::message::body::Body;
use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Limits};
use tokio::net::TcpListener;

use crate::chrome_site::{ALLOWED, Pixels, config, picture, shoot, start};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pages");
const LATENCY: Duration = Duration::from_millis(150);
/// A channel may differ by so much, and so large a part of the pixels by more.
const TOLERANCE: u8 = 8;
const SAME: f64 = 0.01;

/// What a page has only once its content is there, and the width and height of the picture where that is not the usual one.
const CONTENT: [(&str, &str); 30] = [
    ("alpine", "li"),
    ("angularjs", "li"),
    ("apexcharts", "path.apexcharts-area"),
    ("asciinema", ".ap-term, .ap-terminal"),
    ("bpmn", ".djs-shape"),
    ("chartjs", "canvas"),
    ("cytoscape", "canvas"),
    ("d3-bars", "rect"),
    ("docsify", "#fixing"),
    ("fluent", "fluent-button"),
    ("fonts", "h1"),
    ("fullcalendar", ".fc-event"),
    ("gridjs", ".gridjs-td"),
    ("gsap", ".b"),
    ("htmx", "p[style]"),
    ("infinite-list", "section"),
    ("isotope", ".i"),
    ("katex", ".katex"),
    ("leaflet-tiles", ".leaflet-tile-loaded"),
    ("lozad", "img[data-loaded]"),
    ("marked", ".hljs"),
    ("p5", "canvas"),
    ("plotly", ".point"),
    ("rapidoc", "rapi-doc"),
    ("react", "svg"),
    ("react-lazy", "li"),
    ("redoc", "#tag\\/plates"),
    ("slick", ".slick-current img[src]"),
    ("vanilla-cookieconsent", "#cc-main"),
    ("vue", "td"),
];

/// The packages of the corpus with their versions, from pages.toml.
fn versions() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(format!("{CORPUS}/pages.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let npm = manifest["npm"].as_table().unwrap();
    npm.iter().map(|(name, version)| (name.clone(), version.as_str().unwrap().to_owned())).collect()
}

/// The packages that a loader names, by `/npm/NAME/`.
fn packages(text: &str) -> Vec<String> {
    let after = text.split("/npm/").skip(1);
    after
        .map(|rest| {
            let parts = if rest.starts_with('@') { 2 } else { 1 };
            rest.split('/').take(parts).collect::<Vec<_>>().join("/")
        })
        .collect()
}

/// Where the packages are, if all are there.
fn fetched() -> Option<Arc<BTreeMap<String, PathBuf>>> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let cache =
        std::env::var_os("BENCH_PAGES_CACHE").map_or_else(|| target.join("bench-pages/cache"), PathBuf::from);
    let versions = versions();
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, _) in CONTENT {
        let text = std::fs::read_to_string(format!("{CORPUS}/loaders/{name}.html")).unwrap();
        for package in packages(&text) {
            let folder = format!("npm:{}@{}", package.replace('/', "+"), versions[&package]);
            let place = cache.join("packages").join(folder);
            if place.is_dir() {
                found.insert(package, place);
            } else {
                missing.push(package);
            }
        }
    }
    if missing.is_empty() {
        return Some(Arc::new(found));
    }
    let required = std::env::var("TINTYPE_TEST_PAGES").is_ok_and(|value| value == "required");
    assert!(!required, "TINTYPE_TEST_PAGES=required, and not fetched (scripts/install-pages): {missing:?}");
    // Not by `eprintln!`, which the harness shows of failed tests only.
    let _ = std::io::stderr().write_all(
        b"SKIPPED: the libraries of the real pages are not here (scripts/install-pages), they were not captured\n",
    );
    None
}

/// A picture that looks otherwise for each name, as benches/pages/server.py makes one.
fn drawing(name: &str) -> String {
    let seed: u32 = name.bytes().fold(7, |seed, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let (hue, x, y) = (seed % 360, 120 + seed / 7 % 400, 80 + seed / 11 % 200);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='640' height='360' viewBox='0 0 640 360'>\
         <rect width='640' height='360' fill='hsl({hue} 50% 70%)'/>\
         <circle cx='{x}' cy='{y}' r='90' fill='hsl({} 60% 45%)'/></svg>",
        (hue + 150) % 360
    )
}

/// What is at a path: its type and bytes.
fn find(packages: &BTreeMap<String, PathBuf>, path: &str) -> Option<(&'static str, Vec<u8>)> {
    if let Some(name) = path.strip_prefix("/picture/") {
        return Some(("image/svg+xml", drawing(name).into_bytes()));
    }
    if path.contains("..") {
        return None;
    }
    let file = if let Some(rest) = path.strip_prefix("/npm/") {
        let (name, place) = packages.iter().find(|(name, _)| rest.starts_with(&format!("{name}/")))?;
        place.join(&rest[name.len() + 1..])
    } else if let Some(rest) = path.strip_prefix("/data/") {
        Path::new(CORPUS).join("data").join(rest)
    } else {
        Path::new(CORPUS).join("loaders").join(path.trim_start_matches('/'))
    };
    let kind = match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "text/plain; charset=utf-8",
    };
    Some((kind, std::fs::read(file).ok()?))
}

/// Serves the pages, each answer after [`LATENCY`]; gives where.
async fn serve(packages: Arc<BTreeMap<String, PathBuf>>) -> String {
    let listener = TcpListener::bind((ALLOWED, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let packages = Arc::clone(&packages);
            let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let packages = Arc::clone(&packages);
                async move {
                    tokio::time::sleep(LATENCY).await;
                    let response = match find(&packages, request.uri().path()) {
                        Some((kind, body)) => {
                            Response::builder().header("content-type", kind).body(Body::whole(body))
                        }
                        None => Response::builder().status(404).body(Body::Empty),
                    };
                    Ok::<_, Infallible>(response.unwrap())
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
        }
    });
    format!("http://{address}")
}

/// The share of pixels that differ; 1 where the sizes do.
fn difference(one: &Pixels, other: &Pixels) -> f64 {
    if one.size() != other.size() {
        return 1.0;
    }
    let places = (0..one.height).flat_map(|y| (0..one.width).map(move |x| (x, y)));
    let differs = |&(x, y): &(u32, u32)| {
        let pairs = one.at(x, y).into_iter().zip(other.at(x, y));
        pairs.into_iter().any(|(a, b)| a.abs_diff(b) > TOLERANCE)
    };
    let count = u32::try_from(places.filter(differs).count()).unwrap();
    f64::from(count) / (f64::from(one.width) * f64::from(one.height))
}

#[test]
fn the_pages_are_those_whose_libraries_are_fetched() {
    let text = std::fs::read_to_string(format!("{CORPUS}/subset.txt")).unwrap();
    let listed: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let tested: Vec<&str> = CONTENT.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, tested, "subset.txt, by which scripts/install-pages goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_shows_what_the_page_shows_later() {
    let Some(packages) = fetched() else { return };
    let site = serve(packages).await;
    let engine = start(Config {
        max_concurrent: 3,
        max_queue: 64,
        limits: Limits { default_width: 800, default_height: 600, ..Limits::default() },
        ..config()
    });
    let checked = stream::iter(CONTENT).map(|(name, content)| {
        let (engine, url) = (Arc::clone(&engine), format!("{site}/{name}.html"));
        async move {
            // A picture of one colour is an error here, as it is for users.
            let answer = shoot(&engine, &url, "").await;
            if answer.as_ref().map_or(true, |answer| answer.status() != 200) {
                return Some(format!("{name}: no picture: {answer:?}"));
            }
            let first = Pixels::decode(&picture(answer));
            let content: String = form_urlencoded::byte_serialize(content.as_bytes()).collect();
            let later = shoot(&engine, &url, &format!("wait_for_selector={content}&delay=2000")).await;
            if later.as_ref().map_or(true, |answer| answer.status() != 200) {
                return Some(format!("{name}: no picture later: {later:?}"));
            }
            let share = difference(&first, &Pixels::decode(&picture(later)));
            (share > SAME).then(|| format!("{name}: {:.1} % differ from the picture of later", share * 100.0))
        }
    });
    let wrong: Vec<String> = checked.buffered(3).filter_map(|found| async { found }).collect().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    engine.shutdown().await;
}
