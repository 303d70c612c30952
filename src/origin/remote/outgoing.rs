//! The request to send: target, fields and `Host`, made from the one that came. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LOCATION, HOST, LINK, LOCATION, REFRESH};
use http::request;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Extensions, HeaderMap, HeaderValue, Uri, Version};

use super::config::Config;
use super::error::Error;
use crate::message::class::Safe;
use crate::message::forwarded::{Chain, Told};
use crate::origin::OriginError;

/// How requests become those that are sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    scheme: Scheme,
    authority: Authority,
    /// The base's path without a slash at its end.
    prefix: String,
    /// Names of the parameters that are set.
    names: Vec<String>,
    /// The parameters that are set, as they go into a query.
    parameters: String,
    /// Their values, as they are and as they go into a query, where they are long enough to be nothing else.
    secrets: Vec<String>,
    fields: HeaderMap,
    preserve_host: bool,
    told: Told,
}

impl Outgoing {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let refused = |reason| Error::Base { base: config.base.to_string(), reason };
        let (Some(scheme), Some(authority)) = (config.base.scheme(), config.base.authority()) else {
            return Err(refused("needs a scheme and a host"));
        };
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(refused("needs the scheme http or https"));
        }
        if authority.as_str().contains('@') {
            return Err(refused("must not carry credentials"));
        }
        if config.base.query().is_some() {
            return Err(refused("must not have a query"));
        }
        let path = config.base.path();
        let mut fields = config.set_headers.clone();
        fields.values_mut().for_each(|value| value.set_sensitive(true));
        Ok(Outgoing {
            scheme: scheme.clone(),
            authority: authority.clone(),
            prefix: path.strip_suffix('/').unwrap_or(path).to_owned(),
            names: config.set_query.iter().map(|(name, _)| name.clone()).collect(),
            parameters: form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&config.set_query)
                .finish(),
            secrets: secrets(&config.set_query),
            fields,
            preserve_host: config.preserve_host,
            told: config.forwarded,
        })
    }

    /// Whether the `Host` that is sent may differ from the authority that is connected to.
    pub(super) fn changes_host(&self) -> bool {
        self.preserve_host || self.fields.contains_key(HOST)
    }

    /// Makes `head` the one to send.
    pub(super) fn rewrite(&self, head: &mut request::Parts) -> Result<(), OriginError> {
        let asked = head.uri.authority().map(host_of);
        if let Some(chain) = head.extensions.get::<Chain>() {
            // The key holds the host where the origin is told it, and nowhere else.
            let host = head.uri.authority().filter(|_| self.preserve_host).map(Authority::as_str);
            let secure = head.uri.scheme() == Some(&Scheme::HTTPS);
            self.told.set(&mut head.headers, chain, secure, host);
        }
        head.uri = self.target(&head.uri)?;
        head.version = Version::HTTP_11;
        // Everything else there is about the client's connection.
        let safe = head.extensions.remove::<Safe>();
        head.extensions = Extensions::new();
        safe.map(|safe| head.extensions.insert(safe));
        // Without one the client sets the authority: as `Host` in HTTP/1.1, as `:authority` alone in HTTP/2.
        let host = head.headers.remove(HOST);
        if self.preserve_host
            && let Some(host) = asked.flatten().or(host)
        {
            head.headers.insert(HOST, host);
        }
        for name in self.fields.keys() {
            head.headers.remove(name);
        }
        for (name, value) in &self.fields {
            head.headers.append(name, value.clone());
        }
        Ok(())
    }

    /// Takes the parameters that were set out of what an origin says of its targets: whoever follows a redirect has them set anew, and nobody
    /// is to read them.
    pub(super) fn conceal(&self, fields: &mut HeaderMap) {
        if self.names.is_empty() {
            return;
        }
        for name in [LOCATION, CONTENT_LOCATION] {
            let Some(target) = fields.get(&name).and_then(|value| value.to_str().ok()) else { continue };
            if let Some(told) = self.without(target)
                && let Ok(told) = HeaderValue::try_from(told)
            {
                fields.insert(name, told);
            }
        }
        for name in [LOCATION, CONTENT_LOCATION, LINK, REFRESH] {
            let tells = |value: &HeaderValue| {
                let text = String::from_utf8_lossy(value.as_bytes());
                self.secrets.iter().any(|secret| text.contains(secret))
            };
            if fields.get_all(&name).iter().any(tells) {
                fields.remove(name);
            }
        }
    }

    /// `target` without the parameters that are set; `None` if it has none of them.
    fn without(&self, target: &str) -> Option<String> {
        let (rest, fragment) = match target.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (target, None),
        };
        let (path, query) = rest.split_once('?')?;
        let kept: Vec<&str> = query.split('&').filter(|parameter| !self.sets(parameter)).collect();
        let mut told = path.to_owned();
        if !kept.is_empty() {
            told = format!("{told}?{}", kept.join("&"));
        }
        if let Some(fragment) = fragment {
            told = format!("{told}#{fragment}");
        }
        (kept.len() < query.split('&').count()).then_some(told)
    }

    /// The base and the target's path and query, byte for byte but for the parameters that are set.
    fn target(&self, uri: &Uri) -> Result<Uri, OriginError> {
        let unusable =
            |error: http::Error| OriginError::BadResponse(format!("no target to ask for: {error}"));
        let asked = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let joined = if self.names.is_empty() && self.prefix.is_empty() {
            asked
        } else {
            let mut joined = format!("{}{}", self.prefix, asked.path());
            if let Some(query) = self.query(asked.query()) {
                joined.push('?');
                joined.push_str(&query);
            }
            PathAndQuery::from_maybe_shared(Bytes::from(joined)).map_err(|error| unusable(error.into()))?
        };
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(joined);
        uri.build().map_err(unusable)
    }

    /// `query` without the parameters that are set, and those at its end.
    fn query<'a>(&'a self, query: Option<&'a str>) -> Option<Cow<'a, str>> {
        if self.names.is_empty() {
            return query.map(Cow::Borrowed);
        }
        let kept = query.unwrap_or_default().split('&').filter(|parameter| !self.sets(parameter));
        let mut kept = kept.collect::<Vec<_>>().join("&");
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.push_str(&self.parameters);
        Some(Cow::Owned(kept))
    }

    /// Whether `parameter`, however its name is spelled, is one of those that are set.
    fn sets(&self, parameter: &str) -> bool {
        let name = parameter.split('=').next().unwrap_or_default();
        let name = form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name);
        name.is_some_and(|name| self.names.iter().any(|set| *set == name))
    }
}

/// Octets from which on a value is taken for a secret wherever it stands.
const SECRET: usize = 6;

fn secrets(parameters: &[(String, String)]) -> Vec<String> {
    let long = parameters.iter().map(|(_, value)| value).filter(|value| value.len() >= SECRET);
    let spelled =
        |value: &String| [value.clone(), form_urlencoded::byte_serialize(value.as_bytes()).collect()];
    long.flat_map(spelled).collect()
}

/// An authority as a `Host` field: without user information.
fn host_of(authority: &Authority) -> Option<HeaderValue> {
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    HeaderValue::from_str(host).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::remote::config::tests::config;

    fn outgoing(change: impl FnOnce(&mut Config)) -> Outgoing {
        let mut config = config("http://origin.test/");
        change(&mut config);
        Outgoing::new(&config).unwrap()
    }

    fn sent(outgoing: &Outgoing, uri: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut request = http::Request::builder().uri(uri).version(Version::HTTP_2);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        outgoing.rewrite(&mut head).unwrap();
        head
    }

    #[test]
    fn paths_and_queries_are_joined_byte_for_byte() {
        for (base, asked, expected) in [
            ("http://o", "http://c/a", "http://o/a"),
            ("http://o/", "http://c", "http://o/"),
            ("https://o:8443/v1", "http://c/a?b=c", "https://o:8443/v1/a?b=c"),
            ("http://o/v1/", "http://c/a", "http://o/v1/a"),
            ("http://o/v1//", "http://c/a", "http://o/v1//a"),
            ("http://o/v1", "http://c/a/../b//c/.", "http://o/v1/a/../b//c/."),
            (
                "http://o/v1",
                "http://c/%2e%2F%7e?q=%20+%C3%A9&&x==&",
                "http://o/v1/%2e%2F%7e?q=%20+%C3%A9&&x==&",
            ),
            ("http://o", "http://c/a?", "http://o/a?"),
            ("http://o/v1", "http://c/a?", "http://o/v1/a?"),
        ] {
            let outgoing = Outgoing::new(&config(base)).unwrap();
            assert_eq!(sent(&outgoing, asked, &[]).uri, expected, "{base} + {asked}");
        }
    }

    #[test]
    fn set_parameters_replace_those_of_their_name_and_touch_no_others() {
        let outgoing = outgoing(|config| {
            config.set_query = vec![("key".into(), "s&c ret".into()), ("mode".into(), "x".into())];
        });
        let set = "key=s%26c+ret&mode=x";
        for (asked, kept) in [
            ("", ""),
            ("?", ""),
            ("?a=1", "a=1&"),
            ("?key=mine", ""),
            ("?a=%7e&key=mine&b=+", "a=%7e&b=+&"),
            ("?key&key=&%6Bey=2&k%65y", ""),
            ("?Key=1&keys=2&xkey=3", "Key=1&keys=2&xkey=3&"),
            ("?a&&b=&mode=y", "a&&b=&"),
        ] {
            let uri = sent(&outgoing, &format!("http://c/p{asked}"), &[]).uri;
            assert_eq!(uri.query().unwrap(), format!("{kept}{set}"), "{asked}");
        }
    }

    #[test]
    fn set_fields_override_and_are_sensitive() {
        let outgoing = outgoing(|config| {
            config.set_headers.append("authorization", HeaderValue::from_static("Bearer ours"));
            config.set_headers.append("x-two", HeaderValue::from_static("a"));
            config.set_headers.append("x-two", HeaderValue::from_static("b"));
        });
        let head =
            sent(&outgoing, "http://c/", &[("authorization", "theirs"), ("x-two", "c"), ("accept", "*/*")]);
        let all = |name| head.headers.get_all(name).into_iter().collect::<Vec<_>>();
        assert_eq!(all("authorization"), ["Bearer ours"]);
        assert_eq!(all("x-two"), ["a", "b"]);
        assert!(all("authorization")[0].is_sensitive());
        assert_eq!((head.headers.len(), head.version), (4, Version::HTTP_11));
    }

    #[test]
    fn the_host_is_the_bases_unless_it_is_preserved_or_set() {
        let asked = "http://user@client.test:81/";
        let base = outgoing(|_| {});
        assert_eq!(sent(&base, asked, &[("host", "client.test")]).headers.get("host"), None);
        let preserved = outgoing(|config| config.preserve_host = true);
        assert_eq!(sent(&preserved, asked, &[("host", "other")]).headers["host"], "client.test:81");
        let set = outgoing(|config| {
            config.preserve_host = true;
            config.set_headers.insert("host", HeaderValue::from_static("set.test"));
        });
        assert_eq!(sent(&set, asked, &[]).headers["host"], "set.test");
        assert!(!base.changes_host() && preserved.changes_host() && set.changes_host());
    }

    #[test]
    fn a_base_that_cannot_be_asked_is_refused() {
        for base in ["/v1", "o.test", "ftp://o.test", "http://user:secret@o.test", "http://o.test/?a=b"] {
            let error = Outgoing::new(&config(base)).unwrap_err();
            assert!(matches!(error, Error::Base { .. }), "{base}: {error}");
        }
    }

    /// A redirect that keeps its query had told it to every client.
    #[test]
    fn regression_what_is_set_is_not_told_by_redirects() {
        let mut config = config("http://api.example/base");
        config.set_query =
            vec![("access_key".to_owned(), "hunter2 &x".to_owned()), ("v".to_owned(), "1".to_owned())];
        let outgoing = Outgoing::new(&config).expect("fine");
        for (name, said, told) in [
            ("location", "/take?url=a&access_key=hunter2+%26x&v=1", Some("/take?url=a")),
            (
                "location",
                "https://api.example/take?access_key=hunter2+%26x#top",
                Some("https://api.example/take#top"),
            ),
            ("location", "/take?access%5Fkey=hunter2+%26x&b", Some("/take?b")),
            ("location", "/v/1?page=1", Some("/v/1?page=1")),
            ("content-location", "/take?v=1", Some("/take")),
            ("location", "/login?next=%2Ftake%3Faccess_key%3Dhunter2+%26x", None),
            ("link", "</take?access_key=hunter2+%26x>; rel=next", None),
            ("link", "</style.css>; rel=preload", Some("</style.css>; rel=preload")),
            ("refresh", "0; url=/take?access_key=hunter2+%26x", None),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(name, HeaderValue::from_static(said));
            outgoing.conceal(&mut fields);
            assert_eq!(fields.get(name).map(|value| value.to_str().expect("text")), told, "{name}: {said}");
        }
    }
}
