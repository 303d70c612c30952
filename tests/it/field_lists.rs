//! Lists and sitemaps: a bad entry fails alone and is named, sitemaps are followed in every form that crawlers read, what is left out is
//! told, and nothing found is no success.
//!
//! Sources: w3-total-cache#1401 and sitemap.js#468 (a bad `<loc>`), data-liberation-agent#288 and webperf_core#40 (indexes that lead
//! nowhere), web2img (numbers as text, a first status of `processing`).

use std::io::Write as _;

use serde_json::{Value, json};

use super::cli_purge::asking;
use super::support::terminal::in_pipe;
use crate::support::*;

async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|_| Reply::ok("picture").header("Cache-Control", "max-age=600")).await
}

fn urlset(pages: &[&str]) -> String {
    let pages: Vec<String> = pages.iter().map(|page| format!("<url><loc>{page}</loc></url>\n")).collect();
    format!("<?xml version=\"1.0\"?>\n<urlset>\n{}</urlset>", pages.concat())
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// w3-total-cache#1401, sitemap.js#468: exit 2, and nothing was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_entry_fails_alone_and_is_named_with_its_line() {
    let long = format!("https://long.example/{}", "x".repeat(9000));
    let pages =
        ["https://a.example/", "/relative", "mailto:me@a.example", &long, "https://b.example/?a=1&amp;b=2"];
    let text = urlset(&pages);
    let site = ScriptedOrigin::start(move |_| Reply::ok(text.clone())).await;
    let origin = pictures().await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("pages.txt");
    std::fs::write(
        &list,
        format!("https://a.example/\n\n{}\n{{\"url\":\"https://c.example\",\"width\":\"640\"}}\n", pages[1]),
    )
    .unwrap();
    let (list, sitemap) = (list.to_str().unwrap(), site.url("/sitemap.xml"));

    let (code, told, errors) = in_pipe(asking(&running, &["warm", &sitemap]));
    assert_eq!(code, Some(1), "{told}{errors}");
    assert_eq!(errors, "2 taken, 0 of them stored before, 3 failed\n");
    for (page, line) in [("/relative", 4), ("mailto:me@a.example", 5), ("https://long.example/", 6)] {
        let named = told.lines().find(|told| told.contains(&format!("failed {page}"))).expect(page);
        assert!(named.ends_with(&format!("({sitemap}:{line})")), "{named}");
    }
    let stored = running.get("/?url=https%3A%2F%2Fb.example%2F%3Fa%3D1%26b%3D2").await;
    assert_eq!(stored.header("x-cache"), Some("HIT"));

    let (code, told, errors) = in_pipe(asking(&running, &["batch", "--json", list]));
    assert_eq!(code, Some(1), "{told}{errors}");
    let bad: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["status"] == "error")
        .collect();
    assert_eq!(bad.len(), 1, "{told}");
    assert_eq!(
        (&bad[0]["page"], &bad[0]["file"], &bad[0]["line"]),
        (&json!("/relative"), &json!(list), &json!(3))
    );
    assert!(errors.contains("2 taken, 1 of them stored before, 1 failed"), "{errors}");
    running.stop().await;
}

/// A site whose index lists sitemaps in every way that is met: relative, elsewhere, moved, missing, nested, packed, and of other formats.
async fn site(elsewhere: String) -> ScriptedOrigin {
    ScriptedOrigin::start(move |request| {
        let host = request.header("host").unwrap_or_default().to_owned();
        let locs = |urls: &[&str]| {
            let locs: Vec<String> =
                urls.iter().map(|url| format!("<sitemap><loc>{url}</loc></sitemap>\n")).collect();
            Reply::ok(format!("<sitemapindex>\n{}</sitemapindex>", locs.concat()))
        };
        let by_name = format!("http://{}/byname.xml", host.replace("127.0.0.1", "localhost"));
        match request.target.as_str() {
            "/sitemap.xml" => locs(&[
                "relative.xml",
                "/moved.xml",
                &format!("http://{host}/nested.xml"),
                &format!("http://{host}/nested.xml"),
                "/missing.xml",
                &elsewhere,
                &by_name,
                "ftp://ftp.example/s.xml",
            ]),
            "/relative.xml" => Reply::ok(urlset(&["https://relative.example/"])),
            "/moved.xml" => Reply::status(301).header("Location", "/here.txt"),
            "/here.txt" => Reply::ok("\u{feff}https://text.example/\n"),
            "/nested.xml" => {
                locs(&["/packed.xml", "/twice.xml.gz", "/rss", "/atom", "/sitemap.xml", "/away.xml"])
            }
            "/packed.xml" => {
                Reply::ok(packed(&urlset(&["https://packed.example/"]))).header("Content-Type", "text/xml")
            }
            "/twice.xml.gz" => {
                Reply::ok(urlset(&["https://plain.example/"])).header("Content-Type", "application/gzip")
            }
            "/rss" => {
                Reply::ok("<rss><channel><item><link>https://rss.example/</link></item></channel></rss>")
            }
            "/atom" => Reply::ok("<feed><entry><link href=\"https://atom.example/\"/></entry></feed>"),
            "/byname.xml" => Reply::ok(urlset(&["https://byname.example/"])),
            "/away.xml" => Reply::status(302).header("Location", &elsewhere),
            "/robots.txt" => Reply::ok(format!("User-agent: *\nSitemap: http://{host}/relative.xml\n")),
            "/empty.xml" => Reply::ok("<urlset></urlset>"),
            "/lost.xml" => locs(&["/missing.xml"]),
            _ => Reply::status(404),
        }
    })
    .await
}

/// data-liberation-agent#288, webperf_core#40: `0 taken, 0 failed`, exit 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sitemaps_are_followed_and_what_is_left_out_is_told() {
    let (origin, other) = (pictures().await, pictures().await);
    let elsewhere = other.url("/s.xml");
    let site = site(elsewhere.clone()).await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let taken = |told: &str| -> Vec<String> {
        let mut pages: Vec<String> = told
            .lines()
            .filter_map(|line| Some(line.strip_prefix("ok https://")?.split_once('.')?.0.to_owned()))
            .collect();
        pages.sort_unstable();
        pages
    };
    let (code, told, errors) = in_pipe(asking(&running, &["warm", &site.url("/sitemap.xml")]));
    assert_eq!(code, Some(1), "{told}{errors}");
    assert_eq!(taken(&told), ["atom", "packed", "plain", "relative", "rss", "text"], "{told}");
    for line in [
        format!(
            "failed {}: it answers 404 Not Found ({}:6)",
            site.url("/missing.xml"),
            site.url("/sitemap.xml")
        ),
        format!(
            "left out {elsewhere}: it is on another site; allow its host to have it read ({}:7)",
            site.url("/sitemap.xml")
        ),
        format!(
            "failed ftp://ftp.example/s.xml: it is no http:// or https:// URL ({}:9)",
            site.url("/sitemap.xml")
        ),
        format!("failed {}: it leads to another site", site.url("/away.xml")),
    ] {
        assert!(told.contains(&line), "{line} in {told}");
    }
    assert!(errors.contains("6 taken, 0 of them stored before, 3 failed, 2 sitemaps left out"), "{errors}");
    assert_eq!(other.count(), 0);

    let (_, told, _) =
        in_pipe(asking(&running, &["warm", "--allow-host", "localhost", &site.url("/sitemap.xml")]));
    assert!(taken(&told).contains(&"byname".to_owned()), "{told}");
    let (code, told, errors) = in_pipe(asking(&running, &["warm", &site.url("/robots.txt")]));
    assert_eq!((code, taken(&told)), (Some(0), vec!["relative".to_owned()]), "{told}{errors}");
    for nothing in ["/empty.xml", "/lost.xml"] {
        let (code, told, errors) = in_pipe(asking(&running, &["warm", &site.url(nothing)]));
        assert_eq!(code, Some(1), "{told}{errors}");
        assert!(errors.contains("nothing was found"), "{errors}");
    }
    running.stop().await;
}

/// What `[warm]` names takes the same ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warming_at_the_start_takes_nothing_from_the_others_either() {
    let (origin, other) = (pictures().await, pictures().await);
    let site = site(other.url("/s.xml")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pages.txt.gz");
    std::fs::write(&file, packed("/relative\nhttps://file.example/\n")).unwrap();
    let warm = format!(
        "capture = true\nonly_pictures = false\n[warm]\nfile = {file:?}\nsitemap = \"{}\"\nallow_hosts = [\"localhost\"]\nhold_ready = true\n",
        site.url("/sitemap.xml")
    );
    let running = Tintype::with(&origin, &warm).await;
    within_long("readiness", async {
        while running.client.get(&running.admin_url("/readyz"), &[]).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    for page in ["file", "byname", "packed", "text"] {
        let path = format!("/?url=https%3A%2F%2F{page}.example%2F");
        assert_eq!(running.get(&path).await.header("x-cache"), Some("HIT"), "{page}");
    }
    running.stop().await;
}

/// PowerShell's `Out-File` puts a mark in front; shells and forms give numbers as text.
#[tokio::test]
async fn jobs_take_a_mark_and_numbers_as_text() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = ScriptedOrigin::start(move |_| Reply::ok("picture").hold(&held)).await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let body = "\u{feff}{\"items\":[{\"url\":\"https://a.example\",\"width\":\"640\"}],\"config\":{\"parallel\":\"2\"}}";
    let url = running.admin_url("/batch/screenshots");
    let answer = running.client.request("POST", &url, &[], body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(job["status"], "processing");
    let asked = origin.received(1).await;
    assert!(asked[0].target.contains("width=640"), "{}", asked[0].target);
    gate.open();
    let purge = "\u{feff}{\"url\":\"/a\",\"dry_run\":true,\"list\":\"3\"}";
    let answer = running.client.request("POST", &running.admin_url("/purge"), &[], purge).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    running.stop().await;
}
