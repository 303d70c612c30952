//! [`Reader`] and [`Section`]: take settings out of a table one by one. A bad value is noted and
//! its default is used. Settings that were not taken are reported as unknown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::known::Known;
use super::problem::{Kind, Place, Problem, Problems};
use super::tree::{Entry, Node, Table, Value};
use super::words::nearest;

/// Collects the problems of all sections.
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
    pub(super) known: Vec<Known>,
    /// The folder of the file, from which its relative paths start.
    pub(super) folder: PathBuf,
    /// Path, key and place of the keys that were not taken.
    unknown: Vec<(String, String, Place)>,
}

impl Reader {
    pub(super) fn new(folder: PathBuf) -> Self {
        Reader { problems: Vec::new(), known: Vec::new(), folder, unknown: Vec::new() }
    }

    /// The section of the whole tree. `place` is that of missing settings.
    pub(super) fn root(&mut self, table: Table, place: Place) -> Section<'_> {
        Section { reader: self, path: String::new(), place, table, places: HashMap::new() }
    }

    /// All problems in reading order, if there are any.
    pub(super) fn finish(&mut self) -> Result<(), Problems> {
        for (section, key, place) in std::mem::take(&mut self.unknown) {
            let problem = self.unknown_key(&section, &key, place);
            self.problems.push(problem);
        }
        for problem in &mut self.problems {
            if let (Place::Variable(name), "") = (&problem.place, problem.path.as_str()) {
                let meant = super::environment::suggest(name, &self.known);
                problem.help = meant.map(|meant| format!("did you mean {meant}?"));
            }
        }
        // Settings that the parser skipped are not missing, and a broken line has been reported
        // once.
        let syntax: Vec<Place> = self.of_kind(Kind::Syntax).map(|p| p.place.clone()).collect();
        if !syntax.is_empty() {
            let line = |place: &Place| match place {
                Place::Line { line, .. } => Some(*line),
                _ => None,
            };
            let broken: Vec<_> = syntax.iter().map(line).collect();
            self.problems.retain(|p| match p.kind {
                Kind::Syntax => true,
                Kind::Missing | Kind::NotFound | Kind::Conflict => false,
                _ => line(&p.place).is_none() || !broken.contains(&line(&p.place)),
            });
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut problems = std::mem::take(&mut self.problems);
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        Err(Problems(problems))
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(move |p| p.kind == kind)
    }

    fn unknown_key(&self, section: &str, key: &str, place: Place) -> Problem {
        let inside = |known: &Known| {
            let (parent, name) = known.path.rsplit_once('.').unwrap_or(("", &known.path));
            (parent == section).then(|| name.to_owned())
        };
        let siblings: Vec<String> = self.known.iter().filter_map(inside).collect();
        let elsewhere = || {
            let suffix = format!(".{key}");
            self.known.iter().find(|k| !k.table && k.path.ends_with(&suffix)).map(|k| k.path.clone())
        };
        let written = |path: &str| match place {
            Place::Variable(_) => super::environment::variable(path),
            _ => path.to_owned(),
        };
        let help = match nearest(key, siblings.iter().map(String::as_str)) {
            Some(meant) if matches!(place, Place::Variable(_)) => Some(written(&join(section, meant))),
            Some(meant) => Some(meant.to_owned()),
            None => elsewhere().map(|path| written(&path)),
        };
        Problem {
            place,
            path: join(section, key),
            kind: Kind::UnknownKey,
            found: format!("the unknown key `{key}`"),
            allowed: match siblings.as_slice() {
                [] => "no keys here".to_owned(),
                names => format!("one of {}", names.join(", ")),
            },
            help: help.map(|meant| format!("did you mean `{meant}`?")),
        }
    }
}

/// Why a value was refused. The reader adds the name and bounds of the setting.
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) help: Option<String>,
}

impl From<Kind> for Refusal {
    fn from(kind: Kind) -> Self {
        Refusal { kind, help: None }
    }
}

/// A table that is being read. On drop, keys that were not taken are reported as unknown.
pub(super) struct Section<'r> {
    reader: &'r mut Reader,
    path: String,
    place: Place,
    table: Table,
    /// The place of each given setting.
    places: HashMap<String, Place>,
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for entry in std::mem::take(&mut self.table.0) {
            self.reader.unknown.push((self.path.clone(), entry.name, entry.place));
        }
    }
}

impl Section<'_> {
    /// Opens the table `key`, or an empty one if it is missing.
    pub(super) fn table(&mut self, key: &str) -> Section<'_> {
        self.reader.known.push(Known { path: join(&self.path, key), default: None, table: true });
        let entry = self.table.take(key);
        let place = entry.as_ref().map_or(self.place.clone(), |e| e.place.clone());
        let table = entry.and_then(|e| self.as_table(key, e.node)).unwrap_or_default();
        let path = join(&self.path, key);
        Section { reader: &mut *self.reader, path, place, table, places: HashMap::new() }
    }

    /// Opens each member of the array of tables `key`, of which `most` are allowed.
    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        most: usize,
        mut read: impl FnMut(Section<'_>, usize) -> T,
    ) -> Vec<T> {
        let path = join(&self.path, key);
        self.reader.known.push(Known { path: path.clone(), default: None, table: true });
        let Some(entry) = self.table.take(key) else { return Vec::new() };
        let allowed = format!("up to {most} tables, each begun by [[{path}]]");
        let members = match entry.node.value {
            Value::List(members) if members.len() <= most => members,
            Value::List(members) => {
                let found = format!("{} of them", members.len());
                self.note(entry.place, key, Kind::OutOfRange.into(), found, &allowed);
                return Vec::new();
            }
            other => {
                self.note(entry.node.place, key, Kind::WrongType.into(), describe(&other), &allowed);
                return Vec::new();
            }
        };
        let mut values = Vec::with_capacity(members.len());
        for (at, member) in members.into_iter().enumerate() {
            let (key, place) = (format!("{key}[{at}]"), member.place.clone());
            let Some(table) = self.as_table(&key, member) else { continue };
            let path = join(&self.path, &key);
            let section = Section { reader: &mut *self.reader, path, place, table, places: HashMap::new() };
            values.push(read(section, at));
        }
        values
    }

    /// The names of all keys in this section, which are then to be read.
    pub(super) fn names(&self) -> Vec<String> {
        self.table.0.iter().map(|e| e.name.clone()).collect()
    }

    /// Whether `key` was given and has been read, valid or not.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Drops all remaining keys without reporting them.
    pub(super) fn skip(&mut self) {
        self.table.0.clear();
    }

    /// Drops `key` without reporting it.
    pub(super) fn forget(&mut self, key: &str) {
        self.table.take(key);
    }

    /// Reads `key` with `parse`. `None` if it is missing, or was refused and noted.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        default: Option<String>,
        allowed: &str,
        parse: impl FnOnce(&Node) -> Result<T, Refusal>,
    ) -> Option<T> {
        let entry = self.take(key, default)?;
        match parse(&entry.node) {
            Ok(value) => Some(value),
            Err(refusal) => {
                let found = describe(&entry.node.value);
                self.note(entry.node.place, key, refusal, found, allowed);
                None
            }
        }
    }

    /// Like [`Section::read`], for a value that must not be shown.
    pub(super) fn read_secret<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&Node) -> Result<T, Refusal>,
    ) -> Option<T> {
        let entry = self.take(key, None)?;
        match parse(&entry.node) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.note(entry.node.place, key, refusal, "a value that is kept secret".to_owned(), allowed);
                None
            }
        }
    }

    /// Notes a problem with `key` that was found after it was read, or with the section if the key
    /// is missing.
    pub(super) fn refuse(&mut self, key: &str, kind: Kind, found: impl Into<String>, allowed: &str) {
        self.refuse_with_help(key, kind, found, allowed, None);
    }

    /// Like [`Section::refuse`], with a help text.
    pub(super) fn refuse_with_help(
        &mut self,
        key: &str,
        kind: Kind,
        found: impl Into<String>,
        allowed: &str,
        help: Option<String>,
    ) {
        let place = self.places.get(key).unwrap_or(&self.place).clone();
        self.note(place, key, Refusal { kind, help }, found.into(), allowed);
    }

    /// Notes a problem with the name `key` itself, which is still to be read.
    pub(super) fn refuse_entry(&mut self, key: &str, kind: Kind, found: String, allowed: &str) {
        let entry = self.table.0.iter().find(|e| e.name == key);
        let place = entry.map_or(&self.place, |e| &e.place).clone();
        self.note(place, key, kind.into(), found, allowed);
    }

    /// Notes a problem with this section as a whole.
    pub(super) fn refuse_section(&mut self, kind: Kind, found: &str, allowed: &str) {
        let (place, path) = (self.place.clone(), self.path.clone());
        let (found, allowed) = (found.to_owned(), allowed.to_owned());
        self.reader.problems.push(Problem { place, path, kind, found, allowed, help: None });
    }

    /// `path` as the setting `key` means it: relative to its file, or to the working directory if
    /// it was set elsewhere.
    pub(super) fn resolve(&self, key: &str, path: &str) -> PathBuf {
        match self.places.get(key) {
            Some(Place::Variable(_) | Place::Argument(_)) => PathBuf::from(path),
            _ => self.reader.folder.join(path),
        }
    }

    /// Takes `key` out of the table, and notes that there is such a setting.
    pub(super) fn take(&mut self, key: &str, default: Option<String>) -> Option<Entry> {
        self.reader.known.push(Known { path: join(&self.path, key), default, table: false });
        let entry = self.table.take(key)?;
        self.places.insert(key.to_owned(), entry.node.place.clone());
        Some(entry)
    }

    fn as_table(&mut self, key: &str, node: Node) -> Option<Table> {
        match node.value {
            Value::Table(table) => Some(table),
            other => {
                let found = describe(&other);
                self.note(node.place, key, Kind::WrongType.into(), found, "a table of settings");
                None
            }
        }
    }

    /// Notes a problem with the setting `key`.
    pub(super) fn note(&mut self, place: Place, key: &str, refusal: Refusal, found: String, allowed: &str) {
        let path = join(&self.path, key);
        let Refusal { kind, help } = refusal;
        self.reader.problems.push(Problem { place, path, kind, found, allowed: allowed.to_owned(), help });
    }
}

/// `value` as it would be written in TOML, cut to a readable length.
pub(super) fn describe(value: &Value) -> String {
    let written = write(value);
    match written.char_indices().nth(100) {
        Some((at, _)) => format!("{}...", &written[..at]),
        None => written,
    }
}

/// `value` as it would be written in TOML. Tables are only named.
pub(super) fn write(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::String(text) => format!("{text:?}"),
        Value::Integer(i) => i.to_string(),
        Value::Float(f) => format!("{f:?}"),
        Value::Boolean(b) => b.to_string(),
        Value::Datetime(d) => d.clone(),
        Value::List(members) => {
            format!("[{}]", members.iter().map(|m| write(&m.value)).collect::<Vec<_>>().join(", "))
        }
        Value::Table(_) => "a table".to_owned(),
    }
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The folder from which relative paths in `file` start.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}
