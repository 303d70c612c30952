//! The request as the origin gets it, and the answer as it leaves the origin side.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};

use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::class::Safe;
use crate::message::forwarded::Chain;
use crate::message::{date, fields};
use crate::policy::precondition::CONDITIONS;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::reading::Payload;

/// Whether an origin might answer a request with this field something else than the key says: who
/// asked, for which host, by which scheme, for which path, by which method. A client must not say
/// so on what is stored for others.
fn is_unkeyed(name: &str) -> bool {
    match name {
        "forwarded" | "forwarded-for" | "client-ip" | "true-client-ip" | "cf-connecting-ip"
        | "fastly-client-ip" | "front-end-https" | "base-url" | "proxy" | "http-host" => true,
        _ => match name.strip_prefix("x-") {
            None => false,
            Some(
                "host"
                | "http-host"
                | "http-host-override"
                | "host-override"
                | "original-host"
                | "backend-host"
                | "original-url"
                | "original-uri"
                | "rewrite-url"
                | "rewrite-uri"
                | "http-destinationurl"
                | "http-path-override"
                | "path-info"
                | "script-name"
                | "url-scheme"
                | "scheme"
                | "arr-ssl"
                | "http-method"
                | "http-method-override"
                | "method-override"
                | "method"
                | "real-ip"
                | "client-ip"
                | "cluster-client-ip"
                | "originating-ip"
                | "remote-ip"
                | "remote-addr"
                | "proxyuser-ip"
                | "proxy-url"
                | "sendfile-type"
                | "accel-mapping"
                | "accel-redirect"
                | "middleware-subrequest"
                | "forwarded",
            ) => true,
            Some(rest) => rest.starts_with("forwarded-") || rest.starts_with("original-forwarded-"),
        },
    }
}

/// Whether a field is dropped. An underscore is a hyphen to every origin that makes variables of
/// fields, and would slip by: by what is dropped, by how content is framed, and by the field of
/// that name that an answer was selected by.
fn is_dropped(name: &str) -> bool {
    if !name.contains('_') {
        return is_unkeyed(name);
    }
    let name = name.replace('_', "-");
    let selects = ["accept-", "content-", "if-", "sec-"].iter().any(|kind| name.starts_with(kind));
    selects
        || is_unkeyed(&name)
        || matches!(name.as_str(), "transfer-encoding" | "cache-control" | "user-agent")
}

/// Removes what is not sent on: hop-by-hop fields, and those by which an origin might answer
/// something unkeyed. Before anything is keyed by the request, so that a field which `Connection`
/// takes away selects no variant.
pub(crate) fn sanitize(fields: &mut HeaderMap) {
    fields::remove_hop_by_hop(fields);
    // The usual request has none of them, and is looked at once.
    while let Some(name) = fields.keys().find(|name| is_dropped(name.as_str())).cloned() {
        fields.remove(name);
    }
    // HTTP/2 may send it in crumbs, HTTP/1.1 knows one line (RFC 9113 section 8.2.3).
    if fields.get_all(header::COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<_> = fields.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            fields.insert(header::COOKIE, cookie);
        }
    }
}

/// Refuses an expectation that is not `100-continue`: one might take it for that where another does
/// not (RFC 9110 section 10.1.1).
pub(crate) fn check_expectation(fields: &HeaderMap) -> Result<(), Refusal> {
    let mut expected = fields.get_all(header::EXPECT).iter();
    match (expected.next(), expected.next()) {
        (None, _) => Ok(()),
        (Some(what), None) if what.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        _ => Err(Refusal::Expectation),
    }
}

/// Makes a sanitized request head fit to be sent on: `Via` is added, and whose request it is goes
/// with it (RFC 9110 section 7.6.3).
pub(crate) fn prepare(request: &mut Parts, peer: IpAddr, pseudonym: &str) {
    if request.extensions.get::<Chain>().is_none() {
        request.extensions.insert(Chain::from_last([Some(peer)]));
    }
    let version = match request.version {
        http::Version::HTTP_2 => "2",
        http::Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let fields = &mut request.headers;
    // Credentials for a proxy are for this one (RFC 9110 section 11.7.2).
    fields.remove(header::PROXY_AUTHORIZATION);
    // In one spelling, whatever zeros are before it.
    if let Some(length) =
        fields.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
    {
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Ok(via) = HeaderValue::try_from(format!("{version} {pseudonym}")) {
        fields.append(header::VIA, via);
    }
}

/// What a request without content has no use for, though an origin might look at it.
const NOT_OF_A_GET: [HeaderName; 6] = [
    header::RANGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::EXPECT,
];

/// A request for the whole representation, to be stored: without the client's own conditions and
/// range, with `conditions` that validate what is stored.
pub(crate) fn for_storing(
    request: &Parts,
    peer: IpAddr,
    pseudonym: &str,
    conditions: &[(HeaderName, HeaderValue)],
) -> Request<Body> {
    let mut head = request.clone();
    head.method = http::Method::GET;
    prepare(&mut head, peer, pseudonym);
    let payload = head.extensions.remove::<Payload>();
    let mut to_origin = Request::from_parts(head, Body::Empty);
    let fields = to_origin.headers_mut();
    for name in CONDITIONS.iter().chain(&NOT_OF_A_GET) {
        fields.remove(name);
    }
    for (name, value) in conditions {
        fields.insert(name.clone(), value.clone());
    }
    // What is too long for a query.
    if let Some(Payload(json)) = payload {
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
        *to_origin.method_mut() = http::Method::POST;
        *to_origin.body_mut() = Body::whole(json);
        to_origin.extensions_mut().insert(Safe);
    }
    to_origin
}

/// Makes an origin's answer fit to be sent on or stored: hop-by-hop fields leave, a missing `Date`
/// is the time of its arrival (RFC 9110 section 6.6.1).
pub(crate) fn cleanse(response: &mut Response<Body>, received: Timestamp) {
    let fields = response.headers_mut();
    fields::remove_hop_by_hop(fields);
    ensure_date(fields, received);
}

fn ensure_date(fields: &mut HeaderMap, received: Timestamp) {
    if date::of_field(fields, &header::DATE).is_none() {
        fields.insert(header::DATE, date::format(received));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(lines: &[(&'static str, &'static str)]) -> Parts {
        let mut request = Request::get("http://h/").body(()).expect("request");
        for (name, value) in lines {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request.into_parts().0
    }

    #[test]
    fn what_the_key_does_not_hold_is_not_sent_on() {
        let mut request = parts(&[
            ("x-forwarded-host", "evil"),
            ("x-original-url", "/admin"),
            ("x-forwarded-for", "1.2.3.4"),
            ("via", "1.0 fred"),
            ("accept", "image/png"),
        ]);
        sanitize(&mut request.headers);
        prepare(&mut request, IpAddr::from([127, 0, 0, 1]), "tintype");
        let sent = &request.headers;
        assert!(!sent.contains_key("x-forwarded-host") && !sent.contains_key("x-original-url"));
        assert!(!sent.contains_key("x-forwarded-for"));
        assert_eq!(request.extensions.get(), Some(&Chain::from_last([Some(IpAddr::from([127, 0, 0, 1]))])));
        assert_eq!(sent["accept"], "image/png");
        let via: Vec<_> = sent.get_all("via").iter().collect();
        assert_eq!(via, ["1.0 fred", "1.1 tintype"]);
    }

    #[test]
    fn odd_spellings_of_unkeyed_fields_are_dropped_too() {
        for (name, dropped) in [
            ("x-forwarded-anything", true),
            ("x_forwarded_host", true),
            ("x-http_method-override", true),
            ("content_length", true),
            ("transfer_encoding", true),
            ("content_type", true),
            ("accept_language", true),
            ("if_none_match", true),
            ("sec_ch_ua", true),
            ("user_agent", true),
            ("cache_control", true),
            ("x-original-forwarded-for", true),
            ("x-forwarder", false),
            ("x-api-key", false),
            ("x_api_key", false),
            ("accept-language", false),
        ] {
            assert_eq!(is_dropped(name), dropped, "{name}");
        }
    }

    /// Each of them is what some framework, server or cloud makes links, routes, redirects or
    /// addresses from.
    #[test]
    fn unkeyed_fields_are_dropped() {
        for name in [
            "forwarded",
            "forwarded-for",
            "client-ip",
            "true-client-ip",
            "cf-connecting-ip",
            "fastly-client-ip",
            "front-end-https",
            "base-url",
            "proxy",
            "http-host",
            "x-host",
            "x-http-host",
            "x-http-host-override",
            "x-host-override",
            "x-original-host",
            "x-backend-host",
            "x-original-url",
            "x-original-uri",
            "x-rewrite-url",
            "x-rewrite-uri",
            "x-http-destinationurl",
            "x-http-path-override",
            "x-path-info",
            "x-script-name",
            "x-url-scheme",
            "x-scheme",
            "x-arr-ssl",
            "x-http-method",
            "x-http-method-override",
            "x-method-override",
            "x-method",
            "x-real-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-originating-ip",
            "x-remote-ip",
            "x-remote-addr",
            "x-proxyuser-ip",
            "x-proxy-url",
            "x-sendfile-type",
            "x-accel-mapping",
            "x-accel-redirect",
            "x-middleware-subrequest",
            "x-forwarded",
        ] {
            let spelled = name.replace('-', "_");
            assert!(is_dropped(name) && is_dropped(&spelled), "{name}");
        }
    }

    #[test]
    fn crumbs_of_a_cookie_become_one_line() {
        let mut request = parts(&[("cookie", "a=b"), ("cookie", "c=d")]);
        sanitize(&mut request.headers);
        assert_eq!(request.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=b; c=d"]);
    }

    #[test]
    fn expectations() {
        for (lines, good) in [
            (&[][..], true),
            (&[("expect", "100-Continue")], true),
            (&[("expect", "y 100-continue")], false),
            (&[("expect", "100-continue"), ("expect", "100-continue")], false),
            (&[("expect", "")], false),
        ] {
            assert_eq!(check_expectation(&parts(lines).headers).is_ok(), good, "{lines:?}");
        }
    }

    #[test]
    fn the_clients_conditions_are_replaced_by_ours() {
        let request = parts(&[
            ("if-none-match", "\"theirs\""),
            ("if-match", "\"theirs\""),
            ("if-modified-since", "Sat, 01 Nov 2025 00:00:00 GMT"),
            ("if-unmodified-since", "Sat, 01 Nov 2025 00:00:00 GMT"),
            ("if-range", "\"theirs\""),
            ("range", "bytes=0-1"),
            ("content-length", "0"),
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("content-language", "de"),
            ("expect", "100-continue"),
            ("accept", "*/*"),
        ]);
        let ours = [(header::IF_NONE_MATCH, HeaderValue::from_static("\"ours\""))];
        let sent = for_storing(&request, IpAddr::from([127, 0, 0, 1]), "tintype", &ours);
        let names: Vec<_> = sent.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(["accept", "via", "if-none-match"].iter().all(|name| names.contains(name)), "{names:?}");
        assert_eq!(sent.headers()["if-none-match"], "\"ours\"");
    }

    #[test]
    fn a_length_goes_out_in_one_spelling() {
        for (given, sent) in [("003", "3"), ("3", "3"), ("0", "0")] {
            let mut request = parts(&[("content-length", given)]);
            prepare(&mut request, IpAddr::from([127, 0, 0, 1]), "tintype");
            assert_eq!(request.headers["content-length"], sent, "{given}");
        }
    }
}
