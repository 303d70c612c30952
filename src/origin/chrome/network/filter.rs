//! Lists of filters against adverts, trackers, consent boxes and chats: which requests are not made, and what is hidden.
//!
//! Each category has a short list of our own and the lists of the operator, in the syntax of EasyList. They are compiled
//! once, when a request first asks for the category. Rules that need scripts or stand-in resources are not used; [`Usage`]
//! says how many of a list these are.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use adblock::Engine;
use adblock::lists::{FilterSet, ParseOptions};
use adblock::request::Request;
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::capture::request::Category;
use rules::{Action, Removal, is_procedural, is_selector};

mod rules;
mod usage;

pub use usage::{Unused, Usage};

/// Bytes of one list of an operator.
pub const MAX_LIST: u64 = 32 << 20;
/// Bytes of the selectors that one category adds to one document at a time.
const MAX_CSS: usize = 1 << 20;
/// Rules with an action, for every page, of one category.
const MAX_ACTIONS: usize = 1000;
/// A page that no rule is about by its host.
const NO_PAGE: &str = "http://host.invalid/";

/// A list of the operator's, read.
#[derive(Clone, PartialEq, Eq)]
pub struct FilterList {
    /// Where it was found.
    pub path: PathBuf,
    /// What it says.
    pub text: Arc<str>,
}

impl FilterList {
    /// How many of its rules are used.
    pub fn usage(&self) -> Usage {
        Usage::of(&self.text)
    }
}

impl fmt::Debug for FilterList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.path)
    }
}

/// The operator's lists by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterLists {
    /// Against advertisements.
    pub ads: Vec<FilterList>,
    /// Against analytics and tracking.
    pub trackers: Vec<FilterList>,
    /// Against requests for consent.
    pub cookies: Vec<FilterList>,
    /// Against chats.
    pub chats: Vec<FilterList>,
}

impl FilterLists {
    /// Every list, with the setting that names it.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &FilterList)> {
        let settings = [
            ("ad_lists", &self.ads),
            ("tracker_lists", &self.trackers),
            ("cookie_lists", &self.cookies),
            ("chat_lists", &self.chats),
        ];
        settings.into_iter().flat_map(|(setting, lists)| lists.iter().map(move |list| (setting, list)))
    }
}

/// All filters.
pub(crate) struct Filters {
    lists: FilterLists,
    compiled: [OnceCell<Arc<Filter>>; 4],
}

/// The filter of one category.
pub(crate) struct Filter {
    category: Category,
    engine: Engine,
    /// What is put into every document before anything of its own, and the same as JSON.
    generic: HashSet<String>,
    generic_json: String,
    /// Whether there are further generic rules, which the class or the id of an element leads to.
    is_by_name: bool,
}

/// What is done to the elements of one document. The fields are read by filter.js.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cosmetics {
    /// The number of the category. Exceptions are for the generic rules of their own category.
    category: u8,
    /// Selectors of what is hidden.
    hide: Vec<String>,
    /// Those of consent boxes.
    consent: Vec<String>,
    /// Rules for a style sheet.
    style: Vec<String>,
    /// What is taken off the page.
    remove: Vec<Removal>,
    /// Selectors of the generic rules that do not count for this document.
    except: Vec<String>,
    /// No generic rule counts for this document.
    without_generic: bool,
}

impl Cosmetics {
    fn none(category: Category) -> Self {
        Cosmetics {
            category: category as u8,
            hide: Vec::new(),
            consent: Vec::new(),
            style: Vec::new(),
            remove: Vec::new(),
            except: Vec::new(),
            without_generic: false,
        }
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        let Cosmetics { category: _, hide, consent, style, remove, except, without_generic } = self;
        let is_empty = hide.is_empty() && consent.is_empty() && style.is_empty();
        is_empty && remove.is_empty() && except.is_empty() && !without_generic
    }

    fn hiding(category: Category, selectors: impl IntoIterator<Item = String>) -> Self {
        let good = |selector: &String| is_selector(selector) && !is_procedural(selector);
        let mut hide: Vec<String> = selectors.into_iter().filter(good).collect();
        // The same page gets the same sheet.
        hide.sort_unstable();
        hide.dedup();
        let mut room = MAX_CSS;
        hide.retain(|selector| {
            let fits = selector.len() <= room;
            room = room.saturating_sub(selector.len());
            fits
        });
        let consent = if category == Category::CookieBanners { hide.clone() } else { Vec::new() };
        Cosmetics { hide, consent, ..Cosmetics::none(category) }
    }

    fn act(&mut self, actions: impl IntoIterator<Item = Action>) {
        for action in actions.into_iter().take(MAX_ACTIONS) {
            match action {
                Action::Style(rule) => self.style.push(rule),
                Action::Remove(removal) => self.remove.push(removal),
            }
        }
        self.style.sort_unstable();
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({:?})", self.category)
    }
}

impl Filters {
    /// Nothing is compiled yet.
    pub(crate) fn new(lists: FilterLists) -> Self {
        Filters { lists, compiled: Default::default() }
    }

    /// The filters of these categories, compiled now if they were not.
    ///
    /// # Errors
    /// If compiling was given up, as when the process ends.
    pub(crate) async fn of(
        &self,
        categories: &[Category],
    ) -> Result<Vec<Arc<Filter>>, tokio::task::JoinError> {
        let mut filters = Vec::with_capacity(categories.len());
        for category in categories.iter().copied() {
            // Large lists take a second of computing.
            let compile = || async {
                let (own, lists) = self.texts(category);
                tokio::task::spawn_blocking(move || Arc::new(Filter::compile(category, own, &lists))).await
            };
            filters.push(self.compiled[category as usize].get_or_try_init(compile).await?.clone());
        }
        Ok(filters)
    }

    fn texts(&self, category: Category) -> (&'static str, Vec<Arc<str>>) {
        let (own, lists) = match category {
            Category::Ads => (include_str!("lists/ads.txt"), &self.lists.ads),
            Category::Trackers => (include_str!("lists/trackers.txt"), &self.lists.trackers),
            Category::CookieBanners => (include_str!("lists/cookies.txt"), &self.lists.cookies),
            Category::Chats => (include_str!("lists/chats.txt"), &self.lists.chats),
        };
        (own, lists.iter().map(|list| list.text.clone()).collect())
    }
}

impl Filter {
    /// `own` is our own list.
    fn compile(category: Category, own: &str, lists: &[Arc<str>]) -> Self {
        let mut set = FilterSet::new(false);
        let (mut actions, mut is_by_name) = (Vec::new(), false);
        set.add_filter_list(own.to_owned(), ParseOptions::default());
        for text in lists {
            let text = rules::translate_list(text);
            actions.extend(text.lines().filter_map(Action::generic));
            is_by_name |= text.lines().any(is_rule_by_name);
            set.add_filter_list(text.into_owned(), ParseOptions::default());
        }
        let engine = Engine::new_with_filter_set(set);

        // Our own selectors, and those of the lists that no class or id leads to.
        let ours = own.lines().filter_map(|line| line.strip_prefix("##")).map(str::to_owned);
        let others = engine.url_cosmetic_resources(NO_PAGE).hide_selectors;
        let mut generic = Cosmetics::hiding(category, ours.chain(others));
        generic.act(actions);
        // Sets of strings and numbers are always JSON.
        let generic_json = serde_json::to_string(&generic).unwrap_or_default();
        let generic = generic.hide.into_iter().collect();
        Filter { category, engine, generic, generic_json, is_by_name }
    }

    /// Whether what is hidden depends on the classes and ids of a document.
    pub(crate) fn is_by_name(&self) -> bool {
        self.is_by_name
    }

    /// Whether a request for `url` of this `kind`, as DevTools names kinds, from the document at `source` is not to be made.
    pub(crate) fn blocks(&self, url: &str, source: &str, kind: &str, method: &str) -> bool {
        let request = Request::new(url, source, kind_of(kind), method);
        request.is_ok_and(|request| self.engine.check_network_request(&request).should_block())
    }

    /// What is done to every document, [`Cosmetics`] as JSON.
    pub(crate) fn generic(&self) -> &str {
        &self.generic_json
    }

    /// What is done to the document at `url` beside what is done to every one.
    pub(crate) fn at(&self, url: &str) -> Cosmetics {
        let found = self.engine.url_cosmetic_resources(url);
        let special = found.hide_selectors.into_iter().filter(|selector| !self.generic.contains(selector));
        let mut cosmetics = Cosmetics::hiding(self.category, special);
        let mut actions: Vec<String> = found.procedural_actions.into_iter().collect();
        actions.sort_unstable();
        cosmetics.act(actions.iter().filter_map(|json| Action::from_json(json)));
        let except = found.exceptions.into_iter().filter(|selector| self.generic.contains(selector));
        cosmetics.except = except.collect();
        cosmetics.except.sort_unstable();
        cosmetics.without_generic = found.generichide;
        cosmetics
    }

    /// What is hidden in the document at `url` since it has these classes and ids.
    pub(crate) fn named(&self, url: &str, classes: &[String], ids: &[String]) -> Cosmetics {
        let found = self.engine.url_cosmetic_resources(url);
        if found.generichide {
            return Cosmetics::none(self.category);
        }
        let selectors = self.engine.hidden_class_id_selectors(classes, ids, &found.exceptions);
        let special = selectors.into_iter().filter(|selector| !self.generic.contains(selector));
        Cosmetics::hiding(self.category, special)
    }
}

/// Whether a line is a generic rule for a class or an id.
fn is_rule_by_name(line: &str) -> bool {
    let line = line.trim_start();
    let is_generic = line.starts_with(['#', '~']);
    is_generic && ["##.", "###", "#?#.", "#?##"].iter().any(|mark| line.contains(mark))
}

/// A kind of request, from DevTools' name for it to that of filter lists.
fn kind_of(kind: &str) -> &'static str {
    match kind {
        "Document" => "subdocument",
        "Stylesheet" => "stylesheet",
        "Image" => "image",
        "Media" | "TextTrack" => "media",
        "Font" => "font",
        "Script" => "script",
        "XHR" | "Fetch" | "EventSource" => "xmlhttprequest",
        "Ping" => "ping",
        "CSPViolationReport" => "csp_report",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(category: Category) -> Filter {
        let (own, lists) = Filters::new(FilterLists::default()).texts(category);
        Filter::compile(category, own, &lists)
    }

    #[test]
    fn well_known_networks_are_blocked_by_their_category() {
        use Category::{Ads, Chats, CookieBanners, Trackers};
        let page = "https://news.example/a";
        for (category, url, kind, expected) in [
            (Ads, "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js", "Script", true),
            (Ads, "https://securepubads.g.doubleclick.net/tag/js/gpt.js", "Script", true),
            (Ads, "https://cdn.taboola.com/x.js", "Script", true),
            (Ads, "https://news.example/app.js", "Script", false),
            (Ads, "https://www.google-analytics.com/analytics.js", "Script", false),
            (Trackers, "https://www.google-analytics.com/analytics.js", "Script", true),
            (Trackers, "https://www.googletagmanager.com/gtm.js?id=x", "Script", true),
            (Trackers, "https://static.hotjar.com/c/hotjar-1.js", "Script", true),
            (Trackers, "https://other.example/beacon", "Ping", true),
            (Trackers, "https://news.example/beacon", "Ping", false),
            (Trackers, "https://other.example/x.png", "Image", false),
            (CookieBanners, "https://consent.cookiebot.com/uc.js", "Script", true),
            (CookieBanners, "https://cdn.cookielaw.org/scripttemplates/otSDKStub.js", "Script", true),
            (CookieBanners, "https://news.example/cookies.js", "Script", false),
            (Chats, "https://widget.intercom.io/widget/x", "Script", true),
            (Chats, "https://embed.tawk.to/x/default", "Document", true),
            (Chats, "https://news.example/chat", "Document", false),
        ] {
            assert_eq!(own(category).blocks(url, page, kind, "GET"), expected, "{category:?} {url}");
        }
        // A company's own site is not against itself.
        assert!(!own(Chats).blocks(
            "https://js.intercom.io/app.js",
            "https://www.intercom.io/",
            "Script",
            "GET"
        ));
    }

    #[test]
    fn our_own_boxes_are_hidden_in_every_document() {
        let generic = |category| own(category).generic;
        assert!(generic(Category::Ads).contains(".adsbygoogle"));
        let cookies = own(Category::CookieBanners);
        assert!(cookies.generic.contains(".cc-window") && cookies.generic.contains("#onetrust-consent-sdk"));
        assert!(generic(Category::Trackers).is_empty());
        assert!(generic(Category::Chats).contains("#intercom-container"));
        // They are in before any name is known, so no name adds anything.
        assert!(cookies.named("https://news.example/", &["cc-window".into()], &[]).is_empty());
        assert!(cookies.at("https://news.example/").is_empty());
        let json: serde_json::Value = serde_json::from_str(cookies.generic()).unwrap();
        assert_eq!(json["hide"], json["consent"]);
        for category in [Category::Ads, Category::Trackers, Category::CookieBanners, Category::Chats] {
            let (own, _) = Filters::new(FilterLists::default()).texts(category);
            assert_eq!(Usage::of(own).percent(), 100, "{category:?}: {}", Usage::of(own));
        }
    }

    #[tokio::test]
    async fn an_operators_list_counts_beside_our_own() {
        let text = "||bad.example^\n@@||bad.example/fine^\n/regex[0-9]+/$image\nnews.example##.teaser\n##.promo\n\
            news.example#@#.promo\nnonsense##{}\n";
        let list = FilterList { path: "list.txt".into(), text: text.into() };
        let filters = Filters::new(FilterLists { chats: vec![list], ..FilterLists::default() });
        let of = filters.of(&[Category::Chats, Category::Ads]).await.unwrap();
        let [chats, ads] = &of[..] else { panic!("two") };
        assert!(chats.blocks("http://bad.example/x", "http://a.example/", "Image", "GET"));
        assert!(!chats.blocks("http://bad.example/fine/x", "http://a.example/", "Image", "GET"));
        assert!(chats.blocks("http://a.example/regex42/x", "http://a.example/", "Image", "GET"));
        assert!(chats.blocks("http://widget.intercom.io/", "http://a.example/", "Script", "GET"));
        assert!(!ads.blocks("http://bad.example/x", "http://a.example/", "Image", "GET"));
        let promo = ["promo".to_owned()];
        assert_eq!(chats.named("http://a.example/", &promo, &[]).hide, [".promo"]);
        assert!(chats.named("http://a.example/", &[], &promo).is_empty());
        assert!(chats.named("http://news.example/", &promo, &[]).is_empty());
        assert_eq!(chats.at("http://news.example/").hide, [".teaser"]);
        // Once compiled, for good.
        assert!(Arc::ptr_eq(chats, &filters.of(&[Category::Chats]).await.unwrap()[0]));
        assert!(chats.is_by_name() && !ads.is_by_name());
    }

    #[tokio::test]
    async fn actions_exceptions_and_generic_rules_count_where_they_are_about() {
        let text = "##div[data-box]\n##.x:remove()\n##body:style(overflow: auto !important)\n##p:has-text(x)\n\
            a.example##main:style(filter: none !important)\na.example#$#.y { remove: true; }\n\
            a.example#@#div[data-box]\na.example##.a-b\n@@||b.example^$generichide\n";
        let list = FilterList { path: "list.txt".into(), text: text.into() };
        let filters = Filters::new(FilterLists { cookies: vec![list], ..FilterLists::default() });
        let of = filters.of(&[Category::CookieBanners]).await.unwrap();
        let generic: serde_json::Value = serde_json::from_str(of[0].generic()).unwrap();
        let hidden = generic["hide"].as_array().unwrap();
        assert!(hidden.contains(&"div[data-box]".into()) && !hidden.contains(&"p:has-text(x)".into()));
        assert_eq!(generic["style"], serde_json::json!(["body{overflow: auto !important}"]));
        assert_eq!(generic["remove"], serde_json::json!([{ "selector": ".x" }]));
        let at = of[0].at("http://a.example/");
        assert_eq!((&at.hide[..], &at.consent[..]), (&[".a-b".to_owned()][..], &[".a-b".to_owned()][..]));
        assert_eq!(at.style, ["main{filter: none !important}"]);
        assert_eq!(serde_json::to_value(&at.remove).unwrap(), serde_json::json!([{ "selector": ".y" }]));
        assert_eq!((&at.except[..], at.without_generic), (&["div[data-box]".to_owned()][..], false));
        assert!(of[0].at("http://b.example/").without_generic);
        assert!(of[0].at("http://c.example/").is_empty());
    }
}
