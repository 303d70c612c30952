//! The guard's rules, as a request meets them (the roads of a page are in `chrome_ssrf`):
//! - a refused target is 403, before a browser has to do anything, also by a redirect;
//! - allowed hosts are allowed by name; bytes and connections of a capture are bounded.

use std::net::Ipv4Addr;

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
async fn allowed_hosts_are_allowed_by_name() {
    let site = Site::on(Ipv4Addr::LOCALHOST, [("/", html("<body bgcolor=lime>"))]).await;
    let engine = start(tintype::origin::chrome::Config {
        allow_hosts: vec!["localhost".parse().unwrap()],
        ..config()
    });
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
