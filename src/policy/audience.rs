//! The caching fields that downstream caches receive: lifetimes for browsers and CDNs, and
//! `private` for responses that needed an API key. [`Audience`] holds the settings of a route.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::clock::Timestamp;
use crate::message::fields;

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Who may cache the responses of a route, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Other sites may embed the responses, and shared caches may store them.
    pub public: bool,
    /// The longest `max-age` for browsers, if shorter than the lifetime here.
    pub browser_ttl: Option<Duration>,
    /// The longest `s-maxage` and `CDN-Cache-Control` lifetime, if shorter than the lifetime here.
    pub cdn_ttl: Option<Duration>,
}

/// How the client was authorised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// No key, or a signed link; with the time at which the link expires, if it does.
    Anybody(Option<Timestamp>),
    /// An API key that is not part of the URL.
    Holder,
}

/// When a response was generated, and its freshness lifetime here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The time at which its age was zero.
    pub made: Timestamp,
    /// The freshness lifetime, counted from `made`.
    pub lifetime: Duration,
}

impl Audience {
    /// Sets the caching fields of `response`, which answers `asker`. `kept` gives the lifetime that
    /// was decided here.
    ///
    /// Lifetimes count from the generation of the response, as `Age` does, so they are the same at
    /// any time. None is longer than the link is valid.
    pub fn tell(&self, asker: Asker, kept: Option<Kept>, response: &mut HeaderMap) {
        if asker != Asker::Holder && !self.public {
            return;
        }
        match asker {
            // A shared cache does not know the key and would serve the response to every client.
            Asker::Holder => keep_private(response),
            Asker::Anybody(until) => {
                response.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
                if let Some(kept) = kept {
                    self.set_public_lifetimes(kept, until, response);
                }
            }
        }
        let picture =
            response.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
        if picture {
            response.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
    }

    fn set_public_lifetimes(&self, kept: Kept, until: Option<Timestamp>, response: &mut HeaderMap) {
        let lifetime = until.map_or(kept.lifetime, |until| kept.lifetime.min(until.since(kept.made)));
        let of = |most: Option<Duration>| most.map_or(lifetime, |most| most.min(lifetime)).as_secs();
        let (browser, cdn) = (of(self.browser_ttl), of(self.cdn_ttl));
        let Some(mut members) = members(response) else { return };
        members.retain(|member| !["public", "max-age", "s-maxage"].iter().any(|name| has_name(member, name)));
        let mut directives = vec![b"public".to_vec(), format!("max-age={browser}").into_bytes()];
        directives.push(format!("s-maxage={cdn}").into_bytes());
        directives.append(&mut members);
        if let Ok(value) = HeaderValue::from_bytes(&directives.join(&b", "[..])) {
            response.insert(header::CACHE_CONTROL, value);
            response.remove(header::EXPIRES);
        }
        if let Ok(value) = HeaderValue::try_from(format!("public, max-age={cdn}")) {
            response.insert(CDN_CACHE_CONTROL, value);
        }
    }
}

/// The directives of `Cache-Control`; `None` if they forbid shared caches to store or reuse it.
fn members(response: &HeaderMap) -> Option<Vec<Vec<u8>>> {
    let members: Vec<Vec<u8>> = fields::list(response, &header::CACHE_CONTROL).map(<[u8]>::to_vec).collect();
    let forbids =
        |member: &Vec<u8>| ["no-store", "private", "no-cache"].iter().any(|name| has_name(member, name));
    (!members.iter().any(forbids)).then_some(members)
}

fn keep_private(response: &mut HeaderMap) {
    response.remove(CDN_CACHE_CONTROL);
    let all: Vec<Vec<u8>> = fields::list(response, &header::CACHE_CONTROL).map(<[u8]>::to_vec).collect();
    if all.iter().any(|member| has_name(member, "no-store")) {
        return;
    }
    let mut directives = vec![b"private".to_vec()];
    directives.extend(
        all.into_iter().filter(|m| !["public", "private", "s-maxage"].iter().any(|name| has_name(m, name))),
    );
    if let Ok(value) = HeaderValue::from_bytes(&directives.join(&b", "[..])) {
        response.insert(header::CACHE_CONTROL, value);
    }
}

fn has_name(member: &[u8], name: &str) -> bool {
    let said = member.split(|&octet| octet == b'=').next().unwrap_or_default().trim_ascii();
    said.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Timestamp = Timestamp::from_secs(1_000_000);

    fn caching_fields(
        audience: Audience,
        asker: Asker,
        lifetime: u64,
        said: &[(&'static str, &'static str)],
    ) -> [String; 4] {
        let mut fields = HeaderMap::new();
        for (name, value) in said {
            fields.append(*name, HeaderValue::from_static(value));
        }
        let kept = Kept { made: MADE, lifetime: Duration::from_secs(lifetime) };
        audience.tell(asker, Some(kept), &mut fields);
        ["cache-control", "cdn-cache-control", "cross-origin-resource-policy", "x-content-type-options"]
            .map(|name| fields.get(name).map_or("-", |value| value.to_str().expect("text")).to_owned())
    }

    #[test]
    fn public_response_gets_browser_and_cdn_lifetimes() {
        let public = Audience { public: true, ..Audience::default() };
        let short = Audience {
            browser_ttl: Some(Duration::from_secs(60)),
            cdn_ttl: Some(Duration::from_secs(5000)),
            ..public
        };
        let anybody = Asker::Anybody(None);
        let until = Asker::Anybody(Some(MADE + Duration::from_secs(90)));
        let kind = ("content-type", "image/png");
        let says = |control: &'static str| vec![("cache-control", control), kind];
        for (audience, asker, said, expected) in [
            (
                public,
                anybody,
                says("max-age=600"),
                ["public, max-age=600, s-maxage=600", "public, max-age=600"],
            ),
            (
                public,
                anybody,
                says("public, max-age=5, s-maxage=600, must-revalidate"),
                ["public, max-age=600, s-maxage=600, must-revalidate", "public, max-age=600"],
            ),
            (public, anybody, vec![kind], ["public, max-age=600, s-maxage=600", "public, max-age=600"]),
            (
                short,
                anybody,
                says("max-age=600"),
                ["public, max-age=60, s-maxage=600", "public, max-age=600"],
            ),
            (short, until, says("max-age=600"), ["public, max-age=60, s-maxage=90", "public, max-age=90"]),
            (public, until, says("max-age=600"), ["public, max-age=90, s-maxage=90", "public, max-age=90"]),
        ] {
            let found = caching_fields(audience, asker, 600, &said);
            assert_eq!(found, [expected[0], expected[1], "cross-origin", "nosniff"], "{said:?}");
        }
        for closed in ["no-store", "private, max-age=5", "no-cache"] {
            assert_eq!(
                caching_fields(public, anybody, 600, &says(closed)),
                [closed, "-", "cross-origin", "nosniff"]
            );
        }
        let plain = Audience::default();
        assert_eq!(caching_fields(plain, anybody, 600, &says("max-age=600")), ["max-age=600", "-", "-", "-"]);
    }

    #[test]
    fn response_to_key_holder_is_private() {
        let public = Audience { public: true, ..Audience::default() };
        for (said, expected) in [
            ("max-age=600", "private, max-age=600"),
            ("public, max-age=5, s-maxage=9", "private, max-age=5"),
            ("no-store", "no-store"),
        ] {
            let said =
                [("cache-control", said), ("cdn-cache-control", "max-age=9"), ("content-type", "text/html")];
            let found = caching_fields(public, Asker::Holder, 600, &said);
            assert_eq!(found, [expected, "-", "-", "-"]);
        }
        assert_eq!(caching_fields(public, Asker::Holder, 600, &[])[0], "private");
    }
}
