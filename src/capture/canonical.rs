//! From what was given to the canonical form: aliases mapped, defaults left out, order and spelling of no account.

use std::time::Duration;

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::given::{Given, MAX_PAIRS};
use super::parameter::{Absent, Alias, Class, Pair, Shape};
use super::parameters;
use super::rendition::Derivative;
use super::spelling::spelled;
use super::values;
use crate::policy::key::page;
use crate::policy::wishes::Wishes;

/// Octets of a query that an origin is asked with; a longer request goes as JSON.
const LONGEST_QUERY: usize = 8 << 10;
/// Octets of a value in a key; the hash stands for a longer one.
const LONGEST_VALUE: usize = 1024;

/// Viewport of a request that names none, in CSS pixels.
pub const DEFAULT_VIEWPORT: (u32, u32) = (1280, 720);

/// A capture request in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// The query of its key.
    pub key: String,
    /// What is wished of the cache.
    pub wishes: Wishes,
    /// What is made of the picture; none for the picture itself.
    pub derivative: Option<Derivative>,
    /// What the origin is asked for.
    pub parameters: Parameters,
}

/// Canonical names and values of a capture request, sorted. The proxy hands them to the capture engine in the extensions
/// of the request, so that it does not read the query again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(Arc<Vec<(String, String)>>);

/// What holds where a request says nothing; sizes in CSS pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Viewport width.
    pub width: u32,
    /// Viewport height.
    pub height: u32,
    /// What the route asks for where a request says nothing of it: canonical names and values.
    pub parameters: Vec<(String, String)>,
    /// Sizes and formats are made of one stored picture, and are not asked of the origin.
    pub derive: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        let (width, height) = DEFAULT_VIEWPORT;
        Defaults { width, height, parameters: Vec::new(), derive: false }
    }
}

impl Canonical {
    /// The canonical form of a capture request with this raw query and, of a `POST`, this JSON body. `None` if it cannot be read, or if
    /// its canonical form could not, since lists that are spelled out are too many: then it is for the origin to refuse.
    pub fn read(query: &str, body: Option<&[u8]>, defaults: &Defaults) -> Option<Self> {
        let given = Given::read(query, body);
        let canonical = given.is_whole.then(|| Self::of(given.pairs, &[], defaults))?;
        (canonical.parameters.0.len() <= MAX_PAIRS).then_some(canonical)
    }

    /// The canonical form of what was `given` in our own names; `absent` is what else holds where neither it nor the route says.
    pub(super) fn of(given: Vec<Pair>, absent: &[(&str, &str)], defaults: &Defaults) -> Self {
        let mut pairs: Vec<Pair> = Vec::with_capacity(given.len() + 2);
        for (name, value) in given {
            map(&mut pairs, name, value);
        }
        let says = |pairs: &[Pair], name: &str| pairs.iter().any(|(known, _)| known == name);
        // An empty value is none, and overrules the route's all the same.
        let unsaid: Vec<&Pair> = defaults.parameters.iter().filter(|(name, _)| !says(&pairs, name)).collect();
        spell(&mut pairs);
        pairs.retain(is_something);
        let scripted = says(&pairs, "js");
        let said = pairs.len();
        for (name, value) in unsaid {
            map(&mut pairs, name.clone(), value.clone());
        }
        for (name, value) in absent {
            // A device has a size of its own.
            let sized = ["width", "height"].contains(name) && says(&pairs, "device");
            if !says(&pairs, name) && !sized {
                map(&mut pairs, (*name).to_owned(), (*value).to_owned());
            }
        }
        spell(&mut pairs[said..]);
        pairs.retain(is_something);
        sort(&mut pairs);
        let derivative = if defaults.derive { Derivative::take(&mut pairs) } else { None };
        elide(&mut pairs, defaults);
        let wishes = Wishes { scripted, ..wishes(&mut pairs) };
        let key = key(&pairs);
        spell_out(&mut pairs, defaults);
        pairs.retain(is_for_origin);
        Canonical { key, wishes, derivative, parameters: Parameters(Arc::new(pairs)) }
    }
}

impl Parameters {
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.0
    }

    /// The query that asks the origin for it; `None` if it is too long for a query.
    pub fn query(&self) -> Option<String> {
        let length: usize = self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let query = encode(self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        (length <= LONGEST_QUERY && query.len() <= LONGEST_QUERY).then_some(query)
    }

    /// Whether something of it is nobody's business: fields, cookies, credentials.
    pub fn has_private(&self) -> bool {
        let is_private = |(name, _): &Pair| parameters::find(name).is_some_and(|p| p.class == Class::Private);
        self.0.iter().any(is_private)
    }

    /// The viewport of its picture in CSS pixels, but for a device's.
    pub fn viewport(&self, defaults: &Defaults) -> (u32, u32) {
        let of = |name: &str| {
            self.0.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.parse().ok())
        };
        (of("width").unwrap_or(defaults.width), of("height").unwrap_or(defaults.height))
    }

    /// The JSON object that asks the origin for it.
    pub fn json(&self) -> Bytes {
        json(&self.0)
    }
}

/// `pairs` as a JSON object; names that are there several times have lists.
pub(super) fn json(pairs: &[Pair]) -> Bytes {
    let mut object = serde_json::Map::new();
    for (name, value) in pairs {
        let value = serde_json::Value::from(value.as_str());
        match object.get_mut(name) {
            None => {
                object.insert(name.clone(), value);
            }
            Some(serde_json::Value::Array(values)) => values.push(value),
            Some(first) => *first = serde_json::Value::Array(vec![first.take(), value]),
        }
    }
    serde_json::Value::Object(object).to_string().into()
}

/// Puts `name` under its canonical name.
fn map(pairs: &mut Vec<Pair>, name: String, value: String) {
    let mut add = |name: &str, value: String| pairs.push((name.to_owned(), value));
    let Some((parameter, alias)) = parameters::alias(&name) else {
        match parameters::find(&name) {
            // A list is one however it is written.
            Some(known) => known.split(&value).for_each(|part| add(&name, part.to_owned())),
            None => add(&name, value),
        }
        return;
    };
    let canonical = parameter.name;
    let meant = match (alias, values::flag(&value)) {
        (Alias::Same, _) => return parameter.split(&value).for_each(|part| add(canonical, part.to_owned())),
        (Alias::Times(unit), _) => {
            // Seconds beyond the largest number are as many as that.
            let seconds = |number: f64| ((number * f64::from(unit)).round_ties_even() as u64).to_string();
            let number =
                value.trim().parse().ok().filter(|number: &f64| *number >= 0.0 && number.is_finite());
            return add(canonical, number.map_or(value, seconds));
        }
        (Alias::Viewport, _) => match value.split_once(['x', 'X']) {
            Some((width, height)) => {
                add("height", height.trim().to_owned());
                Some(width.trim().to_owned())
            }
            None => None,
        },
        (Alias::ColorScheme, _) => match value.as_str() {
            "dark" => Some("true".to_owned()),
            "light" => Some("false".to_owned()),
            "no-preference" => return,
            _ => None,
        },
        (Alias::Means(_), Some(false)) => return,
        (Alias::Means(meant), Some(true)) => Some(meant.to_owned()),
        (Alias::Not, Some(yes)) => Some((!yes).to_string()),
        (Alias::Means(_) | Alias::Not, None) => None,
    };
    match meant {
        Some(meant) => add(canonical, meant),
        None if value.trim().is_empty() => {}
        None => add(&name, value),
    }
}

/// Whether anything is said: an empty value of a known parameter is as if it were not there, for it as for what depends on it.
fn is_something((name, value): &Pair) -> bool {
    !parameters::find(name).is_some_and(|known| known.is_empty(value))
}

/// Gives each value its canonical spelling; one that has none stays as it is.
fn spell(pairs: &mut [Pair]) {
    for (name, value) in pairs {
        if let Some(parameter) = parameters::find(name)
            && let Some(spelled) = spelled(parameter, value)
        {
            *value = spelled;
        }
    }
}

/// Sorts by name, and by value where order says nothing; there twice is once. Of two cookies of one name the last is the one that counts.
fn sort(pairs: &mut Vec<Pair>) {
    let is_ordered = |name: &str| parameters::find(name).is_some_and(|known| known.is_ordered());
    let ordered = |name: &str, one: &str, other: &str| match parameters::find(name) {
        Some(known) if known.is_ordered() => true,
        Some(known) if let Shape::Pairs(between) = known.shape() => {
            let both = one.split_once(between).zip(other.split_once(between));
            both.is_some_and(|((one, _), (other, _))| one == other)
        }
        _ => false,
    };
    pairs.sort_by(|(a, one), (b, other)| {
        a.cmp(b).then_with(|| if ordered(a, one, other) { std::cmp::Ordering::Equal } else { one.cmp(other) })
    });
    pairs.dedup_by(|one, other| one == other && !is_ordered(&one.0));
}

/// Takes out what means the same as nothing, and adds what an absent size stands for.
fn elide(pairs: &mut Vec<Pair>, defaults: &Defaults) {
    let given = |pairs: &[Pair], name: &str| pairs.iter().any(|(known, _)| known == name);
    let says = |pairs: &[Pair], name: &str, value: &str| pairs.iter().any(|(n, v)| n == name && v == value);
    let device = given(pairs, "device");
    let lossy = says(pairs, "format", "jpeg") || says(pairs, "format", "webp");
    let full_page = says(pairs, "full_page", "true");
    let touches = device || says(pairs, "mobile", "true");
    if !device {
        let (width, height) = DEFAULT_VIEWPORT;
        for (name, configured, canonical) in
            [("width", defaults.width, width), ("height", defaults.height, height)]
        {
            if !given(pairs, name) && configured != canonical {
                pairs.push((name.to_owned(), configured.to_string()));
            }
            let canonical = canonical.to_string();
            pairs.retain(|(n, v)| !(n == name && *v == canonical));
        }
        sort(pairs);
    }
    pairs.retain(|(name, value)| {
        // Only what is malformed is left of these, and each of it is to be told.
        if defaults.derive && Derivative::concerns(name) {
            return true;
        }
        match parameters::find(name).map_or(Absent::Nothing, |known| known.absent) {
            Absent::Nothing => true,
            Absent::Is(absent) => value != absent,
            Absent::UnlessDevice(absent) => device || value != absent,
            Absent::UnlessMobile(absent) => touches || value != absent,
            Absent::UnlessLossy(absent) => lossy && value != absent,
            Absent::UnlessFullPage => full_page,
        }
    });
}

/// Puts back the size that the key leaves out where the origin takes its absence for another.
fn spell_out(pairs: &mut Vec<Pair>, defaults: &Defaults) {
    let given = |pairs: &[Pair], name: &str| pairs.iter().any(|(known, _)| known == name);
    if given(pairs, "device") {
        return;
    }
    let (width, height) = DEFAULT_VIEWPORT;
    for (name, configured, canonical) in
        [("width", defaults.width, width), ("height", defaults.height, height)]
    {
        if configured != canonical && !given(pairs, name) {
            pairs.push((name.to_owned(), canonical.to_string()));
            sort(pairs);
        }
    }
}

/// What is wished of the cache. Well-formed wishes are taken out; the others stay, for the origin to refuse together with all
/// else that is wrong.
fn wishes(pairs: &mut Vec<Pair>) -> Wishes {
    let pages = pairs.iter().filter(|(name, _)| ["url", "html", "markdown"].contains(&name.as_str()));
    let mut wishes = Wishes { ambiguous: pages.count() > 1, ..Wishes::default() };
    pairs.retain(|(name, value)| {
        let time = |wish: &mut Option<Duration>| match values::lifetime(value) {
            Some(time) => {
                *wish = Some(wish.map_or(time, |known: Duration| known.min(time)));
                false
            }
            None => true,
        };
        match (name.as_str(), values::flag(value)) {
            ("ttl", _) => time(&mut wishes.ttl),
            ("stale_ttl", _) => time(&mut wishes.stale_ttl),
            ("force", Some(yes)) => {
                wishes.force |= yes;
                false
            }
            ("no_cache", Some(yes)) => {
                wishes.no_cache |= yes;
                false
            }
            ("cache", Some(yes)) => {
                wishes.no_cache |= !yes;
                false
            }
            ("url", _) => {
                wishes.page = page(value);
                true
            }
            _ => true,
        }
    });
    wishes
}

/// Whether the origin sees it: everything but what identifies the client, and what is for the key alone. What is said to
/// the cache was taken out where it is well formed.
fn is_for_origin((name, _): &Pair) -> bool {
    parameters::find(name).is_none_or(|known| !matches!(known.class, Class::KeyOnly | Class::Delivery))
}

/// The key: a query with hashes for what is long or private.
fn key(pairs: &[Pair]) -> String {
    let told = |(name, value): &Pair| -> Option<(String, String)> {
        let known = parameters::find(name);
        if known.is_some_and(|known| matches!(known.class, Class::Cache | Class::Delivery)) {
            return None;
        }
        let hashed = known.is_some_and(|known| known.is_hashed()) || value.len() > LONGEST_VALUE;
        // A name of its own: no request can spell what only a hash may say.
        Some(if hashed { (format!("{name}*"), hash(value)) } else { (escaped(name), value.clone()) })
    };
    let told: Vec<_> = pairs.iter().filter_map(told).collect();
    encode(told.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// A name that was given and ends like that of a hash gets one mark more.
fn escaped(name: &str) -> String {
    if name.ends_with('*') { format!("{name}**") } else { name.to_owned() }
}

fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The first 16 bytes of the SHA-256, in hexadecimal.
pub(super) fn hash(value: &str) -> String {
    hex::encode(&Sha256::digest(value.as_bytes())[..16])
}
