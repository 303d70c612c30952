//! The rule sets that tintype ships ([`Preset`]).

use std::time::Duration;

use super::glob::{Glob, PathGlob, QueryGlob};
use super::rule::{Lifetime, Outcome, Rule, When};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A shipped rule set. Its rules follow those of the route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// No rules at all, the default.
    #[default]
    None,
    /// By URL: a minute for live pages, an hour for pages, a day for documents, otherwise 15
    /// minutes.
    Article,
    /// By class of page. Dynamic pages are not stored. Documents and blogs have a day and at most
    /// three, marketing pages half a day and at most one. Baselines are stored until they are
    /// purged, and all other pages for a day.
    Classes,
    /// By how often each page has changed; as `article` before the first look.
    Adaptive,
}

impl Preset {
    /// The rules in order.
    pub fn rules(self) -> Vec<Rule> {
        match self {
            Preset::None => Vec::new(),
            Preset::Article => article(),
            Preset::Classes => classes(),
            Preset::Adaptive => adaptive(),
        }
    }
}

fn article() -> Vec<Rule> {
    let contains =
        |words: &[&str]| urls(words.iter().map(|word| format!("*{word}*")).collect::<Vec<_>>().as_slice());
    let ends =
        |words: &[&str]| urls(words.iter().map(|word| format!("*{word}")).collect::<Vec<_>>().as_slice());
    vec![
        rule(
            "article-live",
            contains(&["/dashboard", "/admin", "/realtime", "feed", "live", "stream"]),
            fixed_ttl(60),
        ),
        rule("article-page", ends(&[".html", ".htm", "/"]), fixed_ttl(HOUR)),
        rule("article-document", contains(&["/docs", "/blog", "/about", "/pricing"]), fixed_ttl(DAY)),
        rule("article-other", When::default(), fixed_ttl(900)),
    ]
}

fn adaptive() -> Vec<Rule> {
    let then = Outcome { ttl: Some(Lifetime::Adaptive), ..Outcome::default() };
    std::iter::once(rule("adaptive", When::default(), then)).chain(article()).collect()
}

fn classes() -> Vec<Rule> {
    let dynamic = [
        "/dashboard/**",
        "/admin/**",
        "/account/**",
        "/cart/**",
        "/checkout/**",
        "/search/**",
        "/feed/**",
        "/live/**",
        "/realtime/**",
        "/stream/**",
    ];
    let baselines = When { queries: vec![QueryGlob::new("baseline")], ..When::default() };
    let baseline_paths = paths(&["/**/baseline/**", "/**/baselines/**"]);
    let documents = paths(&["/docs/**", "/blog/**", "/help/**", "/guide/**", "/guides/**", "/wiki/**"]);
    let document_hosts =
        When { hosts: ["docs.*", "blog.*", "help.*"].map(Glob::new).to_vec(), ..When::default() };
    let marketing = paths(&[
        "/",
        "/about/**",
        "/pricing/**",
        "/features/**",
        "/product/**",
        "/products/**",
        "/customers/**",
    ]);
    let up_to = |seconds, most| Outcome { max_ttl: Some(Duration::from_secs(most)), ..fixed_ttl(seconds) };
    let until_purged = || Outcome { ttl: Some(Lifetime::UntilPurged), ..Outcome::default() };
    let never = Outcome { ttl: Some(Lifetime::Never), ..Outcome::default() };
    vec![
        rule("classes-dynamic", paths(&dynamic), never),
        rule("classes-baseline", baselines, until_purged()),
        rule("classes-baseline", baseline_paths, until_purged()),
        rule("classes-document", documents, up_to(DAY, 3 * DAY)),
        rule("classes-document", document_hosts, up_to(DAY, 3 * DAY)),
        rule("classes-marketing", marketing, up_to(DAY / 2, DAY)),
        rule("classes-other", When::default(), fixed_ttl(DAY)),
    ]
}

fn rule(name: &str, when: When, then: Outcome) -> Rule {
    Rule { name: name.to_owned(), when, scripts: false, busters: false, then }
}

fn fixed_ttl(seconds: u64) -> Outcome {
    Outcome { ttl: Some(Lifetime::For(Duration::from_secs(seconds))), ..Outcome::default() }
}

fn urls(patterns: &[String]) -> When {
    When { urls: patterns.iter().map(Glob::new).collect(), ..When::default() }
}

fn paths(patterns: &[&str]) -> When {
    When { paths: patterns.iter().map(|pattern| PathGlob::new(*pattern)).collect(), ..When::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn lifetime(preset: Preset, page: &str) -> Option<Lifetime> {
        let page = Url::parse(page).expect("a URL");
        let rules = preset.rules();
        rules.iter().find(|rule| rule.when.matches(Some(&page))).and_then(|rule| rule.then.ttl)
    }

    /// The table of `article`, by row; the first match wins.
    #[test]
    fn preset_article_gives_lifetime_by_url() {
        for (page, seconds) in [
            ("https://a.example/dashboard", 60),
            ("https://a.example/dashboard.html", 60),
            ("https://a.example/admin/", 60),
            ("https://a.example/realtime?x", 60),
            ("https://a.example/feed.xml", 60),
            ("https://feedback.example/x", 60),
            ("https://a.example/live", 60),
            ("https://a.example/docs/streams", 60),
            ("https://a.example/a.html", 3600),
            ("https://a.example/a.htm", 3600),
            ("https://a.example/", 3600),
            // A URL without path is the same page and has the same lifetime.
            ("https://a.example", 3600),
            ("https://a.example/docs/", 3600),
            ("https://a.example/docs/a", 86_400),
            ("https://a.example/blog?page=2", 86_400),
            ("https://a.example/about", 86_400),
            ("https://a.example/pricing", 86_400),
            ("https://a.example/a.html?b", 900),
            ("https://a.example/other", 900),
        ] {
            let expected = Some(Lifetime::For(Duration::from_secs(seconds)));
            assert_eq!(lifetime(Preset::Article, page), expected, "{page}");
        }
    }

    #[test]
    fn preset_classes_gives_lifetime_by_class() {
        let hours = |hours: u64| Lifetime::For(Duration::from_secs(hours * HOUR));
        for (page, expected) in [
            ("https://a.example/dashboard", Lifetime::Never),
            ("https://a.example/search/?q=x", Lifetime::Never),
            ("https://a.example/docs/a/b", hours(24)),
            ("https://docs.a.example/x", hours(24)),
            ("https://a.example/blog", hours(24)),
            ("https://a.example/", hours(12)),
            ("https://a.example/pricing", hours(12)),
            ("https://a.example/x?baseline=1", Lifetime::UntilPurged),
            ("https://a.example/ui/baselines/7", Lifetime::UntilPurged),
            ("https://competitor.example/x", hours(24)),
        ] {
            assert_eq!(lifetime(Preset::Classes, page), Some(expected), "{page}");
        }
        let bounds: Vec<_> = Preset::Classes.rules().iter().map(|rule| rule.then.max_ttl).collect();
        assert_eq!(bounds[3], Some(Duration::from_secs(72 * HOUR)));
        assert_eq!(bounds[5], Some(Duration::from_secs(24 * HOUR)));
    }

    /// The first lifetime of `adaptive` is that of `article`.
    #[test]
    fn preset_adaptive_precedes_article_rules() {
        let rules = Preset::Adaptive.rules();
        assert_eq!(rules[0].then.ttl, Some(Lifetime::Adaptive));
        assert_eq!(rules[1..], Preset::Article.rules());
    }

    #[test]
    fn preset_none_has_no_rules() {
        assert!(Preset::None.rules().is_empty());
    }
}
