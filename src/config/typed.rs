//! Reads settings by type. Each is read within its bounds, and a refusal names the bounds.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::problem::Kind;
use super::section::{Refusal, Section, describe};
use super::tree::{Node, Value};
use super::words::{nearest, read_duration, read_size, write_duration, write_size};

impl Section<'_> {
    /// Reads a number without unit within `bounds`.
    pub(super) fn number<T>(&mut self, key: &str, default: T, bounds: RangeInclusive<T>) -> T
    where
        T: TryFrom<i128> + PartialOrd + Display + Copy,
    {
        self.optional_number(key, Some(default), bounds).unwrap_or(default)
    }

    /// Reads a number that is derived from another setting if it is not given.
    pub(super) fn optional_number<T>(
        &mut self,
        key: &str,
        default: Option<T>,
        bounds: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display + Copy,
    {
        let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.read(key, default.map(|d| d.to_string()), &allowed, |node| {
            let number = match &node.value {
                Value::Integer(i) => *i,
                Value::Text(text) => text.trim().parse().map_err(|_| Kind::WrongType)?,
                _ => return Err(Kind::WrongType.into()),
            };
            let number = T::try_from(number).map_err(|_| Kind::OutOfRange)?;
            within(number, &bounds)
        })
    }

    /// Reads a number with a fraction within `bounds`.
    pub(super) fn fraction(&mut self, key: &str, default: f64, bounds: RangeInclusive<f64>) -> f64 {
        self.optional_fraction(key, Some(default), bounds).unwrap_or(default)
    }

    /// Reads a number with a fraction that is derived from another setting if it is not given.
    pub(super) fn optional_fraction(
        &mut self,
        key: &str,
        default: Option<f64>,
        bounds: RangeInclusive<f64>,
    ) -> Option<f64> {
        let allowed = format!("a number from {:?} to {:?}", bounds.start(), bounds.end());
        self.read(key, default.map(|d| format!("{d:?}")), &allowed, |node| {
            let number = match &node.value {
                Value::Float(f) => *f,
                Value::Integer(i) => *i as f64,
                Value::Text(text) => text.trim().parse().map_err(|_| Kind::WrongType)?,
                _ => return Err(Kind::WrongType.into()),
            };
            within(number, &bounds)
        })
    }

    /// Reads a size in bytes within `bounds`.
    pub(super) fn size<T>(&mut self, key: &str, default: u64, bounds: RangeInclusive<u64>) -> T
    where
        T: TryFrom<u64> + Default,
    {
        let written = write_size(default);
        let (least, most) = (write_size(*bounds.start()), write_size(*bounds.end()));
        let allowed = format!("a size from {least} to {most}, such as \"{written}\"");
        let read = self.read(key, Some(format!("{written:?}")), &allowed, |node| {
            let bytes = match &node.value {
                Value::String(text) | Value::Text(text) => read_size(text).ok_or(Kind::Malformed)?,
                Value::Integer(i) => u64::try_from(*i).map_err(|_| Kind::OutOfRange)?,
                _ => return Err(Kind::WrongType.into()),
            };
            T::try_from(within(bytes, &bounds)?).map_err(|_| Kind::OutOfRange.into())
        });
        // Defaults fit every platform that tintype runs on. A 16-bit one would get 0.
        read.or_else(|| T::try_from(default).ok()).unwrap_or_default()
    }

    /// Reads a duration within `bounds`.
    pub(super) fn duration(
        &mut self,
        key: &str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        self.optional_duration(key, Some(default), bounds).unwrap_or(default)
    }

    /// Reads a duration that is off if it is not given.
    pub(super) fn optional_duration(
        &mut self,
        key: &str,
        default: Option<Duration>,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (least, most) = (write_duration(*bounds.start()), write_duration(*bounds.end()));
        let example = default.map_or("15m".to_owned(), write_duration);
        let allowed = format!("a duration from {least} to {most}, such as \"{example}\"");
        self.read(key, default.map(|d| format!("{:?}", write_duration(d))), &allowed, |node| {
            match &node.value {
                Value::String(text) | Value::Text(text) => match read_duration(text) {
                    Some(duration) => within(duration, &bounds),
                    None => Err(Refusal { kind: Kind::Malformed, help: with_unit(text) }),
                },
                Value::Integer(i) => Err(Refusal { kind: Kind::WrongType, help: with_unit(&i.to_string()) }),
                _ => Err(Kind::WrongType.into()),
            }
        })
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        self.optional_flag(key, Some(default)).unwrap_or(default)
    }

    /// Reads `true` or `false`, derived from another setting if it is not given.
    pub(super) fn optional_flag(&mut self, key: &str, default: Option<bool>) -> Option<bool> {
        self.read(key, default.map(|d| d.to_string()), "true or false", |node| match &node.value {
            Value::Boolean(b) => Ok(*b),
            Value::Text(text) => text.trim().parse().map_err(|_| Kind::WrongType.into()),
            _ => Err(Kind::WrongType.into()),
        })
    }

    /// Reads one of the words in `choices`. The first is the default.
    pub(super) fn choice<T: Copy, const N: usize>(&mut self, key: &str, choices: [(&str, T); N]) -> T {
        self.choice_of(key, &choices, true).unwrap_or(choices[0].1)
    }

    /// Reads one of the words in `choices`. The first is noted as the default if `has_default`.
    pub(super) fn choice_of<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
        has_default: bool,
    ) -> Option<T> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let default = words.first().filter(|_| has_default).cloned();
        self.read(key, default, &words.join(" or "), |node| {
            let text = node.text()?;
            let chosen = choices.iter().find(|(word, _)| *word == text);
            chosen.map(|(_, value)| *value).ok_or_else(|| Refusal {
                kind: Kind::Malformed,
                help: nearest(text, choices.iter().map(|(word, _)| *word))
                    .map(|meant| format!("did you mean {meant:?}?")),
            })
        })
    }

    /// Reads a list with `parse` for its members. In the environment, commas separate them.
    pub(super) fn list<T: Debug>(
        &mut self,
        key: &str,
        default: Vec<T>,
        allowed: &str,
        parse: impl Fn(&Node) -> Result<T, Refusal>,
    ) -> Vec<T> {
        let Some(entry) = self.take(key, Some(format!("{default:?}"))) else { return default };
        let members = match entry.node.value {
            Value::List(members) => members,
            Value::Text(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let node = |part: &str| Node { place: entry.place.clone(), value: Value::Text(part.into()) };
                parts.map(node).collect()
            }
            other => {
                let found = describe(&other);
                let allowed = format!("a list, each of its members {allowed}");
                self.note(entry.node.place, key, Kind::WrongType.into(), found, &allowed);
                return default;
            }
        };
        let mut values = Vec::new();
        for (at, member) in members.into_iter().enumerate() {
            match parse(&member) {
                Ok(value) => values.push(value),
                Err(refusal) => {
                    let found = describe(&member.value);
                    self.note(member.place, &format!("{key}[{at}]"), refusal, found, allowed);
                }
            }
        }
        values
    }

    /// Like [`Section::list`], or one member without brackets. `None` if it is not given.
    pub(super) fn one_or_more<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl Fn(&Node) -> Result<T, Refusal>,
    ) -> Option<Vec<T>> {
        let entry = self.take(key, None)?;
        let members = match entry.node.value {
            Value::List(members) => members,
            Value::Text(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let node = |part: &str| Node { place: entry.place.clone(), value: Value::Text(part.into()) };
                parts.map(node).collect()
            }
            value => vec![Node { place: entry.node.place, value }],
        };
        let mut values = Vec::new();
        for member in members {
            match parse(&member) {
                Ok(value) => values.push(value),
                Err(refusal) => {
                    let found = describe(&member.value);
                    self.note(member.place, key, refusal, found, &format!("{allowed}, or a list of such"));
                }
            }
        }
        Some(values)
    }

    /// Reads the path of a file that exists and can be read.
    pub(super) fn file(&mut self, key: &str, what: &str) -> Option<PathBuf> {
        let allowed = format!("the path of {what}");
        let path = self.read(key, None, &allowed, |node| node.text().map(str::to_owned))?;
        let path = self.resolve(key, &path);
        match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(meta) if meta.is_dir() => {
                self.refuse(key, Kind::NotFound, format!("the folder {}", path.display()), &allowed);
                None
            }
            Ok(_) => Some(path),
            Err(error) => {
                self.refuse(key, Kind::NotFound, format!("{} ({error})", path.display()), &allowed);
                None
            }
        }
    }
}

impl Node {
    /// The value as a string.
    pub(super) fn text(&self) -> Result<&str, Refusal> {
        match &self.value {
            Value::String(text) | Value::Text(text) => Ok(text),
            _ => Err(Kind::WrongType.into()),
        }
    }
}

fn within<T: PartialOrd>(value: T, bounds: &RangeInclusive<T>) -> Result<T, Refusal> {
    if bounds.contains(&value) { Ok(value) } else { Err(Kind::OutOfRange.into()) }
}

fn with_unit(text: &str) -> Option<String> {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    bare.then(|| format!("a duration has a unit: did you mean \"{text}s\"?"))
}
