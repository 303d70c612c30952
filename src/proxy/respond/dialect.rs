//! Responses in the form of another service: a picture, a link to it, or an error.

use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;

use crate::capture::dialect::reply::{ErrorReply, Facts};
use crate::capture::dialect::{Dialect, Form};
use crate::message::body::Body;
use crate::message::problem::{self, Problem};

/// Bytes of the document of a remote origin that are read for its error.
const MAX_PROBLEM_BYTES: u64 = 64 << 10;

/// The picture in the form that was asked for.
pub(in crate::proxy) async fn in_its_form(
    dialect: &'static dyn Dialect,
    form: Form,
    link: Option<String>,
    response: Response<Body>,
    limit: u64,
) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let format =
        kind.strip_prefix("image/").map(|format| format.split(';').next().unwrap_or_default().trim());
    let (Some(format), Some(link), true) = (format, link, form != Form::Picture) else {
        return Response::from_parts(head, body);
    };
    let mut facts = Facts { url: link, format: format.to_owned(), size: 0, pixels: None };
    let Ok(picture) = body.limited(limit).0.collect().await else {
        let problem = Problem::new(StatusCode::BAD_GATEWAY, "the picture did not arrive whole");
        head.status = problem.status;
        return tell(head, dialect.error(&problem));
    };
    let picture = picture.to_bytes();
    facts.size = picture.len() as u64;
    facts.pixels = png_size(&picture);
    match form {
        Form::Nothing => tell(head, ("", String::new())),
        Form::Link | Form::Picture => tell(head, ("application/json", format!("{}\n", dialect.link(&facts)))),
    }
}

/// A problem as the service would tell it, in the client's names.
pub(in crate::proxy) async fn in_its_words(
    dialect: &'static dyn Dialect,
    names: &[(&'static str, String)],
    response: Response<Body>,
) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let mut problem = match head.extensions.remove::<Problem>() {
        Some(problem) => problem,
        // The document of a remote origin.
        None => match body.limited(MAX_PROBLEM_BYTES).0.collect().await {
            Ok(body) => Problem::parse(head.status, &body.to_bytes()),
            Err(_) => Problem::parse(head.status, b""),
        },
    };
    for fault in &mut problem.faults {
        if let Some((_, theirs)) = names.iter().find(|(ours, _)| *ours == fault.parameter) {
            fault.parameter.clone_from(theirs);
        }
    }
    let told = dialect.error(&problem);
    problem.detail = problem.sentence();
    head.extensions.insert(problem);
    tell(head, told)
}

/// `text` in place of what the head was made for.
fn tell(mut head: http::response::Parts, (kind, text): ErrorReply) -> Response<Body> {
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::ACCEPT_RANGES,
        header::ETAG,
        header::LAST_MODIFIED,
    ] {
        head.headers.remove(name);
    }
    if !kind.is_empty() {
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    Response::from_parts(head, Body::whole(text))
}

pub(in crate::proxy) fn is_problem(response: &Response<Body>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(problem::MEDIA_TYPE.as_bytes()) && !response.status().is_success()
}

/// Pixels of a PNG (its IHDR comes first).
fn png_size(picture: &[u8]) -> Option<(u32, u32)> {
    let header = picture.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(8..16)?;
    let side = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    Some((side(0)?, side(4)?))
}
