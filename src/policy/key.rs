//! The cache key of a stored response (RFC 9111 section 2).

use http::Uri;
use url::Url;

/// Appends the primary cache key of a request to `key`: its scope, then its path and query, octet
/// by octet as they are sent to the origin. GET and HEAD share a key.
///
/// The scope is the name of the route, or the authority if the origin receives the client's host.
///
/// ```
/// let mut key = Vec::new();
/// tintype::policy::key::append(&mut key, "shots", &"http://h/a?b=c".parse().unwrap());
/// assert_eq!(key, b"shots /a?b=c");
/// ```
pub fn append(key: &mut Vec<u8>, scope: &str, target: &Uri) {
    key.extend_from_slice(scope.as_bytes());
    key.push(b' ');
    let both = target.path_and_query().map_or("", |both| both.as_str());
    if !both.starts_with('/') {
        key.push(b'/');
    }
    key.extend_from_slice(both.as_bytes());
}

/// The normalised URL of a page as text, for comparison.
pub fn page_url(text: &str) -> Option<String> {
    page(text).map(String::from)
}

/// The normalised URL of a page, without its fragment; `None` if `text` is not an absolute URL.
pub fn page(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_url_is_normalised() {
        for (page, expected) in [
            ("https://Example.com", Some("https://example.com/")),
            ("https://example.com/a?b#c", Some("https://example.com/a?b")),
            (" http://example.com:80/", Some("http://example.com/")),
            ("nonsense", None),
        ] {
            assert_eq!(page_url(page).as_deref(), expected, "{page}");
        }
    }

    #[test]
    fn key_keeps_octets_of_path_and_query() {
        let key = |target: &str| {
            let mut key = Vec::new();
            append(&mut key, "r", &target.parse().expect("uri"));
            String::from_utf8(key).expect("text")
        };
        assert_eq!(key("http://h/%7Ea//b?x=%20&y=+"), "r /%7Ea//b?x=%20&y=+");
        assert_eq!(key("http://h"), "r /");
        assert_eq!(key("http://h?q"), "r /?q");
    }
}
