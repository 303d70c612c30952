//! Reads `[upstream.NAME]`, an origin of either kind.

use super::problem::Kind;
use super::section::Section;
use super::{chrome, remote};

/// The settings of one origin, of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Upstream {
    /// A remote HTTP server.
    Remote(Box<crate::origin::remote::Config>),
    /// The built-in capture engine.
    Chrome(Box<crate::origin::chrome::Config>),
}

pub(super) fn read_all(mut s: Section<'_>) -> Vec<(String, Upstream)> {
    let mut upstreams = Vec::new();
    for name in named(&mut s, "upstream") {
        let upstream = read(s.table(&name));
        upstreams.push((name, upstream));
    }
    upstreams
}

#[derive(Clone, Copy)]
enum Which {
    Remote,
    Chrome,
}

fn read(mut s: Section<'_>) -> Upstream {
    let kinds = [("remote", Which::Remote), ("chrome", Which::Chrome)];
    match s.choice_of("kind", &kinds, false) {
        Some(Which::Chrome) => Upstream::Chrome(Box::new(chrome::read(s))),
        Some(Which::Remote) => Upstream::Remote(Box::new(remote::read(s))),
        None => {
            if !s.is_given("kind") {
                s.refuse("kind", Kind::Missing, "nothing", "\"remote\" or \"chrome\"");
            }
            // Without a valid kind, the meaning of the other settings is unknown, so none is
            // checked.
            s.skip();
            Upstream::Chrome(Box::new(chrome::read(s)))
        }
    }
}

/// The names of the tables in `s`. A name that an environment variable could not spell is a
/// problem.
pub(super) fn named(s: &mut Section<'_>, what: &str) -> Vec<String> {
    let names = s.names();
    if names.is_empty() {
        let allowed = format!("at least one [{what}.NAME]");
        s.refuse_section(Kind::Missing, "nothing", &allowed);
    }
    for (at, name) in names.iter().enumerate() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > 64 || name.contains("__") || !name.chars().all(is_part) {
            let allowed = "a name of 1 to 64 letters, digits, '-' and single '_'";
            s.refuse_entry(name, Kind::Malformed, format!("{name:?}"), allowed);
        }
        let plain = |name: &str| name.to_lowercase().replace('-', "_");
        if let Some(other) = names[..at].iter().find(|other| plain(other) == plain(name)) {
            let allowed = format!("a name that differs from {other:?} in more than case, '-' and '_'");
            s.refuse_entry(name, Kind::Conflict, format!("{name:?}"), &allowed);
        }
    }
    names
}
