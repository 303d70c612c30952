//! Named regressions: one test for each defect that was found, so that it does not come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::*;

/// Requests `/a` `n` times at once, in tasks of their own.
fn herd(tintype: &Tintype, n: usize, fields: &'static [(&str, &str)]) -> Vec<tokio::task::JoinHandle<Answer>> {
    (0..n).map(|_| tokio::spawn(Client::new().get(&tintype.url("/a"), fields))).collect()
}

/// Waits until a figure under `traffic` in `/stats` is at least `n`.
async fn counted(tintype: &Tintype, figure: &str, n: u64) {
    within(figure, async {
        while tintype.stats().await["traffic"].pointer(figure).and_then(|v| v.as_u64()) < Some(n) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until no fetch is under way.
async fn landed(tintype: &Tintype) {
    within("all fetches to land", async {
        while tintype.stats().await["fetches_under_way"] != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A body held for its entity tag, when the budget of all fetches ran out under it, waited for a reader that was not
/// there yet: for ever.
#[tokio::test]
async fn a_held_body_that_outgrows_the_budget_is_let_go() {
    let rest = Gate::new();
    let origin = ScriptedOrigin::start({
        let rest = rest.clone();
        move |request| match request.target.as_str() {
            "/big" => Reply::ok(vec![b'x'; 700_000]).gate(&rest).piece("x").header("ETag", "\"1\""),
            _ => Reply::ok(vec![b'y'; 900_000]),
        }
        .header("Cache-Control", "max-age=60")
    })
    .await;
    let bounds =
        "dir = \"\"\nmax_stored_bytes = \"1MiB\"\nmax_fetch_buffer = \"1MiB\"\nhold_for_tag = \"1MiB\"";
    let tintype = Tintype::of(&Tintype::toml(&origin, "").replace("dir = \"\"", bounds)).await;
    let big = tintype.client.open("GET", &tintype.url("/big"), &[], "").await;
    counted(&tintype, "/origin/bytes", 700_000).await;
    let held = tintype.get("/held").await;
    assert_eq!((held.status, held.body.len(), held.broken), (200, 900_000, None));
    rest.open();
    assert_eq!(big.finish().await.body.len(), 700_001);
}
