//! `GET /explain`, and `?explain` on any path that is not the control plane's own: why a request gets what it gets.

use std::convert::Infallible;

use axum::extract::{Request, State};
use axum::middleware;
use axum::response::IntoResponse as _;
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use tower::ServiceExt as _;
use url::form_urlencoded;

use super::answer::{answer, problem};
use super::context::Context;
use super::control::{Question, What};
use super::describe::BadRequest;
use super::layers;
use crate::message::body::Body;

/// Where requests are explained.
pub const EXPLAIN: &str = "/explain";

/// Fields that one question may name.
const MAX_FIELDS: usize = 64;

/// Why a request to explain names no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BadQuestion {
    /// It names none, or two, or something else besides.
    #[error(
        "name a request to this proxy (?url=URL or ?url=/path) or a page (?target=URL), \
         perhaps with &method=NAME and &header=Name:%20value"
    )]
    Usage,
    /// The method is none.
    #[error("`{0}` is no method")]
    Method(String),
    /// The field is none.
    #[error("`{0}` is no field: write Name: value")]
    Field(String),
    /// There are too many fields.
    #[error("more than {MAX_FIELDS} fields")]
    TooManyFields,
}

/// What a request would get, and why
#[utoipa::path(get, path = EXPLAIN, operation_id = "explain", tag = "Figures", params(
    ("url" = Option<String>, Query, description = "The URL of a request to tintype, absolute or path and query."),
    ("target" = Option<String>, Query, description = "Or the URL of a page: its plain capture."),
    ("method" = Option<String>, Query, description = "The method; GET without."),
    ("header" = Option<Vec<String>>, Query, description = "`Name: value`; several times."),
), responses(
    (status = 200, description = "Route, key, what is stored, what would be answered, why nothing is stored.",
        body = Object),
    (status = 400, response = BadRequest),
))]
pub(super) async fn explain(State(context): State<Context>, request: Request) -> Response<Body> {
    let explained = match asked(request.method(), request.uri(), request.headers()) {
        Ok(question) => context.control.explain(question).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match explained {
        Ok(explained) => answer(StatusCode::OK, explained),
        Err(why) => problem(StatusCode::BAD_REQUEST, &why),
    }
}

/// Any other path: it may be the question itself.
pub(super) async fn fallback(State(context): State<Context>, request: Request) -> axum::response::Response {
    if question_in(request.uri()).is_none() {
        let paths =
            "/healthz, /readyz, /stats, /metrics, /explain, /stored, /purge, /gc, /reload, /cache and /docs";
        return problem(StatusCode::NOT_FOUND, &format!("there is {paths}")).into_response();
    }
    let authorized = middleware::from_fn_with_state(context.clone(), layers::authorized);
    let routes: MethodRouter<(), Infallible> = get(explain).layer(authorized).with_state(context);
    routes.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// Path and query without `explain`, if the query has it.
fn question_in(target: &Uri) -> Option<String> {
    let query = target.query()?;
    let is_mark = |part: &&str| matches!(*part, "explain" | "explain=" | "explain=1" | "explain=true");
    query.split('&').find(is_mark)?;
    let rest: Vec<&str> = query.split('&').filter(|part| !is_mark(part)).collect();
    Some(if rest.is_empty() {
        target.path().to_owned()
    } else {
        format!("{}?{}", target.path(), rest.join("&"))
    })
}

/// The question of a request; where it is its own question, its fields count.
fn asked(own: &Method, target: &Uri, given: &HeaderMap) -> Result<Question, BadQuestion> {
    if target.path() != EXPLAIN
        && let Some(url) = question_in(target)
    {
        let mut fields = given.clone();
        // These are for the control plane.
        fields.remove(http::header::HOST);
        fields.remove(http::header::AUTHORIZATION);
        return Ok(Question { what: What::Request(url), method: own.clone(), fields });
    }
    let (mut what, mut method, mut fields) = (None, Method::GET, HeaderMap::new());
    for (name, value) in form_urlencoded::parse(target.query().unwrap_or_default().as_bytes()) {
        match (&*name, value) {
            ("url" | "target", _) if what.is_some() => return Err(BadQuestion::Usage),
            ("url", url) => what = Some(What::Request(url.into_owned())),
            ("target", page) => what = Some(What::Page(page.into_owned())),
            ("method", name) => {
                method = name.parse().map_err(|_| BadQuestion::Method(name.into_owned()))?;
            }
            ("header", line) => {
                let bad = || BadQuestion::Field(line.clone().into_owned());
                let (name, value) = line.split_once(':').ok_or_else(bad)?;
                let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
                let value = HeaderValue::from_str(value.trim()).map_err(|_| bad())?;
                if fields.len() >= MAX_FIELDS {
                    return Err(BadQuestion::TooManyFields);
                }
                fields.append(name, value);
            }
            _ => return Err(BadQuestion::Usage),
        }
    }
    let what = what.ok_or(BadQuestion::Usage)?;
    Ok(Question { what, method, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(target: &str) -> Result<Question, BadQuestion> {
        asked(&Method::GET, &target.parse().expect("uri"), &HeaderMap::new())
    }

    #[test]
    fn questions_are_read() {
        let question =
            ask("/explain?url=%2Fa%3Fb&method=HEAD&header=Accept:+x&header=Accept%3Ay").expect("one");
        assert_eq!(question.what, What::Request("/a?b".into()));
        assert_eq!(question.method, Method::HEAD);
        assert_eq!(question.fields.get_all("accept").iter().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(
            ask("/explain?target=https://e.x").map(|ask| ask.what),
            Ok(What::Page("https://e.x".into()))
        );
        for bad in ["/explain", "/explain?url=a&url=b", "/explain?url=a&x=1", "/explain?url=a&header=x"] {
            assert!(ask(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_can_be_its_own_question() {
        for (target, question) in [
            ("/a?explain", Some("/a")),
            ("/a?b=%20&explain=1&c", Some("/a?b=%20&c")),
            ("/a?explained", None),
            ("/a", None),
        ] {
            assert_eq!(question_in(&target.parse().expect("uri")).as_deref(), question, "{target}");
        }
        assert_eq!(ask("/a?b&explain").map(|ask| ask.what), Ok(What::Request("/a?b".into())));
    }
}
