//! What is kept off a page.

use crate::capture::parameter::Alias::{Means, Same};
use crate::capture::parameter::{Absent, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group = Group {
    name: "blocking",
    parameters: &[
        &BLOCK_RESOURCES,
        &BLOCK_REQUESTS,
        &BLOCK_ADS,
        &BLOCK_TRACKERS,
        &BLOCK_COOKIE_BANNERS,
        &BLOCK_CHATS,
    ],
};

static BLOCK_RESOURCES: Parameter = Parameter::capture(
    "block_resources",
    Kind::Resources,
    "kinds that are not loaded: `image`, `font`, `stylesheet`, `script`, `media`, `xhr`, `fetch`, \
     `eventsource`, `ping`, `other`; commas between them. `xhr` and `fetch` are one: Chrome does not tell them \
     apart. Holds in frames and workers too; a page with this or with `headers` has no shared and no service \
     workers, because their requests could not be changed. List",
)
.allowed_is("a list of image, font, stylesheet, script, media, xhr, fetch, eventsource, ping, other")
.aliases(&[
    ("rejectResourceTypes", Same),
    ("block_images", Means("image")),
    ("block_fonts", Means("font")),
    ("block_stylesheets", Means("stylesheet")),
    ("block_scripts", Means("script")),
    ("block_media", Means("media")),
    ("disable_js", Means("script")),
]);
static BLOCK_REQUESTS: Parameter = Parameter::capture(
    "block_requests",
    Kind::TextSet,
    "requests whose whole URL matches are not made, but for the page itself; `*` stands for any characters, as in \
     `*://ads.example/*`. Holds in frames and workers as `block_resources` does. List",
)
.allowed_is("a URL of 1 to 1024 bytes, in which * stands for any characters");
static BLOCK_ADS: Parameter = list(
    "block_ads",
    "advertisements are not loaded, and their boxes hidden \
     ([Blocking](#block-advertisements-trackers-consent-boxes-and-chats))",
)
.aliases(&[("no_ads", Same), ("adblock", Same), ("blockAds", Same)]);
static BLOCK_TRACKERS: Parameter = list("block_trackers", "trackers are not loaded").aliases(&[
    ("no_tracking", Same),
    ("block_tracking", Same),
    ("blockTrackers", Same),
]);
static BLOCK_COOKIE_BANNERS: Parameter =
    list("block_cookie_banners", "requests for consent are not loaded, and their boxes hidden").aliases(&[
        ("no_cookie_banners", Same),
        ("hide_cookie_banners", Same),
        ("blockCookieBanners", Same),
    ]);
static BLOCK_CHATS: Parameter = list("block_chats", "chats are not loaded, and their boxes hidden")
    .aliases(&[("block_chat_widgets", Same)]);

const fn list(name: &'static str, doc: &'static str) -> Parameter {
    Parameter::capture(name, Kind::Flag, doc).absent(Absent::Is("false"))
}

/// What is kept off a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocking {
    /// Kinds of resources that are not loaded.
    pub resources: Vec<ResourceKind>,
    /// Requests that are not made.
    pub requests: Vec<UrlPattern>,
    /// What is kept off by lists of filters.
    pub lists: Vec<Category>,
}

/// A URL in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPattern(String);

impl UrlPattern {
    fn read(text: &str) -> Option<Self> {
        values::content(text).map(UrlPattern)
    }

    /// Whether the whole of `url` matches.
    pub fn matches(&self, url: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == url };
        let Some(mut left) = url.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            let Some(at) = left.find(part) else { return false };
            left = &left[at + part.len()..];
        }
        left.ends_with(last)
    }
}

/// What lists of filters are against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Advertisements.
    Ads,
    /// Analytics and tracking.
    Trackers,
    /// Requests for consent.
    CookieBanners,
    /// Chats and other helpers in the corner.
    Chats,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 4] =
        [Category::Ads, Category::Trackers, Category::CookieBanners, Category::Chats];

    fn definition(self) -> &'static Parameter {
        match self {
            Category::Ads => &BLOCK_ADS,
            Category::Trackers => &BLOCK_TRACKERS,
            Category::CookieBanners => &BLOCK_COOKIE_BANNERS,
            Category::Chats => &BLOCK_CHATS,
        }
    }

    /// The parameter that keeps it off a page.
    pub fn parameter(self) -> &'static str {
        self.definition().name
    }
}

/// A kind of resource, as the browser tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum ResourceKind {
    Image,
    Font,
    Stylesheet,
    Script,
    Media,
    Xhr,
    Fetch,
    EventSource,
    Ping,
    Other,
}

impl ResourceKind {
    /// All of them.
    pub const ALL: [ResourceKind; 10] = [
        ResourceKind::Image,
        ResourceKind::Font,
        ResourceKind::Stylesheet,
        ResourceKind::Script,
        ResourceKind::Media,
        ResourceKind::Xhr,
        ResourceKind::Fetch,
        ResourceKind::EventSource,
        ResourceKind::Ping,
        ResourceKind::Other,
    ];

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            ResourceKind::Image => "image",
            ResourceKind::Font => "font",
            ResourceKind::Stylesheet => "stylesheet",
            ResourceKind::Script => "script",
            ResourceKind::Media => "media",
            ResourceKind::Xhr => "xhr",
            ResourceKind::Fetch => "fetch",
            ResourceKind::EventSource => "eventsource",
            ResourceKind::Ping => "ping",
            ResourceKind::Other => "other",
        }
    }

    /// The kind of this name, in any case, also in the plural.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let singular = match text.as_str() {
            "css" => "stylesheet",
            other => other.strip_suffix('s').unwrap_or(other),
        };
        Self::ALL.into_iter().find(|kind| kind.name() == singular || kind.name() == text)
    }
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> Blocking {
    let resources = r.take_all(&BLOCK_RESOURCES, ResourceKind::of);
    let requests = r.take_all(&BLOCK_REQUESTS, UrlPattern::read);
    // Each is read, so that each bad one is named.
    let wanted = Category::ALL.map(|category| (category, r.flag(category.definition()) == Some(true)));
    let lists = wanted.into_iter().filter_map(|(category, wanted)| wanted.then_some(category)).collect();
    Blocking { resources, requests, lists }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_pattern_matches_the_whole_url() {
        for (pattern, url, expected) in [
            ("http://a.example/x", "http://a.example/x", true),
            ("http://a.example/x", "http://a.example/xy", false),
            ("*", "http://a.example/", true),
            ("*a.example/*", "http://a.example/x.js", true),
            ("*a.example/*", "http://b.example/?u=a.example", false),
            ("http*://a.example/*.js", "https://a.example/x/y.js", true),
            ("http*://a.example/*.js", "https://a.example/x/y.jsx", false),
            ("*ab*ba*", "xabay", false),
            ("*ab*ba*", "xabbay", true),
            ("aa*aa", "aaa", false),
            ("**x**", "yxy", true),
        ] {
            assert_eq!(UrlPattern(pattern.to_owned()).matches(url), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn kinds_are_read_as_people_write_them() {
        for (text, expected) in [
            ("image", Some(ResourceKind::Image)),
            ("Images", Some(ResourceKind::Image)),
            (" fonts", Some(ResourceKind::Font)),
            ("css", Some(ResourceKind::Stylesheet)),
            ("document", None),
            ("s", None),
        ] {
            assert_eq!(ResourceKind::of(text), expected, "{text}");
        }
        let allowed = BLOCK_RESOURCES.allowed(&crate::capture::limits::Limits::default());
        assert_eq!(allowed, format!("a list of {}", ResourceKind::ALL.map(ResourceKind::name).join(", ")));
    }
}
