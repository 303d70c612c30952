//! [`Problem`]: what is wrong with a configuration, with all that is needed to correct it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

/// Where a setting was written. Sorts in reading order: the file, the environment, the command
/// line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file as a whole. A missing setting has no line.
    File(Arc<Path>),
    /// A place in a file. Line and column count from 1, columns in characters.
    Line {
        /// The file as it was named.
        file: Arc<Path>,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A flag of the command line.
    Argument(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file) => write!(f, "{}", file.display()),
            Place::Line { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::Argument(flag) => write!(f, "argument {flag}"),
        }
    }
}

/// The kinds of problems, with stable names for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file cannot be read.
    Unreadable,
    /// The file is not TOML.
    Syntax,
    /// There is no setting of this name.
    UnknownKey,
    /// A required setting was not given.
    Missing,
    /// The value has another TOML type than the setting.
    WrongType,
    /// The value has the right type but no meaning, such as an unknown unit or an address without a
    /// port.
    Malformed,
    /// The value is outside of its bounds.
    OutOfRange,
    /// The value names something that does not exist.
    NotFound,
    /// Two settings that are valid alone exclude each other.
    Conflict,
}

impl Kind {
    /// The name of the kind in `tintype check --json`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Unreadable => "unreadable",
            Kind::Syntax => "syntax",
            Kind::UnknownKey => "unknown-key",
            Kind::Missing => "missing",
            Kind::WrongType => "wrong-type",
            Kind::Malformed => "malformed",
            Kind::OutOfRange => "out-of-range",
            Kind::NotFound => "not-found",
            Kind::Conflict => "conflict",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the value was written.
    pub place: Place,
    /// The path of the setting, such as `store.memory`. Empty for the file as a whole.
    pub path: String,
    /// The kind of the problem.
    pub kind: Kind,
    /// The value that was found. Never a secret.
    pub found: String,
    /// The values that are allowed.
    pub allowed: String,
    /// How to correct it, if that can be guessed.
    pub help: Option<String>,
}

/// Everything that is wrong with a configuration, in reading order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(false))
    }
}

impl Problems {
    /// For people: a paragraph for each problem and a count, with ANSI colours if `colour`.
    pub fn to_text(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| match colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let mut text = String::new();
        for problem in &self.0 {
            let subject = match problem.path.as_str() {
                "" => problem.kind.name(),
                path => path,
            };
            text += &format!("{}: {}\n", paint("1", &problem.place.to_string()), paint("1;31", subject));
            text += &format!("  found:   {}\n", problem.found);
            text += &format!("  allowed: {}\n", problem.allowed);
            if let Some(help) = &problem.help {
                text += &format!("  {}    {help}\n", paint("32", "help:"));
            }
        }
        let count = match self.0.len() {
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        text + &format!("{} in the configuration\n", paint("1;31", &count))
    }

    /// For programs: a list of objects with `path`, `kind`, `file`, `line`, `column`, `variable`,
    /// `argument`, `found`, `allowed` and `help`. Values that do not apply are null.
    pub fn to_json(&self) -> Value {
        self.0.iter().map(Problem::to_json).collect()
    }
}

impl Problem {
    fn to_json(&self) -> Value {
        let mut object = json!({
            "path": self.path, "kind": self.kind.name(),
            "file": null, "line": null, "column": null, "variable": null, "argument": null,
            "found": self.found, "allowed": self.allowed, "help": self.help,
        });
        match &self.place {
            Place::File(file) => object["file"] = json!(file.display().to_string()),
            Place::Line { file, line, column } => {
                object["file"] = json!(file.display().to_string());
                object["line"] = json!(line);
                object["column"] = json!(column);
            }
            Place::Variable(name) => object["variable"] = json!(name),
            Place::Argument(flag) => object["argument"] = json!(flag),
        }
        object
    }
}
