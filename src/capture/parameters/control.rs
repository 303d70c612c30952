//! What is said to the cache, and what identifies the client. None of it is on the picture.

use crate::capture::parameter::Alias::{Same, Times};
use crate::capture::parameter::{Class, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const CACHE: Group =
    Group { name: "cache", parameters: &[&TTL, &STALE_TTL, &FORCE, &NO_CACHE, &CACHE_FLAG, &CACHE_KEY] };

pub(super) const DELIVERY: Group = Group {
    name: "delivery",
    parameters: &[
        &ACCESS_KEY,
        &API_KEY,
        &X_API_KEY,
        &TOKEN,
        &SIGNATURE,
        &SIG,
        &KEY_ID,
        &EXPIRES,
        &RESPONSE_TYPE,
        &STORAGE_PATH,
        &STORE,
        &WEBHOOK_URL,
        &WEBHOOK_AUTH,
        &ASYNC,
    ],
};

const fn cache(name: &'static str, kind: Kind, doc: &'static str) -> Parameter {
    Parameter::new(name, Class::Cache, kind, doc)
}

const fn delivery(name: &'static str, kind: Kind, doc: &'static str) -> Parameter {
    Parameter::new(name, Class::Delivery, kind, doc)
}

static TTL: Parameter = cache(
    "ttl",
    Kind::Lifetime,
    "how long the picture may be fresh, in seconds or as `1h`; an older stored one is not used",
)
.default_is("the route's")
.aliases(&[
    ("cache_ttl", Times(1)),
    ("cacheTTL", Times(1)),
    ("cacheLimit", Times(86_400)),
    ("maxAge", Times(3_600)),
]);
static STALE_TTL: Parameter =
    cache("stale_ttl", Kind::Lifetime, "how long a stale picture may be served while a new one is made")
        .default_is("the route's")
        .aliases(&[("staleTtl", Same)]);
static FORCE: Parameter = cache("force", Kind::Flag, "a new picture, which is stored")
    .default_is("`false`")
    .aliases(&[("fresh", Same), ("force_refresh", Same), ("refreshCache", Same), ("requeue", Same)]);
static NO_CACHE: Parameter = cache("no_cache", Kind::Flag, "a new picture, which is not stored")
    .default_is("`false`")
    .aliases(&[("noCache", Same)]);
static CACHE_FLAG: Parameter = cache("cache", Kind::Flag, "`false` is `no_cache=true`").default_is("`true`");
static CACHE_KEY: Parameter = Parameter::new(
    "cache_key",
    Class::KeyOnly,
    Kind::Opaque,
    "any text; pictures with another one are stored apart",
)
.aliases(&[("unique", Same), ("nonce", Same), ("cacheKey", Same)]);

const CREDENTIAL: &str = "identifies the client; not part of any key";
const IGNORED: &str = "accepted and ignored";

static ACCESS_KEY: Parameter = delivery("access_key", Kind::Text, CREDENTIAL).aliases(&[("accessKey", Same)]);
static API_KEY: Parameter =
    delivery("api_key", Kind::Text, CREDENTIAL).aliases(&[("apiKey", Same), ("apikey", Same)]);
static X_API_KEY: Parameter = delivery("x_api_key", Kind::Text, CREDENTIAL);
static TOKEN: Parameter = delivery("token", Kind::Text, CREDENTIAL);
static SIGNATURE: Parameter = delivery("signature", Kind::Text, CREDENTIAL);
static SIG: Parameter = delivery("sig", Kind::Text, CREDENTIAL);
static KEY_ID: Parameter = delivery("key_id", Kind::Text, CREDENTIAL);
static EXPIRES: Parameter =
    delivery("expires", Kind::Text, "until when a signed link holds; not part of any key");
static RESPONSE_TYPE: Parameter = delivery("response_type", Kind::Word, "read in the dialects that have it");
static STORAGE_PATH: Parameter = delivery("storage_path", Kind::Text, IGNORED);
static STORE: Parameter = delivery("store", Kind::Flag, IGNORED);
static WEBHOOK_URL: Parameter =
    delivery("webhook_url", Kind::Text, IGNORED).aliases(&[("webhookUrl", Same), ("webhook", Same)]);
static WEBHOOK_AUTH: Parameter = delivery("webhook_auth", Kind::Text, IGNORED);
static ASYNC: Parameter = delivery("async", Kind::Flag, IGNORED);

/// What is said to a cache in front is not used here, but refused together with all else if it is malformed.
pub(in crate::capture) fn check(r: &mut Reader<'_>) {
    for parameter in CACHE.parameters.iter().filter(|parameter| parameter.class == Class::Cache) {
        match parameter.kind {
            Kind::Flag => {
                r.flag(parameter);
            }
            _ => {
                r.take(parameter, values::lifetime);
            }
        }
    }
}
