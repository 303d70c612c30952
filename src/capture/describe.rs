//! The descriptions that are made of the definitions: for OpenAPI, docs/CAPTURE.md and `--help`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::parameter::{Bound, Class, Kind, Parameter, Shape};
use super::parameters::{Group, all};
use super::reader::MAX_LIST;

/// Every parameter as a query parameter of an OpenAPI operation.
pub fn openapi_parameters() -> Value {
    let described = |parameter: &Parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "description": description(parameter),
            "required": false,
            "schema": schema(parameter),
        })
    };
    all().map(described).collect()
}

/// Every parameter as a member of the JSON object of a `POST`, in an OpenAPI schema.
pub fn openapi_properties() -> Value {
    let described = |parameter: &Parameter| {
        let mut member = schema(parameter);
        member["description"] = description(parameter).into();
        (parameter.name.to_owned(), member)
    };
    Value::Object(all().map(described).collect())
}

/// Puts both into an OpenAPI document with the operations of `/screenshot`.
pub fn describe(document: &mut Value) {
    let of_get = document.pointer_mut("/paths/~1screenshot/get/parameters").and_then(Value::as_array_mut);
    if let (Some(parameters), Value::Array(ours)) = (of_get, openapi_parameters()) {
        parameters.retain(|parameter| parameter["in"] != "query");
        parameters.splice(0..0, ours);
    }
    if let Some(schema) = document.pointer_mut("/components/schemas/Capture") {
        schema["properties"] = openapi_properties();
    }
}

/// The names of what can be on a picture, for `--help`, in lines of at most `width` columns.
pub fn help(width: usize) -> String {
    let mut lines = vec![String::from(" ")];
    let on_pictures = |parameter: &&Parameter| !matches!(parameter.class, Class::Cache | Class::Delivery);
    for name in all().filter(on_pictures).map(|parameter| parameter.name) {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + name.len() <= width => {
                line.push(' ');
                line.push_str(name);
            }
            _ => lines.push(format!("  {name}")),
        }
    }
    lines.join("\n")
}

impl Group {
    /// Its table in docs/CAPTURE.md.
    pub fn table(&self) -> String {
        let mut table = "| parameter | what it says | values | default |\n|---|---|---|---|\n".to_owned();
        for parameter in self.parameters {
            let (name, doc, default) = (parameter.name, parameter.doc(), parameter.default_text());
            let values = values(parameter);
            // Writing to a string does not fail.
            let _ = writeln!(table, "| `{name}` | {doc} | {values} | {default} |");
        }
        table
    }
}

/// The values of a parameter in the words of docs/CAPTURE.md. Settings are in italics.
fn values(parameter: &Parameter) -> String {
    let bound = |bound: Bound| match bound {
        Bound::Fixed(max) => max.to_string(),
        Bound::Setting(setting, _) => format!("*{setting}*"),
    };
    match parameter.kind {
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::Integer(min, max) => format!("{min} to {}", bound(max)),
        Kind::Number(min, max) => format!("{min} to {}", bound(max)),
        Kind::Delay => "0 to *max_delay*".to_owned(),
        Kind::Lifetime => "a time".to_owned(),
        Kind::Choice(words, _) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Url => "a URL".to_owned(),
        Kind::Word => "a word".to_owned(),
        Kind::Box => "four numbers".to_owned(),
        Kind::Words | Kind::Resources => "words".to_owned(),
        Kind::Texts | Kind::TextSet => "texts".to_owned(),
        Kind::Pairs(_) => "names and values".to_owned(),
        Kind::Document | Kind::Text | Kind::Secret | Kind::Opaque => "a text".to_owned(),
    }
}

/// The documentation of a parameter as a sentence, without links to other documents.
fn description(parameter: &Parameter) -> String {
    let mut text = parameter.doc().to_owned();
    while let Some(at) = text.find(" ([") {
        let Some(end) = text[at..].find("))") else { break };
        text.replace_range(at..at + end + 2, "");
    }
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let end = if text.ends_with('.') { "" } else { "." };
    first.into_iter().chain(letters).chain(end.chars()).collect()
}

fn schema(parameter: &Parameter) -> Value {
    if matches!(parameter.shape(), Shape::List | Shape::Pairs(_)) {
        return json!({ "type": "array", "items": { "type": "string" }, "maxItems": MAX_LIST });
    }
    let mut schema = Map::new();
    let kind = match parameter.kind {
        Kind::Flag => "boolean",
        Kind::Integer(..) => "integer",
        Kind::Number(..) => "number",
        _ => "string",
    };
    schema.insert("type".into(), kind.into());
    match parameter.kind {
        Kind::Choice(words, _) => {
            schema.insert("enum".into(), words.into());
        }
        Kind::Url => {
            schema.insert("format".into(), "uri".into());
        }
        _ => {}
    }
    let bounds = match parameter.kind {
        Kind::Integer(min, max) => Some((Value::from(min), max)),
        Kind::Number(min, max) => Some((Value::from(min), max)),
        _ => None,
    };
    if let Some((min, max)) = bounds {
        schema.insert("minimum".into(), min);
        if let Bound::Fixed(max) = max {
            schema.insert("maximum".into(), max.into());
        }
    }
    if let Some(default) = parameter.absent_value() {
        let typed = if kind == "string" { None } else { serde_json::from_str(default).ok() };
        schema.insert("default".into(), typed.unwrap_or_else(|| Value::from(default)));
    }
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_have_types_bounds_and_defaults() {
        let properties = openapi_properties();
        for (name, expected) in [
            ("full_page", json!({ "type": "boolean", "default": false })),
            ("quality", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 80 })),
            ("delay", json!({ "type": "string", "default": "0" })),
            ("css", json!({ "type": "array", "items": { "type": "string" }, "maxItems": 32 })),
            ("on_timeout", json!({ "type": "string", "enum": ["picture", "error"], "default": "picture" })),
        ] {
            let mut member = properties[name].clone();
            let text = member.as_object_mut().and_then(|member| member.remove("description")).expect(name);
            assert_eq!(member, expected, "{name}");
            assert!(!text.as_str().unwrap_or_default().contains("]("), "{text}");
        }
        assert_eq!(openapi_parameters().as_array().map(Vec::len), Some(all().count()));
    }

    #[test]
    fn help_has_every_name_in_short_lines() {
        let text = help(100);
        assert!(text.lines().all(|line| line.len() <= 100) && text.contains(" on_timeout"), "{text}");
        assert!(!text.contains("ttl"));
    }
}
