//! [`Table`] and [`Node`]: a configuration as it was written, tables and values with their places.
//! Files, environment and command line all become this form, so that one reader validates them.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Kind, Place, Problem};

/// A value and the place where it is written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// From the environment or the command line. Its type is that of the setting.
    Text(String),
    String(String),
    /// Integers beyond 128 bits are replaced by the nearest one that fits. No bound is that large.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The place of the key.
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn take(&mut self, name: &str) -> Option<Entry> {
        let at = self.0.iter().position(|e| e.name == name)?;
        Some(self.0.remove(at))
    }

    /// Sets the value at `path`, replaces a value there, and opens the tables on the way. If one of
    /// them is no table, returns how many names led to it.
    pub(super) fn set(&mut self, path: &[String], node: Node) -> Result<(), usize> {
        let [name, rest @ ..] = path else { return Ok(()) };
        let place = node.place.clone();
        let at = match self.0.iter().position(|e| e.name == *name) {
            Some(at) => at,
            None => {
                let empty = Node { place: place.clone(), value: Value::Table(Table::default()) };
                self.0.push(Entry { name: name.clone(), place: place.clone(), node: empty });
                self.0.len() - 1
            }
        };
        let entry = &mut self.0[at];
        if rest.is_empty() {
            *entry = Entry { name: name.clone(), place, node };
            return Ok(());
        }
        match &mut entry.node.value {
            Value::Table(table) => table.set(rest, node).map_err(|depth| depth + 1),
            _ => Err(1),
        }
    }
}

/// Reads TOML `text` of `file`. A part that cannot be parsed becomes a problem, and the rest of the
/// file is still read.
pub(super) fn parse(file: &Arc<Path>, text: &str, problems: &mut Vec<Problem>) -> Table {
    let lines = Lines { file, text };
    let (root, errors) = DeTable::parse_recoverable(text);
    problems.extend(errors.iter().map(|error| {
        let (what, allowed) = match error.message().split_once(", expected ") {
            Some((what, expected)) => (what, expected.to_owned()),
            None => (error.message(), "TOML, see https://toml.io".to_owned()),
        };
        let at = error.span().map_or(0, |span| span.start);
        Problem {
            place: lines.place(at),
            path: String::new(),
            kind: Kind::Syntax,
            found: format!("{what}, in the line of `{}`", lines.word(at)),
            allowed,
            help: None,
        }
    }));
    lines.table(root.into_inner())
}

/// Turns byte offsets into lines and columns.
struct Lines<'a> {
    file: &'a Arc<Path>,
    text: &'a str,
}

impl Lines<'_> {
    fn table(&self, table: DeTable<'_>) -> Table {
        // The parser gives a value that it could not read an empty span.
        let is_read = |value: &toml::Spanned<DeValue<'_>>| {
            !value.span().is_empty() || matches!(value.get_ref(), DeValue::Table(_))
        };
        let mut entries: Vec<_> = table.into_iter().filter(|(_, value)| is_read(value)).collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter().map(|(key, value)| Entry {
            place: self.place(key.span().start),
            name: key.into_inner().into_owned(),
            node: self.node(value),
        });
        Table(entries.collect())
    }

    fn node(&self, value: toml::Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span().start);
        let value = match value.into_inner() {
            DeValue::String(s) => Value::String(s.into_owned()),
            DeValue::Integer(i) => Value::Integer(integer(i.as_str(), i.radix())),
            DeValue::Float(f) => Value::Float(f.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(b) => Value::Boolean(b),
            DeValue::Datetime(d) => Value::Datetime(d.to_string()),
            DeValue::Array(list) => Value::List(list.into_iter().map(|v| self.node(v)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { place, value }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.before(offset);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::Line {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The first word of the line around `offset`. The rest of the line may be a secret.
    fn word(&self, offset: usize) -> &str {
        let start = self.before(offset).rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].lines().next().unwrap_or_default();
        line.trim().split(['=', '"', '\'', ' ', '\t']).next().unwrap_or_default()
    }

    fn before(&self, offset: usize) -> &str {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[..end]
    }
}

fn integer(digits: &str, radix: u32) -> i128 {
    let beyond = if digits.starts_with('-') { i128::MIN } else { i128::MAX };
    i128::from_str_radix(digits, radix).unwrap_or(beyond)
}
