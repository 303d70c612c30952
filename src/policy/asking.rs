//! How a stored response was asked for: kept with it so that it can be listed by what it shows, and asked for again without anybody's
//! credentials.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

/// Octets of a URL that are kept; of a longer one there is a beginning to show, and no way to ask again.
const LONGEST: usize = 2048;
/// Octets of all selecting fields that are kept.
const LONGEST_FIELDS: usize = 1024;
/// What is in the names of fields and parameters that hold credentials.
const SECRET_PARTS: [&str; 13] = [
    "header",
    "auth",
    "token",
    "secret",
    "cookie",
    "signature",
    "password",
    "session",
    "api-key",
    "api_key",
    "apikey",
    "access-key",
    "access_key",
];
/// Whole names of parameters that hold credentials, or fields that do.
const SECRET_NAMES: [&str; 6] = ["key", "sig", "hash", "jwt", "hmac", "customer"];

/// What a stored response shows, and how to ask for it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The page that it captures, else the URL that was asked for.
    pub target: String,
    /// A request for the same, if one can be made that is nobody's own.
    pub again: Option<Again>,
}

/// A request without credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The target in absolute form.
    pub uri: String,
    /// The fields that select the variant.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Asking {
    /// How `request` asked for a response that shows `page` and is selected by the fields `selecting`.
    pub fn of(request: &Parts, page: Option<String>, selecting: &[HeaderName]) -> Asking {
        let uri = request.uri.to_string();
        let mut target = page.unwrap_or_else(|| uri.clone());
        if target.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|&at| target.is_char_boundary(at)).unwrap_or(0);
            target.truncate(end);
        }
        if uri.len() > LONGEST || is_own(request) {
            return Asking { target, again: None };
        }
        let mut fields = Vec::new();
        for name in selecting {
            for value in request.headers.get_all(name) {
                fields.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
            }
        }
        let length: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let again = (length <= LONGEST_FIELDS).then_some(Again { uri, fields });
        Asking { target, again }
    }

    /// Bytes that it takes in memory beside itself.
    pub fn weight(&self) -> usize {
        let again = self.again.as_ref().map_or(0, |again| {
            let fields = again.fields.iter().map(|(name, value)| name.len() + value.len() + 48);
            again.uri.len() + fields.sum::<usize>()
        });
        self.target.len() + again
    }
}

impl Again {
    /// The head of the request, as a GET.
    pub fn to_request(&self) -> Option<Parts> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        let mut request = Request::get(&self.uri).body(()).ok()?;
        *request.headers_mut() = headers;
        Some(request.into_parts().0)
    }
}

/// Whether the request carries what looks like somebody's credentials, in a field or in its query.
fn is_own(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    request.headers.keys().any(|name| is_secret(name.as_str()))
        || form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
            // A proxy by its URL has its password with it; one by its name has not.
            is_secret(&name.to_ascii_lowercase()) || (name == "proxy" && value.contains('@'))
        })
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.contains(&name) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, lines: &[(&'static str, &'static str)]) -> Asking {
        let mut request = Request::get(uri).body(()).expect("request");
        for (name, value) in lines {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        Asking::of(&request.into_parts().0, None, &[http::header::ACCEPT])
    }

    #[test]
    fn nobodys_credentials_are_used_again() {
        for (query, lines, again) in [
            ("?url=https://a.example&width=5", vec![], true),
            ("", vec![("accept", "image/png"), ("user-agent", "x")], true),
            ("", vec![("authorization", "Bearer x")], false),
            ("", vec![("cookie", "a=b")], false),
            ("", vec![("x-api-key", "k")], false),
            ("?access_key=k&url=x", vec![], false),
            ("?url=x&Signature=k", vec![], false),
            ("?url=x&cookies=a%3Db", vec![], false),
            ("?url=x&key=1", vec![], false),
        ] {
            let asking = asked(&format!("http://h/s{query}"), &lines);
            assert_eq!(asking.again.is_some(), again, "{query} {lines:?}");
        }
    }

    #[test]
    fn only_what_selects_is_kept_of_the_fields() {
        let asking = asked("http://h/s", &[("accept", "image/png"), ("user-agent", "x")]);
        let request = asking.again.expect("again").to_request().expect("a request");
        assert_eq!((request.uri.to_string().as_str(), request.headers.len()), ("http://h/s", 1));
        assert_eq!(request.headers["accept"], "image/png");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = format!("http://h/{}", "a".repeat(3000));
        let asking = asked(&long, &[]);
        assert_eq!((asking.target.len(), asking.again), (LONGEST, None));
    }
}
