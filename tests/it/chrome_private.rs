//! Captures share nothing: what a page leaves behind, the next capture of the same site does not find, be it after the
//! first or at the same time.

use std::sync::Arc;

use tintype::origin::Origin;

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];

/// Leaves something in every store there is, and is red if it finds anything.
const STORES: &str = "<!doctype html><body style='margin:0;background:#00f'><script>
    const found = [];
    const look = async (name, has) => { try { if (await has()) found.push(name) } catch (e) { found.push(name + ':' + e) } };
    const base = () => new Promise((yes, no) => {
        const opening = indexedDB.open('x');
        let old = true;
        opening.onupgradeneeded = () => { old = false };
        opening.onsuccess = () => yes(old);
        opening.onerror = no;
    });
    (async () => {
        await look('cookie', () => { const had = document.cookie; document.cookie = 'x=1; max-age=9999'; return had });
        await look('local', () => { const had = localStorage.x; localStorage.x = 1; return had });
        await look('session', () => { const had = sessionStorage.x; sessionStorage.x = 1; return had });
        await look('indexed', base);
        await look('caches', async () => {
            const had = (await caches.keys()).length;
            await (await caches.open('x')).put('/kept', new Response('x'));
            return had;
        });
        await look('files', async () => {
            const root = await navigator.storage.getDirectory();
            let had = false;
            for await (const name of root.keys()) had = true;
            await root.getFileHandle('x', { create: true });
            return had;
        });
        await look('worker', async () => {
            const had = (await navigator.serviceWorker.getRegistrations()).length || navigator.serviceWorker.controller;
            await navigator.serviceWorker.register('/worker.js');
            await navigator.serviceWorker.ready;
            return had;
        });
        await look('name', () => { const had = window.name; window.name = 'x'; return had });
        await fetch('/cached');
        await fetch('/cached');
        document.body.style.background = found.length ? '#f00' : '#0f0';
        await fetch('/done?' + found);
    })();
</script>";

#[tokio::test]
async fn no_store_outlives_its_capture() {
    let kept = vec![("content-type", "text/plain".to_owned()), ("cache-control", "max-age=9999".to_owned())];
    let takeover = "onfetch = e => { if (e.request.mode === 'navigate') e.respondWith(new Response('<body bgcolor=red>', \
                    { headers: { 'content-type': 'text/html' } })) }; onactivate = e => e.waitUntil(clients.claim())";
    let site = Site::start([
        ("/", html(STORES)),
        ("/cached", Answer::Full(200, kept, "x".into())),
        ("/worker.js", Answer::Now(200, "text/javascript", takeover.into())),
        ("/done", Answer::Now(200, "text/plain", String::new())),
    ])
    .await;
    let engine = start(config());
    for times in 1..=3 {
        let url = site.url("/");
        let (shown, ()) = tokio::join!(shoot(&engine, &url, "delay=1500ms"), site.requested("/done", times));
        assert_eq!(Pixels::decode(&picture(shown)).at(5, 5), LIME, "capture {times}");
    }
    let loads = |path: &str| site.log().iter().filter(|p| *p == path).count();
    assert_eq!((loads("/"), loads("/cached")), (3, 3), "once for each capture: each has its own cache");
    engine.shutdown().await;
}

#[tokio::test]
async fn captures_at_the_same_time_do_not_hear_each_other() {
    // Each is there while the other is: both say so to the site, which answers when both have.
    let talk = "<!doctype html><body style='margin:0;background:#0f0'><script>
        const heard = () => { document.body.style.background = '#f00'; };
        const channel = new BroadcastChannel('x');
        channel.onmessage = heard;
        addEventListener('storage', heard);
        const shared = new SharedWorker('/shared.js');
        shared.port.onmessage = e => { if (e.data > 1) heard() };
        fetch('/here').then(() => {
            for (let n = 0; n < 20; n++) setTimeout(() => { channel.postMessage(n); localStorage.x = n }, n * 20);
        });
    </script>";
    let site = Site::start([
        ("/", html(talk)),
        (
            "/shared.js",
            Answer::Now(
                200,
                "text/javascript",
                "let n = 0; onconnect = e => e.ports[0].postMessage(++n)".into(),
            ),
        ),
        ("/here", Answer::Together(Arc::new(tokio::sync::Barrier::new(2)))),
    ])
    .await;
    let engine = start(config());
    let url = site.url("/");
    let (one, two) = tokio::join!(shoot(&engine, &url, "delay=1s"), shoot(&engine, &url, "delay=1s"));
    for shown in [one, two] {
        assert_eq!(Pixels::decode(&picture(shown)).at(5, 5), LIME);
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn passwords_are_forgotten() {
    // A frame brings a password, which Chrome keeps for the site; the image of the next capture has none.
    let with = "<!doctype html><body bgcolor=lime><script>
        const ask = new XMLHttpRequest();
        ask.open('GET', '/secret', false, 'user', 'word');
        ask.send();
        const again = new XMLHttpRequest();
        again.open('GET', '/secret', false);
        again.send();
        if (ask.status !== 200 || again.status !== 200) document.body.style.background = 'red';
    </script>";
    let without = "<!doctype html><body bgcolor=lime><script>
        const ask = new XMLHttpRequest();
        ask.open('GET', '/secret', false);
        ask.send();
        if (ask.status !== 401) document.body.style.background = 'red';
    </script>";
    let site =
        Site::start([("/with", html(with)), ("/without", html(without)), ("/secret", Answer::Secret)]).await;
    let engine = start(config());
    for path in ["/with", "/without"] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), "").await));
        assert_eq!(shown.at(5, 5), LIME, "{path}");
    }
    engine.shutdown().await;
}
