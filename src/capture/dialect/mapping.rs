//! Tables of names at work: each parameter is mapped, found fault with, or, in front of the service itself, passed on and told apart by.

use std::collections::BTreeMap;

use super::super::canonical::hash;
use super::super::parameter::Pair;
use super::super::{parameters, values};
use super::request::Form;
use crate::message::problem::Fault;

/// Characters of a bad value that are told.
const TOLD: usize = 80;

/// What a name of a service means.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// The same as this name of ours, in the same units.
    Is(&'static str),
    /// The same in seconds, where ours has milliseconds.
    Seconds(&'static str),
    /// A flag that stands for this value of that parameter.
    Means(&'static str, &'static str),
    /// One of these words, and what it is called here; `""` for nothing, as it is so by default.
    Words(&'static str, &'static [(&'static str, &'static str)]),
    /// A flag that must not be set.
    Off,
    /// It must say this, which is what happens anyway.
    Only(&'static str),
    /// Nothing here can do that.
    Never,
    /// Nothing here depends on it.
    Nothing,
    /// It proves who asks.
    Credential,
    /// What is done with the picture elsewhere: with it, it is a job.
    Job,
    /// Read by the dialect itself: before the others, and not sent on.
    Form,
    /// Read by the dialect itself, together with others.
    Own,
}

/// A request on its way into our own words.
pub struct Mapping {
    rules: &'static [(&'static str, Rule)],
    prefix: &'static str,
    pub(super) remote: bool,
    /// What was given.
    pub(super) given: Vec<Pair>,
    /// What it means, in our own names.
    pub(super) pairs: Vec<Pair>,
    /// What the service itself would be sent.
    pub(super) sent: Vec<Pair>,
    /// Canonical names and those that were given.
    pub(super) names: Vec<(&'static str, String)>,
    /// What the client gets.
    pub(super) form: Form,
    /// It is not about a picture.
    pub(super) other: bool,
    /// Part of it is said in fields.
    pub(super) by_fields: bool,
    /// It names several pages: which of them is captured only the service knows.
    pub(super) ambiguous: bool,
    /// What cannot be had.
    pub(super) faults: Vec<Fault>,
    /// What rules left to the dialect itself.
    pub(super) own: Vec<Pair>,
}

impl Mapping {
    pub(super) fn new(
        rules: &'static [(&'static str, Rule)],
        prefix: &'static str,
        remote: bool,
        given: Vec<Pair>,
    ) -> Self {
        Mapping {
            rules,
            prefix,
            remote,
            given,
            pairs: Vec::new(),
            sent: Vec::new(),
            names: Vec::new(),
            form: Form::default(),
            other: false,
            by_fields: false,
            ambiguous: false,
            faults: Vec::new(),
            own: Vec::new(),
        }
    }

    /// The value that was given last for `name`.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Takes what rules left over under `name`.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.own.iter().rposition(|(known, _)| known == name)?;
        let value = self.own.remove(at).1;
        self.own.retain(|(known, _)| known != name);
        Some(value)
    }

    /// Applies the rules to everything that was given.
    pub(super) fn apply(&mut self, service: &str) {
        for (name, value) in std::mem::take(&mut self.given) {
            let plain = name.strip_prefix(self.prefix).unwrap_or(&name);
            let rule = self.rules.iter().find(|(known, _)| *known == plain).map(|(_, rule)| *rule);
            // What is empty is as if it were not there, to us as to the service; but for the page, which makes it a request for a picture.
            let said = match rule {
                Some(Rule::Is("url" | "html" | "markdown")) => true,
                Some(Rule::Is(canonical)) => {
                    !parameters::find(canonical).is_some_and(|known| known.is_empty(&value))
                }
                _ => true,
            };
            if said && !matches!(rule, Some(Rule::Credential | Rule::Form)) {
                self.sent.push((name.clone(), value.clone()));
            }
            match rule {
                Some(rule) => self.follow(rule, &name, value),
                None => self.cannot(
                    &name,
                    &value,
                    &format!("nothing: it is no parameter of {service} that is known here"),
                ),
            }
        }
        self.tell_doubled_apart();
    }

    /// Of what is given several times one counts to us, but who knows which to the service, to which all is sent: pictures are told apart by
    /// all of it. Lists are told apart as they are, and what is said to the cache is not.
    fn tell_doubled_apart(&mut self) {
        if !self.remote {
            return;
        }
        let plain = |name: &str| name.strip_prefix(self.prefix).unwrap_or(name).to_owned();
        let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, value) in &self.sent {
            values.entry(plain(name)).or_default().push(value);
        }
        let is_known = |name: &str| {
            let rule = self.rules.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule);
            match rule {
                Some(Rule::Is(canonical)) => {
                    parameters::find(canonical).is_some_and(|known| known.is_list_or_control())
                }
                Some(Rule::Own) => name == "cache",
                _ => false,
            }
        };
        values.retain(|name, values| values.iter().any(|value| *value != values[0]) && !is_known(name));
        let doubled: Vec<(String, String)> =
            values.into_iter().map(|(name, values)| (name, values.join("\0"))).collect();
        for (name, values) in &doubled {
            self.ambiguous |= name == "url";
            self.opaque(&format!("{name}~"), values);
        }
    }

    fn follow(&mut self, rule: Rule, name: &str, value: String) {
        let flag = values::flag(&value);
        match rule {
            Rule::Is(canonical) => self.add(canonical, name, value),
            Rule::Seconds(canonical) => match value.trim().parse::<f64>() {
                Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
                    self.add(canonical, name, (seconds * 1000.0).round().to_string());
                }
                _ => self.cannot(name, &value, "a number of seconds"),
            },
            Rule::Means(canonical, meant) => match flag {
                Some(true) => self.add(canonical, name, meant.to_owned()),
                Some(false) => {}
                None => self.cannot(name, &value, "true or false"),
            },
            Rule::Words(canonical, words) => {
                let given = value.trim().to_ascii_lowercase();
                match words.iter().find(|(theirs, _)| *theirs == given) {
                    Some((_, "")) => {}
                    Some((_, ours)) => self.add(canonical, name, (*ours).to_owned()),
                    None => {
                        let known: Vec<&str> = words.iter().map(|(theirs, _)| *theirs).collect();
                        self.cannot(name, &value, &format!("one of {}", known.join(", ")));
                    }
                }
            }
            Rule::Off if flag == Some(false) || value.is_empty() || value == "0" => {}
            Rule::Off => self.cannot(name, &value, "false: it cannot be done here"),
            Rule::Only(word) if value.trim().eq_ignore_ascii_case(word) => {}
            Rule::Only(word) => self.cannot(name, &value, &format!("{word}: nothing else can be done here")),
            Rule::Never => self.cannot(name, &value, "nothing: it cannot be done here"),
            Rule::Nothing if self.remote => self.opaque(name, &value),
            Rule::Nothing | Rule::Credential | Rule::Form => {}
            Rule::Job if flag == Some(false) || value.is_empty() => {}
            Rule::Job if self.remote => self.other = true,
            Rule::Job => self.cannot(
                name,
                &value,
                "nothing: pictures are answered at once, and are not sent elsewhere",
            ),
            Rule::Own => self.own.push((name.to_owned(), value)),
        }
    }

    /// `name` means this value of that parameter.
    pub(super) fn add(&mut self, canonical: &'static str, name: &str, value: String) {
        self.pairs.push((canonical.to_owned(), value));
        self.names.push((canonical, name.to_owned()));
    }

    /// The built-in engine cannot do that; the service itself may, and its pictures are told apart by it.
    pub(super) fn cannot(&mut self, name: &str, value: &str, allowed: &str) {
        if self.remote {
            return self.opaque(name, value);
        }
        self.faults.push(Fault {
            parameter: cut(name),
            found: found(name, value),
            allowed: allowed.to_owned(),
        });
    }

    /// The answer is wanted in a form that only the service itself has, if anybody.
    pub(super) fn cannot_answer(&mut self, name: &str, value: &str, allowed: &str) {
        if self.remote {
            self.other = true;
        } else {
            self.cannot(name, value, allowed);
        }
    }

    /// A hash, as nobody knows whether it is private, under a name that none of ours has.
    fn opaque(&mut self, name: &str, value: &str) {
        self.pairs.push((format!("~{name}"), hash(value)));
    }

    /// Finds fault with a request that names no page.
    pub(super) fn want_page(&mut self) {
        let named =
            ["url", "html", "markdown"].iter().any(|name| self.pairs.iter().any(|(known, _)| known == name));
        if !named && !self.faults.iter().any(|fault| fault.parameter == "url") {
            let allowed = "the URL of a page".to_owned();
            self.faults.push(Fault { parameter: "url".into(), found: "nothing".into(), allowed });
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What was given, unless it may be somebody's secret.
fn found(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    let secret = ["key", "secret", "token", "cookie", "header", "auth", "proxy", "password", "webhook"];
    if secret.iter().any(|part| name.contains(part)) { "a value".into() } else { cut(value) }
}
