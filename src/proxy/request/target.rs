//! The target URI of a request, in absolute form (RFC 9110 section 7.1, RFC 9112 section 3.2).

use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use percent_encoding::percent_decode_str;

use crate::policy::public_url::is_plain_authority;
use crate::proxy::refusal::Refusal;

/// Completes the target of `request` from its `Host`, and refuses what has none, or is too long.
pub(crate) fn complete(request: &mut Parts, secure: bool, max_bytes: usize) -> Result<(), Refusal> {
    if is_refused(&request.method) {
        return Err(Refusal::Method(request.method.clone()));
    }
    if request.uri.path().len() + request.uri.query().map_or(0, |q| q.len() + 1) > max_bytes {
        return Err(Refusal::UriTooLong { limit: max_bytes });
    }
    if !is_plain(&request.uri) {
        return Err(Refusal::BadTarget);
    }
    let authority = authority(request)?;
    let mut parts = std::mem::take(&mut request.uri).into_parts();
    parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority);
    parts.path_and_query = match parts.path_and_query {
        Some(path) if path.as_str().starts_with('?') => path.to_string().parse().ok(),
        Some(path) if !path.as_str().is_empty() => Some(path),
        _ => Some(PathAndQuery::from_static("/")),
    };
    request.uri = Uri::from_parts(parts).map_err(|_| Refusal::BadHost)?;
    Ok(())
}

/// Whether no origin is asked with `method`, in whatever case it is written: an origin may not look
/// at that.
///
/// CONNECT and TRACE (and TRACK, its other name) are no methods for a cache. An origin that purges
/// must not be made to by strangers: to it they would come from here. PRI is no method.
fn is_refused(method: &Method) -> bool {
    const REFUSED: [&str; 8] = ["CONNECT", "TRACE", "TRACK", "DEBUG", "PRI", "PURGE", "BAN", "REFRESH"];
    let usual = [Method::GET, Method::HEAD, Method::POST].contains(method);
    !usual
        && (method.as_str().len() > 32 || REFUSED.iter().any(|no| method.as_str().eq_ignore_ascii_case(no)))
}

/// Whether `target` means the same path to all who read it: one that begins with a slash, without
/// dot segments however they are spelled (a route, a rule or the base of an upstream would be left
/// by them), and without what some take for a slash or for an end.
fn is_plain(target: &Uri) -> bool {
    // Authority alone is for CONNECT.
    let whole = match target.scheme() {
        Some(scheme) => *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS,
        None => target.authority().is_none(),
    };
    let path = target.path();
    if !whole || !path.is_empty() && !path.starts_with('/') || path.contains('\\') {
        return false;
    }
    if !path.contains('%') && !path.contains("/.") {
        return true;
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    !decoded.iter().any(|octet| matches!(octet, b'\0' | b'\r' | b'\n'))
        && !decoded.split(|octet| matches!(octet, b'/' | b'\\')).any(|segment| {
            // Some leave parameters out before they look at a segment.
            let segment = segment.split(|&octet| octet == b';').next().unwrap_or_default();
            matches!(segment, b"." | b"..")
        })
}

/// The authority that the client means: of the target if that is absolute (RFC 9112 section 3.2.2),
/// else of the one `Host`. In lower case, as it is keyed.
fn authority(request: &mut Parts) -> Result<Authority, Refusal> {
    let host = host(&request.headers)?;
    let authority = match (request.uri.authority(), host) {
        // What is said twice must be the same (RFC 9113 section 8.3.1). In HTTP/1.1 the target is
        // what counts, but the field must be there.
        (Some(told), Some(host)) if request.version >= Version::HTTP_2 => {
            if !told.as_str().eq_ignore_ascii_case(host.as_str()) {
                return Err(Refusal::BadHost);
            }
            host
        }
        (Some(told), host) if host.is_some() || request.version != Version::HTTP_11 => {
            let told = told.clone();
            // For an origin that says in Vary that it looks at it.
            if let (Some(_), Ok(value)) = (host, HeaderValue::from_str(told.as_str())) {
                request.headers.insert(header::HOST, value);
            }
            told
        }
        (None, Some(host)) => host,
        // HTTP/1.0 knows no Host.
        (None, None) if request.version <= Version::HTTP_10 => Authority::from_static("localhost"),
        _ => return Err(Refusal::BadHost),
    };
    if !is_plain_authority(&authority) {
        return Err(Refusal::BadHost);
    }
    if authority.as_str().bytes().any(|octet| octet.is_ascii_uppercase()) {
        return authority.as_str().to_ascii_lowercase().parse().map_err(|_| Refusal::BadHost);
    }
    Ok(authority)
}

/// What the one `Host` says, if there is one.
fn host(fields: &HeaderMap) -> Result<Option<Authority>, Refusal> {
    let mut hosts = fields.get_all(header::HOST).iter();
    let (Some(host), second) = (hosts.next(), hosts.next()) else { return Ok(None) };
    let host: Option<Authority> =
        std::str::from_utf8(host.as_bytes()).ok().and_then(|host| host.parse().ok());
    match host {
        Some(host) if second.is_none() && is_plain_authority(&host) => Ok(Some(host)),
        _ => Err(Refusal::BadHost),
    }
}

/// `target` with another query; `""` for none.
pub(crate) fn with_query(target: &Uri, query: &str) -> Option<Uri> {
    let path = target.path();
    let both = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(both).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn paths_that_are_read_in_two_ways() {
        for (path, plain) in [
            ("/a/b", true),
            ("/a//b", true),
            ("//a", true),
            ("/.a/b./c..d/...", true),
            ("/https://h/a%2Fb;p=1", true),
            ("/a%252e%252e/b", true),
            ("/%zz", true),
            ("/a/../b", false),
            ("/a/..", false),
            ("/./a", false),
            ("/a/.", false),
            ("/a/%2e%2E/b", false),
            ("/a/.%2e", false),
            ("/a%2f..%2fb", false),
            ("/a/..%5cb", false),
            ("/a/..;x=1/b", false),
            ("/a\\b", false),
            ("/a%00.css", false),
            ("/a%0d%0aX:%20y", false),
        ] {
            assert_eq!(is_plain(&path.parse().expect("uri")), plain, "{path}");
        }
    }

    #[test]
    fn methods_that_no_origin_sees() {
        for (method, refused) in [
            ("GET", false),
            ("get", false),
            ("PROPFIND", false),
            ("PURGES", false),
            ("abcdefghijklmnopqrstuvwxyzabcdef", false),
            ("abcdefghijklmnopqrstuvwxyzabcdefg", true),
            ("CONNECT", true),
            ("trace", true),
            ("TRACK", true),
            ("Debug", true),
            ("PRI", true),
            ("Purge", true),
            ("ban", true),
            ("Refresh", true),
        ] {
            assert_eq!(is_refused(&method.parse().expect("method")), refused, "{method}");
        }
    }

    fn completed(target: &str, hosts: &[&'static str], version: Version) -> Result<String, Refusal> {
        let mut request = Request::get(target).version(version).body(()).expect("request");
        for host in hosts {
            request.headers_mut().append(header::HOST, HeaderValue::from_static(host));
        }
        let (mut parts, ()) = request.into_parts();
        complete(&mut parts, false, 20)?;
        // An origin that looks at the field sees what the key has.
        if let (Some(told), Version::HTTP_11) = (parts.headers.get(header::HOST), version) {
            assert_eq!(
                told.as_bytes().to_ascii_lowercase(),
                parts.uri.authority().expect("one").as_str().as_bytes()
            );
        }
        Ok(parts.uri.to_string())
    }

    #[test]
    fn target_table() {
        let v11 = Version::HTTP_11;
        for (target, hosts, version, expected) in [
            ("/a?b", &["h:8080"][..], v11, Ok("http://h:8080/a?b".to_owned())),
            ("http://x/a", &["h"], v11, Ok("http://x/a".to_owned())),
            ("https://x?q", &["h"], v11, Ok("http://x/?q".to_owned())),
            ("/", &[], Version::HTTP_10, Ok("http://localhost/".to_owned())),
            ("/", &[], v11, Err(Refusal::BadHost)),
            ("/", &["a", "b"], v11, Err(Refusal::BadHost)),
            ("/", &["a b"], v11, Err(Refusal::BadHost)),
            ("/", &["u@h"], v11, Err(Refusal::BadHost)),
            ("/", &[""], v11, Err(Refusal::BadHost)),
            ("/", &["a/b"], v11, Err(Refusal::BadHost)),
            ("/", &["a,b"], v11, Err(Refusal::BadHost)),
            ("/", &["a%00b"], v11, Err(Refusal::BadHost)),
            ("/", &["a:b"], v11, Err(Refusal::BadHost)),
            ("/", &["a:99999"], v11, Err(Refusal::BadHost)),
            ("/", &["[::1"], v11, Err(Refusal::BadHost)),
            ("/", &["[a.b]"], v11, Err(Refusal::BadHost)),
            ("/", &[":80"], v11, Err(Refusal::BadHost)),
            ("/", &["[::1]:80"], v11, Ok("http://[::1]:80/".to_owned())),
            ("/", &["A.b"], v11, Ok("http://a.b/".to_owned())),
            ("http://x/a", &[], v11, Err(Refusal::BadHost)),
            ("http://x/a", &["a b"], v11, Err(Refusal::BadHost)),
            ("http://x/a", &["u@h"], v11, Err(Refusal::BadHost)),
            ("http://x/a", &[], Version::HTTP_2, Ok("http://x/a".to_owned())),
            ("http://x/a", &["X"], Version::HTTP_2, Ok("http://x/a".to_owned())),
            ("http://x/a", &["y"], Version::HTTP_2, Err(Refusal::BadHost)),
            ("ftp://x/a", &["x"], v11, Err(Refusal::BadTarget)),
            ("x:80", &["x:80"], v11, Err(Refusal::BadTarget)),
            ("*", &["x"], v11, Err(Refusal::BadTarget)),
            ("/0123456789?23456789", &["h"], v11, Ok("http://h/0123456789?23456789".to_owned())),
            ("/01234567890123456789", &["h"], v11, Err(Refusal::UriTooLong { limit: 20 })),
            ("/0123456789?234567890", &["h"], v11, Err(Refusal::UriTooLong { limit: 20 })),
        ] {
            assert_eq!(completed(target, hosts, version), expected, "{target} {hosts:?}");
        }
    }
}
