//! Whose request it is: `[server] trusted_proxies` say it, nobody else does (RFC 7239 section 8.1); an upstream is told as its `forwarded` says.

use crate::support::*;

async fn before(origin: &ScriptedOrigin, server: &str, upstream: &str) -> Tintype {
    let toml = Tintype::toml(origin, "")
        .replace("[server]", &format!("[server]\n{server}"))
        .replace("kind = \"remote\"", &format!("kind = \"remote\"\n{upstream}"));
    Tintype::of(&toml).await
}

const CLAIMS: [(&str, &str); 4] = [
    ("X-Forwarded-For", "6.6.6.6, 1.2.3.4"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("Forwarded", "for=7.7.7.7;host=evil.example"),
];

#[tokio::test]
async fn an_upstream_is_told_what_it_is_to_be_told_and_by_us() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("").header("Cache-Control", "no-store")).await;
    let trusted = "trusted_proxies = [\"127.0.0.0/8\"]";
    let other = "trusted_proxies = [\"10.0.0.0/8\"]";
    let rfc7239 = "trusted_proxies = [\"127.0.0.1\"]\ntrusted_field = \"forwarded\"";
    let rows: [(_, _, [Option<&str>; 3]); 7] = [
        ("", "", [None, None, None]),
        (trusted, "forwarded = \"none\"", [None, None, None]),
        ("", "forwarded = \"x-forwarded\"", [Some("127.0.0.1"), None, None]),
        (other, "forwarded = \"x-forwarded\"", [Some("127.0.0.1"), None, None]),
        // What the client says of itself is not kept.
        (trusted, "forwarded = \"x-forwarded\"", [Some("1.2.3.4, 127.0.0.1"), None, None]),
        (rfc7239, "forwarded = \"rfc7239\"", [None, None, Some("for=7.7.7.7, for=127.0.0.1;proto=http")]),
        // The host only where the key holds it.
        (
            trusted,
            "forwarded = \"both\"\npreserve_host = true",
            [
                Some("1.2.3.4, 127.0.0.1"),
                Some("client.example"),
                Some("for=1.2.3.4, for=127.0.0.1;proto=http;host=\"client.example\""),
            ],
        ),
    ];
    for (server, upstream, expected) in rows {
        let tintype = before(&origin, server, upstream).await;
        for method in ["GET", "POST"] {
            let mut raw = RawClient::connect(tintype.address).await;
            let claims: String = CLAIMS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            raw.send(format!("{method} /a HTTP/1.1\r\nHost: client.example\r\n{claims}\r\n")).await;
            assert_eq!(raw.response().await.status(), 200);
            let sent = origin.requests().pop().expect("a request");
            let got = ["x-forwarded-for", "x-forwarded-host", "forwarded"].map(|name| sent.header_all(name));
            let lines = expected.map(|value| value.into_iter().collect::<Vec<_>>());
            assert_eq!(got, lines, "{server} {upstream}");
            let scheme = expected[0].map(|_| "http");
            assert_eq!(sent.header("x-forwarded-proto"), scheme, "{server} {upstream}");
        }
    }
}

/// Whoever may purge must not be whoever says so.
#[tokio::test]
async fn the_right_to_purge_follows_the_client() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    for (trusted, told, allowed) in [
        ("[]", "1.2.3.4", false),
        ("[]", "10.0.0.7", false),
        ("[\"127.0.0.1\"]", "10.0.0.7", true),
        ("[\"127.0.0.1\"]", "1.2.3.4", false),
        ("[\"127.0.0.1\"]", "10.0.0.7, 1.2.3.4", false),
        ("[\"127.0.0.1\"]", "10.0.0.7, unknown", false),
    ] {
        let toml = Tintype::toml(&origin, "[purge]\nallow = [\"10.0.0.7\"]\n")
            .replace("[server]", &format!("[server]\ntrusted_proxies = {trusted}"));
        let tintype = Tintype::of(&toml).await;
        let purge = format!("PURGE /a HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: {told}\r\n\r\n");
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(purge).await;
        assert_eq!(raw.response().await.status() != 405, allowed, "{trusted} {told}");
    }
}
