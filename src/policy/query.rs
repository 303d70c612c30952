//! Query filtering for origins whose parameters are not known: which parameters are sent, and which
//! are part of the cache key. [`Rules`] holds the settings of a route.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The query settings of a route. Names are compared decoded; values are compared by octet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Sort the parameters in the cache key by name. Parameters of one name keep their order.
    pub sort: bool,
    /// Parameters that are sent but are not part of the cache key: names, or `prefix*`.
    pub ignore: Vec<String>,
    /// Parameters that are neither sent nor part of the cache key: names, or `prefix*`.
    pub drop: Vec<String>,
}

impl Rules {
    /// The query that is sent to the origin.
    pub fn sent<'a>(&self, query: &'a str) -> Cow<'a, str> {
        if self.drop.is_empty() {
            return Cow::Borrowed(query);
        }
        without(query, |name| is_listed(&self.drop, name))
    }

    /// The query in the cache key.
    pub fn keyed<'a>(&self, query: &'a str) -> Cow<'a, str> {
        let mut keyed = Cow::Borrowed(query);
        if !self.drop.is_empty() || !self.ignore.is_empty() {
            keyed = without(query, |name| is_listed(&self.drop, name) || is_listed(&self.ignore, name));
        }
        if self.sort {
            let mut pairs: Vec<&str> = keyed.split('&').filter(|pair| !pair.is_empty()).collect();
            if !pairs.is_sorted_by_key(|pair| name(pair)) || pairs.len() != keyed.split('&').count() {
                // The sort is stable, so parameters of one name keep their order.
                pairs.sort_by_key(|pair| name(pair));
                keyed = Cow::Owned(pairs.join("&"));
            }
        }
        keyed
    }
}

/// `query` without the parameters whose name `is_dropped`; unchanged if there are none.
fn without(query: &str, is_dropped: impl Fn(&str) -> bool) -> Cow<'_, str> {
    if !query.split('&').any(|pair| is_dropped(&name(pair))) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_dropped(&name(pair))).collect();
    Cow::Owned(kept.join("&"))
}

/// The decoded name of `name=value`; the raw name if it is not UTF-8.
fn name(pair: &str) -> Cow<'_, str> {
    let raw = pair.split('=').next().unwrap_or_default();
    percent_decode_str(raw).decode_utf8().unwrap_or(Cow::Borrowed(raw))
}

fn is_listed(list: &[String], name: &str) -> bool {
    list.iter().any(|known| match known.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => known == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_rules_filter_sent_and_keyed_query() {
        let rules = |sort, ignore: &[&str], drop: &[&str]| Rules {
            sort,
            ignore: ignore.iter().map(|&name| name.to_owned()).collect(),
            drop: drop.iter().map(|&name| name.to_owned()).collect(),
        };
        for (rules, query, sent, keyed) in [
            (rules(false, &[], &[]), "b=1&a=2&&", "b=1&a=2&&", "b=1&a=2&&"),
            (rules(true, &[], &[]), "b=1&a=2", "b=1&a=2", "a=2&b=1"),
            (rules(true, &[], &[]), "b=2&a&b=1", "b=2&a&b=1", "a&b=2&b=1"),
            (rules(true, &[], &[]), "a=%20&b=+", "a=%20&b=+", "a=%20&b=+"),
            (rules(true, &[], &[]), "a=1&&b=2&", "a=1&&b=2&", "a=1&b=2"),
            (rules(false, &["key"], &[]), "url=x&key=secret", "url=x&key=secret", "url=x"),
            (rules(false, &["key"], &[]), "url=x&k%65y=secret", "url=x&k%65y=secret", "url=x"),
            (rules(false, &["key"], &[]), "url=x&keys=1", "url=x&keys=1", "url=x&keys=1"),
            (rules(false, &[], &["utm_*"]), "utm_a=1&url=x&utm_b=2", "url=x", "url=x"),
            (rules(true, &["key"], &["utm_*"]), "z=1&utm_a=1&key=2&a=3", "z=1&key=2&a=3", "a=3&z=1"),
            (rules(true, &["key"], &[]), "key=1", "key=1", ""),
        ] {
            assert_eq!(
                (rules.sent(query).as_ref(), rules.keyed(query).as_ref()),
                (sent, keyed),
                "{query} {rules:?}"
            );
        }
    }
}
