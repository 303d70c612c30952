//! The setting `set_cookie`.

use super::directives::ResponseDirectives;

/// What becomes of a response with `Set-Cookie`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCookie {
    /// It is stored with its cookie if the origin gave explicit freshness (RFC 9111 section 7.3 leaves it to the origin).
    #[default]
    Store,
    /// As `Store` where the response also says `public` or `s-maxage`. Else it is stored without the cookie, which
    /// goes to the client alone whose request was forwarded.
    Client,
    /// It is stored without the cookie, which goes to no client.
    Strip,
    /// It is not stored.
    Never,
}

impl SetCookie {
    /// Whether a response with these directives is stored without its cookies.
    pub(super) fn removes(self, directives: &ResponseDirectives) -> bool {
        match self {
            SetCookie::Strip => true,
            SetCookie::Client => !directives.public && directives.s_maxage.is_none(),
            SetCookie::Store | SetCookie::Never => false,
        }
    }
}
