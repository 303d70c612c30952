//! Which parts of a query do not change the response (`No-Vary-Search`,
//! draft-ietf-httpbis-no-vary-search). [`Rule`] is the parsed field.

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};
use url::form_urlencoded;

use super::targeted::joined;
use crate::message::form;

const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// Limit on the parameter names of one rule; a longer rule is ignored.
const MAX_NAMES: usize = 64;

/// The parsed `No-Vary-Search` of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The order of the parameters does not matter.
    key_order: bool,
    ignored: Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ignored {
    /// Only these parameters are ignored.
    Only(Vec<String>),
    /// All parameters but these are ignored.
    AllBut(Vec<String>),
}

impl Rule {
    /// The rule of a response; `None` if the field is absent, invalid, or changes no cache key.
    pub fn of(response: &HeaderMap) -> Option<Self> {
        let text = joined(response, &NO_VARY_SEARCH)?;
        let dictionary: Dictionary = Parser::new(&text).parse().ok()?;
        let key_order = flag(dictionary.get("key-order"))?;
        let ignored = match (dictionary.get("params"), dictionary.get("except")) {
            (Some(ListEntry::InnerList(names)), None) => Ignored::Only(strings(names)?),
            (Some(entry), except) => match (flag(Some(entry))?, except) {
                (true, None) => Ignored::AllBut(Vec::new()),
                (true, Some(ListEntry::InnerList(names))) => Ignored::AllBut(strings(names)?),
                (false, None) => Ignored::Only(Vec::new()),
                _ => return None,
            },
            (None, None) => Ignored::Only(Vec::new()),
            (None, Some(_)) => return None,
        };
        let rule = Rule { key_order, ignored };
        (rule != Rule { key_order: false, ignored: Ignored::Only(Vec::new()) }).then_some(rule)
    }

    /// The canonical form of a query, equal for all queries that the rule treats alike.
    ///
    /// Ignored parameters are removed. Where the order does not matter, the rest is sorted by name;
    /// parameters of one name keep their order. The result is application/x-www-form-urlencoded.
    pub fn canonical(&self, query: &str) -> String {
        let is_kept = |name: &[u8]| !self.ignores(&String::from_utf8_lossy(name));
        let mut pairs: Vec<_> = form::octets(query).filter(|(name, _)| is_kept(name)).collect();
        if self.key_order {
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        // Compare octets: as text, two names or values that are not UTF-8 could become equal.
        let encoded = |octets| form_urlencoded::byte_serialize(octets).collect::<String>();
        let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn ignores(&self, name: &str) -> bool {
        match &self.ignored {
            Ignored::Only(names) => names.iter().any(|known| known == name),
            Ignored::AllBut(names) => !names.iter().any(|known| known == name),
        }
    }
}

/// The value of a Boolean; false if absent. `None` for another type, which makes the rule invalid.
fn flag(entry: Option<&ListEntry>) -> Option<bool> {
    match entry {
        None => Some(false),
        Some(ListEntry::Item(item)) => match item.bare_item {
            BareItem::Boolean(value) => Some(value),
            _ => None,
        },
        Some(ListEntry::InnerList(_)) => None,
    }
}

/// The Strings of an inner list, decoded as query parameters. `None` for members of other types, or
/// too many members.
fn strings(list: &InnerList) -> Option<Vec<String>> {
    if list.items.len() > MAX_NAMES {
        return None;
    }
    let names = list.items.iter().map(|item| match &item.bare_item {
        BareItem::String(name) => {
            let decoded = form_urlencoded::parse(name.as_str().as_bytes()).next();
            Some(decoded.map(|(name, _)| name.into_owned()).unwrap_or_default())
        }
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn canonical(rule: &'static str, query: &str) -> Option<String> {
        let mut fields = HeaderMap::new();
        fields.append(NO_VARY_SEARCH, HeaderValue::from_static(rule));
        Rule::of(&fields).map(|rule| rule.canonical(query))
    }

    #[test]
    fn equivalent_queries_have_one_canonical_form() {
        for (rule, query, expected) in [
            ("key-order", "b=2&a=1&b=1", Some("a=1&b=2&b=1")),
            ("params", "a=1&b=2", Some("")),
            (r#"params=("utm" "x")"#, "utm=1&a=2&x", Some("a=2")),
            (r#"params, except=("a")"#, "b=1&a=2&c", Some("a=2")),
            (r#"key-order, params=("t")"#, "z=1&t=5&a=%20", Some("a=+&z=1")),
            (r#"params=("%C3%A9")"#, "%c3%a9=1&e=2", Some("e=2")),
            ("params=?0", "a=1", None),
            ("key-order=?0", "a=1", None),
            ("params=1", "a=1", None),
            (r#"params=("a" 5)"#, "a=1", None),
            (r#"except=("a")"#, "a=1", None),
            (r#"params=("a"), except=("b")"#, "a=1", None),
            ("key-order=1", "a=1", None),
            ("!", "a=1", None),
        ] {
            assert_eq!(canonical(rule, query).as_deref(), expected, "{rule} {query}");
        }
    }
}
