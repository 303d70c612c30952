//! Invalidation of stored responses by unsafe methods (RFC 9111 section 4.4).

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

/// The URIs whose stored responses an exchange invalidates: the target URI, and those in `Location`
/// and `Content-Location` that have the same origin. There are none for a safe method or an error
/// response.
pub fn invalidated(method: &Method, target: &Url, status: StatusCode, response: &HeaderMap) -> Vec<Url> {
    if !seen_by(method, status) {
        return Vec::new();
    }
    let mut all = vec![target.clone()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let Some(reference) = response.get(name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let Ok(mut url) = target.join(reference) else {
            continue;
        };
        url.set_fragment(None);
        if url.origin() == target.origin() && !all.contains(&url) {
            all.push(url);
        }
    }
    all
}

/// Whether an exchange invalidates: an unsafe or unknown method with a non-error response.
pub fn seen_by(method: &Method, status: StatusCode) -> bool {
    !method.is_safe() && (status.is_success() || status.is_redirection())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// RFC 9111 section 4.4.
    #[test]
    fn unsafe_method_invalidates_target_and_locations() {
        let target = Url::parse("http://a.example/x").expect("url");
        for (method, status, location, expected) in [
            ("POST", 200, "", vec!["/x"]),
            ("PUT", 204, "/y", vec!["/x", "/y"]),
            ("DELETE", 303, "z?q", vec!["/x", "/z?q"]),
            ("POST", 201, "/y#part", vec!["/x", "/y"]),
            ("POST", 201, "#part", vec!["/x"]),
            ("FANCY", 200, "", vec!["/x"]),
            ("POST", 200, "http://b.example/y", vec!["/x"]),
            ("POST", 200, "https://a.example/y", vec!["/x"]),
            ("POST", 200, "http://a.example:80/y", vec!["/x", "/y"]),
            ("POST", 404, "/y", vec![]),
            ("POST", 500, "", vec![]),
            ("GET", 200, "/y", vec![]),
            ("OPTIONS", 200, "/y", vec![]),
        ] {
            let mut response = HeaderMap::new();
            if !location.is_empty() {
                response.insert(header::LOCATION, HeaderValue::from_static(location));
            }
            let method = Method::from_bytes(method.as_bytes()).expect("method");
            let status = StatusCode::from_u16(status).expect("status");
            let paths: Vec<String> = invalidated(&method, &target, status, &response)
                .iter()
                .map(|url| url[url::Position::BeforePath..].to_owned())
                .collect();
            assert_eq!(paths, expected, "{method} {status} {location}");
        }
    }
}
