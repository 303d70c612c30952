//! The location of a page for purges: its host, and the prefixes of its path. [`Place`] holds both.

use url::Url;

/// Limit on the path segments of a prefix.
pub const DEEPEST: usize = 16;

/// The host and the path prefixes of one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host without its port, in the form that browsers use.
    pub host: String,
    /// The host with every leading part of the path, from the root to the whole path: `a.example`,
    /// `a.example/b`, `a.example/b/c`.
    ///
    /// A port is included unless it is the default port. The scheme is not, so http and https share
    /// prefixes.
    pub prefixes: Vec<String>,
}

/// The location of a page; `None` if the URL has no host.
pub fn of_page(page: &str) -> Option<Place> {
    let url = Url::parse(page.trim()).ok()?;
    let host = url.host_str()?;
    let root = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Some(Place { host: host.to_owned(), prefixes: prefixes(&root, url.path()) })
}

/// `root`, then `root` with one, two and more segments of `path`. Trailing slashes are ignored.
pub fn prefixes(root: &str, path: &str) -> Vec<String> {
    let mut all = vec![root.to_owned()];
    let mut longest = root.to_owned();
    for segment in segments(path).take(DEEPEST) {
        longest.push('/');
        longest.push_str(segment);
        all.push(longest.clone());
    }
    all
}

/// The prefix that covers `path` and everything below it; `None` if it has more than [`DEEPEST`]
/// segments.
pub fn prefix(root: &str, path: &str) -> Option<String> {
    (segments(path).count() <= DEEPEST).then(|| prefixes(root, path).pop()).flatten()
}

/// Parses a prefix that an operator gives: a URL, or a host with an optional path and no scheme.
/// `None` if it is neither, has a query or a fragment, or more than [`DEEPEST`] segments.
pub fn named_prefix(named: &str) -> Option<String> {
    let named = named.trim();
    let url = match Url::parse(named) {
        Ok(url) if url.has_host() => url,
        // `host:8080/a` parses as a URL with the scheme `host`.
        _ => Url::parse(&format!("http://{named}")).ok()?,
    };
    if url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let place = of_page(url.as_str())?;
    prefix(place.prefixes.first()?, url.path())
}

/// Parses a host that an operator gives, into the form that browsers use. A port is dropped.
pub fn named_host(named: &str) -> Option<String> {
    let url = Url::parse(&format!("http://{}/", named.trim())).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    url.host_str().filter(|_| bare).map(str::to_owned)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_end_matches('/');
    path.strip_prefix('/').unwrap_or(path).split('/').filter(move |_| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_host_and_prefixes() {
        for (page, host, prefixes) in [
            ("https://A.example", "a.example", &["a.example"][..]),
            ("https://a.example/", "a.example", &["a.example"]),
            ("http://a.example:80/b/c?d/e", "a.example", &["a.example", "a.example/b", "a.example/b/c"]),
            ("https://a.example:8443/b/", "a.example", &["a.example:8443", "a.example:8443/b"]),
            ("http://[::1]/x", "[::1]", &["[::1]", "[::1]/x"]),
            ("https://b\u{fc}cher.example/", "xn--bcher-kva.example", &["xn--bcher-kva.example"]),
        ] {
            let place = of_page(page).expect("a place");
            assert_eq!(
                (place.host.as_str(), place.prefixes),
                (host, prefixes.iter().map(|&p| p.to_owned()).collect())
            );
        }
        assert_eq!(of_page("data:text/html,x"), None);
        let deep = format!("https://a.example{}", "/x".repeat(40));
        assert_eq!(of_page(&deep).expect("a place").prefixes.len(), DEEPEST + 1);
    }

    #[test]
    fn prefix_with_or_without_scheme_is_parsed() {
        for (named, expected) in [
            ("https://a.example/b/", Some("a.example/b")),
            ("http://a.example/b", Some("a.example/b")),
            ("A.example/b/c", Some("a.example/b/c")),
            ("a.example", Some("a.example")),
            ("a.example:8080/b", Some("a.example:8080/b")),
            ("https://a.example/b?c", None),
            ("", None),
        ] {
            assert_eq!(named_prefix(named).as_deref(), expected, "{named}");
        }
        assert_eq!(named_prefix(&format!("a.example{}", "/x".repeat(DEEPEST + 1))), None);
    }

    #[test]
    fn host_with_path_or_scheme_is_refused() {
        for (named, expected) in [
            ("A.example", Some("a.example")),
            ("a.example:80", Some("a.example")),
            ("a.example/b", None),
            ("http://a.example", None),
            ("", None),
        ] {
            assert_eq!(named_host(named).as_deref(), expected, "{named}");
        }
    }
}
