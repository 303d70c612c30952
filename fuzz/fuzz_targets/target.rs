//! Target URI and key: a request line's target, its version, and its `Host` lines.
//!
//! What is taken has a name or address for a host, no dot segment however it is spelled, no octet that some take for an end; reading it
//! again changes nothing; and what has one key asks the origin for the same octets.

#![no_main]

use http::{Request, Version};
use libfuzzer_sys::fuzz_target;
use tintype::fuzzing::complete;
use tintype::policy::key;
use tintype_fuzz::{first_line, values};

fuzz_target!(|input: &[u8]| {
    let (target, rest) = first_line(input);
    let (version, hosts) = first_line(rest);
    let version = match version {
        b"0" => Version::HTTP_10,
        b"2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    let Ok(request) = Request::builder().uri(target).version(version).body(()) else { return };
    let mut request = request;
    if !hosts.is_empty() {
        *request.headers_mut() = values("host", hosts);
    }
    let asked = request.uri().path_and_query().map(|both| both.as_str().to_owned());
    let Ok(uri) = complete(request, false, 200) else { return };

    let host = uri.host().expect("a host");
    assert!(!host.is_empty() && !host.contains(['/', '@', ',', ' ', '%', '\\']), "{host:?}");
    assert!(uri.authority().is_some_and(|authority| !authority.as_str().contains('@')));
    let path = uri.path();
    assert!(path.starts_with('/') && path.len() <= 201, "{path:?}");
    let decoded = decoded(path.as_bytes());
    assert!(!decoded.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n')), "{path:?}");
    for segment in decoded.split(|octet| matches!(octet, b'/' | b'\\')) {
        assert!(!matches!(segment, b"." | b".."), "{path:?}");
    }

    let of = |uri: &http::Uri| {
        let mut key = Vec::new();
        key::append(&mut key, "route", uri);
        key
    };
    let found = of(&uri);
    let whole = uri.path_and_query().expect("a path").as_str();
    assert_eq!(found, [b"route ", whole.as_bytes()].concat(), "the key is what the origin is asked for");
    if let Some(asked) = asked.filter(|asked| asked.starts_with('/')) {
        assert_eq!(whole, asked, "the origin is asked for what the client asked for");
    }
    let again = Request::get(uri.clone()).header("host", uri.authority().expect("one").as_str());
    let again = complete(again.body(()).expect("a request"), false, 202).expect("it was taken");
    assert_eq!(again, uri);
});

fn decoded(path: &[u8]) -> Vec<u8> {
    let digit = |at: usize| path.get(at).and_then(|&octet| char::from(octet).to_digit(16));
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some(&octet) = path.get(at) {
        match (octet, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                all.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                all.push(octet);
                at += 1;
            }
        }
    }
    all
}
