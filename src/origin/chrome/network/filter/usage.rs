//! Which rules of a list are used, and why others are not.

use std::collections::BTreeMap;
use std::fmt;

use adblock::filters::cosmetic::{
    CosmeticFilter, CosmeticFilterError, CosmeticFilterMask, CosmeticFilterOperator,
};
use adblock::filters::network::{NetworkFilter, NetworkFilterError};
use adblock::lists::{FilterParseError, ParseOptions, ParsedLine, parse_filter};

use crate::origin::chrome::network::filter::rules::{Action, is_procedural, is_selector, translate};

/// Why a rule is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unused {
    /// It runs a script in the page: `+js(...)`, `#%#`, the snippets of Adblock Plus.
    Scriptlet,
    /// It has an option for requests that is not known, such as `$popup`.
    Option,
    /// It changes answers or URLs: `$csp`, `$removeparam`.
    Change,
    /// It is for a stand-in resource alone: `$redirect-rule`.
    Redirect,
    /// Its selector needs a script that looks at the page, such as `:has-text()`.
    Procedural,
    /// It changes the HTML before the browser reads it: `##^`, `$$`.
    Html,
    /// Its action or style cannot be carried out.
    Action,
    /// It cannot be read.
    Syntax,
}

impl Unused {
    /// Its name for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Unused::Scriptlet => "scriptlet",
            Unused::Option => "unknown option",
            Unused::Change => "changed answer",
            Unused::Redirect => "stand-in resource",
            Unused::Procedural => "procedural selector",
            Unused::Html => "HTML filter",
            Unused::Action => "unknown action",
            Unused::Syntax => "unknown syntax",
        }
    }
}

/// How many rules of a list are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Rules of the list.
    pub rules: usize,
    /// Rules that are not used, by the reason.
    pub unused: BTreeMap<Unused, usize>,
}

impl Usage {
    /// Reads `text`, a list.
    pub(super) fn of(text: &str) -> Self {
        let mut usage = Usage::default();
        for line in text.lines().map(str::trim).filter(|line| is_rule(line)) {
            usage.rules += 1;
            if let Err(why) = read(line) {
                *usage.unused.entry(why).or_default() += 1;
            }
        }
        usage
    }

    /// Rules that are used.
    pub fn used(&self) -> usize {
        self.rules.saturating_sub(self.unused.values().sum())
    }

    /// The share of rules that are used, in whole per cent; of an empty list nothing is.
    pub fn percent(&self) -> usize {
        self.used().saturating_mul(100).checked_div(self.rules).unwrap_or_default()
    }

    /// Whether less than half of the list is used.
    pub fn is_low(&self) -> bool {
        self.used().saturating_mul(2) < self.rules || self.rules == 0
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, rules) = (grouped(self.used()), grouped(self.rules));
        write!(f, "{used} of {rules} rules used ({} %)", self.percent())?;
        let mut unused: Vec<_> = self.unused.iter().collect();
        unused.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (at, (why, count)) in unused.into_iter().enumerate() {
            let before = if at == 0 { "; not used: " } else { ", " };
            write!(f, "{before}{} {}", grouped(*count), why.name())?;
        }
        Ok(())
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Comments, headers and directives are no rules.
fn is_rule(line: &str) -> bool {
    let is_comment = line.starts_with('!')
        || line.starts_with('[') && line.ends_with(']') && !line.contains('#')
        || line == "#"
        || line.strip_prefix('#').is_some_and(|rest| rest.starts_with([' ', '\t']));
    !line.is_empty() && !is_comment
}

/// Whether a rule is used, and why it is not.
fn read(line: &str) -> Result<(), Unused> {
    let line = translate(line);
    match parse_filter(&line, false, ParseOptions::default()) {
        Ok(ParsedLine::Network(filter)) => network(&filter, &line),
        Ok(ParsedLine::Cosmetic(filter)) => cosmetic(&filter),
        Err(FilterParseError::Network(NetworkFilterError::UnrecognisedOption)) => Err(Unused::Option),
        Err(FilterParseError::Network(
            NetworkFilterError::RemoveparamRegexUnsupported
            | NetworkFilterError::RemoveparamWithException
            | NetworkFilterError::EmptyRemoveparam
            | NetworkFilterError::CspWithContentType,
        )) => Err(Unused::Change),
        Err(FilterParseError::Cosmetic(CosmeticFilterError::GenericAction)) => {
            Action::generic(&line).map(drop).ok_or(Unused::Action)
        }
        Err(FilterParseError::Cosmetic(CosmeticFilterError::HtmlFilteringUnsupported)) => Err(Unused::Html),
        Err(FilterParseError::Cosmetic(
            CosmeticFilterError::GenericScriptInject | CosmeticFilterError::InvalidScriptletArgs,
        )) => Err(Unused::Scriptlet),
        Err(_) if line.contains("#%#") || line.contains("#@%#") || line.contains("#$#") => {
            Err(Unused::Scriptlet)
        }
        Err(_) if line.contains("$$") || line.contains("$@$") => Err(Unused::Html),
        Err(_) => Err(Unused::Syntax),
    }
}

fn network(filter: &NetworkFilter<'_>, line: &str) -> Result<(), Unused> {
    if filter.is_csp() || filter.is_removeparam() {
        return Err(Unused::Change);
    }
    if filter.is_redirect() && !filter.also_block_redirect() {
        return Err(Unused::Redirect);
    }
    // The engine for regular expressions has no look-around.
    let is_regex = line.trim_start_matches("@@").starts_with('/');
    match is_regex && ["(?=", "(?!", "(?<"].iter().any(|look| line.contains(look)) {
        true => Err(Unused::Syntax),
        false => Ok(()),
    }
}

fn cosmetic(filter: &CosmeticFilter) -> Result<(), Unused> {
    if filter.mask.contains(CosmeticFilterMask::SCRIPT_INJECT) {
        return Err(Unused::Scriptlet);
    }
    let [CosmeticFilterOperator::CssSelector(selector)] = &filter.selector[..] else {
        return Err(Unused::Procedural);
    };
    if is_procedural(selector) {
        return Err(Unused::Procedural);
    }
    if !is_selector(selector) {
        return Err(Unused::Syntax);
    }
    match &filter.action {
        Some(action) => Action::new(&filter.selector, action).map(drop).ok_or(Unused::Action),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_has_its_reason() {
        use Unused::{Action, Change, Html, Option, Procedural, Redirect, Scriptlet, Syntax};
        for (line, expected) in [
            ("||a.example^", Ok(())),
            ("@@||a.example^$script,third-party", Ok(())),
            ("||a.example^$script,redirect=noop.js", Ok(())),
            ("##.ad", Ok(())),
            ("a.example##.ad", Ok(())),
            ("a.example#@#.ad", Ok(())),
            ("a.example##body:style(overflow: auto !important)", Ok(())),
            ("##.x:remove()", Ok(())),
            ("a.example#$#body { overflow: auto !important; }", Ok(())),
            ("a.example#?#p:-abp-has(b)", Ok(())),
            ("||a.example^$popup", Err(Option)),
            ("||a.example^$csp=script-src 'none'", Err(Change)),
            ("||a.example^$removeparam=utm_source", Err(Change)),
            ("||a.example^$script,redirect-rule=noop.js", Err(Redirect)),
            ("a.example##+js(set, a, true)", Err(Scriptlet)),
            ("##+js(set, a, true)", Err(Scriptlet)),
            ("a.example#%#//scriptlet('set-cookie', 'a', 'b')", Err(Scriptlet)),
            ("a.example#$#log hello", Err(Scriptlet)),
            ("a.example##p:has-text(Cookies)", Err(Procedural)),
            ("a.example##p:upward(2):remove()", Err(Procedural)),
            ("a.example##^script:has-text(x)", Err(Html)),
            ("a.example$$script[data-x]", Err(Html)),
            ("a.example##p:style(background: url(//b.example))", Err(Action)),
            ("##p[a=\"b", Err(Syntax)),
            ("/ad(?!vice)/$script", Err(Syntax)),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn shares_are_told_in_one_line() {
        let text = "[Adblock Plus 2.0]\n! a comment\n!#if env_chromium\n# another\n\n##.a\n##.b\n||c.example^$popup\n\
                    x.example##+js(y)\nz.example##+js(y)\n";
        let usage = Usage::of(text);
        assert_eq!((usage.rules, usage.used(), usage.percent(), usage.is_low()), (5, 2, 40, true));
        assert_eq!(usage.to_string(), "2 of 5 rules used (40 %); not used: 2 scriptlet, 1 unknown option");
        assert_eq!(Usage::of("##.a\n").to_string(), "1 of 1 rules used (100 %)");
        assert!(Usage::of("").is_low() && !Usage::of("##.a\n||b^$popup\n").is_low());
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }
}
