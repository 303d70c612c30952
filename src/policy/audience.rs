//! What caches between us and the reader are told of an answer: browsers, CDNs, and nobody else where a key was needed.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::clock::Timestamp;
use crate::message::fields;

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Whom the answers of a route are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// They are embedded by other sites, and kept by shared caches.
    pub public: bool,
    /// The age from which on a browser asks again, if before the end of its lifetime.
    pub browser_ttl: Option<Duration>,
    /// The same of CDNs.
    pub cdn_ttl: Option<Duration>,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Anybody, perhaps by a link that is good until then.
    Anybody(Option<Timestamp>),
    /// Somebody with a key that is not in the link.
    Holder,
}

/// What is known of the answer: when its age was zero, and its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// When its age was zero.
    pub made: Timestamp,
    /// How long it is fresh from then on.
    pub lifetime: Duration,
}

impl Audience {
    /// Tells `response`, an answer to `asker`, what caches need to know. `kept` is what was decided here of its lifetime.
    ///
    /// Lifetimes count from when the picture was made, as `Age` does, so that they say the same at each moment. None reaches beyond the
    /// end of the link.
    pub fn tell(&self, asker: Asker, kept: Option<Kept>, response: &mut HeaderMap) {
        if asker != Asker::Holder && !self.public {
            return;
        }
        match asker {
            // A shared cache that does not know of the key would give it to everybody.
            Asker::Holder => keep_private(response),
            Asker::Anybody(until) => {
                response.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
                if let Some(kept) = kept {
                    self.lasting(kept, until, response);
                }
            }
        }
        let picture =
            response.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
        if picture {
            response.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
    }

    fn lasting(&self, kept: Kept, until: Option<Timestamp>, response: &mut HeaderMap) {
        let lifetime = until.map_or(kept.lifetime, |until| kept.lifetime.min(until.since(kept.made)));
        let of = |most: Option<Duration>| most.map_or(lifetime, |most| most.min(lifetime)).as_secs();
        let (browser, cdn) = (of(self.browser_ttl), of(self.cdn_ttl));
        let Some(mut members) = members(response) else { return };
        members.retain(|member| !["public", "max-age", "s-maxage"].iter().any(|name| is(member, name)));
        let mut told = vec![b"public".to_vec(), format!("max-age={browser}").into_bytes()];
        told.push(format!("s-maxage={cdn}").into_bytes());
        told.append(&mut members);
        if let Ok(value) = HeaderValue::from_bytes(&told.join(&b", "[..])) {
            response.insert(header::CACHE_CONTROL, value);
            response.remove(header::EXPIRES);
        }
        if let Ok(value) = HeaderValue::try_from(format!("public, max-age={cdn}")) {
            response.insert(CDN_CACHE_CONTROL, value);
        }
    }
}

/// The members of `Cache-Control`; `None` if they keep others from storing it.
fn members(response: &HeaderMap) -> Option<Vec<Vec<u8>>> {
    let members: Vec<Vec<u8>> = fields::list(response, &header::CACHE_CONTROL).map(<[u8]>::to_vec).collect();
    let forbids = |member: &Vec<u8>| ["no-store", "private", "no-cache"].iter().any(|name| is(member, name));
    (!members.iter().any(forbids)).then_some(members)
}

fn keep_private(response: &mut HeaderMap) {
    response.remove(CDN_CACHE_CONTROL);
    let all: Vec<Vec<u8>> = fields::list(response, &header::CACHE_CONTROL).map(<[u8]>::to_vec).collect();
    if all.iter().any(|member| is(member, "no-store")) {
        return;
    }
    let mut told = vec![b"private".to_vec()];
    told.extend(
        all.into_iter().filter(|m| !["public", "private", "s-maxage"].iter().any(|name| is(m, name))),
    );
    if let Ok(value) = HeaderValue::from_bytes(&told.join(&b", "[..])) {
        response.insert(header::CACHE_CONTROL, value);
    }
}

fn is(member: &[u8], name: &str) -> bool {
    let said = member.split(|&octet| octet == b'=').next().unwrap_or_default().trim_ascii();
    said.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Timestamp = Timestamp::from_secs(1_000_000);

    fn told(
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
    fn browsers_and_cdns_are_told_what_was_decided_here() {
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
            let found = told(audience, asker, 600, &said);
            assert_eq!(found, [expected[0], expected[1], "cross-origin", "nosniff"], "{said:?}");
        }
        for closed in ["no-store", "private, max-age=5", "no-cache"] {
            assert_eq!(told(public, anybody, 600, &says(closed)), [closed, "-", "cross-origin", "nosniff"]);
        }
        let plain = Audience::default();
        assert_eq!(told(plain, anybody, 600, &says("max-age=600")), ["max-age=600", "-", "-", "-"]);
    }

    #[test]
    fn what_needed_a_key_is_for_its_holder_alone() {
        let public = Audience { public: true, ..Audience::default() };
        for (said, expected) in [
            ("max-age=600", "private, max-age=600"),
            ("public, max-age=5, s-maxage=9", "private, max-age=5"),
            ("no-store", "no-store"),
        ] {
            let said =
                [("cache-control", said), ("cdn-cache-control", "max-age=9"), ("content-type", "text/html")];
            let found = told(public, Asker::Holder, 600, &said);
            assert_eq!(found, [expected, "-", "-", "-"]);
        }
        assert_eq!(told(public, Asker::Holder, 600, &[])[0], "private");
    }
}
