//! Patterns for hosts, paths, whole URLs and queries. The time of a match is at most proportional
//! to the pattern length times the text length.

use url::{Url, form_urlencoded};

/// A pattern for hosts and whole URLs: `*` matches any characters, everything else itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Any text is a valid pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Glob(pattern.into())
    }

    /// Whether the pattern matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        wild(&self.0, text)
    }
}

/// A pattern for paths, by segment. `*` matches within a segment, and `**` any number of segments.
/// `*` alone matches every path; `/docs/**` also matches `/docs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGlob(String);

impl PathGlob {
    /// Any text is a valid pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        PathGlob(pattern.into())
    }

    /// Whether the pattern matches all of `path`.
    pub fn matches(&self, path: &str) -> bool {
        if self.0 == "*" || self.0 == "**" {
            return true;
        }
        let pattern: Vec<&str> = self.0.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        // Only the last star needs to be retried, as in any glob.
        let (mut p, mut t, mut retry) = (0, 0, None);
        loop {
            match (pattern.get(p), path.get(t)) {
                (Some(&"**"), _) => {
                    retry = Some((p + 1, t));
                    p += 1;
                }
                (Some(part), Some(text)) if wild(part, text) => (p, t) = (p + 1, t + 1),
                (None, None) => return true,
                _ => match retry {
                    Some((after, from)) if from < path.len() => {
                        retry = Some((after, from + 1));
                        (p, t) = (after, from + 1);
                    }
                    _ => return false,
                },
            }
        }
    }
}

/// A pattern for a query parameter: its name, or its name and value (`page=1*`). Both are globs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryGlob {
    name: Glob,
    value: Option<Glob>,
}

impl QueryGlob {
    /// Splits `NAME` or `NAME=VALUE` into its globs.
    pub fn new(pattern: &str) -> Self {
        match pattern.split_once('=') {
            Some((name, value)) => QueryGlob { name: Glob::new(name), value: Some(Glob::new(value)) },
            None => QueryGlob { name: Glob::new(pattern), value: None },
        }
    }

    /// Whether one of the parameters of `url` matches.
    pub fn matches(&self, url: &Url) -> bool {
        let query = url.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
            self.name.matches(&name) && self.value.as_ref().is_none_or(|wanted| wanted.matches(&value))
        })
    }
}

fn wild(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(text) = text.strip_prefix(first).and_then(|text| text.strip_suffix(last)) else {
        return false;
    };
    // The earliest match of each piece leaves the most text for the next.
    let mut text = text;
    for piece in middle.split('*') {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glob_matches_text() {
        for (pattern, text, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*", "", true),
            ("**", "x", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*live*", "https://olive.example/", true),
            ("*a*b*", "xbxa", false),
            ("*a*b*c", "xaybzc", true),
            ("", "", true),
            ("", "x", false),
            ("*.html", "https://a.example/b.html?c", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn path_glob_matches_by_segment() {
        for (pattern, path, expected) in [
            ("*", "/a/b", true),
            ("/", "/", true),
            ("/", "/a", false),
            ("/docs/**", "/docs/a/b", true),
            ("/docs/**", "/docs/", true),
            ("/docs/**", "/docs", true),
            ("/docs/**", "/docsy", false),
            ("/docs/*", "/docs/a", true),
            ("/docs/*", "/docs/a/b", false),
            ("/**/edit", "/a/b/edit", true),
            ("/**/edit", "/edit", true),
            ("/**/edit", "/edit/a", false),
            ("/**/a/**/b", "/x/a/a/y/b", true),
            ("/*.html", "/a.html", true),
            ("/*.html", "/a/b.html", false),
            ("/**/*.html", "/a/b.html", true),
        ] {
            assert_eq!(PathGlob::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn query_glob_matches_parameter() {
        for (pattern, url, expected) in [
            ("preview", "http://h/?preview", true),
            ("preview", "http://h/?preview=1&x", true),
            ("preview", "http://h/?previews=1", false),
            ("preview", "http://h/preview", false),
            ("utm_*", "http://h/?a=b&utm_source=x", true),
            ("page=1*", "http://h/?page=12", true),
            ("page=1*", "http://h/?page=21", false),
            ("page=", "http://h/?page", true),
            ("q=a b", "http://h/?q=a+b", true),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(QueryGlob::new(pattern).matches(&url), expected, "{pattern} {url}");
        }
    }

    /// The path of a request must not cause exponential time.
    #[test]
    fn long_path_is_matched_in_bounded_time() {
        let path = "/a".repeat(8_000);
        assert!(!PathGlob::new("/**/a/**/a/**/a/**/b").matches(&path));
        assert!(!Glob::new("*a*a*a*a*a*b").matches(&path));
    }
}
