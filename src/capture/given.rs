//! The parameters of a request as they were given, by query or by JSON: names and values, nothing decided yet.

use serde_json::Value;

use super::limits::Limits;
use super::parameter::{Alias, Class, Pair, Parameter, Shape};
use super::parameters;
use super::reader::{self, Reader};
use super::values;
use crate::message::problem::Fault;
use crate::message::{form, json};

/// Parameters that are read; a request with more is not read at all.
pub(super) const MAX_PAIRS: usize = 256;
/// The members of a box.
const SIDES: [&str; 4] = ["x", "y", "width", "height"];

/// The parameters of a request, by query and by JSON.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// In the order in which they were given: lists in JSON as repeated names, objects as `name.member`, those of
    /// fields and cookies as pairs.
    pub(super) pairs: Vec<Pair>,
    /// So many of the pairs are from the query.
    pub(super) by_query: usize,
    /// Names that cannot be read, and JSON values of the wrong type.
    pub(super) faults: Vec<Fault>,
    /// Whether the pairs are all that was given, octet by octet.
    pub(super) is_whole: bool,
}

impl Given {
    pub(super) fn read(query: &str, body: Option<&[u8]>) -> Self {
        let mut given = Given { is_whole: true, ..Given::default() };
        for (name, value) in form::pairs(query) {
            // In a URL such octets stay percent-encoded. As text they cannot be kept, and two values would become one.
            if !value.is_utf8 && name.text != "url" {
                given.is_whole = false;
                given.fault(&name.text, &value.text, "UTF-8 text, percent-encoded");
                continue;
            }
            given.is_whole &= name.is_utf8;
            given.pairs.push((name.text.into_owned(), value.text.into_owned()));
        }
        given.by_query = given.pairs.len();
        given.is_whole &= given.pairs.len() <= MAX_PAIRS;
        if let Some(body) = body {
            given.read_json(body);
        }
        given
    }

    fn read_json(&mut self, body: &[u8]) {
        const ALLOWED: &str = "a JSON object of parameters";
        let members = match json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            other => {
                self.is_whole = false;
                let found = other.map_or_else(|error| error.to_string(), |value| value.to_string());
                return self.fault("body", &found, ALLOWED);
            }
        };
        for (name, value) in members {
            if let Some(known) = parameters::find(&name).filter(|known| !has_shape(&value, known.shape())) {
                self.fault(&name, &text(&value), reader::in_json(known));
            }
            flatten(&mut self.pairs, name, value);
            if self.pairs.len() - self.by_query > MAX_PAIRS {
                self.is_whole = false;
                return self.fault("body", "more", &format!("at most {MAX_PAIRS} values"));
            }
        }
    }

    fn fault(&mut self, name: &str, found: &str, allowed: &str) {
        // More are not named, and not kept.
        if self.faults.len() < reader::MAX_FAULTS {
            let secret = parameters::find(name).is_some_and(Parameter::is_secret);
            let found = if secret { reader::HIDDEN.to_owned() } else { found.to_owned() };
            self.faults.push(Fault { parameter: name.to_owned(), found, allowed: allowed.to_owned() });
        }
    }
}

/// A reader of a request as it came.
pub(super) fn reader<'l>(given: &Given, limits: &'l Limits) -> Reader<'l> {
    let mut reader = Reader::new(limits);
    for fault in &given.faults {
        reader.note(fault.clone());
    }
    let (by_query, by_json) = given.pairs.split_at(given.by_query);
    add_all(&mut reader, by_query, &[]);
    // What is given in both is given twice, lists too.
    let before: Vec<&Parameter> = parameters::all().filter(|known| reader.is_given(known)).collect();
    add_all(&mut reader, by_json, &before);
    reader
}

/// A reader of a request in canonical form.
pub(super) fn canonical_reader<'l>(pairs: &[Pair], limits: &'l Limits) -> Reader<'l> {
    let mut reader = Reader::new(limits);
    add_all(&mut reader, pairs, &[]);
    reader
}

fn add_all(reader: &mut Reader<'_>, pairs: &[Pair], before: &[&Parameter]) {
    for (name, value) in pairs {
        let Some(known) = parameters::find(name).filter(|known| known.class != Class::Delivery) else {
            unknown(reader, name, value);
            continue;
        };
        let in_json = reader::in_json(known);
        if reader.faults.iter().any(|fault| fault.parameter == *name && fault.allowed == in_json) {
            continue;
        }
        if before.iter().any(|parameter| parameter.name == known.name) {
            reader.fault(known, value, reader::DOUBLE);
        } else {
            reader.add(known, value);
        }
    }
}

fn unknown(reader: &mut Reader<'_>, name: &str, value: &str) {
    // Another name of a lifetime is for a cache in front, too.
    if matches!(parameters::alias(name), Some((_, Alias::Times(_)))) && values::lifetime(value).is_some() {
        return;
    }
    let names: Vec<&str> = parameters::names().filter(|name| parameters::is_parameter(name)).collect();
    let allowed = format!("only {}", names.join(", "));
    reader.note(Fault { parameter: name.to_owned(), found: value.to_owned(), allowed });
}

/// The pairs of a raw query. `None` if there are too many, or one has octets that are not UTF-8 and is no URL.
pub(super) fn query(query: &str) -> Option<Vec<Pair>> {
    let given = Given::read(query, None);
    given.is_whole.then_some(given.pairs)
}

/// Whether a JSON value has the form that a parameter of this shape takes.
fn has_shape(value: &Value, shape: Shape) -> bool {
    let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let is_pair = |member: &Value| match member {
        // As browsers' own tools list cookies.
        Value::Object(pair) => {
            pair.len() == 2 && ["name", "value"].iter().all(|part| pair.get(*part).is_some_and(is_scalar))
        }
        other => is_scalar(other),
    };
    match (value, shape) {
        (Value::Null, _) => true,
        (Value::Array(values), Shape::List) => values.iter().all(is_scalar),
        // Texts would be boxes of their own.
        (Value::Array(values), Shape::Box) => values.iter().all(Value::is_number),
        (Value::Object(sides), Shape::Box) => {
            sides.len() == 4 && SIDES.iter().all(|side| sides.get(*side).is_some_and(is_scalar))
        }
        (Value::Array(values), Shape::Pairs(_)) => values.iter().all(is_pair),
        (Value::Object(pairs), Shape::Pairs(_)) => pairs.values().all(is_scalar),
        (other, _) => is_scalar(other),
    }
}

fn flatten(pairs: &mut Vec<Pair>, name: String, value: Value) {
    match value {
        Value::Null => {}
        Value::String(text) => pairs.push((name, text)),
        // Four sides are numbers. Texts are boxes: a clip that was given twice must not become one that nobody gave.
        Value::Array(values) if name == "clip" && values.iter().all(Value::is_number) => {
            pairs.push((name, joined(&values)))
        }
        Value::Array(values) => {
            let between = parameters::between(&name);
            for value in values.into_iter().take(MAX_PAIRS + 1) {
                match value {
                    Value::Null => {}
                    Value::Object(mut member) => {
                        let value = match between.and_then(|between| pair(&member, between)) {
                            Some(pair) => pair,
                            // A style or script as browser libraries have it; nothing else has objects in a list.
                            None => text(&member.remove("content").unwrap_or(Value::Object(member))),
                        };
                        pairs.push((name.clone(), value));
                    }
                    other => pairs.push((name.clone(), text(&other))),
                }
            }
        }
        Value::Object(members) => match name.as_str() {
            "clip" => {
                let sides = SIDES.map(|side| members.get(side).cloned());
                let known = members.len() == sides.iter().flatten().count();
                let value = match known {
                    true => joined(&sides.map(|side| side.unwrap_or(Value::from(0)))),
                    false => Value::Object(members).to_string(),
                };
                pairs.push((name, value));
            }
            "viewport" | "geolocation" => {
                pairs.extend(members.into_iter().map(|(m, value)| (format!("{name}.{m}"), text(&value))));
            }
            _ => {
                let between = parameters::between(&name).unwrap_or(": ");
                pairs.extend(
                    members
                        .into_iter()
                        .filter(|(_, value)| !value.is_null())
                        .map(|(m, value)| (name.clone(), format!("{m}{between}{}", text(&value)))),
                );
            }
        },
        scalar => pairs.push((name, scalar.to_string())),
    }
}

/// A cookie or field as browser libraries have it: its name and its value, and nothing else to it.
fn pair(member: &serde_json::Map<String, Value>, between: &str) -> Option<String> {
    let of = |name: &str| {
        member.get(name).filter(|value| !(value.is_object() || value.is_array() || value.is_null()))
    };
    let (name, value) = of("name").zip(of("value")).filter(|_| member.len() == 2)?;
    Some(format!("{}{between}{}", text(name), text(value)))
}

pub(super) fn joined(values: &[Value]) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(",")
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_query_give_the_same_pairs() {
        for (body, as_query) in [
            (
                r#"{"url":"https://a.example/?x=1&y","width":5,"full_page":true}"#,
                "full_page=true&url=https%3A%2F%2Fa.example%2F%3Fx%3D1%26y&width=5",
            ),
            (r#"{"clip":[1,2,3,4]}"#, "clip=1,2,3,4"),
            (r#"{"clip":{"x":1,"y":2,"width":3,"height":4}}"#, "clip=1,2,3,4"),
            (r#"{"css":["a{}","b{}"],"js":"x()"}"#, "css=a{}&css=b{}&js=x()"),
            (r#"{"headers":{"A":"b"},"cookies":{"c":"d"}}"#, "cookies=c%3Dd&headers=A:+b"),
            (
                r#"{"viewport":{"width":800,"deviceScaleFactor":2}}"#,
                "viewport.deviceScaleFactor=2&viewport.width=800",
            ),
            (r#"{"cookies":[{"name":"c","value":"d"},"e=f"]}"#, "cookies=c%3Dd&cookies=e%3Df"),
            (r#"{"header":[{"name":"A","value":"b"}],"cookie":{"c":1}}"#, "cookie=c%3D1&header=A:+b"),
            (r#"{"addStyleTag":[{"content":"a{}"}],"scale":null}"#, "addStyleTag=a{}"),
        ] {
            let given = Given::read("", Some(body.as_bytes()));
            assert!(given.is_whole, "{body}");
            let mut by_json = given.pairs;
            by_json.sort();
            let mut by_query = query(as_query).expect("few");
            by_query.sort();
            assert_eq!(by_json, by_query, "{body}");
        }
        for no_object in ["", "[]", "5", "{", "null"] {
            assert!(!Given::read("", Some(no_object.as_bytes())).is_whole, "{no_object}");
        }
        assert_eq!(query(&"a&".repeat(MAX_PAIRS + 1)), None);
    }
}
