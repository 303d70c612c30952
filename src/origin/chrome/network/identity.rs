//! Who a page is told is visiting: `User-Agent`, client hints, platform and languages that fit one another. Pure.
//!
//! A browser that names itself only by `User-Agent` contradicts itself: Chrome sends the same in `Sec-CH-UA` and shows it in
//! `navigator.userAgentData`, where Safari and Firefox have neither. So everything is derived from one `User-Agent`: the one
//! of the request or of its device, that of the configuration, else the browser's own without the word Headless.

use serde::Serialize;

use crate::capture::devices::Handset;
use crate::capture::request::Visitor;
use crate::origin::chrome::network::visitor::DefaultVisitor;
use crate::origin::chrome::protocol::commands::{
    BrandVersion, BrowserVersion, SetUserAgentOverride, UserAgentMetadata,
};

/// The first Chrome that sends client hints.
const FIRST_WITH_HINTS: u32 = 89;
/// Takes away what only Chrome has, and gives workers the page's platform, which Chrome does for pages alone.
const FIT: &str = include_str!("identity.js");

/// A browser as it names itself (`Browser.getVersion`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// Such as `140.0.7339.80`.
    number: String,
    user_agent: String,
}

impl Version {
    /// From the answer of the browser.
    pub(crate) fn of(browser: BrowserVersion) -> Self {
        let number = browser.product.split_once('/').map_or("", |(_, number)| number);
        Version { number: number.to_owned(), user_agent: browser.user_agent }
    }

    /// Its `User-Agent` as Chrome with a window sends it: without Headless, and with the major version alone.
    fn plain_user_agent(&self) -> String {
        plain_user_agent(&self.user_agent)
    }
}

/// See [`Version::plain_user_agent`].
fn plain_user_agent(user_agent: &str) -> String {
    let words: Vec<String> = user_agent
        .split(' ')
        .map(|word| match word.strip_prefix("HeadlessChrome/").or(word.strip_prefix("Chrome/")) {
            Some(number) => format!("Chrome/{}.0.0.0", major(number)),
            None => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

/// The `User-Agent` that a Chrome of this version has on this machine.
pub(crate) fn local_user_agent(number: &str) -> String {
    let system = match std::env::consts::OS {
        "macos" => "Macintosh; Intel Mac OS X 10_15_7".to_owned(),
        _ => format!("X11; Linux {}", std::env::consts::ARCH),
    };
    plain_user_agent(&format!(
        "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{number} Safari/537.36"
    ))
}

fn major(number: &str) -> &str {
    number.split('.').next().unwrap_or_default()
}

/// What identity.js is told.
#[derive(Serialize)]
struct Fit {
    hints: bool,
    platform: Option<&'static str>,
}

/// A visitor's browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    user_agent: String,
    /// What `navigator.platform` says; the browser's own where nothing is known.
    platform: Option<&'static str>,
    /// Client hints; none of browsers that have none.
    hints: Option<UserAgentMetadata>,
    languages: Vec<String>,
    is_own: bool,
}

impl Identity {
    /// The identity of `visitor` in a browser of this version, where `default` holds for what it does not say.
    pub(crate) fn of(browser: &Version, visitor: &Visitor, default: &DefaultVisitor) -> Self {
        let given = visitor.user_agent.as_ref();
        let handset = visitor.handset.filter(|_| given.is_none());
        let other = match handset {
            Some(handset) => Some(handset.user_agent(major(&browser.number))),
            None => given.or(default.user_agent.as_ref()).cloned(),
        };
        let is_own = other.is_none();
        let user_agent = other.unwrap_or_else(|| browser.plain_user_agent());
        let system = System::of(&user_agent);
        Identity {
            // The browser knows its own machine better than its User-Agent, which says little.
            platform: system.platform().filter(|_| !is_own),
            hints: hints(&user_agent, &system, handset, &browser.number),
            languages: visitor.locale.as_deref().map_or_else(|| default.languages.clone(), languages_of),
            user_agent,
            is_own,
        }
    }

    /// What the browser is told. Chrome adds weights to the languages by itself.
    pub(crate) fn overrides(&self) -> SetUserAgentOverride {
        SetUserAgentOverride {
            user_agent: self.user_agent.clone(),
            accept_language: self.languages.join(","),
            platform: self.platform,
            user_agent_metadata: self.hints.clone(),
        }
    }

    /// What pages and workers have to run first, where overriding is not enough.
    pub(crate) fn script(&self) -> Option<String> {
        if self.is_own || (self.hints.is_some() && self.platform.is_none()) {
            return None;
        }
        let fit = Fit { hints: self.hints.is_some(), platform: self.platform };
        serde_json::to_string(&fit).ok().map(|fit| format!("({FIT})({fit});"))
    }

    /// What `Intl` has to be told for it to agree with the languages; nothing where it does so by itself.
    pub(crate) fn locale(&self) -> Option<&str> {
        self.languages.first().map(String::as_str).filter(|first| *first != "en-US")
    }

    /// `User-Agent`.
    pub(crate) fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// `Accept-Language`, with the weights that Chrome gives (`HttpUtil::GenerateAcceptLanguageHeader`).
    pub(crate) fn accept_language(&self) -> String {
        let weighed = self.languages.iter().enumerate().map(|(at, language)| match at {
            0 => language.clone(),
            _ => format!("{language};q=0.{}", 10_usize.saturating_sub(at).max(1)),
        });
        weighed.collect::<Vec<_>>().join(",")
    }
}

/// A locale as a list of languages: itself, then its language alone, as Chrome expands its settings.
fn languages_of(locale: &str) -> Vec<String> {
    let language = locale.split('-').next().unwrap_or(locale);
    let mut languages = vec![locale.to_owned()];
    if language != locale {
        languages.push(language.to_owned());
    }
    languages
}

/// The system that a `User-Agent` tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum System {
    Windows { version: &'static str },
    Mac { version: String },
    Linux { arm: bool },
    ChromeOs { version: String, arm: bool },
    Android { version: String, model: String },
    Ios(&'static str),
    Unknown,
}

impl System {
    fn of(user_agent: &str) -> Self {
        // `Mozilla/5.0 (Linux; Android 10; K) ...`: all of it is in the first parentheses.
        let inside = user_agent.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let parts: Vec<&str> =
            inside.map_or(Vec::new(), |(inside, _)| inside.split(';').map(str::trim).collect());
        let part = |prefix: &str| parts.iter().find_map(|part| part.strip_prefix(prefix));
        let arm = ["aarch64", "arm"].iter().any(|word| parts.iter().any(|part| part.contains(word)));
        if let Some(device) = ["iPhone", "iPad", "iPod"].into_iter().find(|device| parts.contains(device)) {
            System::Ios(device)
        } else if let Some(version) = part("Android ") {
            let after = parts.iter().skip_while(|part| !part.starts_with("Android ")).nth(1);
            let model = after.map_or("", |model| model.split(" Build/").next().unwrap_or_default());
            // What Chrome writes for every model, and what Firefox has in its place.
            let model = if matches!(model, "K" | "Mobile" | "Tablet" | "wv") { "" } else { model };
            System::Android { version: three_numbers(version), model: model.to_owned() }
        } else if let Some(version) = part("Windows NT ") {
            // https://learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11
            let version = match version {
                "6.1" => "0.1.0",
                "6.2" => "0.2.0",
                "6.3" => "0.3.0",
                _ => "10.0.0",
            };
            System::Windows { version }
        } else if parts.contains(&"Macintosh") {
            let version = part("Intel Mac OS X ").unwrap_or("10.15.7");
            System::Mac { version: three_numbers(&version.replace('_', ".")) }
        } else if let Some(system) = part("CrOS ") {
            let version = system.rsplit(' ').next().unwrap_or_default();
            System::ChromeOs { version: three_numbers(version), arm }
        } else if part("Linux").is_some() || parts.contains(&"X11") {
            System::Linux { arm }
        } else {
            System::Unknown
        }
    }

    /// `navigator.platform`, as browsers on it have it.
    fn platform(&self) -> Option<&'static str> {
        match self {
            System::Windows { .. } => Some("Win32"),
            System::Mac { .. } => Some("MacIntel"),
            System::Linux { arm: false } | System::ChromeOs { arm: false, .. } => Some("Linux x86_64"),
            System::Linux { arm: true } | System::ChromeOs { arm: true, .. } => Some("Linux aarch64"),
            System::Android { .. } => Some("Linux armv81"),
            System::Ios(device) => Some(device),
            System::Unknown => None,
        }
    }
}

/// A version as client hints have it: three numbers.
fn three_numbers(version: &str) -> String {
    let numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    let numbers: Vec<String> = numbers.chain(std::iter::repeat(0)).take(3).map(|n| n.to_string()).collect();
    numbers.join(".")
}

/// A browser built on Chromium: its brand and version, and the version of Chromium.
#[derive(Debug, PartialEq, Eq)]
struct Chromium<'a> {
    brand: &'static str,
    version: &'a str,
    chromium: &'a str,
}

impl<'a> Chromium<'a> {
    fn of(user_agent: &'a str) -> Option<Self> {
        let number = |product: &str| {
            user_agent.split(' ').find_map(|word| word.strip_prefix(product)?.strip_prefix('/'))
        };
        // Microsoft's own engine called itself Chrome too.
        let chromium = number("Chrome").or(number("HeadlessChrome")).filter(|_| number("Edge").is_none())?;
        let major: u32 = major(chromium).parse().ok()?;
        let named = [
            ("Edg", "Microsoft Edge"),
            ("EdgA", "Microsoft Edge"),
            ("OPR", "Opera"),
            ("SamsungBrowser", "Samsung Internet"),
            ("YaBrowser", "YaBrowser"),
            ("HeadlessChrome", "HeadlessChrome"),
        ];
        let named = named.into_iter().find_map(|(product, brand)| Some((brand, number(product)?)));
        let plain = if user_agent.contains("; wv)") { "Android WebView" } else { "Google Chrome" };
        let (brand, version) = named.unwrap_or((plain, chromium));
        (major >= FIRST_WITH_HINTS).then_some(Chromium { brand, version, chromium })
    }
}

/// `userAgentMetadata` as the browser of this `User-Agent` would fill it in; none if it has no client hints. Where the
/// `User-Agent` tells the major version alone, as Chrome's does, and `own` is of the same, the rest is that of `own`.
fn hints(
    user_agent: &str,
    system: &System,
    handset: Option<Handset>,
    own: &str,
) -> Option<UserAgentMetadata> {
    let Chromium { brand, version, chromium } = Chromium::of(user_agent)?;
    let full = |number: &str| match number.strip_suffix(".0.0.0") {
        Some(reduced) if reduced == major(own) => own.to_owned(),
        _ => number.to_owned(),
    };
    let (chromium_full, brand_full) = (full(chromium), full(version));
    let seed = major(chromium).parse().unwrap_or_default();
    let brands = brand_list(seed, (brand, major(version)), major(chromium), |version| version.to_owned());
    let full_versions =
        brand_list(seed, (brand, &brand_full), &chromium_full, |version| format!("{version}.0.0.0"));

    let mobile = user_agent.contains(" Mobile");
    let x86 = ("x86", "64");
    let (platform, platform_version, (architecture, bitness)) = match system {
        System::Windows { version } => ("Windows", (*version).to_owned(), x86),
        System::Mac { version } => ("macOS", version.clone(), x86),
        System::ChromeOs { version, arm } => {
            ("Chrome OS", version.clone(), if *arm { ("arm", "64") } else { x86 })
        }
        // Chrome does not tell the version of Linux.
        System::Linux { arm } => ("Linux", String::new(), if *arm { ("arm", "64") } else { x86 }),
        System::Android { version, .. } => {
            let version = handset.map_or(version.as_str(), |handset| handset.android);
            ("Android", three_numbers(version), ("", ""))
        }
        System::Ios(_) | System::Unknown => ("Unknown", String::new(), ("", "")),
    };
    let model = match (handset, system) {
        (Some(handset), _) => handset.model,
        (None, System::Android { model, .. }) => model,
        _ => "",
    };
    let form = match (mobile, platform) {
        (true, _) => "Mobile",
        (false, "Android") => "Tablet",
        _ => "Desktop",
    };
    Some(UserAgentMetadata {
        brands,
        full_version_list: full_versions,
        full_version: brand_full,
        platform,
        platform_version,
        architecture,
        bitness,
        wow64: false,
        model: model.to_owned(),
        mobile,
        form_factors: [form],
    })
}

/// Three brands in the order that Chromium gives them, one of which is a made-up one against sites that take the list for
/// fixed. Both go by the major version (`GenerateBrandVersionList` in components/embedder_support/user_agent_utils.cc).
fn brand_list(
    seed: usize,
    (brand, version): (&str, &str),
    chromium: &str,
    of_made_up: impl Fn(&str) -> String,
) -> Vec<BrandVersion> {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    const MARKS: [char; 11] = [' ', '(', ':', '-', '.', '/', ')', ';', '=', '?', '_'];
    const VERSIONS: [&str; 3] = ["8", "99", "24"];
    let mark = |at: usize| MARKS[at % MARKS.len()];
    let made_up = format!("Not{}A{}Brand", mark(seed), mark(seed + 1));
    let made_up_version = of_made_up(VERSIONS[seed % VERSIONS.len()]);
    let mut list = vec![BrandVersion::default(); 3];
    let [first, second, third] = ORDERS[seed % ORDERS.len()];
    for (at, brand, version) in [
        (first, made_up.as_str(), made_up_version.as_str()),
        (second, "Chromium", chromium),
        (third, brand, version),
    ] {
        list[at] = BrandVersion { brand: brand.to_owned(), version: version.to_owned() };
    }
    list
}

#[cfg(test)]
mod tests;
