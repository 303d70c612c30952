//! How a stored response was requested: kept with the response, so that it can be listed by its
//! page and fetched again without the credentials of any client. Main types: [`Asking`] and
//! [`Again`].

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

/// Longest URL that is kept whole, in bytes. A longer one is cut for display and is not requested
/// again.
const MAX_URL_BYTES: usize = 2048;
/// Limit on the names and values of all selecting header fields together, in bytes.
const MAX_FIELD_BYTES: usize = 1024;
/// Parts of field and parameter names that mark credentials.
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
/// Whole names of fields and parameters that mark credentials.
const SECRET_NAMES: [&str; 6] = ["key", "sig", "hash", "jwt", "hmac", "customer"];

/// The page that a stored response shows, and the request to fetch it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The captured page, otherwise the target URI of the request. Cut after 2,048 bytes.
    pub target: String,
    /// The request to repeat; `None` if the original had credentials or is too long to keep.
    pub again: Option<Again>,
}

/// A request without credentials, as it is kept in a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The target URI in absolute form.
    pub uri: String,
    /// The selecting header fields of the variant, as names and values.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Asking {
    /// Describes the stored response to `request`: it shows `page` and has the selecting header
    /// fields `selecting`.
    pub fn of(request: &Parts, page: Option<String>, selecting: &[HeaderName]) -> Asking {
        let uri = request.uri.to_string();
        let mut target = page.unwrap_or_else(|| uri.clone());
        if target.len() > MAX_URL_BYTES {
            let end = (0..=MAX_URL_BYTES).rev().find(|&at| target.is_char_boundary(at)).unwrap_or(0);
            target.truncate(end);
        }
        if uri.len() > MAX_URL_BYTES || has_credentials(request) {
            return Asking { target, again: None };
        }
        let mut fields = Vec::new();
        for name in selecting {
            for value in request.headers.get_all(name) {
                fields.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
            }
        }
        let length: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let again = (length <= MAX_FIELD_BYTES).then_some(Again { uri, fields });
        Asking { target, again }
    }

    /// Bytes on the heap.
    pub fn weight(&self) -> usize {
        let again = self.again.as_ref().map_or(0, |again| {
            let fields = again.fields.iter().map(|(name, value)| name.len() + value.len() + 48);
            again.uri.len() + fields.sum::<usize>()
        });
        self.target.len() + again
    }
}

impl Again {
    /// The head of a GET request; `None` if the kept URI or fields are not valid.
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

/// Whether the request seems to carry credentials, in a field or in its query.
fn has_credentials(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    request.headers.keys().any(|name| is_secret(name.as_str()))
        || form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
            // The URL of a proxy may hold a password; the name of a configured proxy does not.
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
    fn request_with_credentials_is_not_repeated() {
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
    fn repeated_request_has_only_selecting_fields() {
        let asking = asked("http://h/s", &[("accept", "image/png"), ("user-agent", "x")]);
        let request = asking.again.expect("again").to_request().expect("a request");
        assert_eq!((request.uri.to_string().as_str(), request.headers.len()), ("http://h/s", 1));
        assert_eq!(request.headers["accept"], "image/png");
    }

    #[test]
    fn long_url_is_cut_and_not_repeated() {
        let long = format!("http://h/{}", "a".repeat(3000));
        let asking = asked(&long, &[]);
        assert_eq!((asking.target.len(), asking.again), (MAX_URL_BYTES, None));
    }
}
