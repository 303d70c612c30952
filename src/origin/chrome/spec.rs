//! What a request asks for: the query of `GET /screenshot`, read into a typed value. Pure.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `url` | the page, `http` or `https`, without credentials | required |
//! | `width`, `height` | viewport in CSS pixels | configured |
//! | `format` | `png`, `jpeg` or `webp` | `png` |
//! | `quality` | 1 to 100, for `jpeg` and `webp`; a PNG has none | 80 |
//! | `full_page` | `true` or `false` (also 1, 0): the whole page, not the viewport | `false` |
//! | `scale` | device pixels for each CSS pixel, 0.1 and up | 1 |
//! | `delay` | wait after load: milliseconds, or with a unit `1500ms`, `1.5s` | 0 |
//!
//! `ttl`, `force`, `cache` and `no_cache` belong to other layers and are passed over. Every other name, and
//! every name given twice, is an error; all errors are found at once.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::Limits;

/// Longest URL that is captured, in bytes.
const MAX_URL: usize = 16 * 1024;
/// Characters of a bad value that are repeated to the client.
const MAX_FOUND: usize = 200;
/// Bad parameters that are named; more are not worth reading.
const MAX_FAULTS: usize = 32;
/// Smallest scale.
const MIN_SCALE: f64 = 0.1;
const KNOWN: [&str; 8] = ["url", "width", "height", "format", "quality", "full_page", "scale", "delay"];
const PASSED_OVER: [&str; 4] = ["ttl", "force", "cache", "no_cache"];

/// One capture, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureSpec {
    /// The page.
    pub url: Url,
    /// Viewport width in CSS pixels.
    pub width: u32,
    /// Viewport height in CSS pixels.
    pub height: u32,
    /// Form of the picture.
    pub format: Format,
    /// Quality of a lossy picture, 1 to 100.
    pub quality: u8,
    /// The whole page instead of the viewport.
    pub full_page: bool,
    /// Device pixels for each CSS pixel.
    pub scale: f64,
    /// Wait after load.
    pub delay: Duration,
}

/// Form of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lossless.
    Png,
    /// Lossy.
    Jpeg,
    /// Lossy, smaller.
    Webp,
}

impl Format {
    /// Its name in a query and in DevTools.
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Jpeg => "jpeg",
            Format::Webp => "webp",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::Webp => "image/webp",
        }
    }
}

/// One bad parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its name.
    pub parameter: String,
    /// What was given, cut short if it is long.
    pub found: String,
    /// What may be given.
    pub allowed: String,
}

impl CaptureSpec {
    /// Reads a raw query. On failure every fault is named.
    pub fn parse(query: &str, limits: &Limits) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::new(query);
        let side = format!("a whole number from 1 to {}", limits.max_side);
        let side_of = |text: &str| text.parse().ok().filter(|&n: &u32| n >= 1 && n <= limits.max_side);
        let scales = format!("a number from {MIN_SCALE} to {}", limits.max_scale);
        let delays =
            format!("a time from 0 to {}ms, such as 500, 500ms or 1.5s", limits.max_delay.as_millis());

        let url = reader.take("url", "an absolute http or https URL without user name or password", target);
        let width = reader.take("width", &side, side_of).unwrap_or(limits.default_width);
        let height = reader.take("height", &side, side_of).unwrap_or(limits.default_height);
        let format = reader.take("format", "png, jpeg or webp", format_of).unwrap_or(Format::Png);
        let quality = reader
            .take("quality", "a whole number from 1 to 100", |text| {
                text.parse().ok().filter(|n| (1..=100).contains(n))
            })
            .unwrap_or(80);
        let full_page = reader.take("full_page", "true or false", flag).unwrap_or(false);
        let scale = reader
            .take("scale", &scales, |text| {
                text.parse().ok().filter(|s: &f64| (MIN_SCALE..=limits.max_scale).contains(s))
            })
            .unwrap_or(1.0);
        let delay = reader
            .take("delay", &delays, |text| duration(text).filter(|&d| d <= limits.max_delay))
            .unwrap_or(Duration::ZERO);

        if pixels(width, scale) * pixels(height, scale) > limits.max_pixels {
            reader.too_many_pixels(limits.max_pixels);
        }
        if url.is_none() && !reader.given.contains_key("url") {
            let allowed = "an absolute http or https URL; it is required".to_owned();
            reader.faults.insert(0, Fault { parameter: "url".into(), found: "nothing".into(), allowed });
        }
        match url {
            Some(url) if reader.faults.is_empty() => {
                Ok(CaptureSpec { url, width, height, format, quality, full_page, scale, delay })
            }
            _ => Err(reader.faults),
        }
    }
}

/// Device pixels of a side, rounded as Chrome rounds.
pub fn pixels(side: u32, scale: f64) -> u64 {
    (f64::from(side) * scale).round() as u64
}

/// The parameters that were given, and what is wrong with them.
struct Reader {
    given: HashMap<&'static str, String>,
    faults: Vec<Fault>,
}

impl Reader {
    fn new(query: &str) -> Self {
        let mut reader = Reader { given: HashMap::new(), faults: Vec::new() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if PASSED_OVER.contains(&&*name) {
                continue;
            }
            match KNOWN.iter().find(|known| **known == name) {
                None => reader.fault(&name, &value, &format!("only {}", KNOWN.join(", "))),
                Some(known) if reader.given.contains_key(known) => {
                    reader.fault(known, &value, "to be given once");
                }
                Some(known) => {
                    reader.given.insert(known, value.into_owned());
                }
            }
        }
        reader
    }

    /// The value of `name` if it was given and `read` makes sense of it; a fault if it does not.
    fn take<T>(&mut self, name: &'static str, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.given.get(name)?.clone();
        let value = read(&text);
        if value.is_none() {
            self.fault(name, &text, allowed);
        }
        value
    }

    /// Blames every parameter that has a share in a picture that is too large.
    fn too_many_pixels(&mut self, max: u64) {
        let allowed = format!("at most {max} device pixels: width x scale x height x scale");
        let shares = ["width", "height", "scale"];
        let given: Vec<_> = shares.into_iter().filter(|name| self.given.contains_key(name)).collect();
        for name in if given.is_empty() { shares[..1].to_vec() } else { given } {
            let found = self.given.get(name).cloned().unwrap_or_else(|| "the default".into());
            self.fault(name, &found, &allowed);
        }
    }

    fn fault(&mut self, parameter: &str, found: &str, allowed: &str) {
        let cut = |text: &str| text.chars().take(MAX_FOUND).collect();
        if self.faults.len() < MAX_FAULTS {
            let allowed = allowed.to_owned();
            self.faults.push(Fault { parameter: cut(parameter), found: cut(found), allowed });
        }
    }
}

fn target(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL)?;
    let plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && plain).then_some(url)
}

fn format_of(text: &str) -> Option<Format> {
    [Format::Png, Format::Jpeg, Format::Webp].into_iter().find(|format| format.name() == text)
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => text.strip_suffix('s').map_or((text, 0.001), |number| (number, 1.0)),
    };
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let amount: f64 = number.parse().ok().filter(|_| number.chars().all(digits))?;
    Duration::try_from_secs_f64(amount * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        default_width: 1280,
        default_height: 720,
        max_side: 4096,
        max_pixels: 16_000_000,
        max_full_page_height: 16_384,
        max_scale: 4.0,
        max_delay: Duration::from_secs(10),
    };

    fn faults(query: &str) -> Vec<String> {
        let faults = CaptureSpec::parse(query, &LIMITS).expect_err(query);
        faults.into_iter().map(|fault| format!("{}={}", fault.parameter, fault.found)).collect()
    }

    #[test]
    fn defaults_and_every_parameter() {
        let plain = CaptureSpec::parse("url=http%3A%2F%2Fa.example", &LIMITS).unwrap();
        let url = Url::parse("http://a.example/").unwrap();
        assert_eq!(
            plain,
            CaptureSpec {
                url,
                width: 1280,
                height: 720,
                format: Format::Png,
                quality: 80,
                full_page: false,
                scale: 1.0,
                delay: Duration::ZERO
            }
        );
        let full = "url=https://a.example/x?y=1%26z%23f&width=1&height=4096&format=webp&quality=100&full_page=1\
                    &scale=1.5&delay=250&ttl=9&force=true&cache=x&no_cache=1";
        let full = CaptureSpec::parse(full, &LIMITS).unwrap();
        assert_eq!(full.url.as_str(), "https://a.example/x?y=1&z#f");
        assert_eq!((full.width, full.height, full.quality, full.scale), (1, 4096, 100, 1.5));
        assert_eq!(
            (full.format, full.full_page, full.delay),
            (Format::Webp, true, Duration::from_millis(250))
        );
    }

    #[test]
    fn delays_have_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("250", Some(250)),
            ("250ms", Some(250)),
            ("2s", Some(2000)),
            ("1.5s", Some(1500)),
            ("-1", None),
            ("1e3", None),
            ("inf", None),
            ("s", None),
            ("", None),
            ("1m", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn every_fault_is_named() {
        const URL: &str = "url=http://a.example";
        for (query, expected) in [
            ("", vec!["url=nothing"]),
            ("url=", vec!["url="]),
            ("url=a.example", vec!["url=a.example"]),
            ("url=file:///etc/passwd", vec!["url=file:///etc/passwd"]),
            ("url=javascript:alert(1)", vec!["url=javascript:alert(1)"]),
            ("url=view-source:http://a.example", vec!["url=view-source:http://a.example"]),
            ("url=http://u:p@a.example", vec!["url=http://u:p@a.example"]),
            ("url=http://", vec!["url=http://"]),
            ("width=0&height=4097", vec!["url=nothing", "width=0", "height=4097"]),
            (&format!("{URL}&width=1.5&height=-2"), vec!["width=1.5", "height=-2"]),
            (&format!("{URL}&format=gif&quality=0"), vec!["format=gif", "quality=0"]),
            (&format!("{URL}&full_page=yes&scale=0.05"), vec!["full_page=yes", "scale=0.05"]),
            (&format!("{URL}&scale=4.1&delay=11s"), vec!["scale=4.1", "delay=11s"]),
            (&format!("{URL}&scale=NaN&quality=101"), vec!["quality=101", "scale=NaN"]),
            (&format!("{URL}&widht=5"), vec!["widht=5"]),
            (&format!("{URL}&width=5&width=6"), vec!["width=6"]),
            (&format!("{URL}&width=4096&height=4096"), vec!["width=4096", "height=4096"]),
            (&format!("{URL}&scale=4"), Vec::new()),
            (&format!("{URL}&scale=4&width=1400"), vec!["width=1400", "scale=4"]),
        ] {
            if expected.is_empty() {
                CaptureSpec::parse(query, &LIMITS).unwrap();
            } else {
                assert_eq!(faults(query), expected, "{query}");
            }
        }
    }

    #[test]
    fn what_is_repeated_to_the_client_is_bounded() {
        let many: String = (0..100).map(|n| format!("x{n}={}&", "y".repeat(1000))).collect();
        let faults = CaptureSpec::parse(&many, &LIMITS).unwrap_err();
        assert!(faults.len() <= MAX_FAULTS + 1);
        assert!(faults.iter().all(|fault| fault.found.len() <= MAX_FOUND));
    }
}
