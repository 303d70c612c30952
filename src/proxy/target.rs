//! The target URI of a request, in absolute form (RFC 9110 section 7.1, RFC 9112 section 3.2).

use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri, Version, header};

use super::refusal::Refusal;

/// Completes the target of `request` from its `Host`, and refuses what has none, or is too long.
pub(super) fn complete(request: &mut Parts, secure: bool, max_bytes: usize) -> Result<(), Refusal> {
    // An origin that purges must not be made to by strangers: to it they would come from here.
    let refused = [Method::CONNECT, Method::TRACE].contains(&request.method);
    if refused || request.method.as_str() == "PURGE" {
        return Err(Refusal::Method(request.method.clone()));
    }
    if request.uri.path().len() + request.uri.query().map_or(0, |q| q.len() + 1) > max_bytes {
        return Err(Refusal::UriTooLong { limit: max_bytes });
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

/// The authority that the client means: of the target if that is absolute (RFC 9112 section 3.2.2), else of the one `Host`.
fn authority(request: &Parts) -> Result<Authority, Refusal> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Refusal::BadHost);
    }
    let authority = match (request.uri.authority(), host) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => {
            let host = std::str::from_utf8(host.as_bytes()).map_err(|_| Refusal::BadHost)?;
            host.parse().map_err(|_| Refusal::BadHost)?
        }
        // HTTP/1.0 knows no Host.
        (None, None) if request.version <= Version::HTTP_10 => Authority::from_static("localhost"),
        (None, None) => return Err(Refusal::BadHost),
    };
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(Refusal::BadHost);
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Request};

    fn completed(target: &str, hosts: &[&'static str], version: Version) -> Result<String, Refusal> {
        let mut request = Request::get(target).version(version).body(()).expect("request");
        for host in hosts {
            request.headers_mut().append(header::HOST, HeaderValue::from_static(host));
        }
        let (mut parts, ()) = request.into_parts();
        complete(&mut parts, false, 20)?;
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
            ("/01234567890123456789", &["h"], v11, Err(Refusal::UriTooLong { limit: 20 })),
        ] {
            assert_eq!(completed(target, hosts, version), expected, "{target} {hosts:?}");
        }
    }
}
