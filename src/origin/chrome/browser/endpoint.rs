//! Where the browsers are that somebody else runs.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// A DevTools endpoint: `ws://host:port/path`, or `http://host:port`, which tells the former under /json/version; `wss` and
/// `https` are the same over TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(pub(crate) Url);

/// The text is no [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DevTools endpoint, such as wss://host/devtools/browser/... or http://host:9222")]
pub struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let url = Url::parse(text.trim()).map_err(|_| NotAnEndpoint)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let known = matches!(url.scheme(), "ws" | "http" | "wss" | "https") && url.has_host();
        if plain && known { Ok(Endpoint(url)) } else { Err(NotAnEndpoint) }
    }
}

impl Endpoint {
    /// Whether it is spoken to over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.0.scheme(), "wss" | "https")
    }
}

/// Scheme, host and port only: path and query often hold a token.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(f, "{}://{}:{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_show_no_token() {
        for (text, shown) in [
            ("ws://host:9222/devtools/browser/1?token=hunter2", Some("ws://host:9222")),
            (" http://10.0.0.1 ", Some("http://10.0.0.1:80")),
            ("ws://[::1]:1", Some("ws://[::1]:1")),
            ("wss://host/?token=hunter2", Some("wss://host:443")),
            ("https://host:1", Some("https://host:1")),
            ("ftp://host", None),
            ("http://user:hunter2@host", None),
            ("host:9222", None),
            ("file:///etc/passwd", None),
            ("", None),
        ] {
            let endpoint = text.parse::<Endpoint>().ok();
            assert_eq!(endpoint.as_ref().map(ToString::to_string).as_deref(), shown, "{text}");
            assert!(!format!("{endpoint:?}").contains("hunter2"));
        }
    }
}
