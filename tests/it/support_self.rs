//! The scripted peers themselves: a test that passes because its peer is broken proves nothing.

use crate::support::{Client, Gate, RawClient, Reply, ScriptedOrigin};

#[tokio::test]
async fn an_origin_answers_by_script_and_remembers_the_request() {
    let origin =
        ScriptedOrigin::start(|req| Reply::ok(format!("{} {}", req.index, req.target)).header("X-Odd", "1"))
            .await;
    let client = Client::new();
    let first = client.request("POST", &origin.url("/a%20b?c=d&&e"), &[("X-Name", "v")], "in").await;
    let second = client.get(&origin.url("/z"), &[]).await;
    assert_eq!((first.status, first.text().as_str()), (200, "0 /a%20b?c=d&&e"));
    assert_eq!((first.header("x-odd"), second.text().as_str()), (Some("1"), "1 /z"));
    let seen = origin.received(2).await;
    assert_eq!((seen[0].method.as_str(), seen[0].body.as_slice()), ("POST", b"in".as_slice()));
    assert_eq!((seen[0].header("x-name"), origin.connections()), (Some("v"), 1));
}

#[tokio::test]
async fn gates_hold_head_and_pieces() {
    let (head, tail) = (Gate::new(), Gate::new());
    let reply = Reply::ok("one").gate(&tail).piece("two").chunked().hold(&head);
    let origin = ScriptedOrigin::sequence([reply]).await;
    let client = Client::new();
    let open = tokio::spawn({
        let url = origin.url("/");
        async move { client.open("GET", &url, &[], "").await }
    });
    origin.received(1).await;
    assert!(!open.is_finished());
    head.open();
    let mut answer = open.await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), "one");
    tail.open();
    assert_eq!(answer.next().await.unwrap().unwrap(), "two");
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn cut_answers_are_seen_as_cut() {
    for (reply, body) in [
        (Reply::ok("half").length(9).cut(), "half"),
        (Reply::ok("half").chunked().cut(), "half"),
        (Reply::ok("").length(9).then_reset(), ""),
    ] {
        let origin = ScriptedOrigin::sequence([reply]).await;
        let mut raw = RawClient::connect(origin.address()).await;
        raw.get("/", &[]).await;
        let response = raw.response().await;
        assert_eq!((response.text().as_str(), response.complete), (body, false));
        assert!(Client::new().get(&origin.url("/"), &[]).await.broken.is_some());
    }
}

#[tokio::test]
async fn sequences_repeat_their_last_reply() {
    let origin = ScriptedOrigin::sequence([Reply::ok("a"), Reply::status(304).header("ETag", "\"b\"")]).await;
    let client = Client::new();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.get(&origin.url("/"), &[]).await.status);
    }
    assert_eq!(statuses, [200, 304, 304]);
}
