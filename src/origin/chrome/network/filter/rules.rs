//! What the adblock crate leaves to its user: the syntax of rules that it does not read, rules with an action, and
//! selectors that may go into a style sheet.

use std::borrow::Cow;

use adblock::cosmetic_filter_cache::ProceduralOrActionFilter;
use adblock::filters::cosmetic::{CosmeticFilter, CosmeticFilterAction, CosmeticFilterOperator};
use adblock::resources::PermissionMask;
use serde::Serialize;

/// Bytes of one selector, and of the declarations of one `:style()`.
const MAX_SELECTOR: usize = 4096;
const MAX_STYLE: usize = 1024;

/// Operators of uBlock Origin, AdGuard and Adblock Plus that are not CSS: they need a script that looks at the page.
const PROCEDURAL: [&str; 24] = [
    ":-abp-contains(",
    ":-abp-properties(",
    ":contains(",
    ":has-text(",
    ":if(",
    ":if-not(",
    ":matches-attr(",
    ":matches-css(",
    ":matches-css-after(",
    ":matches-css-before(",
    ":matches-media(",
    ":matches-path(",
    ":matches-prop(",
    ":matches-property(",
    ":min-text-length(",
    ":nth-ancestor(",
    ":others(",
    ":remove-attr(",
    ":remove-class(",
    ":shadow(",
    ":upward(",
    ":watch-attr(",
    ":xpath(",
    ":remove()",
];

/// What an action rule does to the elements that it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A rule for a style sheet.
    Style(String),
    Remove(Removal),
}

/// What is taken off a page: elements; or if there is one, their attribute, or a name of their class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Removal {
    selector: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Action {
    pub(super) fn new(selector: &[CosmeticFilterOperator], action: &CosmeticFilterAction) -> Option<Self> {
        let [CosmeticFilterOperator::CssSelector(selector)] = selector else { return None };
        if !is_selector(selector) || is_procedural(selector) {
            return None;
        }
        let removal = |attribute: Option<&String>, name: Option<&String>| {
            let (attribute, name) = (attribute.cloned(), name.cloned());
            Action::Remove(Removal { selector: selector.clone(), attribute, name })
        };
        match action {
            CosmeticFilterAction::Style(style) if is_style(style) => {
                Some(Action::Style(format!("{selector}{{{style}}}")))
            }
            CosmeticFilterAction::Style(_) => None,
            CosmeticFilterAction::Remove => Some(removal(None, None)),
            CosmeticFilterAction::RemoveAttr(attribute) => Some(removal(Some(attribute), None)),
            CosmeticFilterAction::RemoveClass(name) => Some(removal(None, Some(name))),
        }
    }

    /// From the JSON that the crate keeps such rules as.
    pub(super) fn from_json(json: &str) -> Option<Self> {
        let ProceduralOrActionFilter { selector, action } = serde_json::from_str(json).ok()?;
        Action::new(&selector, &action?)
    }

    /// From a rule for every page, such as `##body:style(overflow: auto)`. The crate has them for named hosts only.
    pub(super) fn generic(line: &str) -> Option<Self> {
        if !line.starts_with("##") && !line.starts_with("#?#") {
            return None;
        }
        let named = format!("any.invalid{line}");
        let rule = CosmeticFilter::parse(&named, false, PermissionMask::default()).ok()?;
        Action::new(&rule.selector, &rule.action?)
    }
}

/// A line in the syntax that the crate reads: CSS injections of Adblock Plus and AdGuard (`#$#`) are rules with a style,
/// `:-abp-has` is the `:has` of browsers.
pub(super) fn translate(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    for (marker, plain) in [("#$#", "##"), ("#@$#", "#@#"), ("#$?#", "#?#"), ("#@$?#", "#@?#")] {
        if let Some((hosts, rule)) = line.split_once(marker) {
            // Without braces it calls a script of Adblock Plus by name.
            let is_css = rule.contains('{') && rule.trim_end().ends_with('}');
            if is_css && !hosts.contains('#') {
                line = Cow::Owned(format!("{hosts}{plain}{rule}"));
            }
            break;
        }
    }
    if line.contains(":-abp-has(") {
        line = Cow::Owned(line.replace(":-abp-has(", ":has("));
    }
    line
}

/// A list with every line translated.
pub(super) fn translate_list(text: &str) -> Cow<'_, str> {
    if !["#$", "#@$", ":-abp-has("].iter().any(|mark| text.contains(mark)) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<Cow<'_, str>> = text.lines().map(translate).collect();
    Cow::Owned(lines.join("\n"))
}

/// Whether a selector may be put before `{`: one that does not end by itself would swallow the rules after it. Whether
/// it is good CSS is for the browser to say, rule by rule.
pub(super) fn is_selector(selector: &str) -> bool {
    !selector.is_empty() && selector.len() <= MAX_SELECTOR && is_closed(selector)
}

/// Whether a selector has operators that are not CSS.
pub(super) fn is_procedural(selector: &str) -> bool {
    PROCEDURAL.iter().any(|operator| selector.contains(operator))
}

/// Whether these are declarations that load nothing and end by themselves, as uBlock Origin has it.
fn is_style(style: &str) -> bool {
    let lower = style.to_ascii_lowercase();
    let bad = ["url(", "image-set(", "image(", "\\", "/*", "@"];
    style.len() <= MAX_STYLE && is_closed(style) && !bad.iter().any(|bad| lower.contains(bad))
}

/// Whether brackets and quotes are in pairs, and there is no brace outside of quotes.
fn is_closed(text: &str) -> bool {
    let mut open = Vec::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '\n' | '\r' | '\u{c}') => return false,
            (_, '\\') if chars.next().is_none() => return false,
            (_, '\\') => {}
            (Some(end), _) => quote = quote.filter(|_| c != end),
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, ')' | ']') if open.pop() != Some(c) => return false,
            (None, '{' | '}') => return false,
            (None, '/') if chars.as_str().starts_with('*') => return false,
            _ => {}
        }
    }
    open.is_empty() && quote.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injections_of_other_blockers_are_rules_with_a_style() {
        for (line, expected) in [
            (
                "a.example#$#body { overflow: auto !important; }",
                "a.example##body { overflow: auto !important; }",
            ),
            ("#$#body { overflow: auto }", "##body { overflow: auto }"),
            ("a.example#@$#body { overflow: auto }", "a.example#@#body { overflow: auto }"),
            ("a.example#$?#p:has(b) { color: red }", "a.example#?#p:has(b) { color: red }"),
            ("a.example#?#p:-abp-has(b)", "a.example#?#p:has(b)"),
            ("a.example#$#log 'x'", "a.example#$#log 'x'"),
            ("a.example##p", "a.example##p"),
            ("||a.example^$image", "||a.example^$image"),
            ("! a #$# b { }", "! a ## b { }"),
        ] {
            assert_eq!(translate(line), expected, "{line}");
        }
        assert_eq!(translate_list("##a\n#$#b { c: d }\n##e"), "##a\n##b { c: d }\n##e");
        assert!(matches!(translate_list("##a\n##b"), Cow::Borrowed(_)));
    }

    #[test]
    fn actions_are_read() {
        let removal = |selector: &str, attribute: Option<&str>, name: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let (attribute, name) = (owned(attribute), owned(name));
            Some(Action::Remove(Removal { selector: selector.to_owned(), attribute, name }))
        };
        let style = |rule: &str| Some(Action::Style(rule.to_owned()));
        for (line, expected) in [
            ("##body:style(overflow: auto !important)", style("body{overflow: auto !important}")),
            ("##body { overflow: auto !important; }", style("body{overflow: auto !important;}")),
            ("##.x:remove()", removal(".x", None, None)),
            ("##.x { remove: true; }", removal(".x", None, None)),
            ("##.x:remove-attr(style)", removal(".x", Some("style"), None)),
            ("##body:remove-class(modal-open)", removal("body", None, Some("modal-open"))),
            // What loads something, or would reach past its rule.
            ("##p:style(background: url(http://a.example/))", None),
            ("##p:style(color: red} q{color: blue)", None),
            ("##p:style(color: red /* )", None),
            ("##p[a=\"b:style(color: red)", None),
            // Not an action, not for every page, no rule.
            ("##.x", None),
            ("a.example##.x:remove()", None),
            ("||a.example^", None),
            ("##", None),
        ] {
            assert_eq!(Action::generic(line), expected, "{line}");
        }
    }

    #[test]
    fn selectors_end_by_themselves() {
        for (selector, expected) in [
            (".a > b:has(c[d=\"}\"])", true),
            ("[onclick='f({})']", true),
            (".a\\:b", true),
            (".a:not(.b", false),
            (".a]", false),
            ("[a=\"b]", false),
            (".a{color:red}.b", false),
            (".a\n.b", false),
            (".a /* .b", false),
            (".a\\", false),
            ("", false),
        ] {
            assert_eq!(is_selector(selector), expected, "{selector:?}");
        }
        assert!(!is_selector(&"a".repeat(MAX_SELECTOR + 1)));
        assert!(is_procedural("p:has-text(Cookies)") && !is_procedural("p:has(b)"));
    }
}
