//! `tintype get URL`: one picture on disk, or on standard output, from a cold start and without a server.
//!
//! - Exit 0 with the picture and one line of what was done; 1 if the capture failed; 2 if the arguments are wrong.
//! - An error names its cause and, where there is one, the remedy; nothing is written then.
//! - No process, profile or store is left.

use std::process::Output;

use tokio::process::Command;

use crate::chrome_site::{Answer, Site, html};

/// Runs in a folder of its own, which is also the one for temporary files.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Desk(tempfile::tempdir().unwrap());
        std::fs::create_dir(desk.0.path().join("tmp")).unwrap();
        desk
    }

    async fn get(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
        command.env_remove("TINTYPE_CONFIG").env("TMPDIR", self.0.path().join("tmp"));
        let output = command.arg("get").args(arguments).current_dir(self.0.path()).output().await.unwrap();
        let left = std::fs::read_dir(self.0.path().join("tmp")).unwrap().count();
        assert_eq!(left, 0, "nothing is left: {output:?}");
        output
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name != "tmp").collect()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn site() -> Site {
    Site::start([
        ("/", html("<h1 id=top>A plate</h1><div style='height:3000px;background:linear-gradient(red,blue)'></div>")),
        ("/broken", Answer::Now(500, "text/html", "<h1>No</h1>".into())),
        ("/blank", html("<title>Nothing</title>")),
    ])
    .await
}

#[tokio::test]
async fn a_picture_is_written_where_it_is_wanted() {
    let (site, desk) = (site().await, Desk::new());
    let url = site.url("/");

    let named = desk.get(&[&url, "--allow-private"]).await;
    assert_eq!(named.status.code(), Some(0), "{named:?}");
    assert_eq!(desk.files(), ["127.0.0.2.png"]);
    let picture = desk.read("127.0.0.2.png");
    assert_eq!(&picture[16..24], [0, 0, 5, 0, 0, 0, 2, 208], "1280 by 720");
    let line = format!("127.0.0.2.png: {} bytes in ", picture.len());
    assert!(said(&named).contains(&line), "{named:?}");

    let piped = desk.get(&[&url, "--allow-private", "-o", "-"]).await;
    assert_eq!((piped.status.code(), piped.stdout == picture), (Some(0), true), "the same picture");

    let jpeg =
        ["--allow-private", "-o", "x.jpg", "--full-page", "--width", "320", "-p", "quality=50", "--json"];
    let jpeg = desk.get(&[&[url.as_str()], &jpeg[..]].concat()).await;
    let told: serde_json::Value = serde_json::from_slice(&jpeg.stdout).unwrap();
    let picture = desk.read("x.jpg");
    assert_eq!((&told["ok"], &told["file"]), (&true.into(), &"x.jpg".into()));
    assert_eq!(told["bytes"], picture.len());
    assert!(picture.starts_with(&[0xff, 0xd8]), "as the name ends");
}

#[tokio::test]
async fn an_error_names_its_cause_and_its_remedy_and_writes_nothing() {
    let (site, desk) = (site().await, Desk::new());
    let (page, broken, blank) = (site.url("/"), site.url("/broken"), site.url("/blank"));
    let no_folder = ["--allow-private", "-o", "nowhere/x.png"];
    for (arguments, code, words) in [
        (&[page.as_str()][..], 1, &["loopback", "--allow-private"][..]),
        (&[&broken, "--allow-private"], 1, &["status 500", "-p fail_on_status=none"]),
        (&[&blank, "--allow-private"], 1, &["one colour", "-p allow_blank=true"]),
        (&[&page, no_folder[0], no_folder[1], no_folder[2]], 1, &["cannot write nowhere/x.png"]),
        (&[&page, "--width", "many", "-p", "colour=red"], 2, &["width: found", "colour: found"]),
        (&[&page, "-p", "width"], 2, &["NAME=VALUE"]),
        (&["http://[", "-o", "x.png"], 2, &["\"http://[\" is no URL"]),
        (&["file:///etc/passwd"], 2, &["url: found"]),
        (&[&page, "--config", "missing.toml"], 2, &["missing.toml"]),
    ] {
        let output = desk.get(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
        for word in words {
            assert!(said(&output).contains(word), "{word} in {output:?}");
        }
        assert!(desk.files().is_empty() && output.stdout.is_empty(), "{output:?}");
    }
    let json = desk.get(&[&page, "--json"]).await;
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&told["ok"], json.status.code()), (&false.into(), Some(1)));
    assert!(told["remedy"].as_str().unwrap().contains("--allow-private"), "{told}");
}
