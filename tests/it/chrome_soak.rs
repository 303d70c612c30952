//! A long run, started by hand (`make soak`): many captures of mixed pages, with a look at processes, descriptors,
//! folders and memory all along, none of which may grow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine};

use crate::chrome_site::{Answer, Site, browser, config, group, html, picture, shoot, start, until};

/// Times that figures are taken.
const ROWS: usize = 10;

const DOT: &str =
    "<svg xmlns='http://www.w3.org/2000/svg' width='50' height='50'><circle cx='25' cy='25' r='20'/></svg>";
const WEBGL: &str = "<canvas id=c width=600 height=400></canvas><script>const gl = c.getContext('webgl');\
    gl.clearColor(0, 1, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT)</script>";

async fn site() -> Site {
    let tall = "<div style='height:900px;background:linear-gradient(red,blue)'>tall</div>".repeat(5);
    let busy = "<script>let n = 0; setInterval(() => document.body.append(++n + ' '), 5);</script>";
    let canvas = "<canvas id=c width=1500 height=900></canvas><script>
        const g = c.getContext('2d'); for (let i = 0; i < 400; i++) { g.fillStyle = `hsl(${i},80%,50%)`;
        g.fillRect(i * 3, i * 2, 90, 60); }</script>";
    Site::start([
        ("/plain", html("<h1>Plain</h1><p>One page of many.")),
        ("/tall", html(tall)),
        ("/busy", html(busy)),
        ("/canvas", html(canvas)),
        ("/alerts", html("<script>for (let i = 0; i < 20; i++) alert(i)</script>")),
        ("/popups", html("<script>for (let i = 0; i < 5; i++) open('/plain')</script>")),
        ("/chain", html("<p>Loading</p><script>fetch('/plain').then(() => fetch('/plain')).then(() => { document.body.style.background = '#0f0' })</script>")),
        ("/lazy", html(format!("{}<p id=e><img loading=lazy src=/dot.svg></p>", "<div style='height:900px'>tall</div>".repeat(3)))),
        ("/dot.svg", Answer::Now(200, "image/svg+xml", DOT.into())),
        ("/frames", html("<iframe src=/plain></iframe><iframe src=/canvas></iframe><div style='height:1500px'></div>")),
        ("/clock", html("<script>setInterval(() => { document.body.textContent = Date.now() }, 10)</script>")),
        ("/webgl", html(WEBGL)),
        ("/worker", html("<script>const w = new Worker(URL.createObjectURL(new Blob(['onmessage = () => postMessage(1)'])));\
            w.onmessage = () => { document.body.style.background = '#0f0' }; w.postMessage(0)</script><p>worker")),
        ("/moves", Answer::To("/plain".into())),
        ("/broken", Answer::Now(500, "text/plain", "no".into())),
    ])
    .await
}

/// How much there is of everything that could grow.
#[derive(Debug)]
struct Figures {
    processes: usize,
    descriptors: usize,
    folders: usize,
    browser_mib: u64,
    own_mib: u64,
}

/// Resident memory in MiB, shared pages left out.
fn mib(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: Vec<u64> = statm.split(' ').filter_map(|field| field.parse().ok()).collect();
    let private = pages.get(1).zip(pages.get(2)).map_or(0, |(all, shared)| all.saturating_sub(*shared));
    private * rustix::param::page_size() as u64 / (1 << 20)
}

async fn figures(engine: &Engine) -> Figures {
    // The processes of closed pages take a moment to end.
    until("captures are over", || engine.stats().running == 0).await;
    let pid = browser(engine).await;
    let mut members = group(pid);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = group(pid);
        if now.len() < members.len() {
            members = now;
        }
    }
    let mine = format!("tintype-chrome-{}-", std::process::id());
    let folders = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    Figures {
        processes: members.len(),
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        folders: folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(&mine)).count(),
        browser_mib: members.into_iter().map(mib).sum(),
        own_mib: mib(std::process::id()),
    }
}

#[tokio::test]
#[ignore = "takes minutes; run it with make soak"]
async fn soak() {
    let captures: usize = std::env::var("SOAK_CAPTURES").ok().map_or(1000, |n| n.parse().expect("a number"));
    let site = site().await;
    // One browser for all of it: what leaks is not to be swept away with it.
    let how = Config {
        recycle_after: u64::MAX,
        health_interval: Duration::from_secs(10),
        max_queue: 100,
        ..config()
    };
    let engine = start(how);
    let first = browser(&engine).await;
    let paths = [
        "/plain",
        "/tall?full_page=true",
        "/busy",
        "/canvas",
        "/chain",
        "/lazy?full_page=true",
        "/lazy?selector=%23e",
        "/frames?full_page=true",
        "/clock?freeze_time=true",
        "/webgl",
        "/worker",
        "/alerts",
        "/popups",
        "/moves",
        "/broken",
    ];

    println!("captures  seconds  per_s  processes  descriptors  folders  browser_MiB  own_MiB");
    let mut rows: Vec<Figures> = Vec::new();
    let begun = Instant::now();
    let mut pause = Duration::ZERO;
    for row in 0..ROWS {
        let part = captures / ROWS;
        futures_util::stream::iter(row * part..(row + 1) * part)
            .map(|number| {
                let (path, more) =
                    paths[number % paths.len()].split_once('?').unwrap_or((paths[number % paths.len()], ""));
                let (engine, url) = (&engine, site.url(path));
                async move {
                    let answer = shoot(engine, &url, more).await;
                    match path {
                        "/broken" => assert!(answer.is_err()),
                        _ => drop(picture(answer)),
                    }
                }
            })
            .buffer_unordered(3)
            .collect::<Vec<()>>()
            .await;
        let (done, at) = ((row + 1) * part, Instant::now());
        let spent = (begun.elapsed() - pause).as_secs_f64();
        let now = figures(&engine).await;
        pause += at.elapsed();
        println!(
            "{done:8}  {spent:7.1}  {:5.1}  {:9}  {:11}  {:7}  {:11}  {:7}",
            done as f64 / spent,
            now.processes,
            now.descriptors,
            now.folders,
            now.browser_mib,
            now.own_mib
        );
        rows.push(now);
    }
    let stats = engine.stats();
    println!("{stats:?}");
    assert_eq!((stats.restarts, stats.browser), (0, Some(first)), "one browser for all of it");

    // The first rows warm caches; the last may not be above the second by more than noise.
    let (plateau, last) = (&rows[1], &rows[ROWS - 1]);
    assert!(last.processes <= plateau.processes + 1, "{plateau:?} {last:?}");
    assert!(last.descriptors <= plateau.descriptors + 8, "{plateau:?} {last:?}");
    assert_eq!(last.folders, 1);
    assert!(last.browser_mib <= plateau.browser_mib * 3 / 2 + 50, "{plateau:?} {last:?}");
    assert!(last.own_mib <= plateau.own_mib * 3 / 2 + 50, "{plateau:?} {last:?}");
    engine.shutdown().await;
    assert_eq!(group(first), Vec::<u32>::new());
}
