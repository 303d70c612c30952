//! Exceptions of the guard with a port open that port alone: for the target, its redirects, its frames, images,
//! scripts and connections. Source: the first issue about captures asked for `127.0.0.1:8000`, `10.0.0.0/8:443` and
//! `host:port`.

use std::net::Ipv4Addr;

use tintype::origin::Origin;
use tintype::origin::chrome::Config;

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, problem, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];
const RED: [u8; 3] = [255, 0, 0];

/// A page that loads what it can from `other`, and turns lime once all of it came to an end.
fn page(other: &str) -> String {
    format!(
        "<!doctype html><body style='background:#f00;margin:0'><iframe src='{other}/frame' onload=come()></iframe>
        <img src='{other}/image' onload=come() onerror=come()>
        <script>
        let left = 6;
        function come() {{ if (--left === 0) [document.body.style.background, document.body.id] = ['#0f0', 'done'] }}
        fetch('{other}/fetch', {{ mode: 'no-cors' }}).then(come, come);
        fetch('/redirect-fetch', {{ mode: 'no-cors' }}).then(come, come);
        const socket = new WebSocket('{}/socket');
        socket.onopen = socket.onerror = come;
        const worker = new Worker(URL.createObjectURL(new Blob([
            `fetch('{other}/worker', {{ mode: 'no-cors' }}).finally(() => postMessage(1)).catch(() => 0)`])));
        worker.onmessage = come;
        </script>",
        other.replacen("http:", "ws:", 1)
    )
}

#[tokio::test]
async fn allowed_port_leaves_other_ports_of_the_host_refused() {
    let victim = Site::on(Ipv4Addr::LOCALHOST, [("/", html("secret"))]).await;
    for host in ["127.0.0.1", "localhost"] {
        let other = format!("http://{host}:{}", victim.address.port());
        let site = Site::on(
            Ipv4Addr::LOCALHOST,
            [
                ("/", html(page(&other))),
                ("/redirect-fetch", Answer::To(format!("{other}/redirected"))),
                ("/redirect", Answer::To(format!("{other}/"))),
                ("/script", html(format!("<script>location = '{other}/'</script>"))),
            ],
        )
        .await;
        let port = site.address.port();
        let open = format!("{host}:{port}");
        let engine = start(match host {
            "localhost" => {
                Config { allow_hosts: vec![open.parse().unwrap()], allow_ranges: Vec::new(), ..config() }
            }
            _ => Config { allow_ranges: vec![open.parse().unwrap()], ..config() },
        });
        let at = |path: &str| format!("http://{host}:{port}{path}");
        let query = "delay=1&wait_for_selector=%23done";
        let shown = Pixels::decode(&picture(shoot(&engine, &at("/"), query).await));
        assert_eq!(shown.at(310, 190), LIME, "{host}: every way came to an end");
        for refused in [format!("{other}/"), at("/redirect"), at("/script")] {
            problem(shoot(&engine, &refused, "").await, 403);
        }
        assert_eq!(victim.connections(), 0, "{host}");
        engine.shutdown().await;
    }
}

/// The same page where the exception names no port: every way arrives.
#[tokio::test]
async fn exception_without_port_opens_every_port() {
    let victim = Site::on(Ipv4Addr::LOCALHOST, [("/frame", html("x"))]).await;
    let other = victim.url("");
    let site = Site::on(
        Ipv4Addr::LOCALHOST,
        [("/", html(page(&other))), ("/redirect-fetch", Answer::To(format!("{other}/redirected")))],
    )
    .await;
    let engine = start(Config { allow_ranges: vec!["127.0.0.1".parse().unwrap()], ..config() });
    let query = "delay=1&wait_for_selector=%23done";
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), query).await));
    assert_ne!(shown.at(310, 190), RED);
    let mut asked = victim.log();
    asked.sort();
    assert_eq!(asked, ["/fetch", "/frame", "/image", "/redirected", "/socket", "/worker"]);
    engine.shutdown().await;
}
