//! DATA PLANE: route, key, lookup, decide, fetch, respond.
//!
//! [`Proxy::handle`] tells the story; each step is one hop away: [`route`], [`lookup`], `collapse`, [`flight`] and `fetch`,
//! `keep`, [`respond`], and [`refusal`] for what tintype answers itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body as _;
use tokio::sync::watch;

use crate::capture::dialect::imgproxy;
use crate::clock::Clock;
use crate::derive::{self, Deriver};
use crate::message::body::Body;
use crate::message::cache_status::{self, CacheStatus, Forward, Forwarded};
use crate::message::outcome::{CacheOutcome, StaleReason};
use crate::policy::admission::Terms;
use crate::policy::audience::Asker;
use crate::policy::audience::Audience;
use crate::policy::directives::RequestDirectives;
use crate::policy::public_url::PublicUrl;
use crate::policy::reuse::{self, MustValidate, Reuse, StaleUse};
use crate::policy::rules::{Lifetimes, Plan};
use crate::policy::tags;
use crate::policy::wishes::Wishes;
use crate::store::{CacheKey, Store};
use crate::telemetry::counters::{Count, Counters};

pub mod auth;
mod cache;
mod dialect;
pub mod explain;
pub mod fast_path;
mod fetch;
pub mod purge;
mod reading;
pub mod refusal;
mod reload;
pub(crate) mod request;
mod respond;
pub mod route;

use auth::{Auth, Key, Keyring, Leave};
use cache::decline_log::Unstored;
use cache::lookup::{Found, Stored};
use cache::negative::{Mark, Marks};
use cache::no_vary_search::SearchRules;
use fast_path::{Prepareds, Ticket};
use fetch::bypass as pass;
use fetch::flight::Flights;
use fetch::prefetch::Hot;
pub use fetch::prefetch::Refresh;
use fetch::shared_body::Budget;
use reading::Reading;
use refusal::Refusal;
use request::{forward, target};
use route::{Asking, Route as Routed, Routes};

/// The data plane: everything that a request meets between the listener and the origin.
pub struct Proxy {
    config: Config,
    routes: Routes,
    keys: Keyring,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    flights: Arc<Flights>,
    /// Fetches that have not come to their end, those that nobody can join among them.
    under_way: Arc<watch::Sender<usize>>,
    /// Those of them that a client waits for.
    awaited: Arc<watch::Sender<usize>>,
    marks: Arc<Marks>,
    budget: Arc<Budget>,
    /// Held while an index of variants is rewritten.
    indexing: Arc<tokio::sync::Mutex<()>>,
    /// What responses said of their queries.
    search: Arc<SearchRules>,
    unstored: Arc<Unstored>,
    hot: Hot,
    prepared: Prepareds,
    deriver: Arc<Deriver>,
    via: HeaderValue,
}

/// A request on its way through the story.
#[derive(Clone)]
pub(crate) struct Asked {
    route: Arc<Routed>,
    request: Parts,
    directives: RequestDirectives,
    peer: IpAddr,
    primary: CacheKey,
    /// What it wishes of the cache.
    wishes: Wishes,
    /// What rules make of that.
    plan: Plan,
    /// What it may have done for it.
    leave: Leave,
}

impl Proxy {
    /// A data plane over these parts.
    pub fn new(
        config: Config,
        routes: Routes,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let via = via(&config);
        let budget = Arc::new(Budget::new(config.max_fetch_buffer));
        let watches = config.watches();
        let prepared = Prepareds::new(config.max_prepared);
        let deriver = Arc::new(Deriver::new(config.derive.clone()));
        let proxy = Arc::new(Proxy {
            keys: Keyring::new(&config.keys, None),
            config,
            routes,
            store,
            clock,
            counters,
            flights: Arc::default(),
            under_way: Arc::default(),
            awaited: Arc::default(),
            marks: Arc::default(),
            budget,
            indexing: Arc::default(),
            search: Arc::default(),
            unstored: Arc::default(),
            hot: Hot::new(watches),
            prepared,
            deriver,
            via,
        });
        if watches {
            proxy.refresh_ahead();
        }
        proxy
    }

    /// Answers one request. `peer` is the client's address, `secure` whether it came over TLS.
    pub async fn handle(
        self: &Arc<Self>,
        request: Request<Body>,
        peer: IpAddr,
        secure: bool,
    ) -> Response<Body> {
        self.counters.add(Count::Requests);
        match self.answer(request, peer, secure).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(&refusal, Forwarded::default()),
        }
    }

    /// Fetches that are not yet stored or given up.
    pub fn fetches_under_way(&self) -> usize {
        *self.under_way.borrow()
    }

    /// Begins no more fetches that nobody asked for.
    pub fn stop_refreshing(&self) {
        self.hot.stop();
    }

    /// Waits until no fetch is under way. Fetches outlive the exchanges that began them.
    pub async fn settled(&self) {
        // The sender is our own.
        let _ = self.under_way.subscribe().wait_for(|fetches| *fetches == 0).await;
    }

    async fn answer(
        self: &Arc<Self>,
        request: Request<Body>,
        peer: IpAddr,
        secure: bool,
    ) -> Result<Response<Body>, Refusal> {
        // Which origin? The target in absolute form says so, within its bounds.
        let (mut request, body) = request.into_parts();
        // Content, which over HTTP/2 no field need tell of, is for the long way to judge.
        let ticket = Ticket::of(&request).filter(|_| body.is_end_stream());
        if let Some(ticket) = &ticket
            && let Some(response) = self.short_message(ticket, &request.headers)
        {
            return Ok(response);
        }
        target::complete(&mut request, secure, self.config.max_uri_bytes)?;
        let route = Arc::clone(self.routes.find(&request.uri).ok_or(Refusal::NoRoute)?);
        forward::check_expectation(&request.headers)?;
        forward::sanitize(&mut request.headers);
        // Whose is it? Before anything is done for it.
        let admitted = self.admit(&route, &mut request, &body);
        if let Some(dialect) = route.asking.dialect() {
            return Ok(Box::pin(self.answer_in(
                dialect,
                route,
                request,
                body,
                peer,
                admitted.map(|leave| (leave, ticket)),
            ))
            .await);
        }
        let leave = admitted?;
        let (mut reading, body) =
            reading::read(&route, &mut request, body, self.config.max_request_body).await?;
        (reading.ticket, reading.leave) = (ticket, leave);
        self.answer_read(route, request, reading, body, peer).await
    }

    /// Answers a request that was read in the terms of its route.
    async fn answer_read(
        self: &Arc<Self>,
        route: Arc<Routed>,
        request: Parts,
        mut reading: Reading,
        body: Body,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        if let Some(derivative) = reading.derivative.take() {
            return Box::pin(self.answer_derived(route, request, reading, derivative, peer)).await;
        }
        let ticket = reading.ticket.take();
        // Nobody has looked at a body that is still there.
        reading.wishes.ambiguous |= !body.is_end_stream();
        reading.leave.check_page(&reading.wishes)?;
        reading.leave.limit(&mut reading.wishes);
        // Is it for the cache at all?
        let job = reading.job.then_some(Forward::Bypass);
        let pass = pass::why_pass(&request, &body).or(job);
        if let Some(why @ (Forward::Method | Forward::Bypass)) = pass
            && (reading.job || !pass::is_plain_range(&request, &body))
        {
            reading.leave.may_ask(self.clock.now())?;
            let (audience, asker) = (route.audience, reading.leave.asker());
            // Boxed, as all that a hit does not need: the future of an exchange is moved more than once.
            let mut response = Box::pin(self.pass(route, request, body, peer, why)).await?;
            if asker == Asker::Holder {
                respond::tell_audience(audience, asker, &mut response);
            }
            return Ok(response);
        }

        // What is stored under its key?
        let asked = self.asked(route, request, peer, reading);
        let found = match asked.plan.refused {
            None => self.look_up(&asked.primary, &asked.request).await,
            Some(_) => Found::nothing(&asked.primary),
        };

        // May it answer, and how is it brought up to date?
        let key = self.config.tell_key.then(|| found.key.clone());
        let (audience, asker) = (asked.route.audience, asked.leave.asker());
        let answered = match self.decide(&asked, &found) {
            Step::Answer(stored, outcome) => {
                if let Some(ticket) = ticket.filter(|_| matches!(outcome, CacheOutcome::Hit(_))) {
                    self.prepare(ticket, &asked, &found, stored, None);
                }
                Ok(self.answer_from(&asked, stored, CacheStatus::without_forward(outcome)))
            }
            Step::AnswerAndValidate(stored, outcome) => {
                let early = matches!(outcome, CacheOutcome::Hit(_));
                let response = self.answer_from(&asked, stored, CacheStatus::without_forward(outcome));
                if asked.leave.may_ask(self.clock.now()).is_err() {
                    // What is stored will do for now.
                } else if self.validate_behind(asked, &found).is_some() && early {
                    self.counters.add(Count::EarlyRefreshes);
                }
                Ok(response)
            }
            Step::Forward(_) if asked.directives.only_if_cached => Err(Refusal::OnlyIfCached),
            // Of a picture, the whole is made and stored, and cut.
            Step::Forward(_) if let Err(refusal) = asked.leave.may_ask(self.clock.now()) => Err(refusal),
            // A stale response is validated as a whole, and the part is cut from it.
            Step::Forward(why) if pass.is_some() && !asked.route.capture && found.stored.is_none() => {
                Box::pin(self.pass_covered(asked, &found, body, why)).await
            }
            Step::Forward(why) => Box::pin(self.fetch(asked, found, why)).await,
        };
        answered.map(|mut response| {
            respond::tell_audience(audience, asker, &mut response);
            if let Some(key) = key {
                cache_status::add_key(response.headers_mut(), key.as_bytes());
            }
            response
        })
    }

    /// `request` with its key and its directives.
    fn asked(&self, route: Arc<Routed>, request: Parts, peer: IpAddr, reading: Reading) -> Asked {
        let key = reading.key.unwrap_or_else(|| {
            let mut key = Vec::with_capacity(128);
            self.search.key_into(&route, &mut key, &request.uri);
            key
        });
        let directives = RequestDirectives::of(&request.headers);
        let (wishes, leave) = (reading.wishes, reading.leave);
        let plan = route.plan(&request.uri, &wishes);
        Asked { route, request, directives, peer, primary: CacheKey::new(key), wishes, plan, leave }
    }

    /// What to do with what was found; counts what it answers with.
    fn decide<'a>(&self, asked: &Asked, found: &'a Found) -> Step<'a> {
        let step = match self.weigh(asked, found) {
            step if asked.leave.is_restricted() => step,
            Step::Answer(stored, outcome @ CacheOutcome::Hit(_))
                if self.refreshes(asked, found, stored, self.clock.now()) =>
            {
                Step::AnswerAndValidate(stored, outcome)
            }
            step => step,
        };
        if let Step::Answer(stored, outcome) | Step::AnswerAndValidate(stored, outcome) = &step {
            self.count_stored(asked, stored, *outcome);
        }
        step
    }

    /// What to do with what was found, leaving no trace.
    fn weigh<'a>(&self, asked: &Asked, found: &'a Found) -> Step<'a> {
        if asked.leave.is_restricted() {
            return self.weigh_stored(asked, found);
        }
        let Some((stored, tier)) = &found.stored else {
            return Step::Forward(if asked.plan.refused.is_some() {
                Forward::Bypass
            } else if found.variants.is_empty() {
                Forward::UriMiss
            } else {
                Forward::VaryMiss
            });
        };
        let (head, now) = (stored.head(), self.clock.now());
        match asked.plan.decide(head, &asked.directives, now) {
            Reuse::Fresh => Step::Answer(stored, CacheOutcome::Hit(*tier)),
            Reuse::Stale(StaleUse::MaxStale) => {
                Step::Answer(stored, CacheOutcome::Stale(StaleReason::MaxStale))
            }
            Reuse::Stale(StaleUse::WhileRevalidate) => {
                let stale = CacheOutcome::Stale(StaleReason::WhileRevalidate);
                match self.marks.of(&found.key, now) {
                    // It failed just now: not again for each request in the window.
                    Some(Mark::Failed { just_now: true, .. }) => Step::Answer(stored, stale),
                    _ => Step::AnswerAndValidate(stored, stale),
                }
            }
            Reuse::Validate(why) => {
                if let Some(Mark::Failed { answered, just_now }) = self.marks.of(&found.key, now)
                    && why == MustValidate::Stale
                    && reuse::covers_error(head, answered, now)
                {
                    let stale = CacheOutcome::Stale(StaleReason::IfError);
                    return if just_now {
                        Step::Answer(stored, stale)
                    } else {
                        Step::AnswerAndValidate(stored, stale)
                    };
                }
                let stale = head.current_age(now) >= head.lifetime;
                Step::Forward(match why {
                    MustValidate::Request if !stale => Forward::Request,
                    _ => Forward::Stale,
                })
            }
        }
    }

    fn answer_from(&self, asked: &Asked, stored: &Stored, status: CacheStatus) -> Response<Body> {
        let body = Body::whole(stored.body().clone());
        self.answer_stored(&asked.request, stored.head(), body, status, self.clock.now())
    }
}

fn via(config: &Config) -> HeaderValue {
    HeaderValue::try_from(format!("1.1 {}", config.pseudonym))
        .unwrap_or_else(|_| HeaderValue::from_static("1.1 tintype"))
}

/// What comes of looking at what is stored.
pub(crate) enum Step<'a> {
    /// Answer with it.
    Answer(&'a Stored, CacheOutcome),
    /// Answer with it, and ask the origin in the background.
    AnswerAndValidate(&'a Stored, CacheOutcome),
    /// Ask the origin.
    Forward(Forward),
}

/// Routes and the bounds of the data plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Routes, in any order: the longest matching path prefix wins, a named host before any host.
    pub routes: Vec<Route>,
    /// Who may ask, on routes that want to know.
    pub keys: Vec<Key>,
    /// Pseudonym of this proxy in `Via` and `Cache-Status`.
    pub pseudonym: String,
    /// `Cache-Status` tells the cache key (RFC 9211 section 2.7).
    pub tell_key: bool,
    /// Bytes of a request target; 414 beyond.
    pub max_uri_bytes: usize,
    /// Bytes of a request body; 413 beyond.
    pub max_request_body: u64,
    /// Bytes of the largest response that is stored.
    pub max_stored_bytes: u64,
    /// Bytes that all fetches under way may hold for storing; beyond, answers pass unstored.
    pub max_fetch_buffer: u64,
    /// A response without an entity tag and at most so long is held until it is whole, so that its first
    /// answer carries the tag.
    pub hold_for_tag: u64,
    /// How long such a response is held at most.
    pub max_hold: Duration,
    /// Time that a follower waits for the leader's response head.
    pub collapse_timeout: Duration,
    /// Variants kept for one key.
    pub max_variants: usize,
    /// Hits whose answers are kept ready to be sent, about 1 KiB of memory each; none for zero.
    pub max_prepared: usize,
    /// Response fields with tags to purge by that clients do not get.
    pub hidden_tags: Vec<HeaderName>,
    /// What paths in imgproxy's dialect are signed with.
    pub imgproxy: Option<imgproxy::Keys>,
    /// Bounds of making pictures out of stored ones.
    pub derive: derive::Config,
    /// What links begin with, unless a route says otherwise.
    pub public_url: Option<PublicUrl>,
}

impl Config {
    /// Whether any route fetches ahead.
    fn watches(&self) -> bool {
        self.routes.iter().any(|route| route.refresh.watched > 0)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            routes: Vec::new(),
            keys: Vec::new(),
            pseudonym: "tintype".into(),
            tell_key: false,
            max_uri_bytes: 16 << 10,
            max_request_body: 10 << 20,
            max_stored_bytes: 32 << 20,
            max_fetch_buffer: 256 << 20,
            hold_for_tag: 2 << 20,
            max_hold: Duration::from_secs(1),
            collapse_timeout: Duration::from_secs(60),
            max_variants: 64,
            max_prepared: 4096,
            hidden_tags: vec![tags::SURROGATE_KEY, tags::XKEY],
            imgproxy: None,
            derive: derive::Config::default(),
            public_url: None,
        }
    }
}

/// Which requests go to which origin, and what is overridden for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Name in proxy.toml, in logs and figures.
    pub name: String,
    /// Host it answers for, without port, in lower case; any host without.
    pub host: Option<String>,
    /// Prefix of the path, on segment borders: `/a` matches `/a` and `/a/b`, not `/ab`.
    pub path: String,
    /// Name of its origin.
    pub upstream: String,
    /// The route to the same origin whose stored responses it shares; itself without.
    pub key: Option<String>,
    /// Its query names a page to capture in `url`: that page is a handle to purge by.
    pub capture: bool,
    /// A successful response that is not a good picture is an origin error.
    pub only_pictures: bool,
    /// How its requests are read.
    pub asking: Asking,
    /// It heeds `No-Vary-Search`: queries that the origin answers alike share a key.
    pub no_vary_search: bool,
    /// What it says of storing.
    pub terms: Terms,
    /// Its rules of lifetime.
    pub lifetimes: Lifetimes,
    /// When it fetches anew what is still fresh.
    pub refresh: Refresh,
    /// Who may ask.
    pub auth: Auth,
    /// Whom its answers are for.
    pub audience: Audience,
    /// What links to its pictures begin with.
    pub public_url: Option<PublicUrl>,
}
