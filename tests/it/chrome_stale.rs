//! A capture that fails does no harm to a good picture: through the whole proxy, with a real browser,
//! - each reason is named in `Cache-Status`, the problem document and the figures;
//! - inside its window the stored picture is served in place of the error, beyond it the error is 502;
//! - an engine without a free place is 503 with a time to come again, or the stored picture.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::chrome_site::{ALLOWED, Answer, Pixels, Site, html};
use crate::support::*;

/// Seconds that a picture is fresh, and that it may cover errors.
const FRESH: u64 = 60;
const COVERS: u64 = 600;

async fn tintype(chrome: &str) -> Tintype {
    Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nlifetime = \"{FRESH}s\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         default_width = 100\ndefault_height = 100\nmax_concurrent = 1\n{chrome}\n\
         [route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\n\
         stale_while_revalidate = \"0s\"\nstale_if_error = \"{COVERS}s\"\nearly_refresh = 0.0\n\
         [[route.shots.rules]]\nname = \"all\"\nscripts = true\nttl = \"{FRESH}s\"\n"
    ))
    .await
}

fn shot(site: &Site, path: &str, more: &str) -> String {
    format!("/screenshot?url={}{more}", site.url(path))
}

fn good() -> Answer {
    html("<!doctype html><body style='margin:0;background:#0f0'><h1>Good</h1>")
}

#[tokio::test]
async fn every_reason_is_named_and_a_good_picture_survives_it() {
    let page = Arc::new(Mutex::new(good()));
    let site = Site::start([("/", Answer::Changing(page.clone()))]).await;
    let tintype = tintype("max_wait = \"2s\"").await;
    let file = || {
        let fields = vec![("content-disposition", "attachment; filename=x".to_owned())];
        Answer::Full(200, fields, "x".into())
    };
    // Their parameters do not matter to the good page, but for those that make a key of its own.
    for (reason, bad, more) in [
        ("capture-blank", html(""), ""),
        ("capture-status", Answer::Now(500, "text/html", "<h1>Broken".into()), "&width=101"),
        ("capture-status", Answer::Now(404, "text/html", "<h1>Gone".into()), "&width=102"),
        ("capture-content", html("<h1>Are you human?"), "&width=103&fail_on_content=human"),
        ("capture-selector", html("<p>Good"), "&width=104&wait_for_selector=h1"),
        ("capture-script", html("<p>Good"), "&width=105&js=document.querySelector('h1').click()"),
        ("capture-download", file(), "&width=106"),
        ("capture", Answer::Short, "&width=107"),
    ] {
        let target = shot(&site, "/", more);
        *page.lock().unwrap() = good();
        let first = tintype.get(&target).await;
        assert_eq!((first.status, first.header("x-cache")), (200, Some("MISS")), "{reason} {}", first.text());

        *page.lock().unwrap() = bad;
        tintype.later(FRESH);
        let covered = tintype.get(&target).await;
        assert_eq!((covered.status, covered.header("x-cache")), (200, Some("STALE")), "{reason}");
        assert_eq!(covered.body, first.body, "{reason}");
        let status = covered.header("cache-status").unwrap();
        assert!(status.contains(&format!("detail={reason}")), "{reason}: {status}");

        tintype.later(COVERS + 1);
        let refused = tintype.get(&target).await;
        assert_eq!(refused.status, 502, "{reason}");
        let status = refused.header("cache-status").unwrap();
        assert!(status.contains(&format!("detail={reason}")), "{reason}: {status}");
        let problem: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(problem["reason"], reason);

        // And what is good again is served again.
        *page.lock().unwrap() = good();
        let again = tintype.get(&target).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{reason}");
        assert_eq!(Pixels::decode(&again.body).at(99, 99), [0, 255, 0]);
    }
    let stats = tintype.stats().await;
    let captures = &stats["upstreams"]["chrome"]["captures"];
    let reasons = serde_json::json!({
        "capture": 2, "capture-blank": 2, "capture-content": 2, "capture-download": 2,
        "capture-script": 2, "capture-selector": 2, "capture-status": 4,
    });
    assert_eq!((&captures["failures"], &captures["reasons"]), (&16.into(), &reasons), "{stats}");
    tintype.stop().await;
}

#[tokio::test]
async fn who_waits_for_a_place_in_vain_is_told_when_to_come_again_or_gets_the_stored_picture() {
    let site = Site::start([("/", good()), ("/never", Answer::Never), ("/other", good())]).await;
    let short = "deadline = \"3s\"\nmax_wait = \"2s\"\nmax_delay = \"2s\"\nmax_settle = \"1s\"";
    let tintype = tintype(short).await;
    assert_eq!(tintype.get(&shot(&site, "/", "")).await.status, 200);
    tintype.later(FRESH);
    // One that takes the only place for all its time; those who come meanwhile wait, and have less.
    let get = |path: &str| {
        let (target, tintype) = (shot(&site, path, ""), &tintype);
        async move { tintype.get(&target).await }
    };
    let (held, (stored, new)) = tokio::join!(get("/never"), async {
        site.requested("/never", 1).await;
        tokio::join!(get("/"), get("/other"))
    });
    assert_eq!((held.status, held.header("retry-after")), (504, None));
    assert_eq!((stored.status, stored.header("x-cache")), (200, Some("STALE")));
    assert!(stored.header("cache-status").unwrap().contains("detail=busy"));
    assert_eq!(new.status, 503, "{}", new.text());
    let wait: u64 = new.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    // Coming again then helps.
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(tintype.get(&shot(&site, "/other", "")).await.status, 200);
    let stats = tintype.stats().await;
    assert_eq!(stats["upstreams"]["chrome"]["captures"]["busy"], 2, "{stats}");
    tintype.stop().await;
}
