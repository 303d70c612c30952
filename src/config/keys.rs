//! Reads `[keys.ID]`, the credentials for routes with `auth`.

use super::addresses::is_host;
use super::problem::Kind;
use super::section::{Refusal, Section};
use super::tree::{Node, Value};
use crate::clock::Timestamp;
use crate::policy::signing::rate::Rate;
use crate::policy::signing::{Render, Secret};
use crate::proxy::auth::Key;

const SECRET: &str = "12 to 512 visible ASCII characters";
const RATE: &str = "a number of 1 to 1000000 per s, m, h or d, such as \"100/h\"";

pub(super) fn read_all(mut s: Section<'_>) -> Vec<Key> {
    let mut keys = Vec::new();
    for id in s.names() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if id.is_empty() || id.len() > 64 || !id.chars().all(is_part) {
            let allowed = "a name of 1 to 64 letters, digits, '-', '_' and '.'";
            s.refuse_entry(&id, Kind::Malformed, format!("{id:?}"), allowed);
        }
        let key = read(&id, s.table(&id));
        keys.push(key);
    }
    let twice = keys.iter().enumerate().find(|(at, key): &(usize, &Key)| {
        key.api_key.is_some() && keys[..*at].iter().any(|other| other.api_key == key.api_key)
    });
    if let Some(id) = twice.map(|(_, key)| key.id.clone()) {
        let allowed = "an api_key that no other key has";
        s.refuse_section(Kind::Conflict, &format!("the api_key of {id} twice"), allowed);
    }
    keys
}

fn read(id: &str, mut s: Section<'_>) -> Key {
    let signing = secret(&mut s, "secret", "secret_file");
    let api_key = secret(&mut s, "api_key", "api_key_file");
    if !["secret", "secret_file", "api_key", "api_key_file"].iter().any(|name| s.is_given(name)) {
        s.refuse_section(Kind::Missing, "neither", "a secret, for signed links, or an api_key, or both");
    }
    let time = "a time such as \"2027-01-01T00:00:00Z\"";
    let host_allowed = "host names of pages such as \"example.com\", or \"*.example.com\" for those below it";
    Key {
        id: id.to_owned(),
        secret: signing,
        api_key,
        not_after: s.read("not_after", None, time, moment),
        hosts: s.list("hosts", Vec::new(), host_allowed, host),
        render: s.choice_of("render", &Render::ALL, false).unwrap_or_default(),
        rate: s.read("rate", None, RATE, rate),
        render_rate: s.read("render_rate", None, RATE, rate),
    }
}

/// Reads a secret from the setting `name`, or from the file that the setting `in_file` names.
fn secret(s: &mut Section<'_>, name: &str, in_file: &str) -> Option<Secret> {
    let written = s.read_secret(name, SECRET, |node| {
        let secret = node.text()?;
        if is_secret(secret) { Ok(secret.to_owned()) } else { Err(Kind::Malformed.into()) }
    });
    let file = s.file(in_file, "a file that holds it");
    if s.is_given(name) && s.is_given(in_file) {
        s.refuse(in_file, Kind::Conflict, format!("{name} and {in_file}"), "one of the two");
    }
    let Some(file) = file else { return written.map(Secret::new) };
    match std::fs::read_to_string(&file) {
        Ok(text) if is_secret(text.trim()) => Some(Secret::new(text.trim().to_owned())),
        Ok(_) => {
            let found = format!("something else in {}", file.display());
            s.refuse(in_file, Kind::Malformed, found, &format!("a file that holds {SECRET}"));
            None
        }
        Err(error) => {
            let found = format!("{} ({error})", file.display());
            s.refuse(in_file, Kind::NotFound, found, "a file that holds it, as text");
            None
        }
    }
}

/// Whether a key may have this secret. Secrets of other services have 14 characters and more.
fn is_secret(secret: &str) -> bool {
    (12..=512).contains(&secret.len()) && secret.bytes().all(|octet| octet.is_ascii_graphic())
}

fn moment(node: &Node) -> Result<Timestamp, Refusal> {
    let text = match &node.value {
        Value::Datetime(text) => text.as_str(),
        _ => node.text()?,
    };
    humantime::parse_rfc3339(text.trim()).map(Timestamp::from_system).map_err(|_| Kind::Malformed.into())
}

fn host(node: &Node) -> Result<String, Refusal> {
    let host = node.text()?.to_ascii_lowercase();
    let name = host.strip_prefix("*.").unwrap_or(&host);
    if is_host(name) { Ok(host) } else { Err(Kind::Malformed.into()) }
}

fn rate(node: &Node) -> Result<Rate, Refusal> {
    node.text()?.parse().map_err(|()| Kind::Malformed.into())
}
