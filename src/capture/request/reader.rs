//! The parameters that were given, by query or by JSON, and what is wrong with them.

use std::collections::HashMap;

use serde_json::Value;

use super::Fault;
use crate::message::{form, json};

/// Characters of a bad value that are repeated to the client.
pub(super) const MAX_FOUND: usize = 200;
/// Bad parameters that are named; more are not worth reading.
pub(super) const MAX_FAULTS: usize = 32;

/// How a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Once.
    One,
    /// Once, as `x,y,width,height`; in JSON also as an object or a list.
    Box,
    /// A list, with commas in a query.
    Words,
    /// Any number of times, each as it is; in JSON also as a list.
    Many,
    /// As [`Shape::Many`], each a name, this, and a value; in JSON also an object. Values are never shown.
    Pairs(&'static str),
    /// Once; never shown.
    Secret,
}

use Shape::{Box, Many, One, Pairs, Secret, Words};

/// Every parameter of a capture, in the order in which they are listed to clients.
const KNOWN: [(&str, Shape); 55] = [
    ("url", One),
    ("html", One),
    ("markdown", One),
    ("device", One),
    ("width", One),
    ("height", One),
    ("scale", One),
    ("mobile", One),
    ("touch", One),
    ("landscape", One),
    ("format", One),
    ("quality", One),
    ("omit_background", One),
    ("full_page", One),
    ("full_page_max_height", One),
    ("selector", One),
    ("clip", Box),
    ("wait_until", One),
    ("wait_for_selector", One),
    ("delay", One),
    ("block_resources", Words),
    ("block_ads", One),
    ("block_trackers", One),
    ("block_cookie_banners", One),
    ("block_chats", One),
    ("freeze_time", One),
    ("hide_selectors", Many),
    ("css", Many),
    ("js", Many),
    ("dark_mode", One),
    ("reduced_motion", One),
    ("media_type", One),
    ("user_agent", One),
    ("headers", Pairs(": ")),
    ("cookies", Pairs("=")),
    ("authorization", Secret),
    ("time_zone", One),
    ("locale", One),
    ("geolocation_latitude", One),
    ("geolocation_longitude", One),
    ("geolocation_accuracy", One),
    ("proxy", One),
    ("country", One),
    ("ignore_https_errors", One),
    ("fail_on_status", Words),
    ("fail_on_content", Many),
    ("allow_blank", One),
    ("on_timeout", One),
    // Of other layers: known, checked, and passed over.
    ("ttl", One),
    ("stale_ttl", One),
    ("force", One),
    ("cache", One),
    ("no_cache", One),
    ("cache_key", One),
    ("cache_ttl", One),
];
/// Where those of other layers begin.
const OTHERS: usize = 48;

/// What was given, and what is wrong with it.
pub(super) struct Reader {
    given: HashMap<&'static str, Vec<String>>,
    pub(super) faults: Vec<Fault>,
}

impl Reader {
    /// Reads the names and values of a raw query.
    pub(super) fn new(query: &str) -> Self {
        let mut reader = Reader { given: HashMap::new(), faults: Vec::new() };
        for (name, given) in form::pairs(query) {
            let (name, value) = (name.text, given.text);
            // In a URL they stay percent-encoded.
            if !given.is_utf8 && name != "url" {
                reader.fault(&name, &value, "UTF-8 text, percent-encoded");
                continue;
            }
            match reader.shape(&name, &value) {
                None => {}
                Some((known, Words)) => reader.add(known, value.split(',').map(str::to_owned).collect()),
                // As a Cookie field has them.
                Some((known, Pairs("="))) => {
                    reader.add(known, value.split(';').map(|pair| pair.trim().to_owned()).collect());
                }
                Some((known, Many | Pairs(_))) => reader.add(known, vec![value.into_owned()]),
                Some((known, _)) if reader.is_given(known) => reader.fault(known, &value, "to be given once"),
                Some((known, _)) => reader.add(known, vec![value.into_owned()]),
            }
        }
        reader
    }

    /// Reads a JSON object of parameters on top.
    pub(super) fn json(&mut self, body: &[u8]) {
        const ALLOWED: &str = "a JSON object of parameters";
        let parameters = match json::from_slice(body) {
            Ok(Value::Object(parameters)) => parameters,
            Ok(other) => return self.fault("body", &other.to_string(), ALLOWED),
            Err(error) => return self.fault("body", &error.to_string(), ALLOWED),
        };
        for (name, value) in parameters {
            let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let Some((known, shape)) = self.shape(&name, &written(&value)) else { continue };
            if value.is_null() {
                continue;
            }
            match strings(&value, shape) {
                _ if self.is_given(known) => self.fault(known, &written(&value), "to be given once"),
                Some(strings) => self.add(known, strings),
                None => self.fault(known, &written(&value), shape.in_json()),
            }
        }
    }

    /// The known name and its shape; none if it belongs to nobody, which is a fault.
    fn shape(&mut self, name: &str, value: &str) -> Option<(&'static str, Shape)> {
        match KNOWN.iter().position(|(known, _)| *known == name) {
            Some(at) => Some(KNOWN[at]),
            None => {
                let names: Vec<&str> = KNOWN[..OTHERS].iter().map(|(known, _)| *known).collect();
                self.fault(name, value, &format!("only {}", names.join(", ")));
                None
            }
        }
    }

    /// An empty list is nothing that was given.
    fn add(&mut self, name: &'static str, values: Vec<String>) {
        if !values.is_empty() {
            self.given.entry(name).or_default().extend(values);
        }
    }

    /// Whether `name` was given.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The value of `name` if it was given and `read` makes sense of it; a fault if it does not.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.given.get(name)?.first()?.clone();
        let value = read(&text);
        if value.is_none() {
            self.fault(name, &text, allowed);
        }
        value
    }

    /// Every value of `name`, `max` at most, each of which `read` has to make sense of.
    pub(super) fn take_all<T>(
        &mut self,
        name: &'static str,
        max: usize,
        allowed: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let texts = self.given.get(name).cloned().unwrap_or_default();
        if texts.len() > max {
            self.fault(name, &format!("{} values", texts.len()), &format!("at most {max} values"));
            return Vec::new();
        }
        let mut values = Vec::with_capacity(texts.len());
        for text in texts {
            match read(&text) {
                Some(value) => values.push(value),
                None => self.fault(name, &text, allowed),
            }
        }
        values
    }

    /// What was given for `name`, for the text of a fault.
    pub(super) fn found(&self, name: &str) -> String {
        self.given.get(name).map_or_else(|| "the default".to_owned(), |values| values.join(", "))
    }

    /// Notes a fault; values that may be secret are not repeated.
    pub(super) fn fault(&mut self, parameter: &str, found: &str, allowed: &str) {
        let cut = |text: &str| text.chars().take(MAX_FOUND).collect();
        let secret =
            KNOWN.iter().any(|(known, shape)| *known == parameter && matches!(shape, Secret | Pairs(_)));
        if self.faults.len() < MAX_FAULTS {
            let found = cut(if secret { "a value that is not shown" } else { found });
            self.faults.push(Fault { parameter: cut(parameter), found, allowed: allowed.to_owned() });
        }
    }
}

impl Shape {
    fn in_json(self) -> &'static str {
        match self {
            One | Secret => "a string, a number, true or false",
            Box => "\"x,y,width,height\", a list of the four numbers, or an object of them",
            Words | Many => "a string, or a list of strings",
            Pairs(_) => "an object of strings, or a list of strings",
        }
    }
}

/// A JSON value as the strings that a query would have.
fn strings(value: &Value, shape: Shape) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    match (value, shape) {
        (Value::String(text), Words) => Some(text.split(',').map(str::to_owned).collect()),
        (Value::Array(values), Words | Many) => values.iter().map(one).collect(),
        // Texts would be boxes of their own.
        (Value::Array(values), Box) if !values.iter().all(Value::is_number) => None,
        (Value::Array(values), Box) => {
            Some(vec![values.iter().map(one).collect::<Option<Vec<_>>>()?.join(",")])
        }
        (Value::Object(sides), Box) if sides.len() == 4 => {
            let of = ["x", "y", "width", "height"].map(|side| sides.get(side).and_then(one));
            Some(vec![of.into_iter().collect::<Option<Vec<_>>>()?.join(",")])
        }
        (Value::Array(values), Pairs(between)) => values
            .iter()
            .map(|value| match value {
                // As browsers' own tools list cookies.
                Value::Object(pair) if pair.len() == 2 => {
                    Some(format!("{}{between}{}", one(pair.get("name")?)?, one(pair.get("value")?)?))
                }
                other => one(other),
            })
            .collect(),
        (Value::Object(pairs), Pairs(between)) => {
            pairs.iter().map(|(name, value)| Some(format!("{name}{between}{}", one(value)?))).collect()
        }
        (value, _) => one(value).map(|text| vec![text]),
    }
}
