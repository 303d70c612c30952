//! `tintype check` and `tintype doctor` on filter lists: how many rules of each are used, why others are not, and a warning
//! where that is less than half (uBlock's cookie list: 93 % are scriptlets, and `check` said that it is good).

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "[store]\ndir = \"\"\n[upstream.chrome]\nkind = \"chrome\"\nad_lists = [\"ads.txt\"]\ncookie_lists = [\"cookies.txt\"]\n\
    [route.shot]\npath = \"/screenshot\"\nupstream = \"chrome\"\n";
const ADS: &str = "[Adblock Plus 2.0]\n! Title: ads\n||ads.example^\n##.ad\na.example##body:style(overflow: auto)\n\
    ||b.example^$popup\n";
const COOKIES: &str = "a.example##+js(set-cookie, a, b)\nb.example##+js(trusted-click-element, c)\n##.consent-box\n\
    c.example##p:has-text(Cookies)\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("proxy.toml", CONFIG), ("ads.txt", ADS), ("cookies.txt", COOKIES)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn tintype(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TINTYPE_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder.path()).args(arguments).output().unwrap()
}

#[test]
fn check_says_which_share_of_each_list_is_used() {
    let folder = folder();
    let output = tintype(&folder, &["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("proxy.toml is good"), "{text}");
    let good = "ad_lists ads.txt: 3 of 4 rules used (75 %); not used: 1 unknown option";
    assert_eq!(lines[1].replace(&format!("{}/", folder.path().display()), ""), good);
    let low = "warning: cookie_lists cookies.txt: 1 of 4 rules used (25 %); not used: 2 scriptlet, \
        1 procedural selector: less than half of the list";
    assert_eq!(lines[2].replace(&format!("{}/", folder.path().display()), ""), low);

    let output = tintype(&folder, &["check", "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["ok"], true);
    let [ads, cookies] = &object["filter_lists"].as_array().unwrap()[..] else { panic!("{object}") };
    assert_eq!((&ads["rules"], &ads["used"], &ads["warning"]), (&4.into(), &3.into(), &false.into()));
    assert_eq!(ads["unused"], serde_json::json!({ "unknown option": 1 }));
    assert_eq!((&cookies["setting"], &cookies["warning"]), (&"cookie_lists".into(), &true.into()));
    assert_eq!(cookies["unused"], serde_json::json!({ "scriptlet": 2, "procedural selector": 1 }));
}

#[test]
fn doctor_warns_of_lists_that_are_hardly_used() {
    let output = tintype(&folder(), &["doctor", "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = object["checks"].as_array().unwrap();
    let lists: Vec<&Value> = checks.iter().filter(|check| check["check"] == "filters").collect();
    let states: Vec<&str> = lists.iter().filter_map(|check| check["state"].as_str()).collect();
    assert_eq!(states, ["ok", "warning"], "{object}");
    assert!(lists[1]["says"].as_str().unwrap().contains("1 of 4 rules used (25 %)"), "{object}");
    assert!(lists[1]["remedy"].as_str().unwrap().contains("scriptlets"), "{object}");
}
