//! Links that tintype makes work for the client who gets them: `public_url`, else what a trusted proxy says, else the request itself; never
//! an address that means "this machine" for a client elsewhere.
//!
//! Sources: tronbyt/server#508 (links with `http://` behind a proxy that ends TLS), perkeep#908 (links with the address that the process
//! listens on).

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

const PAGE: &str = "url=https%3A%2F%2Fa.example%2F";

/// Dialects, each with a request for a link and where its answer has it.
const LINKS: [(&str, &str, &str); 4] = [
    ("screenshotone", "response_type=json", "/screenshot_url"),
    ("urlbox", "response_type=json", "/renderUrl"),
    ("apiflash", "response_type=json", "/url"),
    ("microlink", "screenshot=true", "/data/screenshot/url"),
];

async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|_| {
        Reply::ok(picture(0)).header("Content-Type", "image/png").header("Cache-Control", "max-age=600")
    })
    .await
}

/// A route for each dialect, with `server` in `[server]` and `route` in each route.
async fn dialects(origin: &ScriptedOrigin, server: &str, route: &str) -> Tintype {
    let mut toml = Tintype::toml(origin, "");
    toml = toml.replacen("[server]", &format!("[server]\n{server}"), 1);
    for (dialect, ..) in LINKS {
        toml += &format!(
            "\n[route.{dialect}]\npath = \"/{dialect}\"\nupstream = \"origin\"\ndialect = \"{dialect}\"\n{route}\n"
        );
    }
    Tintype::of(&toml).await
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|_| panic!("JSON: {} {}", answer.status, answer.text()))
}

/// The link that a client with these fields gets in `dialect`.
async fn link(
    running: &Tintype,
    (dialect, asked, place): (&str, &str, &str),
    fields: &[(&str, &str)],
) -> String {
    let path =
        if dialect == "urlbox" { "/urlbox/v1/KEY/TOKEN/png".to_owned() } else { format!("/{dialect}") };
    let answer = running.client.get(&running.url(&format!("{path}?{PAGE}&{asked}")), fields).await;
    assert_eq!(answer.status, 200, "{dialect}: {}", answer.text());
    let told = json_of(&answer);
    told.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{dialect}: {told}")).to_owned()
}

/// tronbyt/server#508: with a trusted proxy, scheme and host of what the client used; of anybody else these fields are dropped. The same
/// picture is given to clients of several hosts in turn, so that no answer is one that another client had.
#[tokio::test]
async fn links_have_the_scheme_and_host_that_a_trusted_proxy_tells() {
    let origin = pictures().await;
    let trusting = dialects(&origin, "trusted_proxies = [\"127.0.0.0/8\"]", "").await;
    let rfc = "trusted_proxies = [\"127.0.0.0/8\"]\ntrusted_field = \"forwarded\"";
    let rfc7239 = dialects(&origin, rfc, "").await;
    let plain = dialects(&origin, "trusted_proxies = [\"10.0.0.0/8\"]", "").await;
    let told = |host: &'static str| {
        [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", host)]
    };
    for dialect in LINKS {
        for _ in 0..2 {
            for host in ["one.example", "two.example:8443"] {
                let link = link(&trusting, dialect, &told(host)).await;
                assert!(link.starts_with(&format!("https://{host}/{}", dialect.0)), "{dialect:?}: {link}");
            }
        }
        let own = link(&plain, dialect, &told("evil.example")).await;
        assert!(own.starts_with(&plain.url(&format!("/{}", dialect.0))), "{dialect:?}: {own}");
        let forwarded = [("Forwarded", "for=192.0.2.1;proto=https;host=three.example")];
        let link = link(&rfc7239, dialect, &forwarded).await;
        assert!(link.starts_with("https://three.example/"), "{dialect:?}: {link}");
    }
    for running in [trusting, rfc7239, plain] {
        running.stop().await;
    }
}

/// perkeep#908: a client elsewhere is given no address of this machine. Without any other, a link is relative to what the client asked for.
#[tokio::test]
async fn no_client_elsewhere_gets_an_address_of_this_machine() {
    let origin = pictures().await;
    let running = dialects(&origin, "trusted_proxies = [\"127.0.0.0/8\"]", "").await;
    for dialect in LINKS {
        for fields in [
            // The proxy passes its own idea of the host on, or names no client.
            &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")][..],
            &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Host", "0.0.0.0:8080")],
            &[],
        ] {
            let link = link(&running, dialect, fields).await;
            assert!(link.starts_with(&format!("/{}", dialect.0)), "{dialect:?}: {link}");
            let linked = running.get(&link).await;
            assert_eq!((linked.header("x-cache"), &linked.body), (Some("HIT"), &picture(0)), "{link}");
        }
        let host = [("X-Forwarded-For", "192.0.2.1"), ("Host", "shots.example")];
        let link = link(&running, dialect, &host).await;
        assert!(link.starts_with(&format!("http://shots.example/{}", dialect.0)), "{dialect:?}: {link}");
    }
    running.stop().await;
}

/// tronbyt/server#508: without a proxy, the scheme of the connection and the authority of the request, over TLS and HTTP/2 too.
#[tokio::test]
async fn links_have_the_scheme_and_host_of_the_request() {
    let (origin, folder, identity) = (pictures().await, tempfile::tempdir().unwrap(), Identity::new());
    let (certificate, key) = identity.write(folder.path());
    let server = format!("tls_certificate = {certificate:?}\ntls_key = {key:?}");
    let secure = dialects(&origin, &server, "").await;
    let plain = dialects(&origin, "", "").await;
    let port = plain.url("").rsplit(':').next().unwrap().to_owned();
    let secure_port = secure.url("").rsplit(':').next().unwrap().to_owned();
    for (client, base) in [
        (Client::h2(), format!("http://127.0.0.1:{port}")),
        (Client::new(), format!("http://localhost:{port}")),
        (Client::tls(&identity.certificate, false), format!("https://localhost:{secure_port}")),
        (Client::tls(&identity.certificate, true), format!("https://localhost:{secure_port}")),
    ] {
        let answer = client.get(&format!("{base}/microlink?{PAGE}&screenshot=true"), &[]).await;
        let link = json_of(&answer)["data"]["screenshot"]["url"].as_str().unwrap().to_owned();
        assert!(link.starts_with(&format!("{base}/microlink?")), "{link}");
        assert_eq!(client.get(&link, &[]).await.body, picture(0));
    }
    secure.stop().await;
    plain.stop().await;
}

/// tronbyt/server#508: the setting decides, that of the route first.
#[tokio::test]
async fn links_begin_with_the_public_url_that_is_set() {
    let origin = pictures().await;
    let server = "public_url = \"https://shots.example.com/prefix/\"\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let by_server = dialects(&origin, server, "").await;
    let by_route = dialects(&origin, server, "public_url = \"https://other.example:8443\"").await;
    let told = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Host", "evil.example")];
    for dialect in LINKS {
        let one = link(&by_server, dialect, &told).await;
        assert!(one.starts_with(&format!("https://shots.example.com/prefix/{}", dialect.0)), "{one}");
        let other = link(&by_route, dialect, &told).await;
        assert!(other.starts_with(&format!("https://other.example:8443/{}", dialect.0)), "{other}");
    }
    by_server.stop().await;
    by_route.stop().await;
}

/// Asks for a job at `url` and gives the `Location` and, once it has ended, its results to a client with these fields.
async fn job(running: &Tintype, at: &str, fields: &[(&str, &str)], webhook: Option<&str>) -> (String, Value) {
    let config = webhook.map_or(json!({}), |webhook| json!({ "webhook": webhook }));
    let body = json!({ "items": [{ "url": "https://a.example/" }], "config": config }).to_string();
    let url = format!("{at}/batch/screenshots");
    let answer = running.client.request("POST", &url, fields, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let location = answer.header("location").expect("a Location").to_owned();
    let id = json_of(&answer)["job_id"].as_str().expect("an id").to_owned();
    let results = within_long("the end of the job", async {
        loop {
            let results = json_of(&running.client.get(&format!("{url}/{id}/results"), fields).await);
            if results["status"] == "completed" {
                return results;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    (location, results)
}

fn url_of(results: &Value) -> &str {
    results["results"][0]["url"].as_str().unwrap_or_else(|| panic!("no link: {results}"))
}

/// perkeep#908: results of jobs, and `Location`, on the data plane behind a trusted proxy, on the control plane, and for a webhook.
#[tokio::test]
async fn links_of_jobs_work_for_whoever_asked_for_the_job() {
    let (origin, hook) = (pictures().await, ScriptedOrigin::start(|_| Reply::ok("thanks")).await);
    let jobs = "[jobs]\nlistener = \"both\"\nallow_ranges = [\"127.0.0.0/8\"]\nallow_ports = [0]\n"
        .replace("[0]", &format!("[{}]", hook.url("/").rsplit(':').next().unwrap().trim_end_matches('/')));
    let start = |server: &'static str| {
        let toml = Tintype::toml(&origin, &format!("capture = true\n{jobs}"));
        let toml = toml.replacen("[server]", &format!("[server]\n{server}"), 1);
        async move { Tintype::of(&toml).await }
    };
    let running = start("trusted_proxies = [\"127.0.0.0/8\"]").await;
    let told = [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shots.example"),
    ];
    let (location, results) = job(&running, &running.url(""), &told, Some(&hook.url("/hook"))).await;
    assert!(location.starts_with("/batch/screenshots/"), "{location}");
    assert_eq!(url_of(&results), format!("https://shots.example/?{PAGE}"));
    within_long("the webhook", async {
        while hook.count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(String::from_utf8_lossy(&hook.requests()[0].body).contains("https://shots.example/"));
    // Nothing but an address of this machine is known: a client elsewhere gets none.
    let (_, results) = job(&running, &running.url(""), &told[..1], None).await;
    assert_eq!(url_of(&results), format!("/?{PAGE}"));
    // A client on this machine gets what it used.
    let (_, results) = job(&running, &running.admin_url(""), &[], None).await;
    assert_eq!(url_of(&results), running.url(&format!("/?{PAGE}")));
    running.stop().await;

    let running = start("public_url = \"https://public.example/p\"").await;
    for at in [running.url(""), running.admin_url("")] {
        let (location, results) = job(&running, &at, &[], None).await;
        let is_data = at == running.url("");
        assert_eq!(
            location.starts_with("https://public.example/p/batch/screenshots/"),
            is_data,
            "{location}"
        );
        assert_eq!(url_of(&results), format!("https://public.example/p/?{PAGE}"));
    }
    running.stop().await;
}

/// perkeep#908: `check` warns where no address can be known that clients elsewhere can use, and says nothing of plain setups.
#[test]
fn check_warns_where_no_public_url_can_be_known() {
    let check = |server: &str, more: &str, json: bool| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.toml");
        let toml = format!(
            "[server]\n{server}\n[store]\ndir = \"\"\n[upstream.api]\nkind = \"remote\"\nurl = \"http://127.0.0.1:9\"\n\
             [route.all]\nupstream = \"api\"\n{more}\n"
        );
        std::fs::write(&file, toml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
        command.args(["check", "--config"]).arg(&file).args(json.then_some("--json"));
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let (local, open) = ("listen = \"127.0.0.1:0\"", "listen = \"0.0.0.0:0\"");
    let dialect = "dialect = \"microlink\"";
    let webhook = "capture = true\n[jobs]\nwebhook_secret = \"0123456789abcdef\"";
    let public = "public_url = \"https://shots.example\"";
    for (server, more, warned) in [
        (local.to_owned(), "", None),
        (open.to_owned(), "", None),
        (local.to_owned(), "capture = true", None),
        (local.to_owned(), dialect, Some("route.all.public_url")),
        (open.to_owned(), dialect, None),
        (format!("{local}\ntrusted_proxies = [\"127.0.0.1\"]"), dialect, None),
        (format!("{local}\n{public}"), dialect, None),
        (local.to_owned(), "dialect = \"microlink\"\npublic_url = \"https://shots.example\"", None),
        (local.to_owned(), webhook, Some("jobs.public_url")),
        (open.to_owned(), webhook, Some("jobs.public_url")),
        (format!("{open}\n{public}"), webhook, None),
    ] {
        let text = check(&server, more, false);
        let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("warning: ")).collect();
        match warned {
            None => assert!(warnings.is_empty(), "{server} {more}: {text}"),
            Some(setting) => {
                assert!(warnings.len() == 1 && warnings[0].contains(setting), "{server} {more}: {text}");
                let told: Value = serde_json::from_str(&check(&server, more, true)).unwrap();
                assert_eq!(told["warnings"][0]["path"], setting);
            }
        }
    }
}
