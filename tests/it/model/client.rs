//! The clients of a walk: what they send, and the state of things when they do.

use std::sync::Arc;

use super::origin::date;
use super::step::{Ask, Condition, Directive, RANGES, VARIANTS};
use super::walk::Run;
use crate::support::*;

/// A request as sent, and the state of things then.
pub(super) struct Request {
    pub(super) ask: Ask,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) since: Option<u64>,
    pub(super) if_range: Option<String>,
    pub(super) began: usize,
    pub(super) from: u64,
    pub(super) bound: usize,
    pub(super) latest: usize,
}

/// A request that is answered.
pub(super) struct Answered {
    pub(super) request: Request,
    pub(super) answer: Answer,
    pub(super) ended: usize,
    pub(super) to: u64,
}

impl Run<'_> {
    pub(super) fn send(&self, ask: &Ask) -> Request {
        let nth = |n: usize| {
            let tags = &self.tags[ask.key];
            (!tags.is_empty()).then(|| tags[tags.len() - 1 - n % tags.len()].clone())
        };
        let dated = |n: usize| {
            let dates = &self.dates[ask.key];
            (!dates.is_empty()).then(|| dates[dates.len() - 1 - n % dates.len()])
        };
        let nobodys = ("\"nobody\"".to_owned(), String::new());
        let (mut tags, mut since) = (Vec::new(), None);
        let mut fields: Vec<(&'static str, String)> = Vec::new();
        match ask.condition {
            Condition::None => {}
            Condition::Tag(n) => tags.extend(nth(n)),
            Condition::WeakTags(n) => {
                tags.push(nobodys);
                tags.extend(nth(n).map(|(tag, body)| (format!("W/{}", tag.trim_start_matches("W/")), body)));
            }
            Condition::AnyTag => fields.push(("If-None-Match", "*".into())),
            Condition::NoTag => tags.push(nobodys),
            Condition::Since(n) => since = dated(n),
            Condition::NoTagSince(n) => {
                tags.push(nobodys);
                since = dated(n);
            }
        }
        if !tags.is_empty() {
            let list: Vec<&str> = tags.iter().map(|(tag, _)| tag.as_str()).collect();
            fields.push(("If-None-Match", list.join(", ")));
        }
        fields.extend(since.map(|since| ("If-Modified-Since", date(since))));
        let if_range =
            ask.range.filter(|(_, conditional)| *conditional).and_then(|_| nth(0)).map(|(tag, _)| tag);
        fields.extend(if_range.clone().map(|tag| ("If-Range", tag)));
        fields.extend(ask.range.map(|(range, _)| ("Range", RANGES[range].to_owned())));
        fields.extend(VARIANTS[ask.variant].map(|variant| ("X-V", variant.to_owned())));
        fields.extend(ask.authorised.then(|| ("Authorization", "Basic eA==".to_owned())));
        fields.extend(ask.directives.iter().map(|directive| directive.line()));
        let (began, from) = (self.sent(), self.world.lock().now);
        let latest = self.latest.get(&(ask.key, ask.variant)).copied().unwrap_or(0);
        Request {
            ask: ask.clone(),
            fields,
            tags,
            since,
            if_range,
            began,
            from,
            bound: self.bounds[ask.key],
            latest,
        }
    }

    pub(super) fn finish(&self, request: Request) -> impl Future<Output = Answered> + use<> {
        let method = if request.ask.head { "HEAD" } else { "GET" };
        let fields: Vec<(&str, &str)> = request.fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let url = self.tintype.url(&path(request.ask.key));
        let answer = self.tintype.client.request(method, &url, &fields, "");
        let world = Arc::clone(&self.world);
        async move {
            let answer = answer.await;
            let state = world.lock();
            Answered { request, answer, ended: state.answers.len(), to: state.now }
        }
    }
}

impl Directive {
    fn line(self) -> (&'static str, String) {
        let value = match self {
            Directive::Pragma => return ("Pragma", "no-cache".to_owned()),
            Directive::NoCache => "no-cache".to_owned(),
            Directive::NoStore => "no-store".to_owned(),
            Directive::OnlyIfCached => "only-if-cached".to_owned(),
            Directive::MaxAge(seconds) => format!("max-age={seconds}"),
            Directive::MinFresh(seconds) => format!("min-fresh={seconds}"),
            Directive::MaxStale(None) => "max-stale".to_owned(),
            Directive::MaxStale(Some(seconds)) => format!("max-stale={seconds}"),
        };
        ("Cache-Control", value)
    }
}

/// The target of this number.
pub(super) fn path(key: usize) -> String {
    format!("/k{key}")
}
