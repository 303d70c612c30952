//! A reload with a real browser: an engine whose section is the same keeps its browser, one that changed has a browser before it is
//! switched to, and the old browser ends only after its captures.

use serde_json::Value;

use crate::chrome_site::{ALLOWED, Answer, Site};
use crate::support::{Client, Tintype, within};

fn toml(chrome: &str, route: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         default_width = 100\ndefault_height = 100\nmax_concurrent = 1\n{chrome}\n\
         [route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\n{route}\n"
    )
}

fn browser(stats: &Value) -> i32 {
    let pid = stats["upstreams"]["chrome"]["captures"]["browser"].as_i64().expect("a browser");
    i32::try_from(pid).unwrap()
}

fn is_alive(pid: i32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that has ended and was not asked for yet is no longer alive.
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[tokio::test]
async fn browsers_stay_where_their_section_does_and_are_replaced_without_a_failed_capture() {
    let site = Site::start([("/", Answer::Now(200, "text/html", "<h1>A page with words".into()))]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, toml("", "")).unwrap();
    let tintype = Tintype::from_file(&file).await;
    let shot = |more: &str| tintype.url(&format!("/screenshot?url={}{more}", site.url("/")));
    assert_eq!(Client::new().get(&shot(""), &[]).await.status, 200);
    let first = browser(&tintype.stats().await);

    std::fs::write(&file, toml("", "default_ttl = \"1h\"")).unwrap();
    assert_eq!(tintype.reload().await.status, 200);
    assert_eq!(browser(&tintype.stats().await), first);

    // A capture that takes its time while its engine is replaced.
    let slow = tokio::spawn(Client::new().get(&shot("&width=101&delay=2000"), &[]));
    within("the capture", async {
        while tintype.stats().await["upstreams"]["chrome"]["captures"]["running"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    std::fs::write(&file, toml("default_height = 90", "").replace("default_height = 100\n", "")).unwrap();
    assert_eq!(tintype.reload().await.status, 200);
    let second = browser(&tintype.stats().await);
    assert_ne!(second, first);
    assert!(is_alive(first), "its capture is under way");
    assert_eq!(Client::new().get(&shot("&width=102"), &[]).await.status, 200);
    let slow = slow.await.unwrap();
    assert_eq!(slow.status, 200, "{}", slow.text());
    within("the old browser's end", async {
        while is_alive(first) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(is_alive(second));

    // One that cannot start changes nothing.
    let broken = folder.path().join("browser");
    std::fs::copy("/bin/false", &broken).unwrap();
    let broken = format!("program = {broken:?}\nlaunch_timeout = \"1s\"");
    std::fs::write(&file, toml(&broken, "")).unwrap();
    assert_eq!(tintype.reload().await.status, 422);
    assert_eq!(browser(&tintype.stats().await), second);
    assert_eq!(Client::new().get(&shot("&width=103"), &[]).await.status, 200);
    tintype.stop().await;
    assert!(!is_alive(second));
}
