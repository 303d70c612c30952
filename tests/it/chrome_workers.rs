//! What a request says about its page's requests holds for all that ask on the page's behalf: frames of other sites,
//! dedicated workers, workers of workers, of frames and of blobs. Shared and service workers, which would ask past every
//! rule, are not there where there are rules. `headers` reach the own origin alone, `block_resources` stops kinds.

use std::net::Ipv4Addr;

use tintype::origin::Origin;
use tintype::origin::chrome::Config;

use crate::chrome_site::{Answer, Site, config, html, picture, shoot, start};

/// Asks for these, then says so to the page, which waits for all.
fn asks(paths: &[String]) -> String {
    let fetches: Vec<String> =
        paths.iter().map(|path| format!("fetch('{path}', {{ mode: 'no-cors' }})")).collect();
    format!(
        "Promise.allSettled([{}]).then(() => new BroadcastChannel('done').postMessage(1));",
        fetches.join(",")
    )
}

/// An own site that remembers `x-key`, and another one whose frame is on its page.
async fn sites() -> (Site, Site) {
    let echo = || Answer::Echo("x-key");
    let framed = "<img src=/image onload='tell()' onerror='tell()'><script>let told = 0;
        const tell = () => { if (++told === 3) parent.postMessage(1, '*') };
        fetch('/frame').then(tell, tell); new Worker('/worker.js').onmessage = tell;
        if (self.SharedWorker) new SharedWorker('/other-shared.js')</script>";
    let worker = "fetch('/worker').then(() => 0, () => 0).then(() => postMessage(1))";
    let other = Site::on(
        Ipv4Addr::new(127, 0, 0, 3),
        [
            ("/", html(framed)),
            ("/worker.js", Answer::Now(200, "text/javascript", worker.into())),
            ("/from-page", echo()),
            ("/from-dedicated", echo()),
            ("/frame", echo()),
            ("/worker", echo()),
            ("/image", echo()),
        ],
    )
    .await;

    let script = |text: String| Answer::Now(200, "text/javascript", text);
    let nested = "new Worker('/nested.js');";
    let page = format!(
        "<!doctype html><p>x<script>
        let wanted = 6, come = 0;
        const done = () => {{ if (++come === wanted) document.body.insertAdjacentHTML('beforeend', '<p id=done>') }};
        new BroadcastChannel('done').onmessage = done;
        onmessage = done;
        new Worker('/dedicated.js');
        const blob = new Blob([`{}`.replaceAll('ORIGIN', location.origin)], {{ type: 'text/javascript' }});
        new Worker(URL.createObjectURL(blob));
        if (self.SharedWorker) {{ wanted++; new SharedWorker('/shared.js') }}
        if (navigator.serviceWorker) {{ wanted++; navigator.serviceWorker.register('/service.js') }}
        {}
        </script><iframe src=/frame></iframe><iframe src='{}'></iframe>",
        asks(&["ORIGIN/blob".into()]),
        asks(&["/page".into(), other.url("/from-page")]),
        other.url("/"),
    );
    let site = Site::start([
        ("/", html(page)),
        (
            "/dedicated.js",
            script(nested.to_owned() + &asks(&["/dedicated".into(), other.url("/from-dedicated")])),
        ),
        ("/nested.js", script(asks(&["/nested".into()]))),
        ("/shared.js", script(asks(&["/shared".into()]))),
        ("/service.js", script(asks(&["/service".into()]))),
        ("/frame", html("<script>new Worker('/framed.js')</script>")),
        ("/framed.js", script(asks(&["/framed".into()]))),
        ("/page", echo()),
        ("/dedicated", echo()),
        ("/nested", echo()),
        ("/shared", echo()),
        ("/service", echo()),
        ("/blob", echo()),
        ("/framed", echo()),
    ])
    .await;
    (site, other)
}

#[tokio::test]
async fn rules_hold_for_frames_and_workers() {
    let others = ["/frame", "/from-dedicated", "/from-page", "/image", "/worker"];
    for (query, own, field, elsewhere) in [
        // Without rules all of them are there.
        (
            "delay=0",
            &["/blob", "/dedicated", "/framed", "/nested", "/page", "/service", "/shared"][..],
            "none",
            &others[..],
        ),
        ("headers=x-key:v", &["/blob", "/dedicated", "/framed", "/nested", "/page"], "v", &others),
        ("block_resources=fetch", &[], "", &["/image"]),
        ("block_resources=xhr,image", &[], "", &[]),
    ] {
        let (site, other) = sites().await;
        let ranges = vec!["127.0.0.2/31".parse().unwrap()];
        let engine = start(Config { allow_ranges: ranges, ..config() });
        let query = format!("{query}&wait_for_selector=%23done");
        picture(shoot(&engine, &site.url("/"), &query).await);
        let named = |paths: &[&str], field: &str| -> Vec<String> {
            paths.iter().map(|path| format!("{path} {field}")).collect()
        };
        assert_eq!(site.echoed(), named(own, field), "{query}");
        assert_eq!(other.echoed(), named(elsewhere, "none"), "{query}");
        engine.shutdown().await;
    }
}
