//! Lists of filters against what nobody wants on a picture: which requests are not made, and what is hidden.
//!
//! Each category has a short list of our own and whatever the operator adds, in the syntax of EasyList. They are compiled
//! once, when first asked for. Rules that need scripts or stand-in resources are passed over.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use adblock::Engine;
use adblock::lists::{FilterSet, ParseOptions};
use adblock::request::Request;
use tokio::sync::OnceCell;

use super::spec::Category;

/// Bytes of one list of an operator.
pub const MAX_LIST: u64 = 32 << 20;
/// Bytes of the style sheet that one document gets.
const MAX_CSS: usize = 1 << 20;

/// A list of the operator's, read.
#[derive(Clone, PartialEq, Eq)]
pub struct FilterList {
    /// Where it was found.
    pub path: PathBuf,
    /// What it says.
    pub text: Arc<str>,
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

/// All filters.
pub(super) struct Filters {
    lists: FilterLists,
    compiled: [OnceCell<Arc<Filter>>; 4],
}

/// The filter of one category.
pub(super) struct Filter {
    pub(super) category: Category,
    engine: Engine,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({:?})", self.category)
    }
}

impl Filters {
    /// Nothing is compiled yet.
    pub(super) fn new(lists: FilterLists) -> Self {
        Filters { lists, compiled: Default::default() }
    }

    /// The filters of these categories, compiled now if they were not.
    ///
    /// # Errors
    /// If compiling was given up, as when the process ends.
    pub(super) async fn of(
        &self,
        categories: &[Category],
    ) -> Result<Vec<Arc<Filter>>, tokio::task::JoinError> {
        let mut filters = Vec::with_capacity(categories.len());
        for category in categories.iter().copied() {
            // Large lists take a second of computing.
            let compile = || async {
                let texts = self.texts(category);
                tokio::task::spawn_blocking(move || Arc::new(Filter::compile(category, &texts))).await
            };
            filters.push(self.compiled[category as usize].get_or_try_init(compile).await?.clone());
        }
        Ok(filters)
    }

    fn texts(&self, category: Category) -> Vec<Arc<str>> {
        let (own, lists) = match category {
            Category::Ads => (include_str!("lists/ads.txt"), &self.lists.ads),
            Category::Trackers => (include_str!("lists/trackers.txt"), &self.lists.trackers),
            Category::CookieBanners => (include_str!("lists/cookies.txt"), &self.lists.cookies),
            Category::Chats => (include_str!("lists/chats.txt"), &self.lists.chats),
        };
        std::iter::once(own.into()).chain(lists.iter().map(|list| list.text.clone())).collect()
    }
}

impl Filter {
    fn compile(category: Category, texts: &[Arc<str>]) -> Self {
        let mut set = FilterSet::new(false);
        for text in texts {
            set.add_filter_list(text.to_string(), ParseOptions::default());
        }
        Filter { category, engine: Engine::new_with_filter_set(set) }
    }

    /// Whether a request for `url` of this `kind`, as DevTools names kinds, from the document at `source` is not to be made.
    pub(super) fn blocks(&self, url: &str, source: &str, kind: &str, method: &str) -> bool {
        let request = Request::new(url, source, kind_of(kind), method);
        request.is_ok_and(|request| self.engine.check_network_request(&request).should_block())
    }

    /// What is hidden in the document at `url` that has these classes and ids.
    pub(super) fn hidden(&self, url: &str, classes: &[String], ids: &[String]) -> Vec<String> {
        let special = self.engine.url_cosmetic_resources(url);
        let generic = match special.generichide {
            true => Vec::new(),
            false => self.engine.hidden_class_id_selectors(classes, ids, &special.exceptions),
        };
        let all: HashSet<String> = special.hide_selectors.into_iter().chain(generic).collect();
        let mut all: Vec<String> =
            all.into_iter().filter(|selector| !selector.contains(['{', '}'])).collect();
        // The same page gets the same sheet.
        all.sort_unstable();
        let mut room = MAX_CSS;
        all.retain(|selector| {
            let fits = selector.len() <= room;
            room = room.saturating_sub(selector.len());
            fits
        });
        all
    }
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
        Filter::compile(category, &Filters::new(FilterLists::default()).texts(category))
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
    fn boxes_are_hidden_by_class_and_id() {
        let hidden = |category, classes: &[&str], ids: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            own(category).hidden("https://news.example/", &owned(classes), &owned(ids))
        };
        let ads = hidden(Category::Ads, &["adsbygoogle", "main"], &[]);
        assert!(ads.contains(&".adsbygoogle".to_owned()) && !ads.contains(&".main".to_owned()));
        assert!(!ads.contains(&".ad-slot".to_owned()), "only what the page has");
        let cookies = hidden(Category::CookieBanners, &["cc-window"], &["onetrust-consent-sdk"]);
        assert!(cookies.contains(&".cc-window".to_owned()));
        assert!(cookies.contains(&"#onetrust-consent-sdk".to_owned()));
        assert!(hidden(Category::Trackers, &["cc-window"], &["klaro"]).is_empty());
        assert!(
            hidden(Category::Chats, &[], &["intercom-container"]).contains(&"#intercom-container".to_owned())
        );
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
        assert!(chats.hidden("http://a.example/", &promo, &[]).contains(&".promo".to_owned()));
        let news = chats.hidden("http://news.example/", &promo, &[]);
        assert!(news.contains(&".teaser".to_owned()) && !news.contains(&".promo".to_owned()));
        // Once compiled, for good.
        assert!(Arc::ptr_eq(chats, &filters.of(&[Category::Chats]).await.unwrap()[0]));
    }
}
