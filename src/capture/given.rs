//! The parameters of a request as they were given, by query or by JSON: names and values, nothing decided yet.

use serde_json::Value;

use super::table;
use crate::message::{form, json};

/// Parameters that are read; a request with more is not read at all.
pub(super) const MOST: usize = 256;

/// A name and its value, decoded.
pub(super) type Pair = (String, String);

/// The pairs of a raw query. `None` if there are too many, or one has octets that are not UTF-8 and is no URL: as text
/// they cannot be kept, and two values would become one.
pub(super) fn query(query: &str) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (name, value) in form::pairs(query) {
        let is_kept = name.is_utf8 && (value.is_utf8 || name.text == "url");
        if !is_kept || pairs.len() >= MOST {
            return None;
        }
        pairs.push((name.text.into_owned(), value.text.into_owned()));
    }
    Some(pairs)
}

/// The pairs of a JSON object: lists as repeated names, objects as `name.member`, those of fields and cookies as pairs. `None` for what
/// is no object.
pub(super) fn json(body: &[u8]) -> Option<Vec<Pair>> {
    let Ok(Value::Object(members)) = json::from_slice(body) else { return None };
    let mut pairs = Vec::new();
    for (name, value) in members {
        flatten(&mut pairs, name, value);
        if pairs.len() > MOST {
            return None;
        }
    }
    Some(pairs)
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
            let between = table::between(&name);
            for value in values.into_iter().take(MOST + 1) {
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
                let sides = ["x", "y", "width", "height"].map(|side| members.get(side).cloned());
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
                let between = table::between(&name).unwrap_or(": ");
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
            let mut by_json = json(body.as_bytes()).expect("an object");
            by_json.sort();
            let mut by_query = query(as_query).expect("few");
            by_query.sort();
            assert_eq!(by_json, by_query, "{body}");
        }
        for no_object in ["", "[]", "5", "{", "null"] {
            assert_eq!(json(no_object.as_bytes()), None, "{no_object}");
        }
        assert_eq!(query(&"a&".repeat(MOST + 1)), None);
    }
}
