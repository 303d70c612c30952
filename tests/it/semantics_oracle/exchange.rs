//! Random exchanges: what they mean, and one of the ways to write it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tintype::clock::Timestamp;

/// When responses arrive. All other times are distances from here in seconds, multiples of ten: 10 % of each is a whole second.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A request, its response, and a later request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exchange {
    pub(super) method: &'static str,
    pub(super) request: Side,
    /// Seconds between request and response.
    pub(super) delay: u64,
    pub(super) status: u16,
    pub(super) response: Vec<Directive>,
    /// Lines of `Age`.
    pub(super) age: Vec<String>,
    pub(super) date: Option<Date>,
    /// Lines of `Expires`.
    pub(super) expires: Vec<Date>,
    pub(super) last_modified: Option<Date>,
    pub(super) entity_tag: bool,
    pub(super) vary: &'static str,
    pub(super) set_cookie: bool,
    /// The response says `Pragma: no-cache`.
    pub(super) pragma: bool,
    pub(super) presented: Side,
    /// Seconds between response and later request.
    pub(super) resident: u64,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Side {
    pub(super) directives: Vec<Directive>,
    pub(super) pragma: &'static str,
    /// Lines of `Accept-Language`.
    pub(super) language: Vec<String>,
    pub(super) authorization: bool,
}

/// One directive, and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Directive {
    pub(super) name: &'static str,
    pub(super) argument: Option<String>,
    /// 0: lower case, 1: upper case, 2: First Letters.
    pub(super) case: u8,
    pub(super) quoted: bool,
    /// Begins another line.
    pub(super) own_line: bool,
}

/// A date, and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Date {
    /// Seconds from [`NOW`].
    At(i64, Form),
    /// No date at all.
    Junk(&'static str),
}

/// The three forms of HTTP, the first in other case, and one that HTTP does not have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Imf,
    Rfc850,
    Asctime,
    LowerCase,
    NumericZone,
}

pub(super) fn exchanges() -> impl Strategy<Value = Exchange> {
    const STATUSES: [u16; 26] = [
        200, 200, 200, 200, 200, 200, 200, 201, 203, 204, 206, 299, 301, 302, 304, 307, 308, 403, 404, 410,
        429, 451, 500, 501, 503, 599,
    ];
    const AGES: [&str; 12] = [
        "0",
        "30",
        "100",
        "3600",
        "50, 60",
        "30,x",
        "x",
        "-5",
        "1.5",
        "",
        "4294967296",
        "18446744073709551615",
    ];
    let method = prop_oneof![16 => Just("GET"), 1 => select(vec!["HEAD", "POST", "PUT"])];
    let asked = (method, side(request_directive()), select(vec![0u64, 0, 0, 10]));
    let age =
        rarely(vec(select(AGES.to_vec()).prop_map(str::to_owned), 1..3)).prop_map(Option::unwrap_or_default);
    let expires = prop_oneof![3 => Just(vec![]), 2 => vec(date(), 1), 1 => vec(date(), 2)];
    let vary = select(vec!["", "", "", "Accept-Language", "accept-language, x-absent", "*", "x-absent , *"]);
    let said = (select(STATUSES.to_vec()), vec(response_directive(), 0..4), age, rarely(date()), expires);
    let flags = (rarely(date()), any::<bool>(), vary, rare(), rare());
    let later = (side(request_directive()), select(vec![0u64, 10, 50, 60, 70, 100, 3600, 100_000]));
    (asked, said, flags, later).prop_map(|(asked, said, flags, later)| Exchange {
        method: asked.0,
        request: asked.1,
        delay: asked.2,
        status: said.0,
        response: said.1,
        age: said.2,
        date: said.3,
        expires: said.4,
        last_modified: flags.0,
        entity_tag: flags.1,
        vary: flags.2,
        set_cookie: flags.3,
        pragma: flags.4,
        presented: later.0,
        resident: later.1,
    })
}

fn side(directive: impl Strategy<Value = Directive>) -> impl Strategy<Value = Side> {
    const LANGUAGES: [&[&str]; 8] =
        [&[], &["de"], &["DE"], &["de, en"], &["en,de"], &["de", "en"], &["en"], &["en", "en"]];
    let language = select(LANGUAGES.to_vec());
    let pragma = select(vec!["", "", "", "", "", "no-cache", "No-Cache", "x"]);
    let directives = prop_oneof![2 => Just(vec![]), 2 => vec(directive, 1..3)];
    (directives, pragma, language, rare()).prop_map(|(directives, pragma, language, authorization)| Side {
        directives,
        pragma,
        language: language.iter().map(|line| (*line).to_owned()).collect(),
        authorization,
    })
}

fn response_directive() -> impl Strategy<Value = Directive> {
    let flags = [
        "no-store",
        "no-cache",
        "private",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
        "immutable",
    ];
    let numbers =
        ["max-age", "max-age", "max-age", "s-maxage", "s-maxage", "stale-while-revalidate", "stale-if-error"];
    prop_oneof![
        3 => written(select(flags.to_vec()), Just(None)),
        6 => written(select(numbers.to_vec()), number()),
        1 => written(select(vec!["no-cache", "private"]), Just(Some("x-a, X-B".to_owned()))),
        1 => written(Just("x-extension"), select(vec![Some("a, max-age=100".to_owned()), None])),
    ]
}

fn request_directive() -> impl Strategy<Value = Directive> {
    prop_oneof![
        2 => written(select(vec!["no-store", "no-cache", "only-if-cached", "max-stale", "x"]), Just(None)),
        3 => written(select(vec!["max-age", "min-fresh", "max-stale"]), number()),
    ]
}

fn written(
    name: impl Strategy<Value = &'static str>,
    argument: impl Strategy<Value = Option<String>>,
) -> impl Strategy<Value = Directive> {
    let case = select(vec![0, 0, 0, 0, 1, 2]);
    (name, argument, case, rare(), rare()).prop_map(|(name, argument, case, quoted, own_line)| {
        let quoted = quoted || argument.as_ref().is_some_and(|text| text.contains(','));
        Directive { name, argument, case, quoted, own_line }
    })
}

fn number() -> impl Strategy<Value = Option<String>> {
    const NUMBERS: [&str; 12] =
        ["0", "10", "50", "60", "100", "100", "3600", "3600", "-1", "1.5", "x", "99999999999999999999"];
    let some = select(NUMBERS.to_vec()).prop_map(|text| Some(text.to_owned()));
    prop_oneof![15 => some, 1 => Just(None)]
}

fn date() -> impl Strategy<Value = Date> {
    let distances =
        vec![0i64, 10, -10, -60, 60, 100, -100, 3600, -3600, -1_000, -100_000, -100_000_000, 10_000_000];
    let forms = vec![
        Form::Imf,
        Form::Imf,
        Form::Imf,
        Form::Rfc850,
        Form::Asctime,
        Form::LowerCase,
        Form::NumericZone,
    ];
    prop_oneof![
        6 => (select(distances), select(forms)).prop_map(|(distance, form)| Date::At(distance, form)),
        1 => select(vec!["0", "-1", "soon", ""]).prop_map(Date::Junk),
    ]
}

fn rare() -> impl Strategy<Value = bool> {
    prop_oneof![7 => Just(false), 1 => Just(true)]
}

fn rarely<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop_oneof![2 => strategy.prop_map(Some), 3 => Just(None)]
}

impl Exchange {
    pub(super) fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.response.iter().filter(|directive| directive.name == name).count()
    }

    /// The unqualified form of `name` is there.
    pub(super) fn has_whole(&self, name: &str) -> bool {
        self.response.iter().any(|directive| directive.name == name && directive.argument.is_none())
    }

    /// The shortest of the response's values for `name`.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        self.response.iter().filter(|d| d.name == name).map(Directive::seconds).min()
    }

    /// Stale responses are for nobody (RFC 9111 section 4.2.4).
    pub(super) fn never_stale(&self) -> bool {
        self.has_whole("no-cache")
            || ["must-revalidate", "proxy-revalidate", "s-maxage"].iter().any(|n| self.has(n))
    }

    /// It may be served so long after its freshness while it is validated.
    pub(super) fn in_window(&self, staleness: Duration) -> bool {
        let window = Duration::from_secs(self.seconds("stale-while-revalidate").unwrap_or(0));
        staleness < window
            && !self.never_stale()
            && self.presented.directives.iter().all(|d| !d.is_about_age())
    }

    pub(super) fn response_fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        add(&mut fields, "cache-control", lines(&self.response));
        add(&mut fields, "age", self.age.clone());
        add(&mut fields, "date", self.date.iter().map(Date::text));
        add(&mut fields, "expires", self.expires.iter().map(Date::text));
        add(&mut fields, "last-modified", self.last_modified.iter().map(Date::text));
        add(&mut fields, "etag", self.entity_tag.then(|| "\"a\"".to_owned()));
        add(&mut fields, "vary", (!self.vary.is_empty()).then(|| self.vary.to_owned()));
        add(&mut fields, "set-cookie", self.set_cookie.then(|| "a=b".to_owned()));
        add(&mut fields, "pragma", self.pragma.then(|| "no-cache".to_owned()));
        add(&mut fields, "x-a", Some("1".to_owned()));
        fields
    }
}

impl Side {
    pub(super) fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        add(&mut fields, "cache-control", lines(&self.directives));
        add(&mut fields, "pragma", (!self.pragma.is_empty()).then(|| self.pragma.to_owned()));
        add(&mut fields, "accept-language", self.language.clone());
        add(&mut fields, "authorization", self.authorization.then(|| "Basic x".to_owned()));
        fields
    }
}

impl Directive {
    /// `name` with a number, written plainly.
    pub(super) fn plain(name: &'static str, seconds: u64) -> Self {
        Directive { name, argument: Some(seconds.to_string()), case: 0, quoted: false, own_line: false }
    }

    /// Its number if that is one, at most 2^31 (RFC 9111 section 1.2.2).
    pub(super) fn number(&self) -> Option<u64> {
        let text = self
            .argument
            .as_ref()
            .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))?;
        Some(text.parse::<u64>().unwrap_or(u64::MAX).min(1 << 31))
    }

    /// Its number, zero if there is none (RFC 9111 section 4.2.1).
    pub(super) fn seconds(&self) -> u64 {
        self.number().unwrap_or(0)
    }

    fn is_about_age(&self) -> bool {
        matches!(self.name, "max-age" | "min-fresh")
    }

    fn text(&self) -> String {
        let name = match self.case {
            1 => self.name.to_ascii_uppercase(),
            2 => self
                .name
                .split('-')
                .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
                .collect::<Vec<_>>()
                .join("-"),
            _ => self.name.to_owned(),
        };
        match &self.argument {
            Some(argument) if self.quoted => format!("{name}=\"{argument}\""),
            Some(argument) => format!("{name}={argument}"),
            None => name,
        }
    }
}

impl Date {
    pub(super) fn text(&self) -> String {
        let (distance, form) = match self {
            Date::At(distance, form) => (*distance, *form),
            Date::Junk(text) => return (*text).to_owned(),
        };
        let seconds = NOW.as_secs().checked_add_signed(distance).expect("after the epoch");
        let imf = httpdate::fmt_http_date(Timestamp::from_secs(seconds).to_system());
        let (weekday, day, month, year, time) =
            (&imf[..3], &imf[5..7], &imf[8..11], &imf[12..16], &imf[17..25]);
        match form {
            Form::Imf => imf,
            Form::LowerCase => imf.to_ascii_lowercase(),
            Form::NumericZone => imf.replace("GMT", "+0000"),
            Form::Asctime => format!("{weekday} {month} {:>2} {time} {year}", day.trim_start_matches('0')),
            Form::Rfc850 => {
                let rest = ["day", "day", "sday", "nesday", "rsday", "day", "urday"];
                let which = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
                    .iter()
                    .position(|name| *name == weekday);
                format!("{weekday}{}, {day}-{month}-{} {time} GMT", rest[which.expect("weekday")], &year[2..])
            }
        }
    }
}

fn lines(directives: &[Directive]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for directive in directives {
        match lines.last_mut().filter(|_| !directive.own_line) {
            Some(line) => {
                line.push_str(", ");
                line.push_str(&directive.text());
            }
            None => lines.push(directive.text()),
        }
    }
    lines
}

fn add(fields: &mut HeaderMap, name: &'static str, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        fields.append(HeaderName::from_static(name), HeaderValue::try_from(line).expect("a field value"));
    }
}
