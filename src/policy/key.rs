//! What one stored response is kept under (RFC 9111 section 2: the cache key).

use http::Uri;
use url::Url;

/// Appends the primary cache key of a request to `key`: its scope (the name of the route, or the authority where the origin is
/// told the client's host), then path and query, octet by octet as the origin is asked for them. GET and HEAD share it.
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

/// `text` in the form in which the URLs of pages are compared.
pub fn page_url(text: &str) -> Option<String> {
    page(text).map(String::from)
}

/// `text` as the URL of a page, without its fragment.
pub fn page(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_normalised() {
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
    fn keys_keep_every_octet_of_path_and_query() {
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
