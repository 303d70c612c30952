//! From what was given to the canonical form: aliases mapped, defaults left out, order and spelling of no account.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::given::{self, Pair};
use super::rendition::Derivative;
use super::table::{self, Alias, Class, DEFAULT_VIEWPORT, Form, Parameter};
use super::{Canonical, Defaults, values};
use crate::policy::key::page;
use crate::policy::wishes::Wishes;

/// Octets of a query that an origin is asked with; a longer request goes as JSON.
const LONGEST_QUERY: usize = 8 << 10;
/// Octets of a value in a key; the hash stands for a longer one.
const LONGEST_VALUE: usize = 1024;

impl Canonical {
    /// The canonical form of a capture request with this raw query and, of a `POST`, this JSON body. `None` if it cannot be read, or if
    /// its canonical form could not, since lists that are spelled out are too many: then it is for the origin to refuse.
    pub fn read(query: &str, body: Option<&[u8]>, defaults: &Defaults) -> Option<Self> {
        let mut given = given::query(query)?;
        if let Some(body) = body {
            given.extend(given::json(body)?);
        }
        Some(Self::of(given, &[], defaults)).filter(|canonical| canonical.pairs.len() <= given::MOST)
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
        Canonical { key, wishes, derivative, pairs: pairs.into_iter().filter(is_for_origin).collect() }
    }

    /// The query that asks the origin for it; `None` if it is too long for a query.
    pub fn query(&self) -> Option<String> {
        let length: usize = self.pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let query = encode(self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        (length <= LONGEST_QUERY && query.len() <= LONGEST_QUERY).then_some(query)
    }

    /// Whether something of it is nobody's business: fields, cookies, credentials.
    pub fn has_private(&self) -> bool {
        let is_private = |(name, _): &Pair| table::find(name).is_some_and(|p| p.class == Class::Private);
        self.pairs.iter().any(is_private)
    }

    /// The viewport of its picture in CSS pixels, but for a device's.
    pub fn viewport(&self, defaults: &Defaults) -> (u32, u32) {
        let of = |name: &str| {
            self.pairs.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.parse().ok())
        };
        (of("width").unwrap_or(defaults.width), of("height").unwrap_or(defaults.height))
    }

    /// The JSON object that asks the origin for it.
    pub fn json(&self) -> Bytes {
        json(&self.pairs)
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
    let (yes, nothing) = (values::flag(&value), value.trim().is_empty());
    match table::alias(&name) {
        // A list of words is one however it is written.
        None if table::find(&name).is_some_and(|known| known.form == Form::WordSet) => {
            value.split(',').for_each(|word| add(&name, word.trim().to_owned()));
        }
        None if name == "cookies" => value.split(';').for_each(|pair| add(&name, pair.trim().to_owned())),
        None => add(&name, value),
        Some(Alias::Is(canonical)) => map(pairs, canonical.to_owned(), value),
        Some(Alias::Means(canonical, meant)) => match yes {
            Some(true) => add(canonical, meant.to_owned()),
            Some(false) => {}
            None if nothing => {}
            None => add(&name, value),
        },
        Some(Alias::Not(canonical)) => match yes {
            Some(yes) => add(canonical, (!yes).to_string()),
            None if nothing => {}
            None => add(&name, value),
        },
        Some(Alias::Viewport) => match value.split_once(['x', 'X']) {
            Some((width, height)) => {
                add("width", width.trim().to_owned());
                add("height", height.trim().to_owned());
            }
            None if nothing => {}
            None => add(&name, value),
        },
        Some(Alias::ColorScheme) => match value.as_str() {
            "dark" => add("dark_mode", "true".into()),
            "light" => add("dark_mode", "false".into()),
            "no-preference" => {}
            _ if nothing => {}
            _ => add(&name, value),
        },
        Some(Alias::Ttl(unit)) => match value.trim().parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => {
                // Seconds beyond the largest number are as many as that.
                add("ttl", ((number * f64::from(unit)).round_ties_even() as u64).to_string());
            }
            _ => add("ttl", value),
        },
    }
}

/// Whether anything is said: an empty value of a known parameter is as if it were not there, for it as for what depends on it.
fn is_something((name, value): &Pair) -> bool {
    !table::find(name).is_some_and(|known| table::is_empty(known, value))
}

/// Gives each value its canonical spelling; one that has none stays as it is.
fn spell(pairs: &mut [Pair]) {
    for (name, value) in pairs {
        if let Some(parameter) = table::find(name)
            && let Some(spelled) = values::spelled(parameter, value)
        {
            *value = spelled;
        }
    }
}

/// Sorts by name, and by value where order says nothing; there twice is once. Of two cookies of one name the last is the one that counts.
fn sort(pairs: &mut Vec<Pair>) {
    let form = |name: &str| table::find(name).map(|known| known.form);
    let ordered = |name: &str, one: &str, other: &str| match form(name) {
        Some(Form::Texts) => true,
        Some(Form::Pairs(between)) => {
            let both = one.split_once(between).zip(other.split_once(between));
            both.is_some_and(|((one, _), (other, _))| one == other)
        }
        _ => false,
    };
    pairs.sort_by(|(a, one), (b, other)| {
        a.cmp(b).then_with(|| if ordered(a, one, other) { std::cmp::Ordering::Equal } else { one.cmp(other) })
    });
    pairs.dedup_by(|one, other| one == other && form(&one.0) != Some(Form::Texts));
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
    pairs.retain(|(name, value)| match name.as_str() {
        // Only what is bad is left of these, and each of it is to be told.
        name if defaults.derive && Derivative::concerns(name) => true,
        // A device has a scale, and so on, of its own.
        "scale" => device || value != "1",
        "mobile" => device || value != "false",
        "touch" => touches || value != "false",
        // These say nothing of other pictures.
        "quality" => lossy && value != "80",
        "full_page_max_height" => full_page,
        "landscape" => value != "false",
        // The page's own is asked for by none of these.
        "allow_blank" => true,
        _ => match table::find(name) {
            Some(parameter) => parameter.default != Some(value.as_str()),
            None => true,
        },
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
        let time = |wish: &mut Option<Duration>| match values::seconds(value) {
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

/// Whether the origin is told: everything but what is said to the cache in good form, and what proves who asks.
fn is_for_origin((name, _): &Pair) -> bool {
    let checked_by_origin = ["ttl", "stale_ttl", "force", "no_cache", "cache"].contains(&name.as_str());
    checked_by_origin
        || table::find(name)
            .is_none_or(|p| matches!(p.class, Class::Picture | Class::Derived | Class::Private))
}

/// The key: a query with hashes for what is long or private.
fn key(pairs: &[Pair]) -> String {
    let told = |(name, value): &Pair| -> Option<(String, String)> {
        let parameter: Option<&Parameter> = table::find(name);
        let hashed = match parameter {
            Some(Parameter { class: Class::Control, .. }) => return None,
            Some(Parameter { class: Class::Private, .. } | Parameter { form: Form::Texts, .. }) => true,
            _ => value.len() > LONGEST_VALUE,
        };
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
