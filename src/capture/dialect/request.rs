//! A request to another service as it came, and the forms of its answer.

use http::HeaderMap;

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its query.
    pub query: &'a str,
    /// Its fields.
    pub fields: &'a HeaderMap,
    /// Its content.
    pub content: Content<'a>,
}

/// The content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// None.
    Nothing,
    /// A JSON object.
    Json(&'a [u8]),
    /// `application/x-www-form-urlencoded`.
    Form(&'a [u8]),
}

/// What a client gets of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The picture.
    #[default]
    Picture,
    /// JSON in the form of the service that says where it is.
    Link,
    /// Nothing but the status.
    Nothing,
}
