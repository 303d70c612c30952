//! What the targets share: reading their inputs, which are texts wherever that can be, so that a corpus can be read and written by hand.

pub mod http1;

use http::{HeaderMap, HeaderName, HeaderValue};

/// `input` up to the first line that is `---`, and what follows it.
pub fn halves(input: &[u8]) -> (&[u8], &[u8]) {
    const BETWEEN: &[u8] = b"\n---\n";
    match input.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        Some(at) => (&input[..at], &input[at + BETWEEN.len()..]),
        None => (input, b""),
    }
}

/// The first line of `input`, and what follows it.
pub fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|&octet| octet == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, b""),
    }
}

/// Each line of `input` that may be one as a line of the field called `name`.
pub fn values(name: &'static str, input: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in input.split(|&octet| octet == b'\n').take(100) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            fields.append(name, value);
        }
    }
    fields
}

/// Each line of `input` that is `name: value`, as a field.
pub fn fields(input: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in input.split(|&octet| octet == b'\n').take(100) {
        let Some(colon) = line.iter().position(|&octet| octet == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    fields
}
