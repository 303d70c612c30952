//! What a job is asked for by, read whole: every parameter that is bad is named.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::config::Config;
use crate::policy::public_url::PublicUrl;

/// Bytes of an `id`, a URL and an `Authorization` value.
const LONGEST_ID: usize = 256;
const LONGEST_URL: usize = 8192;
/// Pixels of a side that are asked for; the route has bounds of its own.
const LONGEST_SIDE: u64 = 65_535;
const FORMATS: [&str; 3] = ["png", "jpeg", "webp"];

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name within the job.
    pub id: String,
    /// The page.
    pub url: String,
    /// Width of the viewport.
    pub width: Option<u64>,
    /// Height of the viewport.
    pub height: Option<u64>,
    /// Format of the picture.
    pub format: Option<String>,
}

impl Item {
    /// The query by which it is asked for.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("url", &self.url);
        let number = |name, value: Option<u64>| value.map(|value| (name, value.to_string()));
        query
            .extend_pairs([number("width", self.width), number("height", self.height)].into_iter().flatten());
        query.extend_pairs(self.format.iter().map(|format| ("format", format)));
        query.finish()
    }
}

/// A job as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) items: Vec<Item>,
    /// Pictures at once.
    pub(super) parallel: usize,
    /// Time for each.
    pub(super) timeout: Duration,
    /// A URL.
    pub(super) webhook: Option<String>,
    pub(super) webhook_auth: Option<String>,
    pub(super) fail_fast: bool,
    pub(super) cache: bool,
    /// What links to its pictures begin with, as far as the request told; an earlier version stored none.
    #[serde(default)]
    pub(super) base: Option<PublicUrl>,
}

/// A parameter that is bad.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its name, with the path to it.
    pub parameter: String,
    /// What it must be.
    pub reason: String,
}

/// Everything that is wrong with an item.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", in_a_row(.0))]
pub(super) struct BadItem(Vec<Fault>);

fn in_a_row(faults: &[Fault]) -> String {
    let fault = |fault: &Fault| match fault.parameter.as_str() {
        "" => fault.reason.clone(),
        parameter => format!("{parameter}: {}", fault.reason),
    };
    faults.iter().map(fault).collect::<Vec<_>>().join("; ")
}

/// Reads parameters one by one, and goes on after a bad one.
struct Reader {
    faults: Vec<Fault>,
}

/// What `body` asks for within the bounds of `config`, or everything that is wrong with it.
pub(super) fn read(body: &[u8], config: &Config) -> Result<Asked, Vec<Fault>> {
    let mut reader = Reader { faults: Vec::new() };
    let Ok(body @ Value::Object(_)) = crate::message::json::from_slice::<Value>(body) else {
        reader.refuse("body", "a JSON object with `items`, and perhaps `config`");
        return Err(reader.faults);
    };
    reader.only(&body, "", &["items", "config"]);
    let items = reader.items(&body["items"], config.max_items);
    let none = json!({});
    let wishes = match &body["config"] {
        Value::Null => &none,
        Value::Object(_) => &body["config"],
        _ => {
            reader.refuse("config", "an object");
            &none
        }
    };
    reader.only(
        wishes,
        "config.",
        &["parallel", "timeout", "webhook", "webhook_auth", "fail_fast", "cache", "priority"],
    );
    let most = config.max_timeout.as_secs().max(1);
    let timeout = reader.number(wishes, "config.timeout", "timeout", most);
    let parallel = reader.number(wishes, "config.parallel", "parallel", config.max_parallel as u64);
    let asked = Asked {
        items,
        parallel: parallel.map_or(config.parallel, |parallel| parallel as usize),
        timeout: timeout.map_or(config.timeout, Duration::from_secs),
        webhook: reader.webhook(&wishes["webhook"]).map(String::from),
        webhook_auth: reader.authorization(&wishes["webhook_auth"]),
        fail_fast: reader.flag(wishes, "fail_fast", false),
        cache: reader.flag(wishes, "cache", true),
        base: None,
    };
    if reader.faults.is_empty() { Ok(asked) } else { Err(reader.faults) }
}

/// The item in `value`, as a job would take it; its number is `at`.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn item(value: &Value, at: usize) -> Result<Item, BadItem> {
    let mut reader = Reader { faults: Vec::new() };
    let item = reader.item(value, "", at);
    let faults = reader.faults;
    item.filter(|_| faults.is_empty()).ok_or(BadItem(faults))
}

impl Reader {
    fn refuse(&mut self, parameter: impl Into<String>, reason: impl Into<String>) {
        self.faults.push(Fault { parameter: parameter.into(), reason: reason.into() });
    }

    /// Refuses what is there beside `known`, but for nulls.
    fn only(&mut self, object: &Value, path: &str, known: &[&str]) {
        for (name, value) in object.as_object().into_iter().flatten() {
            if !value.is_null() && !known.contains(&name.as_str()) {
                let name: String = name.chars().take(LONGEST_ID).collect();
                self.refuse(format!("{path}{name}"), format!("unknown; there is {}", known.join(", ")));
            }
        }
    }

    fn items(&mut self, items: &Value, most: usize) -> Vec<Item> {
        let Some(items) = items.as_array().filter(|items| (1..=most).contains(&items.len())) else {
            self.refuse("items", format!("a list of 1 to {most} pictures"));
            return Vec::new();
        };
        let mut ids = HashSet::new();
        let mut read = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let Some(item) = self.item(item, &format!("items[{at}]"), at) else { continue };
            if !ids.insert(item.id.clone()) {
                self.refuse(format!("items[{at}].id"), "another item has it");
            }
            read.push(item);
        }
        read
    }

    /// The item at `path`, which has its number for an id where it does not say.
    fn item(&mut self, item: &Value, path: &str, at: usize) -> Option<Item> {
        if !item.is_object() {
            self.refuse(path, "an object with `url`, and perhaps width, height, format, id");
            return None;
        }
        let dot = if path.is_empty() { "" } else { "." };
        let named = |name: &str| format!("{path}{dot}{name}");
        self.only(item, &named(""), &["url", "width", "height", "format", "id"]);
        let id = match &item["id"] {
            Value::Null => format!("item-{}", at + 1),
            Value::String(id) if (1..=LONGEST_ID).contains(&id.len()) => id.clone(),
            _ => {
                self.refuse(named("id"), format!("a text of 1 to {LONGEST_ID} bytes"));
                return None;
            }
        };
        let url = item["url"].as_str().filter(|url| url.len() <= LONGEST_URL && web(url).is_some());
        if url.is_none() {
            self.refuse(named("url"), format!("an http:// or https:// URL of at most {LONGEST_URL} bytes"));
        }
        let format = item["format"].as_str();
        if !item["format"].is_null() && !format.is_some_and(|format| FORMATS.contains(&format)) {
            self.refuse(named("format"), FORMATS.join(", "));
        }
        let mut side = |name: &str| self.number(item, &named(name), name, LONGEST_SIDE);
        let (width, height) = (side("width"), side("height"));
        let url = url.unwrap_or_default().to_owned();
        Some(Item { id, url, width, height, format: format.map(str::to_owned) })
    }

    fn number(&mut self, object: &Value, path: &str, name: &str, most: u64) -> Option<u64> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        // Forms and shells write numbers as text.
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.refuse(path, format!("a whole number from 1 to {most}"));
        }
        number
    }

    fn flag(&mut self, wishes: &Value, name: &str, default: bool) -> bool {
        match &wishes[name] {
            Value::Null => default,
            Value::Bool(flag) => *flag,
            _ => {
                self.refuse(format!("config.{name}"), "true or false");
                default
            }
        }
    }

    fn webhook(&mut self, value: &Value) -> Option<Url> {
        if value.is_null() {
            return None;
        }
        let url = value.as_str().filter(|url| url.len() <= LONGEST_URL).and_then(web);
        // Credentials have a place of their own.
        let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
        if url.is_none() {
            self.refuse("config.webhook", "an http:// or https:// URL without credentials");
        }
        url
    }

    fn authorization(&mut self, value: &Value) -> Option<String> {
        if value.is_null() {
            return None;
        }
        let fits = |text: &&str| text.len() <= LONGEST_URL && http::HeaderValue::from_str(text).is_ok();
        let text = value.as_str().filter(fits);
        if text.is_none() {
            self.refuse("config.webhook_auth", "the value of an Authorization field");
        }
        text.map(str::to_owned)
    }
}

/// A URL of the web.
pub(super) fn web(url: &str) -> Option<Url> {
    Url::parse(url).ok().filter(crate::origin::chrome::guard::is_web)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(body: Value) -> Vec<String> {
        let faults = read(body.to_string().as_bytes(), &Config::default()).expect_err("faults");
        faults.into_iter().map(|fault| fault.parameter).collect()
    }

    #[test]
    fn defaults_are_those_of_web2img() {
        let body = json!({ "items": [{ "url": "https://a.example", "id": "a" }] });
        let asked = read(body.to_string().as_bytes(), &Config::default()).expect("a job");
        assert_eq!((asked.parallel, asked.timeout), (3, Duration::from_secs(30)));
        assert_eq!((asked.fail_fast, asked.cache, asked.webhook), (false, true, None));
        assert_eq!(asked.items[0].query(), "url=https%3A%2F%2Fa.example");
    }

    #[test]
    fn every_bad_parameter_is_named() {
        let page = json!({ "url": "https://a.example" });
        assert_eq!(named(json!([])), ["body"]);
        assert_eq!(named(json!({ "items": [] })), ["items"]);
        assert_eq!(named(json!({ "items": vec![page.clone(); 51] })), ["items"]);
        assert_eq!(
            named(json!({
                "items": [
                    { "url": "ftp://a", "width": "0", "height": "x", "format": "gif", "id": "same" },
                    { "url": "https://a.example", "id": "same", "delay": 1 },
                    7,
                ],
                "config": {
                    "parallel": 11, "timeout": 61, "webhook": "file:///etc", "webhook_auth": "a\nb",
                    "fail_fast": 1, "cache": "no", "recurrence": "daily", "scheduled_time": null,
                },
                "else": 1,
            })),
            [
                "else",
                "items[0].url",
                "items[0].format",
                "items[0].width",
                "items[0].height",
                "items[1].delay",
                "items[1].id",
                "items[2]",
                "config.recurrence",
                "config.timeout",
                "config.parallel",
                "config.webhook",
                "config.webhook_auth",
                "config.fail_fast",
                "config.cache",
            ]
        );
    }

    #[test]
    fn numbers_may_be_given_as_text() {
        let body = json!({
            "items": [{ "url": "https://a.example", "width": " 800 ", "height": "600" }],
            "config": { "parallel": "2", "timeout": "7" },
        });
        let asked = read(body.to_string().as_bytes(), &Config::default()).expect("a job");
        assert_eq!((asked.items[0].width, asked.items[0].height), (Some(800), Some(600)));
        assert_eq!((asked.parallel, asked.timeout), (2, Duration::from_secs(7)));
    }

    #[test]
    fn items_ask_as_clients_do() {
        let (url, format) = ("https://a.example/?b=c&d".to_owned(), Some("webp".to_owned()));
        let item = Item { id: "a".into(), url, width: Some(800), height: None, format };
        assert_eq!(item.query(), "url=https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d&width=800&format=webp");
    }

    /// What is on disk from before links had a base, or with one, is read.
    #[test]
    fn jobs_of_earlier_versions_are_read() {
        let body = json!({ "items": [{ "url": "https://a.example" }] }).to_string();
        let base = "https://shots.example:8443/p".parse().ok();
        let asked = Asked { base, ..read(body.as_bytes(), &Config::default()).expect("a job") };
        let mut stored = serde_json::to_value(&asked).expect("JSON");
        assert_eq!(serde_json::from_value::<Asked>(stored.clone()).expect("a job"), asked);
        stored.as_object_mut().expect("an object").remove("base");
        let earlier = serde_json::from_value::<Asked>(stored).expect("a job");
        assert_eq!(earlier, Asked { base: None, ..asked });
    }
}
