//! `GET /explain`, and `?explain` on any path that is not the control plane's own: why a request gets what it gets.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use url::form_urlencoded;

use super::{Admin, answer, auth, deny, metrics, not_allowed, problem};
use crate::message::body::Body;

/// Fields that one question may name.
const MAX_FIELDS: usize = 64;

/// A request that is to be explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Which one.
    pub what: What,
    /// Its method.
    pub method: Method,
    /// Its fields.
    pub fields: HeaderMap,
}

/// Which request is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One for this URL of the data plane: absolute, or path and query.
    Request(String),
    /// The plain capture of this page.
    Page(String),
}

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

/// Why nothing can be said of a request that is named.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotExplained(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// Whether this is for this module: figures in the forms of monitors, and explanations.
pub(super) fn is_for(target: &Uri) -> bool {
    matches!(target.path(), "/metrics" | "/cache/stats" | "/explain") || question_in(target).is_some()
}

impl Admin {
    /// Answers what [`is_for`] says.
    pub(super) async fn look(&self, request: Request<Body>) -> Response<Body> {
        if let Err(denied) = auth::check(self.token.as_deref(), request.headers()) {
            return deny(denied);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match request.uri().path() {
            "/metrics" => metrics::get(&*self.control, &request),
            "/cache/stats" => answer(StatusCode::OK, self.control.figures().of_cache()),
            _ => match asked(&request) {
                Ok(ask) => match self.control.explain(ask).await {
                    Ok(explained) => answer(StatusCode::OK, explained),
                    Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
                },
                Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
            },
        }
    }
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
fn asked(request: &Request<Body>) -> Result<Ask, BadQuestion> {
    if request.uri().path() != "/explain"
        && let Some(url) = question_in(request.uri())
    {
        let mut fields = request.headers().clone();
        // These are for the control plane.
        fields.remove(http::header::HOST);
        fields.remove(http::header::AUTHORIZATION);
        return Ok(Ask { what: What::Request(url), method: request.method().clone(), fields });
    }
    let (mut what, mut method, mut fields) = (None, Method::GET, HeaderMap::new());
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
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
    Ok(Ask { what, method, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(target: &str) -> Result<Ask, BadQuestion> {
        asked(&Request::get(target).body(Body::Empty).expect("a request"))
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
