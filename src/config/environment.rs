//! Settings from the environment: `TINTYPE_STORE__MEMORY=1GiB` is `store.memory`.

use std::ffi::OsString;

use super::known::Known;
use super::problem::{Kind, Place, Problem};
use super::tree::{Node, Table, Value};

const PREFIX: &str = "TINTYPE_";
const SECTIONS: [&str; 8] = ["SERVER", "ADMIN", "PURGE", "WEBHOOK", "STORE", "UPSTREAM", "ROUTE", "LOG"];

/// The variable that sets `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").replace('-', "_").to_uppercase())
}

/// Merges `variables` into `tree`. Variables with other prefixes are ignored.
///
/// A name matches an existing key in any case and with `-` for `_`. Without such a key, it is the
/// key in lower case. Names without `__` belong to others, such as `TINTYPE_CONFIG` or the
/// variables of a Kubernetes service called `tintype`. But a name that begins like a section is
/// reported, because it is probably a typing error.
pub(super) fn apply(tree: &mut Table, variables: &[(OsString, OsString)], problems: &mut Vec<Problem>) {
    let mut variables: Vec<_> = variables.iter().filter_map(ours).collect();
    variables.sort();
    for (name, value) in variables {
        let place = Place::Variable(name.clone());
        let problem = |kind, path: &str, found: &str, allowed: &str| Problem {
            place: place.clone(),
            path: path.to_owned(),
            kind,
            found: found.to_owned(),
            allowed: allowed.to_owned(),
            help: None,
        };
        let rest = &name[PREFIX.len()..];
        if !rest.contains("__") {
            if is_mistyped(rest) {
                let allowed = "TINTYPE_SECTION__KEY, with two underscores between the levels";
                problems.push(problem(
                    Kind::UnknownKey,
                    "",
                    &format!("the unknown variable {name}"),
                    allowed,
                ));
            }
            continue;
        }
        let Some(value) = value.to_str() else {
            problems.push(problem(Kind::Malformed, "", "a value that is not UTF-8", "text in UTF-8"));
            continue;
        };
        let path = resolve(tree, rest);
        let node = Node { place: place.clone(), value: Value::Text(value.to_owned()) };
        if let Err(depth) = tree.set(&path, node) {
            let parent = path[..depth].join(".");
            let found = format!("{name}, which means a key inside `{parent}`");
            let allowed = format!("`{parent}` has no keys: set {}", variable(&parent));
            problems.push(problem(Kind::UnknownKey, &path.join("."), &found, &allowed));
        }
    }
}

/// The help for an unknown variable without `__`: the setting that it spells with single
/// underscores.
pub(super) fn suggest(name: &str, known: &[Known]) -> Option<String> {
    let flat = |variable: &str| variable.replace("__", "_");
    let mut names = known.iter().filter(|k| !k.table).map(|k| variable(&k.path));
    names.find(|known| flat(known) == name)
}

fn ours((name, value): &(OsString, OsString)) -> Option<(String, OsString)> {
    let name = name.to_str()?;
    name.starts_with(PREFIX).then(|| (name.to_owned(), value.clone()))
}

/// Whether a name without `__` begins like a section and is no Kubernetes service link
/// (`ADMIN_SERVICE_HOST`, `ADMIN_PORT_9090_TCP`). Kubernetes sets those next to a service called
/// `tintype-admin`.
fn is_mistyped(rest: &str) -> bool {
    let after = SECTIONS.iter().find_map(|section| rest.strip_prefix(section));
    after.is_some_and(|after| {
        let link = after == "_PORT" || after.starts_with("_PORT_") || after.contains("_SERVICE_");
        (after.is_empty() || after.starts_with('_')) && !link
    })
}

/// The path of the setting that the name means in `tree`.
fn resolve(tree: &Table, rest: &str) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut table = Some(tree);
    for part in rest.split("__") {
        let is_meant = |key: &str| key.replace('-', "_").eq_ignore_ascii_case(part);
        let entry = table.and_then(|table| table.0.iter().find(|e| is_meant(&e.name)));
        path.push(match entry {
            Some(entry) => entry.name.clone(),
            // Field names have hyphens where variables have underscores.
            None if path.last().is_some_and(|key| key == "set_headers") => {
                part.to_lowercase().replace('_', "-")
            }
            None => part.to_lowercase(),
        });
        table = entry.and_then(|entry| match &entry.node.value {
            Value::Table(table) => Some(table),
            _ => None,
        });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::write;

    fn applied(toml: &str, variables: &[(&str, &str)]) -> (Table, Vec<Problem>) {
        let mut problems = Vec::new();
        let file: std::sync::Arc<std::path::Path> = std::path::Path::new("t.toml").into();
        let mut tree = crate::config::tree::parse(&file, toml, &mut problems);
        let variables: Vec<_> = variables.iter().map(|(n, v)| (n.into(), v.into())).collect();
        apply(&mut tree, &variables, &mut problems);
        (tree, problems)
    }

    fn at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let value = &table.0.iter().find(|e| e.name == name)?.node.value;
        match value {
            Value::Table(table) if !rest.is_empty() => at(table, rest),
            value => Some(value),
        }
    }

    #[test]
    fn variables_reach_the_key_they_name() {
        let toml = "[store]\nmemory = 1\n[upstream.my-api.set_headers]\nX-Api_Key = \"old\"";
        for (name, path) in [
            ("TINTYPE_STORE__MEMORY", "store.memory"),
            ("TINTYPE_STORE__DISK", "store.disk"),
            ("TINTYPE_UPSTREAM__MY_API__URL", "upstream.my-api.url"),
            ("TINTYPE_UPSTREAM__OTHER__URL", "upstream.other.url"),
            ("TINTYPE_UPSTREAM__MY_API__SET_HEADERS__X_API_KEY", "upstream.my-api.set_headers.X-Api_Key"),
            ("TINTYPE_UPSTREAM__MY_API__SET_HEADERS__X_OTHER", "upstream.my-api.set_headers.x-other"),
        ] {
            let (tree, problems) = applied(toml, &[(name, "new")]);
            assert_eq!(at(&tree, path).map(write), Some("\"new\"".to_owned()), "{name}");
            assert_eq!(problems, []);
        }
    }

    #[test]
    fn variables_that_can_only_be_mistakes_are_problems() {
        for (name, is_mistake) in [
            ("TINTYPE_STORE_MEMORY", true),
            ("TINTYPE_STORE", true),
            ("TINTYPE_STORE__MEMORY__X", true),
            ("TINTYPE_CONFIG", false),
            ("TINTYPE_SERVERS", false),
            ("TINTYPE_ADMIN_SERVICE_HOST", false),
            ("TINTYPE_ADMIN_PORT_9090_TCP_ADDR", false),
            ("TINTYPE_PORT", false),
            ("OTHER__MEMORY", false),
        ] {
            let (_, problems) = applied("store.memory = 1", &[(name, "1")]);
            assert_eq!(!problems.is_empty(), is_mistake, "{name}: {problems:?}");
        }
    }
}
