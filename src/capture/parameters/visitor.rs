//! Who the page sees as its visitor, and how it is reached.

use crate::capture::devices::{Device, Handset, Preinstalled};
use crate::capture::parameter::Alias::Same;
use crate::capture::parameter::{Absent, Bound, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group = Group {
    name: "visitor",
    parameters: &[
        &USER_AGENT,
        &HEADERS,
        &COOKIES,
        &AUTHORIZATION,
        &TIME_ZONE,
        &LOCALE,
        &LATITUDE,
        &LONGITUDE,
        &ACCURACY,
        &PROXY,
        &COUNTRY,
        &IGNORE_HTTPS_ERRORS,
    ],
};

static USER_AGENT: Parameter =
    Parameter::private("user_agent", Kind::Text, "`User-Agent`; client hints and `navigator` follow it")
        .allowed_is("visible ASCII, at most 4096 bytes")
        .default_is("the device's, else *user_agent*")
        .aliases(&[("userAgent", Same), ("useragent", Same)]);
static HEADERS: Parameter = Parameter::private(
    "headers",
    Kind::Pairs(":"),
    "`Name: value`, list, or a JSON object. Sent to the origin of `url` alone: not to other hosts, ports or \
     schemes, and not along a redirect to one",
)
.allowed_is("a header field `Name: value` that is neither the connection's nor the browser's own")
.aliases(&[("setExtraHTTPHeaders", Same), ("extraHttpHeaders", Same), ("header", Same)]);
static COOKIES: Parameter = Parameter::private(
    "cookies",
    Kind::Pairs("="),
    "`name=value; name=value`, list, or a JSON object; of the host of `url` alone",
)
.allowed_is("`name=value` in ASCII")
.aliases(&[("cookie", Same)]);
static AUTHORIZATION: Parameter = Parameter::private(
    "authorization",
    Kind::Secret,
    "the `Authorization` field, to the origin of `url` alone",
)
.allowed_is("visible ASCII, such as `Basic ...`");
static TIME_ZONE: Parameter = Parameter::capture("time_zone", Kind::Text, "such as `Europe/Berlin`")
    .allowed_is("an IANA time zone such as Europe/Berlin")
    .aliases(&[("tz", Same), ("timezone", Same), ("timeZone", Same)]);
static LOCALE: Parameter = Parameter::capture(
    "locale",
    Kind::Text,
    "such as `de-CH`. It is also `Accept-Language` (`de-CH,de;q=0.9`) and `navigator.languages`",
)
.allowed_is("a language tag such as de-CH")
.default_is("*accept_language*")
.aliases(&[("accept_language", Same), ("accept_lang", Same)]);
static LATITUDE: Parameter = Parameter::capture(
    "geolocation_latitude",
    Kind::Number(-90.0, Bound::Fixed(90)),
    "degrees. Pages may ask for the place without a prompt",
)
.allowed_is("degrees from -90 to 90")
.aliases(&[("latitude", Same), ("geolocation.latitude", Same)]);
static LONGITUDE: Parameter =
    Parameter::capture("geolocation_longitude", Kind::Number(-180.0, Bound::Fixed(180)), "degrees")
        .allowed_is("degrees from -180 to 180")
        .aliases(&[("longitude", Same), ("geolocation.longitude", Same)]);
static ACCURACY: Parameter =
    Parameter::capture("geolocation_accuracy", Kind::Number(0.0, Bound::Fixed(100_000)), "metres")
        .absent(Absent::Is("1"))
        .allowed_is("metres from 0 to 100000")
        .aliases(&[("accuracy", Same), ("geolocation.accuracy", Same)]);
static PROXY: Parameter = Parameter::capture(
    "proxy",
    Kind::Text,
    "the page is loaded through the proxy of this name, which the operator set up in *egress*",
)
.allowed_is("the name of a proxy: letters, digits, - and _, at most 64");
static COUNTRY: Parameter = Parameter::capture(
    "country",
    Kind::Word,
    "the page is loaded through the operator's first proxy of this country, such as `de`. Not beside `proxy`",
)
.allowed_is("a country of two letters, such as de")
.aliases(&[("ip_country_code", Same), ("pov_country", Same)]);
static IGNORE_HTTPS_ERRORS: Parameter = Parameter::capture(
    "ignore_https_errors",
    Kind::Flag,
    "accept certificates that are expired, for another host or of an unknown authority: of the page, its parts, \
     frames and dedicated workers. 400 unless *allow_ignore_https_errors*. Its pictures have cache keys of their \
     own",
)
.absent(Absent::Is("false"))
.aliases(&[("ignoreHTTPSErrors", Same), ("acceptInsecureCerts", Same)]);

/// Who the page sees as its visitor.
#[derive(Clone, Default, PartialEq)]
pub struct Visitor {
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// The Android device whose Chrome is visiting, where there is no `user_agent`.
    pub handset: Option<Handset>,
    /// Further fields of requests to the target's own origin, `Authorization` among them.
    pub headers: Vec<(String, String)>,
    /// Cookies of the target's host.
    pub cookies: Vec<(String, String)>,
    /// An IANA time zone.
    pub time_zone: Option<String>,
    /// A language tag.
    pub locale: Option<String>,
    /// A place on earth.
    pub geolocation: Option<Geolocation>,
}

/// Headers and cookies are secrets: logs and panics show how many there are, not what.
impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visitor")
            .field("user_agent", &self.user_agent)
            .field("handset", &self.handset)
            .field("headers", &self.headers.len())
            .field("cookies", &self.cookies.len())
            .field("time_zone", &self.time_zone)
            .field("locale", &self.locale)
            .field("geolocation", &self.geolocation)
            .finish()
    }
}

/// A place on earth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geolocation {
    /// Degrees, -90 to 90.
    pub latitude: f64,
    /// Degrees, -180 to 180.
    pub longitude: f64,
    /// Metres.
    pub accuracy: f64,
}

/// How one of the operator's proxies is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Egress {
    /// By its name.
    Name(String),
    /// By its country, in lower case.
    Country(String),
}

pub(in crate::capture) fn read(r: &mut Reader<'_>, device: Option<&Device>) -> Visitor {
    let given = r.take(&USER_AGENT, values::field_value);
    let (user_agent, handset) = match (given, device.map(|device| device.browser)) {
        (None, Some(Preinstalled::Other(user_agent))) => (Some(user_agent.to_owned()), None),
        (None, Some(Preinstalled::Chrome(handset))) => (None, Some(handset)),
        (given, _) => (given, None),
    };
    let mut headers = r.take_all(&HEADERS, values::field);
    let cookies = r.take_all(&COOKIES, values::cookie);
    if let Some(value) = r.take(&AUTHORIZATION, values::field_value) {
        if headers.iter().any(|(name, _)| name == "authorization") {
            r.fault(&AUTHORIZATION, "", "not together with the same field in headers");
        }
        headers.push(("authorization".to_owned(), value));
    }
    let time_zone = r.take(&TIME_ZONE, values::time_zone);
    let locale = r.take(&LOCALE, values::locale);
    Visitor { user_agent, handset, headers, cookies, time_zone, locale, geolocation: geolocation(r) }
}

fn geolocation(r: &mut Reader<'_>) -> Option<Geolocation> {
    let (latitude, longitude) = (r.number(&LATITUDE), r.number(&LONGITUDE));
    let accuracy = r.number(&ACCURACY);
    let any = [&LATITUDE, &LONGITUDE, &ACCURACY].iter().any(|part| r.is_given(part));
    for side in [&LATITUDE, &LONGITUDE] {
        if any && !r.is_given(side) {
            r.fault(side, "nothing", "a number: a place has a latitude and a longitude");
        }
    }
    Some(Geolocation { latitude: latitude?, longitude: longitude?, accuracy: accuracy.unwrap_or(1.0) })
}

/// The operator's proxy that the page is loaded through.
pub(in crate::capture) fn read_egress(r: &mut Reader<'_>) -> Option<Egress> {
    match (r.take(&PROXY, values::proxy), r.take(&COUNTRY, values::country)) {
        (Some(_), Some(_)) => {
            let found = r.found(&COUNTRY);
            r.fault(&COUNTRY, &found, "not together with proxy");
            None
        }
        (Some(name), None) => Some(Egress::Name(name)),
        (None, country) => country.map(Egress::Country),
    }
}

/// Whether certificates that are not valid are taken.
pub(in crate::capture) fn read_ignore_https_errors(r: &mut Reader<'_>) -> bool {
    let asked = r.flag(&IGNORE_HTTPS_ERRORS).unwrap_or(false);
    if asked && !r.limits.allow_ignore_https_errors {
        let allowed = "false; the operator has to set allow_ignore_https_errors for more";
        r.fault(&IGNORE_HTTPS_ERRORS, "true", allowed);
    }
    asked
}
