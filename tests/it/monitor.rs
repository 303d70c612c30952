//! A monitor that polls with `If-None-Match` (B10): against one that does not it moves at least 90 % fewer bytes, counted on the wire in both
//! directions, over an hour in which the picture goes stale again and again and changes once.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::chrome_site::{ALLOWED, Site, html};
use crate::support::*;

/// A page with as much on it as pages have.
fn page(words: &str) -> crate::chrome_site::Answer {
    let rows: String = (0..60)
        .map(|at| {
            format!(
                "<p style='background:linear-gradient(90deg,hsl({} 70% 80%),hsl({} 60% 50%));margin:4px;padding:6px'>{words} {at} \
                 the quick brown fox jumps over the lazy dog and back again</p>",
                at * 6,
                at * 17
            )
        })
        .collect();
    html(format!("<!doctype html><body>{rows}"))
}

/// Bytes sent and received, status, entity tag.
async fn poll(tintype: &Tintype, target: &str, tag: Option<&str>) -> (usize, u16, String) {
    let condition = tag.map(|tag| format!("If-None-Match: {tag}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: monitor\r\n{condition}Connection: close\r\n\r\n",
        tintype.address
    );
    let mut stream = tokio::net::TcpStream::connect(tintype.address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|octets| octets == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head[9..12].parse().expect("a status");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an entity tag").to_owned();
    (request.len() + answer.len(), status, tag)
}

#[tokio::test]
async fn a_polling_monitor_moves_a_tenth_of_the_bytes() {
    let site = Site::start([("/one", page("Up")), ("/two", page("Down"))]).await;
    let toml = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         [route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\nearly_refresh = 0.0\n\
         stale_while_revalidate = \"0s\"\n"
    );
    let tintype = Tintype::of(&toml).await;
    for form in ["", "&format=webp&image_width=640"] {
        let (mut plain, mut conditional) = (0, 0);
        let mut known: Option<String> = None;
        let mut statuses = (0, 0);
        // Once a minute for an hour.
        for minute in 0..60 {
            // The page that is watched becomes another one.
            let path = if minute < 30 { "/one" } else { "/two" };
            let target = format!("/screenshot?url={}{form}", site.url(path));
            let (bytes, status, tag) = poll(&tintype, &target, known.as_deref()).await;
            conditional += bytes;
            match status {
                200 => statuses.0 += 1,
                304 => statuses.1 += 1,
                other => panic!("{other}"),
            }
            known = Some(tag);
            plain += poll(&tintype, &target, None).await.0;
            tintype.later(60);
        }
        let spared = 100.0 * (1.0 - conditional as f64 / plain as f64);
        println!("60 polls{form}: {plain} bytes without conditions, {conditional} with: {spared:.1} % fewer");
        assert_eq!(statuses, (2, 58), "a new picture is sent, an old one never again");
        assert!(spared >= 90.0, "{spared}");
    }
    // Twice for each form: the engine's pictures are fresh for a quarter of an hour.
    assert!(site.times("/one") >= 4, "it went stale, and was captured again: {}", site.times("/one"));
    tintype.stop().await;
}
