//! The request as the origin gets it, and the answer as it leaves the origin side.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};

use super::reading::Payload;
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::{date, fields};
use crate::policy::precondition::CONDITIONS;

/// Fields by which an origin might answer something else than the key says. A client must not set them on what
/// is stored for others.
const UNKEYED: [&str; 12] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-original-url",
    "x-rewrite-url",
    "x-host",
    "x-forwarded-scheme",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Removes what is not sent on: hop-by-hop fields, and those by which an origin might answer something unkeyed. Before anything is keyed by
/// the request, so that a field which `Connection` takes away selects no variant.
pub(super) fn sanitize(fields: &mut HeaderMap) {
    fields::remove_hop_by_hop(fields);
    for name in UNKEYED {
        fields.remove(name);
    }
}

/// Makes a sanitized request head fit to be sent on: `Via` and the client's address are added (RFC 9110 section 7.6.3).
pub(super) fn prepare(request: &mut Parts, peer: IpAddr, pseudonym: &str) {
    let version = match request.version {
        http::Version::HTTP_2 => "2",
        http::Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let fields = &mut request.headers;
    if let Ok(address) = HeaderValue::try_from(peer.to_canonical().to_string()) {
        fields.insert(X_FORWARDED_FOR, address);
    }
    let scheme = if request.uri.scheme_str() == Some("https") { "https" } else { "http" };
    fields.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    if let Ok(via) = HeaderValue::try_from(format!("{version} {pseudonym}")) {
        fields.append(header::VIA, via);
    }
}

/// A request for the whole representation, to be stored: without the client's own conditions and range, with `conditions`
/// that validate what is stored.
pub(super) fn for_storing(
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
    for name in CONDITIONS.iter().chain(&[header::RANGE, header::CONTENT_LENGTH, header::EXPECT]) {
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
    }
    to_origin
}

/// Makes an origin's answer fit to be sent on or stored: hop-by-hop fields leave, a missing `Date` is the time of its
/// arrival (RFC 9110 section 6.6.1).
pub(super) fn cleanse(response: &mut Response<Body>, received: Timestamp) {
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
        assert_eq!(sent["x-forwarded-for"], "127.0.0.1");
        assert_eq!(sent["accept"], "image/png");
        let via: Vec<_> = sent.get_all("via").iter().collect();
        assert_eq!(via, ["1.0 fred", "1.1 tintype"]);
    }

    #[test]
    fn the_clients_conditions_are_replaced_by_ours() {
        let request = parts(&[("if-none-match", "\"theirs\""), ("range", "bytes=0-1"), ("accept", "*/*")]);
        let ours = [(header::IF_NONE_MATCH, HeaderValue::from_static("\"ours\""))];
        let sent = for_storing(&request, IpAddr::from([127, 0, 0, 1]), "tintype", &ours);
        assert_eq!(sent.headers()["if-none-match"], "\"ours\"");
        assert!(!sent.headers().contains_key("range"));
        assert_eq!(sent.headers()["accept"], "*/*");
    }
}
