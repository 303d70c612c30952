//! The body of `POST /screenshot`: parameters as JSON, bounded.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::response;
use crate::capture::limits::Limits;
use crate::message::body::Body;
use crate::message::json::is_json;

/// The JSON text of a request, or the answer to one that has none.
pub(super) async fn json(fields: &HeaderMap, body: Body, limits: &Limits) -> Result<Bytes, Response<Body>> {
    if !is_json(fields) {
        return Err(response::not_json());
    }
    let limit = largest(limits);
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(response::body_too_large(limit as u64)),
        Err(error) => Err(response::body_broken(&error.to_string())),
    }
}

/// Bytes of the largest body: a document whose every character is escaped, and as much again for the rest.
fn largest(limits: &Limits) -> usize {
    limits
        .max_html
        .saturating_mul(2)
        .saturating_add(limits.max_text.saturating_mul(8))
        .saturating_add(64 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    #[tokio::test]
    async fn only_json_within_the_bound_is_read() {
        let limits = Limits { max_html: 10, max_text: 0, ..Limits::default() };
        for (kind, length, expected) in [
            ("application/json", 5, None),
            ("Application/JSON; charset=utf-8", 5, None),
            ("application/json", largest(&limits), None),
            ("application/json", largest(&limits) + 1, Some(413)),
            ("text/plain", 5, Some(415)),
            ("", 5, Some(415)),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            let answer = json(&fields, Body::whole(vec![b' '; length]), &limits).await;
            assert_eq!(answer.err().map(|answer| answer.status().as_u16()), expected, "{kind} {length}");
        }
    }
}
