//! Ways in for the targets below `fuzz/` to what is not public. Built with `--cfg fuzzing` only.

use bytes::Bytes;
use http::{Request, Uri};

use crate::message::framing::{Requests, Watch};
use crate::store::record;

/// The target URI of `request`, or the name of the refusal.
pub fn complete(request: Request<()>, secure: bool, max_bytes: usize) -> Result<Uri, &'static str> {
    let (mut parts, ()) = request.into_parts();
    crate::proxy::request::target::complete(&mut parts, secure, max_bytes)
        .map_err(|refusal| refusal.name())?;
    Ok(parts.uri)
}

/// What comes of hearing `pieces` from a client: whether the next byte begins a request, or where the bytes leave the rules, and how.
pub fn requests<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<bool, String> {
    let mut requests = Requests::new();
    for piece in pieces {
        requests.heard(piece).map_err(|broken| broken.how.to_string())?;
    }
    Ok(requests.is_between())
}

/// What comes of hearing `pieces` from an origin that was sent `request`: how many bytes are for the reader, whether the response has
/// ended, and whether the connection has.
pub fn responses<'a>(
    request: &[u8],
    limit: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(usize, bool, bool), String> {
    let mut watch = Watch::new(limit);
    watch.sent(request).map_err(|violation| violation.to_string())?;
    let mut all = 0;
    for piece in pieces {
        all += watch.heard(piece).map_err(|violation| violation.to_string())?;
    }
    Ok((all, watch.is_done(), watch.is_over()))
}

/// A record's bytes around any head and body, with lengths and checksum that are right.
pub fn record(kind: u8, head: &[u8], body: &[u8]) -> Bytes {
    record::forged(kind, head, body)
}
