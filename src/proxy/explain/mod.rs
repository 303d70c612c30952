//! Explains a request without making it: its route and key, what is stored and for how long, the
//! response that it would get now, and why nothing is stored. Counts and fetches nothing, and
//! brings nothing into memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri, header};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::message::body::Body;
use crate::message::cache_status::Forward;
use crate::message::outcome::CacheOutcome;
use crate::policy::admission::NotStored;
use crate::policy::signing::own;
use crate::policy::validation;
use crate::proxy::Proxy;
use crate::proxy::auth::{Auth, Leave};
use crate::proxy::cache::decide::Decision;
use crate::proxy::cache::stored::Found;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::parse;
use crate::proxy::request::reading::Reading;
use crate::proxy::request::{self, CacheRequest, forward, target};

mod parts;

use parts::{of_freshness, of_key, of_negative, of_route, of_stored, of_variants, rfc3339};

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which request.
    pub what: What,
    /// Its method.
    pub method: Method,
    /// Its fields.
    pub fields: HeaderMap,
}

/// Which request is to be explained.
#[derive(Clone, Debug)]
pub enum What {
    /// One for this URL of this proxy: absolute, or path and query.
    Request(String),
    /// The plain capture of this page.
    Page(String),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It is no URL.
    #[error("`{0}` is neither a URL nor a path and query")]
    NotAUrl(String),
    /// No route captures pages.
    #[error("no route captures pages")]
    NoCaptures,
}

impl Proxy {
    /// Explains `question`.
    ///
    /// # Errors
    /// A question about nothing that can be asked for.
    pub async fn explain(&self, question: Question) -> Result<Value, NoAnswer> {
        let (mut request, secure) = self.request_of(&question)?;
        let told = json!({ "method": question.method.as_str(), "url": request.uri.to_string() });
        let refused = |refusal: Refusal| {
            let now =
                json!({ "answer": "error", "rule": refusal.name(), "status": refusal.status().as_u16() });
            json!({ "request": told.clone(), "route": null, "now": now, "why": refusal.to_string() })
        };
        if let Err(refusal) = target::complete(&mut request, secure, self.config.max_uri_bytes) {
            return Ok(refused(refusal));
        }
        let Some(route) = self.routes.find(&request.uri).map(Arc::clone) else {
            return Ok(refused(Refusal::NoRoute));
        };
        forward::sanitize(&mut request.headers);
        // Explains the response that the request would get if it were admitted, and whether it is.
        let admitted = self.keys.admit(&route, &mut request, &Body::Empty, self.clock.now());
        if admitted.is_err()
            && let Some(query) = request.uri.query().filter(|_| route.auth.takes_links())
            && let Some(plain) = own::without(query)
        {
            request.uri = target::with_query(&request.uri, &plain).unwrap_or_else(|| request.uri.clone());
        }
        let read = parse::read(&route, &mut request, Body::Empty, self.config.max_request_body).await;
        let (mut reading, body) = match read {
            Ok(read) => read,
            Err(refusal) => return Ok(refused(refusal)),
        };
        let passes = request::why_bypass(&request, &body);
        let admission = of_admission(route.auth, admitted, &mut reading);
        let asked = self.cache.request(route, request, IpAddr::V4(Ipv4Addr::LOCALHOST), reading);
        let seen = self.cache.inspect(&asked.primary, &asked.head).await;
        let now = self.clock.now();
        let wishes = &asked.wishes;
        let stored = seen.found.stored.as_ref();
        Ok(json!({
            "request": told,
            "route": of_route(&asked.route, self.config.routes.len()),
            "admission": admission,
            "key": of_key(&asked, &seen.found.key),
            "wishes": {
                "page": wishes.page.as_ref().map(Url::as_str),
                "ttl_seconds": wishes.ttl.map(|ttl| ttl.as_secs()),
                "stale_ttl_seconds": wishes.stale_ttl.map(|ttl| ttl.as_secs()),
                "force": wishes.force,
                "no_cache": wishes.no_cache,
            },
            "stored": stored.map(|(stored, tier)| of_stored(stored, *tier)),
            "variants": seen.variants.as_ref().map(|variants| of_variants(variants, &seen.found.key)),
            "rule": {
                "matched": asked.route.lifetimes.rule(asked.plan),
                "refused": asked.plan.refused.map(NotStored::name),
                "overruled": stored.and_then(|(stored, _)| Some(stored.head().ruling.as_ref()?.told.clone())),
            },
            "freshness": stored.map(|(stored, _)| of_freshness(stored.head(), &asked, now)),
            "now": self.outcome(&asked, &seen.found, passes),
            "purge": {
                "purged": seen.purged.is_some(),
                "stale_by_purge": stored.is_some_and(|(stored, _)| {
                    self.cache.store().is_softened(&stored.record().handles, stored.record().sequence)
                }),
                "ledger_entries": self.cache.store().usage().ledger_entries,
            },
            "mark": self.cache.negative.get(&seen.found.key, now).map(of_negative),
            "not_stored": self.cache.declined.get(&asked.primary).map(|reason| json!({
                "reason": reason.name,
                "words": reason.words,
                "at": rfc3339(reason.at),
                "seconds_ago": now.since(reason.at).as_secs(),
            })),
        }))
    }

    /// The request that is asked about, and whether it comes over TLS.
    fn request_of(&self, question: &Question) -> Result<(Parts, bool), NoAnswer> {
        let url = match &question.what {
            What::Request(url) => url.split('#').next().unwrap_or_default().trim().to_owned(),
            What::Page(page) => {
                let route = self.routes.capturing().ok_or(NoAnswer::NoCaptures)?;
                let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", page).finish();
                let host = route.host.as_deref().unwrap_or("localhost");
                format!("http://{host}{}?{query}", route.path.trim_end_matches('/'))
            }
        };
        let bad = || NoAnswer::NotAUrl(url.clone());
        let host =
            question.fields.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let absolute = if url.starts_with('/') { format!("http://{host}{url}") } else { url.clone() };
        let uri: Uri = absolute.parse().map_err(|_| bad())?;
        let secure = uri.scheme_str() == Some("https");
        if !secure && uri.scheme_str() != Some("http") {
            return Err(bad());
        }
        let request = Request::builder().method(question.method.clone()).uri(uri).body(());
        let (mut request, ()) = request.map_err(|_| bad())?.into_parts();
        request.headers = question.fields.clone();
        request.headers.remove(header::HOST);
        // The target alone names the host.
        request.version = http::Version::HTTP_2;
        Ok((request, secure))
    }

    /// What the request would get now, and by which rule.
    fn outcome(&self, asked: &CacheRequest, found: &Found, passes: Option<Forward>) -> Value {
        let only_range =
            asked.head.headers.contains_key(header::RANGE) && request::is_cacheable(&asked.head.method);
        if let Some(why) = passes
            && !only_range
        {
            return json!({ "answer": "bypass", "rule": why.token(), "asks_origin": true });
        }
        if let Some(refused) = asked.plan.refused {
            return json!({ "answer": "bypass", "rule": refused.name(), "asks_origin": true });
        }
        let under_way = self.fetcher.is_under_way(&found.key);
        let head = found.stored.as_ref().map(|(stored, _)| stored.head());
        match self.cache.decide(asked, found) {
            Decision::Serve { outcome: CacheOutcome::Hit(tier), .. } => {
                json!({ "answer": "hit", "rule": "fresh", "tier": tier.name(), "asks_origin": false })
            }
            Decision::Serve { outcome, revalidate: false, .. } => {
                json!({ "answer": "stale", "rule": outcome.detail(), "asks_origin": false })
            }
            Decision::Serve { outcome, .. } => json!({
                "answer": "stale", "rule": outcome.detail(), "asks_origin": "behind", "fetch_under_way": under_way,
            }),
            Decision::Forward(_) if asked.leave.is_restricted() => {
                json!({ "answer": "error", "rule": "not-rendered", "status": 404, "asks_origin": false })
            }
            Decision::Forward(_) if asked.directives.only_if_cached => {
                json!({ "answer": "error", "rule": "only-if-cached", "status": 504, "asks_origin": false })
            }
            Decision::Forward(why) => {
                let alone = only_range || asked.head.method == Method::HEAD;
                let rule = match head {
                    Some(head) if head.no_cache => "no-cache",
                    _ => why.token(),
                };
                json!({
                    "answer": if alone && !asked.route.capture { "bypass" } else { "miss" },
                    "rule": rule,
                    "asks_origin": true,
                    "validates": head.is_some_and(|head| !validation::conditions(head).is_empty()),
                    "fetch_under_way": under_way,
                })
            }
        }
    }
}

/// Whether the request is admitted, and by what. Nothing on a route that admits everybody.
fn of_admission(auth: Auth, admitted: Result<Leave, Refusal>, reading: &mut Reading) -> Value {
    let admitted = admitted.and_then(|leave| {
        leave.limit(&mut reading.wishes);
        reading.leave = leave;
        reading.leave.check_page(&reading.wishes)
    });
    match admitted {
        _ if auth == Auth::None => Value::Null,
        Ok(()) => json!({ "admitted_by": reading.leave.words() }),
        Err(refusal) => json!({ "refused": refusal.name() }),
    }
}
