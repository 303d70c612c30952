//! The description of what can be asked for, and where that is (C09-C12):
//! - /openapi.json names every capture parameter and every route of the control plane, and nothing that is not there;
//! - `/docs` is Swagger UI, loads nothing from elsewhere, and can send requests;
//! - `[compat]` puts health, figures, emptying and the description on either listener, or on none; what wants the token wants it there too.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::*;

fn document() -> Value {
    serde_json::from_str(&::tintype::admin::OPENAPI).expect("JSON")
}

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

fn operations(document: &Value) -> Vec<(String, &'static str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| METHODS.map(|method| (path.clone(), method, &item[method])))
        .filter(|(_, _, operation)| operation.is_object())
        .collect()
}

fn texts<'a>(values: impl Iterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    values.map(|value| value.as_str().expect("a text")).collect()
}

#[test]
fn every_capture_parameter_is_described_and_no_other() {
    let document = document();
    let known: BTreeSet<&str> = ::tintype::capture::names().collect();
    let get = document["paths"]["/screenshot"]["get"]["parameters"].as_array().expect("parameters");
    let told = texts(get.iter().filter(|one| one["in"] == "query").map(|one| &one["name"]));
    assert_eq!(told, known);
    let members = document["components"]["schemas"]["Capture"]["properties"].as_object().expect("members");
    assert_eq!(members.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

/// The table in the doc comment of `admin::routes` is what there is.
#[test]
fn every_route_of_the_control_plane_is_described_and_no_other() {
    let source = include_str!("../../src/admin/routes.rs");
    let mut known = BTreeSet::from(["get /redoc".to_owned()]);
    for row in source.lines().filter_map(|line| line.strip_prefix("//! | `")) {
        for route in row.split(" | ").next().expect("a cell").split('`').filter(|text| text.contains(" /")) {
            let route = route.split('?').next().expect("a path").trim();
            let (method, path) = route.split_once(' ').expect("a method");
            known.insert(format!("{} {path}", method.to_lowercase()));
        }
    }
    let document = document();
    let told: BTreeSet<String> = operations(&document)
        .into_iter()
        .filter(|(path, ..)| path != "/screenshot")
        .map(|(path, method, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(told, known);
}

/// What a validator looks at: the version, references, names, answers.
#[test]
fn the_document_is_well_formed_openapi() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut references = Vec::new();
    gather(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let tags = texts(document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]));
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().expect("operationId")), "{at}");
        assert!(texts(operation["tags"].as_array().expect("tags").iter()).is_subset(&tags), "{at}");
        let answers = operation["responses"].as_object().expect("responses");
        assert!(answers.keys().all(|status| status.len() == 3 && status.parse::<u16>().is_ok()), "{at}");
        let described = |answer: &Value| answer["description"].is_string() || answer["$ref"].is_string();
        assert!(!answers.is_empty() && answers.values().all(described), "{at}");
        let mut seen = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let place = parameter["in"].as_str().expect("in");
            let name = parameter["name"].as_str().expect("name");
            let in_path = path.contains(&format!("{{{name}}}"));
            assert!(["query", "header", "path"].contains(&place) && in_path == (place == "path"), "{at}");
            assert!(!in_path || parameter["required"] == true, "{at}");
            assert!(parameter["schema"].is_object() && seen.insert(parameter["name"].to_string()), "{at}");
        }
    }
}

fn gather(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| gather(member, references));
        }
        Value::Array(members) => members.iter().for_each(|member| gather(member, references)),
        _ => {}
    }
}

async fn placed(compat: &str) -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::of(&format!("{}\n[compat]\n{compat}\n", Tintype::toml(&origin, ""))).await;
    (origin, tintype)
}

async fn on(tintype: &Tintype, data: bool, method: &str, path: &str) -> Answer {
    let url = if data { tintype.url(path) } else { tintype.admin_url(path) };
    tintype.client.request(method, &url, &[], "").await
}

#[tokio::test]
async fn the_page_is_whole_in_itself() {
    let (origin, tintype) = placed("").await;
    let page = on(&tintype, false, "GET", "/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    for outside in ["//", "http:", "https:", "@import", "url(", "fetch(", "import("] {
        assert!(!text.contains(outside), "{outside}");
    }
    let policy = page.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    let files: Vec<&str> = text.split('"').filter(|part| part.starts_with("docs/")).collect();
    assert_eq!(files.len(), 4, "{text}");
    for file in files {
        let file = on(&tintype, false, "GET", &format!("/{file}")).await;
        assert_eq!((file.status, file.header("x-content-type-options")), (200, Some("nosniff")));
        assert!(!file.body.is_empty());
    }
    assert_eq!(on(&tintype, false, "GET", "/docs/index.html").await.status, 404);
    let moved = on(&tintype, false, "GET", "/redoc").await;
    assert_eq!((moved.status, moved.header("location")), (308, Some("/docs")));
    let described = on(&tintype, false, "GET", "/openapi.json").await;
    assert_eq!(serde_json::from_slice::<Value>(&described.body).expect("JSON"), document());
    assert_eq!(on(&tintype, false, "POST", "/docs").await.status, 405);
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn by_default_all_of_it_is_on_the_control_plane() {
    let (origin, tintype) = placed("").await;
    for (method, path) in [
        ("GET", "/health"),
        ("GET", "/cache/stats"),
        ("GET", "/docs"),
        ("DELETE", "/cache"),
        ("GET", "/openapi.json"),
    ] {
        assert!(on(&tintype, false, method, path).await.status < 300, "{path}");
        assert_eq!(on(&tintype, true, method, path).await.text(), "picture", "{path}");
    }
    assert_eq!(origin.count(), 5);
}

#[tokio::test]
async fn each_is_where_it_is_configured_to_be() {
    let places = "health = \"both\"\ncache_stats = \"data\"\ncache_delete = \"data\"\ndocs = \"none\"";
    let (origin, tintype) = placed(places).await;
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
    for (path, control, data) in [
        ("/health", 200, true),
        ("/cache/stats", 404, true),
        ("/docs", 404, false),
        ("/openapi.json", 404, false),
    ] {
        assert_eq!(on(&tintype, false, "GET", path).await.status, control, "{path}");
        assert_eq!(on(&tintype, true, "GET", path).await.text() != "picture", data, "{path}");
    }
    let health: Value = serde_json::from_slice(&tintype.get("/health").await.body).expect("JSON");
    assert_eq!((&health["status"], &health["services"]["imgproxy"]), (&"ok".into(), &"ok".into()));
    assert_eq!(on(&tintype, false, "DELETE", "/cache").await.status, 404);
    let url = format!("/cache/url?url={}", tintype.url("/a").replace(':', "%3A").replace('/', "%2F"));
    let one: Value = serde_json::from_slice(&on(&tintype, true, "DELETE", &url).await.body).expect("JSON");
    assert_eq!(one["invalidated"], 1);
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(on(&tintype, true, "DELETE", "/cache").await.status, 204);
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    // Only what empties the cache is taken from the routes.
    assert_eq!(tintype.get("/cache").await.text(), "picture");
    // A web page may not, through a visitor's browser.
    let page =
        tintype.client.request("DELETE", &tintype.url("/cache"), &[("origin", "http://x.example")], "").await;
    assert_eq!(page.status, 403);
    assert!(origin.count() >= 4);
}

#[tokio::test]
async fn what_changes_wants_the_token_wherever_it_is() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture").header("Cache-Control", "max-age=60")).await;
    let toml = Tintype::toml(&origin, "").replace("[admin]\n", "[admin]\ntoken = \"0123456789abcdef\"\n");
    let tintype = Tintype::of(&format!("{toml}\n[compat]\ncache_delete = \"data\"\n")).await;
    assert_eq!(on(&tintype, true, "DELETE", "/cache").await.status, 401);
    let token = [("authorization", "Bearer 0123456789abcdef")];
    assert_eq!(tintype.client.request("DELETE", &tintype.url("/cache"), &token, "").await.status, 204);
    let open = "[server]\nlisten = \"0.0.0.0:8080\"\n[upstream.o]\nkind = \"remote\"\nurl = \"http://127.0.0.1:1\"\n\
                [route.all]\nupstream = \"o\"\n[compat]\n";
    for (line, good) in
        [("cache_delete = \"both\"", false), ("cache_stats = \"data\"", false), ("health = \"data\"", true)]
    {
        assert_eq!(::tintype::config::Config::from_toml(&format!("{open}{line}\n")).is_ok(), good, "{line}");
    }
}

/// The tables of docs/CAPTURE.md stand between `<!-- parameters: GROUP -->` and `<!-- end -->`. With `TINTYPE_WRITE_DOCS`
/// set, they are written.
#[test]
fn tables_of_parameters_are_those_of_their_definitions() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CAPTURE.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut expected = text.clone();
    for group in ::tintype::capture::GROUPS {
        let begin = format!("<!-- parameters: {} -->\n", group.name);
        let start = expected.find(&begin).unwrap_or_else(|| panic!("{begin}")) + begin.len();
        let end = start + expected[start..].find("<!-- end -->").expect("an end");
        expected.replace_range(start..end, &format!("\n{}\n", group.table()));
    }
    if std::env::var_os("TINTYPE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(text == expected, "run this test with TINTYPE_WRITE_DOCS=1, which writes {}", path.display());
    }
}
