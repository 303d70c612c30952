//! Every parameter of a capture by its canonical name, and what other services call the same thing.
//!
//! Only unambiguous aliases are here: a name that means seconds at one service and milliseconds at another, or two different things, is a
//! matter of that service's dialect.

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It affects the picture: part of the key and of the request.
    Picture,
    /// It says what is made of the picture: part of the key and of the request only where that is left to the origin.
    Derived,
    /// As [`Picture`](Class::Picture), and nobody's business: its hash is part of the key.
    Private,
    /// Part of the key, and not of the request.
    KeyOnly,
    /// It is said to the cache, or proves who asks: neither.
    Control,
}

/// How two spellings of one value are told to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// Milliseconds, or a number with a unit.
    Delay,
    /// A word, in lower case.
    Word,
    /// A URL.
    Url,
    /// `x,y,width,height`.
    Box,
    /// As it is.
    Text,
    /// As it is, in any number; the order counts. So long that its hash is in the key.
    Texts,
    /// Words in any order, with commas between them.
    WordSet,
    /// Texts in any order.
    TextSet,
    /// `name` and value with this between them, in any order.
    Pairs(&'static str),
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) form: Form,
    /// The value that means the same as none, in canonical spelling.
    pub(super) default: Option<&'static str>,
}

const fn picture(name: &'static str, form: Form, default: Option<&'static str>) -> Parameter {
    Parameter { name, class: Class::Picture, form, default }
}

const fn derived(name: &'static str, form: Form, default: Option<&'static str>) -> Parameter {
    Parameter { name, class: Class::Derived, form, default }
}

const fn private(name: &'static str, form: Form) -> Parameter {
    Parameter { name, class: Class::Private, form, default: None }
}

const fn control(name: &'static str, form: Form) -> Parameter {
    Parameter { name, class: Class::Control, form, default: None }
}

/// Viewport of a request that names none, in CSS pixels.
pub const DEFAULT_VIEWPORT: (u32, u32) = (1280, 720);

const NO: Option<&str> = Some("false");

/// All of them, in the order of their names.
pub(super) const PARAMETERS: &[Parameter] = &[
    control("access_key", Form::Text),
    // Not what is on the picture but whether there is one: a key of its own all the same, or a request that
    // takes error pages would leave one for those that do not.
    picture("allow_blank", Form::Flag, None),
    control("api_key", Form::Text),
    private("authorization", Form::Text),
    picture("block_ads", Form::Flag, NO),
    picture("block_chats", Form::Flag, NO),
    picture("block_cookie_banners", Form::Flag, NO),
    picture("block_resources", Form::WordSet, None),
    picture("block_trackers", Form::Flag, NO),
    control("cache", Form::Flag),
    Parameter { name: "cache_key", class: Class::KeyOnly, form: Form::Text, default: None },
    picture("clip", Form::Box, None),
    private("cookies", Form::Pairs("=")),
    picture("country", Form::Word, None),
    picture("css", Form::Texts, None),
    picture("dark_mode", Form::Flag, None),
    picture("delay", Form::Delay, Some("0")),
    picture("device", Form::Word, None),
    control("expires", Form::Text),
    picture("fail_on_content", Form::TextSet, None),
    picture("fail_on_status", Form::WordSet, None),
    derived("fit", Form::Word, Some("contain")),
    control("force", Form::Flag),
    derived("format", Form::Word, Some("png")),
    picture("freeze_time", Form::Text, None),
    picture("full_page", Form::Flag, NO),
    picture("full_page_max_height", Form::Number, None),
    picture("geolocation_accuracy", Form::Number, Some("1")),
    picture("geolocation_latitude", Form::Number, None),
    picture("geolocation_longitude", Form::Number, None),
    private("headers", Form::Pairs(":")),
    picture("height", Form::Number, None),
    picture("hide_selectors", Form::TextSet, None),
    picture("html", Form::Texts, None),
    picture("ignore_https_errors", Form::Flag, NO),
    derived("image_height", Form::Number, None),
    derived("image_width", Form::Number, None),
    picture("js", Form::Texts, None),
    control("key_id", Form::Text),
    picture("landscape", Form::Flag, NO),
    picture("locale", Form::Text, None),
    picture("markdown", Form::Texts, None),
    picture("media_type", Form::Word, None),
    picture("mobile", Form::Flag, None),
    control("no_cache", Form::Flag),
    picture("omit_background", Form::Flag, NO),
    picture("on_timeout", Form::Word, Some("picture")),
    picture("proxy", Form::Text, None),
    derived("quality", Form::Number, Some("80")),
    picture("reduced_motion", Form::Flag, None),
    control("response_type", Form::Word),
    picture("scale", Form::Number, None),
    picture("selector", Form::Text, None),
    control("sig", Form::Text),
    control("signature", Form::Text),
    control("stale_ttl", Form::Text),
    control("storage_path", Form::Text),
    control("store", Form::Flag),
    picture("time_zone", Form::Text, None),
    control("token", Form::Text),
    picture("touch", Form::Flag, None),
    control("ttl", Form::Text),
    picture("url", Form::Url, None),
    private("user_agent", Form::Text),
    picture("wait_for_selector", Form::Text, None),
    picture("wait_until", Form::Word, Some("settled")),
    control("webhook_url", Form::Text),
    picture("width", Form::Number, None),
    control("x_api_key", Form::Text),
    control("async", Form::Flag),
    control("webhook_auth", Form::Text),
];

/// The parameter of this canonical name.
pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name == name)
}

/// What an alias means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alias {
    /// The same under another name.
    Is(&'static str),
    /// A flag that stands for this value of that parameter.
    Means(&'static str, &'static str),
    /// A flag that says the opposite.
    Not(&'static str),
    /// `WIDTHxHEIGHT`.
    Viewport,
    /// `dark`, `light`.
    ColorScheme,
    /// So many seconds each, as a `ttl`.
    Ttl(u32),
}

use Alias::{ColorScheme, Is, Means, Not, Ttl, Viewport};

/// What other services call it.
pub(super) const ALIASES: &[(&str, Alias)] = &[
    ("viewport_width", Is("width")),
    ("viewport_height", Is("height")),
    ("viewport.width", Is("width")),
    ("viewport.height", Is("height")),
    ("viewport.deviceScaleFactor", Is("scale")),
    ("viewport.isMobile", Is("mobile")),
    ("viewport.hasTouch", Is("touch")),
    ("viewport.isLandscape", Is("landscape")),
    ("resX", Is("width")),
    ("resY", Is("height")),
    ("vpw", Is("width")),
    ("vph", Is("height")),
    ("chrome-window-x", Is("width")),
    ("chrome-window-y", Is("height")),
    ("viewport", Viewport),
    ("dimension", Viewport),
    ("fullPage", Is("full_page")),
    ("fullpage", Is("full_page")),
    ("isFullPage", Is("full_page")),
    ("device_scale_factor", Is("scale")),
    ("deviceScaleFactor", Is("scale")),
    ("scale_factor", Is("scale")),
    ("scaleFactor", Is("scale")),
    ("dpr", Is("scale")),
    ("force_dpr", Is("scale")),
    ("retina", Means("scale", "2")),
    ("file_type", Is("format")),
    ("outFormat", Is("format")),
    ("image_quality", Is("quality")),
    ("imageWidth", Is("image_width")),
    ("imageHeight", Is("image_height")),
    ("thumbnail_width", Is("image_width")),
    ("thumbnail_height", Is("image_height")),
    ("thumb_width", Is("image_width")),
    ("thumb_height", Is("image_height")),
    ("thumbWidth", Is("image_width")),
    ("thumbHeight", Is("image_height")),
    ("img_fit", Is("fit")),
    ("element", Is("selector")),
    ("wait", Is("delay")),
    ("waitForTimeout", Is("delay")),
    ("waitTime", Is("delay")),
    ("wait_for", Is("wait_for_selector")),
    ("waitForSelector", Is("wait_for_selector")),
    ("waitForElement", Is("wait_for_selector")),
    ("waitUntil", Is("wait_until")),
    ("no_ads", Is("block_ads")),
    ("adblock", Is("block_ads")),
    ("blockAds", Is("block_ads")),
    ("no_tracking", Is("block_trackers")),
    ("block_tracking", Is("block_trackers")),
    ("blockTrackers", Is("block_trackers")),
    ("no_cookie_banners", Is("block_cookie_banners")),
    ("hide_cookie_banners", Is("block_cookie_banners")),
    ("blockCookieBanners", Is("block_cookie_banners")),
    ("block_chat_widgets", Is("block_chats")),
    ("rejectResourceTypes", Is("block_resources")),
    ("block_images", Means("block_resources", "image")),
    ("block_fonts", Means("block_resources", "font")),
    ("block_stylesheets", Means("block_resources", "stylesheet")),
    ("block_scripts", Means("block_resources", "script")),
    ("block_media", Means("block_resources", "media")),
    ("disable_js", Means("block_resources", "script")),
    ("hide_selector", Is("hide_selectors")),
    ("hideElements", Is("hide_selectors")),
    ("hideSelectors", Is("hide_selectors")),
    ("removeElements", Is("hide_selectors")),
    ("styles", Is("css")),
    ("addStyleTag", Is("css")),
    ("scripts", Is("js")),
    ("javascript", Is("js")),
    ("addScriptTag", Is("js")),
    ("darkMode", Is("dark_mode")),
    ("dark", Is("dark_mode")),
    ("colorScheme", ColorScheme),
    ("color_scheme", ColorScheme),
    ("reducedMotion", Is("reduced_motion")),
    ("disable_animations", Is("reduced_motion")),
    ("animations", Not("reduced_motion")),
    ("media", Is("media_type")),
    ("emulateMediaType", Is("media_type")),
    ("mediaType", Is("media_type")),
    ("viewport_device", Is("device")),
    ("emulateDevice", Is("device")),
    ("viewport_mobile", Is("mobile")),
    ("viewport_has_touch", Is("touch")),
    ("viewport_landscape", Is("landscape")),
    ("userAgent", Is("user_agent")),
    ("useragent", Is("user_agent")),
    ("setExtraHTTPHeaders", Is("headers")),
    ("extraHttpHeaders", Is("headers")),
    ("header", Is("headers")),
    ("cookie", Is("cookies")),
    ("tz", Is("time_zone")),
    ("timezone", Is("time_zone")),
    ("timeZone", Is("time_zone")),
    ("latitude", Is("geolocation_latitude")),
    ("longitude", Is("geolocation_longitude")),
    ("accuracy", Is("geolocation_accuracy")),
    ("geolocation.latitude", Is("geolocation_latitude")),
    ("geolocation.longitude", Is("geolocation_longitude")),
    ("geolocation.accuracy", Is("geolocation_accuracy")),
    ("accept_language", Is("locale")),
    ("accept_lang", Is("locale")),
    ("ip_country_code", Is("country")),
    ("pov_country", Is("country")),
    ("transparent", Is("omit_background")),
    ("omitBackground", Is("omit_background")),
    ("defaultBackground", Not("omit_background")),
    ("fail_on_4xx", Means("fail_on_status", "4xx")),
    ("fail_on_5xx", Means("fail_on_status", "5xx")),
    ("failOnHttpStatusCodes", Is("fail_on_status")),
    ("fail_if_content_contains", Is("fail_on_content")),
    ("ignoreHTTPSErrors", Is("ignore_https_errors")),
    ("acceptInsecureCerts", Is("ignore_https_errors")),
    ("cache_ttl", Ttl(1)),
    ("cacheTTL", Ttl(1)),
    ("cacheLimit", Ttl(86_400)),
    ("maxAge", Ttl(3_600)),
    ("staleTtl", Is("stale_ttl")),
    ("fresh", Is("force")),
    ("force_refresh", Is("force")),
    ("refreshCache", Is("force")),
    ("requeue", Is("force")),
    ("noCache", Is("no_cache")),
    ("unique", Is("cache_key")),
    ("nonce", Is("cache_key")),
    ("cacheKey", Is("cache_key")),
    ("apiKey", Is("api_key")),
    ("apikey", Is("api_key")),
    ("accessKey", Is("access_key")),
    ("webhookUrl", Is("webhook_url")),
    ("webhook", Is("webhook_url")),
];

/// What `name` is called here.
pub(super) fn alias(name: &str) -> Option<Alias> {
    ALIASES.iter().find(|(known, _)| *known == name).map(|(_, alias)| *alias)
}

/// What stands between name and value where `name`, which may be an alias, takes pairs: as they are written, not as they are spelled.
pub(super) fn between(name: &str) -> Option<&'static str> {
    let canonical = match alias(name) {
        Some(Is(canonical)) => canonical,
        _ => name,
    };
    match find(canonical)?.form {
        Form::Pairs(":") => Some(": "),
        Form::Pairs(between) => Some(between),
        _ => None,
    }
}

/// Whether the parameter of this canonical name is told apart by each of its values, or by none: a list, or what is said to the cache.
pub(super) fn is_list_or_control(name: &str) -> bool {
    let lists = |form| matches!(form, Form::Texts | Form::WordSet | Form::TextSet | Form::Pairs(_));
    find(name).is_some_and(|known| lists(known.form) || known.class == Class::Control)
}

/// Whether `value` says nothing. Blanks are nothing but in a script and its like.
pub(super) fn is_empty(known: &Parameter, value: &str) -> bool {
    match (known.form, known.class) {
        (Form::Texts, _) | (_, Class::KeyOnly) => value.is_empty(),
        _ => value.trim().is_empty(),
    }
}
