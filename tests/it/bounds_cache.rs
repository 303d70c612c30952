//! What many requests may take of the cache and of an origin.
//!
//! 1. What is asked for once does not flush what is asked for often: 30 MB through a memory tier of 10 MB leave at least 95 % hits on 1 MB, and the
//!    tier stays below its bound.
//! 2. A client that does not read holds no connection of the origin's: what can be stored is fetched whole, and the connection serves the next.

use super::support::{RawClient, Reply, ScriptedOrigin, Tintype};

const HOT: usize = 50;

#[tokio::test]
async fn one_time_requests_do_not_flush_the_hot_set() {
    let origin = ScriptedOrigin::start(|request| {
        let size = if request.target.starts_with("/hot") { 20_000 } else { 100_000 };
        Reply::ok(vec![b'x'; size]).header("Cache-Control", "max-age=600").header("ETag", "\"1\"")
    })
    .await;
    // The hot set is asked for in turn beside the others, once for one of them, and once for five: then more than the tier holds comes
    // between two requests for the same, and only that they came before tells it from the rest.
    for (one_timers_each, before) in [(1, 1), (5, 2)] {
        let toml = Tintype::toml(&origin, "").replace(
            "dir = \"\"",
            "dir = \"\"\nmemory = \"10MB\"\nmax_stored_bytes = \"1MB\"\nhold_for_tag = \"1MB\"",
        );
        let tintype = Tintype::of(&toml).await;
        for n in (0..before).flat_map(|_| 0..HOT) {
            tintype.get(&format!("/hot/{n}")).await;
        }
        let (mut hits, mut asked, mut most) = (0, 0, 0);
        for n in 0..300 {
            tintype.get(&format!("/once/{n}")).await;
            if n % one_timers_each == 0 {
                let answer = tintype.get(&format!("/hot/{}", asked % HOT)).await;
                hits += usize::from(answer.header("x-cache") == Some("HIT"));
                asked += 1;
            }
            if n % 50 == 49 {
                let answer = tintype.client.get(&tintype.admin_url("/cache/stats"), &[]).await;
                let stats: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
                most = most.max(stats["size"].as_u64().unwrap());
            }
        }
        assert!(hits * 100 >= asked * 95, "{hits} of {asked}, one for {one_timers_each}");
        assert!((8_000_000..=10_000_000).contains(&most), "{most}");
        tintype.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_no_connection_of_the_origin() {
    let origin = ScriptedOrigin::start(|request| {
        let size = if request.target == "/large" { 12 << 20 } else { 10 };
        Reply::ok(vec![b'x'; size]).header("Cache-Control", "max-age=60").header("ETag", "\"1\"")
    })
    .await;
    let toml =
        Tintype::toml(&origin, "").replace("kind = \"remote\"", "kind = \"remote\"\nmax_concurrent = 1");
    let tintype = Tintype::of(&toml).await;
    let mut slow = RawClient::connect(tintype.address).await;
    slow.get("/large", &[]).await;
    assert_eq!(slow.head().await.status(), 200);
    // The one place is free, and by the connection that brought the large one.
    assert_eq!(tintype.get("/small").await.body.len(), 10);
    assert_eq!((origin.count(), origin.connections()), (2, 1));
    // And it lost nothing by waiting.
    assert_eq!(slow.bytes(12 << 20).await, vec![b'x'; 12 << 20]);
}
