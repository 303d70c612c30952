//! No page takes all memory, whichever process of the browser it takes it in: WebGL textures in the GPU process, blobs
//! and caches in the browser process, canvases, decoded pictures, buffers and workers in the renderer. The page is the
//! error `capture-memory`, others under way get their picture. Source: a WebGL page that took 5.9 GiB in the GPU
//! process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine};

use crate::chrome_site::{Answer, Pixels, Site, alive, browser, config, html, picture, shoot, start};

const LIMIT: u64 = 384 << 20;

/// Two scripts for all: `again` goes on until something stops it, but at most so far that a machine survives a fault
/// of the engine.
const COMMON: &str = "<!doctype html><body><script>
    let taken = 0; const kept = [];
    const again = (mebibytes, step) => { if ((taken += mebibytes) < 2500) setTimeout(step, 0) };
    </script>";

const WEBGL: &str = "<canvas id=c></canvas><script>
    const gl = c.getContext('webgl'), bytes = new Uint8Array(2048 * 2048 * 4).fill(7);
    (function step() {
        const texture = gl.createTexture(); gl.bindTexture(gl.TEXTURE_2D, texture); kept.push(texture);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 2048, 2048, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
        gl.finish(); again(16, step);
    })()</script><img src=/never>";

const BLOBS: &str = "<script>
    const bytes = new Uint8Array(32 << 20).fill(3);
    (function step() { kept.push(new Blob([bytes])); again(32, step) })()</script><img src=/never>";

const CACHES: &str = "<script>(async () => {
    const cache = await caches.open('x'), bytes = new Uint8Array(16 << 20).fill(3);
    for (let n = 0; n < 150; n++) await cache.put('/' + n, new Response(bytes));
    })()</script><img src=/never>";

const CANVAS: &str = "<script>
    (function step() {
        const canvas = document.createElement('canvas'); canvas.width = canvas.height = 2048;
        const context = canvas.getContext('2d'); context.fillRect(0, 0, 2048, 2048); context.getImageData(0, 0, 1, 1);
        document.body.append(canvas); again(16, step);
    })()</script><img src=/never>";

const BITMAPS: &str = "<script>
    const svg = n => new Blob([`<svg xmlns='http://www.w3.org/2000/svg' width='2048' height='2048'>
        <rect width='2048' height='2048' fill='rgb(${n},0,0)'/></svg>`], { type: 'image/svg+xml' });
    (function step() {
        const image = new Image(); image.src = URL.createObjectURL(svg(taken % 255));
        image.onload = () => createImageBitmap(image).then(bitmap => { kept.push(bitmap); again(16, step) });
    })()</script><img src=/never>";

const BUFFERS: &str = "<script>
    (async function step() { kept.push(await (await fetch('/bytes?' + taken)).arrayBuffer()); again(8, step) })()
    </script><img src=/never>";

const WORKERS: &str = "<script>
    const url = URL.createObjectURL(new Blob([`const kept = []; let taken = 0; (function step() {
        kept.push(new Uint8Array(16 << 20).fill(1)); if ((taken += 16) < 640) setTimeout(step, 0) })()`]));
    for (let n = 0; n < 4; n++) kept.push(new Worker(url))</script><img src=/never>";

const WASM: &str = "<script>
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    (function step() {
        memory.grow(256); new Uint8Array(memory.buffer).fill(1, memory.buffer.byteLength - (256 << 16)); again(16, step);
    })()</script><img src=/never>";

async fn site() -> Site {
    let page = |body: &str| html(format!("{COMMON}{body}"));
    Site::start([
        ("/", html("<body style='background:#0f0'>")),
        ("/webgl", page(WEBGL)),
        ("/blobs", page(BLOBS)),
        ("/caches", page(CACHES)),
        ("/canvas", page(CANVAS)),
        ("/bitmaps", page(BITMAPS)),
        ("/buffers", page(BUFFERS)),
        ("/workers", page(WORKERS)),
        ("/wasm", page(WASM)),
        ("/bytes", Answer::Now(200, "application/octet-stream", "x".repeat(8 << 20))),
        ("/never", Answer::Never),
    ])
    .await
}

fn bounded() -> Config {
    Config { max_page_memory: LIMIT, max_page_bytes: 4 << 30, max_concurrent: 3, ..config() }
}

/// The most that the processes of a browser took together, told when this is dropped.
struct Peak {
    most: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Peak {
    fn watch(engine: Arc<Engine>) -> Self {
        let most = Arc::new(AtomicU64::new(0));
        let seen = most.clone();
        let task = tokio::spawn(async move {
            loop {
                let processes = engine.stats().browser.map(alive).unwrap_or_default();
                let sum = processes.into_iter().filter_map(taken).sum();
                seen.fetch_max(sum, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Peak { most, task }
    }

    fn mebibytes(&self) -> u64 {
        self.most.load(Ordering::SeqCst) >> 20
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn taken(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// What the one page says of itself.
async fn memory_error(engine: &Engine, url: &str) -> String {
    let error = shoot(engine, url, "").await.expect_err("no picture");
    assert_eq!(error.name(), "capture-memory", "{url}: {error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn renderer_over_the_limit_is_killed_alone() {
    let site = site().await;
    let engine = start(bounded());
    let pid = browser(&engine).await;
    for path in ["/canvas", "/bitmaps", "/buffers", "/workers", "/wasm"] {
        let peak = Peak::watch(engine.clone());
        let said = memory_error(&engine, &site.url(path)).await;
        assert!(said.contains("in the renderer process"), "{path}: {said}");
        // What a page takes between two looks comes on top.
        assert!(peak.mebibytes() < 2000, "{path}: {} MiB", peak.mebibytes());
    }
    picture(shoot(&engine, &site.url("/"), "").await);
    let stats = engine.stats();
    assert_eq!((stats.browser, stats.restarts, stats.unhealthy), (Some(pid), 0, 0));
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_process_over_the_limit_costs_the_browser_and_one_page() {
    let site = site().await;
    let engine = start(bounded());
    for (path, process) in [("/webgl", "GPU"), ("/blobs", "browser"), ("/caches", "browser")] {
        let before = browser(&engine).await;
        let peak = Peak::watch(engine.clone());
        let said = memory_error(&engine, &site.url(path)).await;
        assert!(said.contains(&format!("in the {process} process")), "{path}: {said}");
        assert!(peak.mebibytes() < 2000, "{path}: {} MiB", peak.mebibytes());
        // Alone under way, it was the one, and is not tried again.
        assert_eq!(site.times(path), 1, "{path}");
        picture(shoot(&engine, &site.url("/"), "").await);
        assert_ne!(engine.stats().browser, Some(before), "{path}: another browser");
        assert_eq!(alive(before), Vec::<u32>::new(), "{path}: the old one is gone");
    }
    engine.shutdown().await;
}

/// Of several pages under way all are tried again, one by one: the one that it was is found, the others have their
/// picture.
#[tokio::test(flavor = "multi_thread")]
async fn others_under_way_get_their_picture_when_a_shared_process_is_killed() {
    let site = site().await;
    let engine = start(bounded());
    browser(&engine).await;
    let (plain, webgl) = (site.url("/"), site.url("/webgl"));
    let (one, other, hog) = tokio::join!(
        shoot(&engine, &plain, "delay=8s"),
        shoot(&engine, &plain, "delay=8s&width=200"),
        shoot(&engine, &webgl, "")
    );
    let error = hog.expect_err("no picture");
    assert_eq!(error.name(), "capture-memory", "{error}");
    for answer in [one, other] {
        assert_eq!(Pixels::decode(&picture(answer)).at(5, 5), [0, 255, 0]);
    }
    engine.shutdown().await;
}

/// The GPU process counts for `recycle_memory`.
#[tokio::test(flavor = "multi_thread")]
async fn browser_with_a_large_gpu_process_is_replaced() {
    let page =
        WEBGL.replace("again(16, step)", "if ((taken += 16) < 480) setTimeout(step, 0); else c.id = 'full'");
    let page = format!("{COMMON}{}", page.replace("<img src=/never>", ""));
    let site = Site::start([("/", html("<p>x")), ("/webgl", html(page))]).await;
    let how = Config {
        recycle_memory: 400 << 20,
        health_interval: Duration::from_millis(200),
        max_page_memory: 4 << 30,
        ..config()
    };
    let engine = start(how);
    let before = browser(&engine).await;
    picture(shoot(&engine, &site.url("/webgl"), "wait_for_selector=%23full&delay=2s").await);
    crate::chrome_site::until("replaced", || engine.stats().browser.is_some_and(|pid| pid != before)).await;
    picture(shoot(&engine, &site.url("/"), "").await);
    engine.shutdown().await;
}
