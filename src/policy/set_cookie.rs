//! The setting `set_cookie` of a route ([`SetCookie`]).

use super::directives::ResponseDirectives;

/// How a response with `Set-Cookie` is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCookie {
    /// Stored with its cookies if its freshness is explicit; RFC 9111 section 7.3 leaves the
    /// sharing to the origin.
    #[default]
    Store,
    /// As `Store` if the response has `public` or `s-maxage`. Otherwise it is stored without its
    /// cookies, which are sent only to the client whose request was forwarded.
    Client,
    /// Stored without its cookies, which are sent to no client.
    Strip,
    /// Such a response is not stored.
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
