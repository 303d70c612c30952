//! What a request asks for: the parameters of `/screenshot`, read into a typed value. Pure. docs/CAPTURE.md explains
//! each of them.
//!
//! `GET` has them in its query, `POST` in a JSON object of the same names, or in both. Parameters of other layers
//! (`ttl`, `force`, `cache`, ...) are passed over. Every other name, every name given twice that is no list, and every
//! value out of bounds is a fault; all faults are found at once.

use std::time::Duration;

use url::Url;

use super::devices::Handset;
pub use crate::message::problem::Fault;

mod read;
mod reader;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use values::{field_value, locale};

/// One capture, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureRequest {
    /// What is captured.
    pub page: Page,
    /// The screen it is shown on.
    pub view: View,
    /// Form of the picture.
    pub format: Format,
    /// Quality of a lossy picture, 1 to 100.
    pub quality: u8,
    /// Leave out the white that browsers put behind a page.
    pub omit_background: bool,
    /// The part of the page.
    pub area: Area,
    /// What is waited for.
    pub wait: Wait,
    /// What is changed about the page.
    pub look: Look,
    /// Who the page is told is visiting.
    pub visitor: Visitor,
    /// Kinds of resources that are not loaded.
    pub block: Vec<ResourceKind>,
    /// What else is kept off the page, by lists.
    pub filters: Vec<Category>,
    /// Where the page's clock stands, in milliseconds since 1970, if it does not run.
    pub freeze: Option<u64>,
    /// The operator's proxy that the page is loaded through.
    pub egress: Option<Egress>,
    /// Take pages whose certificates are not valid.
    pub ignore_https_errors: bool,
    /// What is no picture.
    pub rules: Rules,
}

/// What is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The page at this URL: `http` or `https`, without credentials.
    Url(Url),
    /// This document.
    Html(String),
}

/// The screen that a page is shown on.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Viewport width in CSS pixels.
    pub width: u32,
    /// Viewport height in CSS pixels.
    pub height: u32,
    /// Device pixels for each CSS pixel.
    pub scale: f64,
    /// Heed the viewport that the page sets for mobile devices.
    pub mobile: bool,
    /// Touch events.
    pub touch: bool,
}

/// The part of the page that is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Area {
    /// What the screen shows.
    Viewport,
    /// All of it, up to this height in CSS pixels.
    FullPage(u32),
    /// The first element that matches this selector.
    Element(String),
    /// A box, from the page's upper left corner.
    Clip(Clip),
}

/// A box in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// What is waited for, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The page's progress.
    pub until: Until,
    /// An element that matches this.
    pub selector: Option<String>,
    /// This long.
    pub delay: Duration,
}

/// Progress of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// `DOMContentLoaded`.
    DomContentLoaded,
    /// `load`.
    Load,
    /// `load`, and nothing on the network for half a second; capped.
    NetworkIdle,
    /// `load`, and at rest: fonts, images in view, no layout shifts; capped. The default.
    Settled,
}

/// What is changed about a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Selectors of what is not shown.
    pub hide: Vec<String>,
    /// Style sheets that come after the page's own.
    pub css: Vec<String>,
    /// Scripts that run once the page is there.
    pub js: Vec<String>,
    /// `prefers-color-scheme`.
    pub dark_mode: Option<bool>,
    /// `prefers-reduced-motion`.
    pub reduced_motion: Option<bool>,
    /// `print` or `screen`.
    pub media_type: Option<&'static str>,
}

/// Who the page is told is visiting.
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

    /// The parameter that keeps it off a page.
    pub fn parameter(self) -> &'static str {
        match self {
            Category::Ads => "block_ads",
            Category::Trackers => "block_trackers",
            Category::CookieBanners => "block_cookie_banners",
            Category::Chats => "block_chats",
        }
    }
}

/// How one of the operator's proxies is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Egress {
    /// By its name.
    Name(String),
    /// By its country, in lower case.
    Country(String),
}

/// When there is no picture although there could be one. Not part of what is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Statuses of the page.
    pub statuses: Vec<StatusRange>,
    /// Texts on the page.
    pub content: Vec<String>,
    /// Keep a picture of one colour.
    pub allow_blank: bool,
    /// What becomes of a page that does not load in time.
    pub on_timeout: OnTimeout,
}

/// What becomes of a page that is not loaded within [`Limits::max_load`](crate::capture::limits::Limits::max_load).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// It is captured as it is, and the picture is marked as incomplete.
    Picture,
    /// There is no picture.
    Error,
}

/// Statuses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl StatusRange {
    /// Whatever is neither a success nor a redirect, `HTTP/1.1 999 Denied` too. A status that the browser does not tell is 0,
    /// and no error.
    pub const ERRORS: [StatusRange; 2] =
        [StatusRange { from: 1, to: 199 }, StatusRange { from: 400, to: u16::MAX }];

    /// Whether it has this status.
    pub fn has(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
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

/// Device pixels of a side, rounded as Chrome rounds.
pub fn pixels(side: u32, scale: f64) -> u64 {
    (f64::from(side) * scale).round() as u64
}
