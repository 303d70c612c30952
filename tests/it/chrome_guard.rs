//! A capture reaches no refused address by any road:
//! - a refused target is 403, before a browser has to do anything, also by a redirect;
//! - whatever a page tries, a listener on a refused address sees no connection and no datagram, and the page goes on;
//! - allowed hosts are allowed by name; bytes and connections of a capture are bounded.

use std::net::{Ipv4Addr, UdpSocket};

use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, problem, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];

#[tokio::test]
async fn refused_targets_are_403() {
    let victim = Site::on(Ipv4Addr::LOCALHOST, [("/", html("secret"))]).await;
    let site = Site::start([
        ("/redirect", Answer::To(victim.url("/"))),
        ("/script", html(format!("<script>location='{}'</script>", victim.url("/")))),
        ("/tls", Answer::To(victim.url("/").replace("http:", "https:"))),
    ])
    .await;
    let engine = start(config());
    let port = victim.address.port();
    for url in [
        victim.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://0:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://10.0.0.1/".into(),
        "http://1.1.1.1:22/".into(),
        site.url("/redirect"),
        site.url("/script"),
        site.url("/tls"),
    ] {
        let found = problem(shoot(&engine, &url, "").await, 403);
        assert_eq!(found["title"], "Target refused", "{url}");
    }
    assert_eq!(victim.connections(), 0);
    assert_eq!(engine.stats().refused, 14);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_has_no_road_to_a_refused_listener() {
    let victim = Site::on(Ipv4Addr::LOCALHOST, [("/", html("secret"))]).await;
    let stun = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    stun.set_nonblocking(true).unwrap();
    let (port, udp) = (victim.address.port(), stun.local_addr().unwrap().port());
    let v = format!("127.0.0.1:{port}");
    let page = format!(
        r#"<!doctype html>
        <link rel=stylesheet href="http://{v}/a.css"><link rel=preload as=image href="http://{v}/b">
        <link rel=prefetch href="http://{v}/c"><link rel=preconnect href="http://{v}"><link rel=icon href="http://{v}/i">
        <style>@import url("http://{v}/d.css"); @font-face {{ font-family: f; src: url("http://{v}/e.woff") }}
            p {{ font-family: f; background: url("http://{v}/f.png") }}</style>
        <body style="margin:0;background:#f00"><p>text</p>
        <img src="http://{v}/g.png"><img src="http://0x7f000001:{port}/h"><img src="http://2130706433:{port}/i">
        <img src="http://[::ffff:127.0.0.1]:{port}/j"><img src="http://localhost:{port}/k"><img src="/redirect">
        <img src="http://x.localhost:{port}/l"><img src="http://0.0.0.0:{port}/m"><img src="https://{v}/n">
        <iframe src="http://{v}/o"></iframe><iframe name=form></iframe><object data="http://{v}/p"></object>
        <video src="http://{v}/q"></video><audio src="http://{v}/r"></audio><script src="http://{v}/s"></script>
        <form id=f method=post target=form action="http://{v}/t"><input name=x></form>
        <script>
            const go = run => {{ try {{ run() }} catch (e) {{}} }};
            go(() => fetch('http://{v}/u', {{ mode: 'no-cors' }}).catch(() => 0));
            go(() => fetch('http://{v}/v', {{ method: 'POST', body: 'x', keepalive: true }}).catch(() => 0));
            go(() => navigator.sendBeacon('http://{v}/w', 'x'));
            go(() => new WebSocket('ws://{v}/x'));
            go(() => new WebSocket('wss://{v}/x'));
            go(() => new EventSource('http://{v}/y'));
            go(() => new Worker('/worker.js'));
            go(() => new SharedWorker('/worker.js'));
            go(() => new WebTransport('https://{v}/z'));
            go(() => window.open('http://{v}/popup'));
            go(() => document.getElementById('f').submit());
            go(() => {{
                const peer = new RTCPeerConnection({{ iceServers: [
                    {{ urls: 'stun:127.0.0.1:{udp}' }},
                    {{ urls: 'turn:127.0.0.1:{udp}', username: 'u', credential: 'c' }},
                    {{ urls: 'turn:{v}?transport=tcp', username: 'u', credential: 'c' }},
                ] }});
                peer.createDataChannel('c');
                peer.createOffer().then(offer => peer.setLocalDescription(offer));
            }});
            document.body.style.background = '#0f0';
        </script>"#
    );
    let worker = format!("fetch('http://{v}/1').catch(() => 0); new WebSocket('ws://{v}/2');");
    let site = Site::start([
        ("/", html(page)),
        ("/worker.js", Answer::Now(200, "text/javascript", worker)),
        ("/redirect", Answer::To(victim.url("/redirected"))),
    ])
    .await;
    let engine = start(config());
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), "delay=3s").await));
    assert_eq!(shown.at(310, 190), LIME, "the page went on");
    site.requested("/worker.js", 1).await;
    site.requested("/redirect", 1).await;
    engine.shutdown().await;
    assert_eq!(victim.connections(), 0);
    assert!(stun.recv(&mut [0; 64]).is_err(), "no datagram");
}

#[tokio::test]
async fn allowed_hosts_are_allowed_by_name() {
    let site = Site::on(Ipv4Addr::LOCALHOST, [("/", html("<body bgcolor=lime>"))]).await;
    let engine = start(tintype::origin::chrome::Config { allow_hosts: vec!["localhost".into()], ..config() });
    let named = format!("http://localhost:{}/", site.address.port());
    assert_eq!(Pixels::decode(&picture(shoot(&engine, &named, "").await)).at(5, 5), LIME);
    problem(shoot(&engine, &site.url("/"), "").await, 403);
    engine.shutdown().await;
}

#[tokio::test]
async fn bytes_and_connections_of_a_capture_are_bounded() {
    let heavy = format!("<img src=/data><!--{}-->", "x".repeat(300_000));
    let many: String = (0..20).map(|n| format!("<img src='http://127.0.0.2:{{}}/{n}'>")).collect();
    let others = [Site::start([]).await, Site::start([]).await, Site::start([]).await];
    let many =
        others.iter().fold(many, |page, other| page.replacen("{}", &other.address.port().to_string(), 5));
    let site =
        Site::start([("/heavy", html(heavy)), ("/many", html(format!("<body bgcolor=lime>{many}")))]).await;
    let limited =
        tintype::origin::chrome::Config { max_page_bytes: 100_000, max_page_connections: 3, ..config() };
    let engine = start(limited);
    match shoot(&engine, &site.url("/heavy"), "").await {
        Err(OriginError::Capture(why)) => assert!(why.contains("100000 bytes"), "{why}"),
        other => panic!("{other:?}"),
    }
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/many"), "").await));
    assert_eq!(shown.at(310, 190), LIME);
    let opened: usize = others.iter().map(Site::connections).sum();
    assert!(opened <= 2, "the page's own connection and {opened} more");
    engine.shutdown().await;
}
