//! A whole tintype in this process, with a clock that the test turns.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tintype::app::{App, Beginning};
use tintype::clock::{ManualClock, Timestamp};
use tintype::config::{Base, Config, Sources};

use super::{Answer, Client, ScriptedOrigin};

/// When every test's clock starts: Sat, 01 Nov 2025 00:00:00 GMT.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_761_955_200);

/// A running tintype.
pub(crate) struct Tintype {
    app: Option<App>,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    /// Its clock; stands still unless turned.
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: Client,
}

impl Tintype {
    /// In front of `origin`, memory only, nothing overridden.
    pub(crate) async fn before(origin: &ScriptedOrigin) -> Self {
        Self::with(origin, "").await
    }

    /// In front of `origin` on route `/`, with more TOML: whole sections, or settings of `[route.all]` first.
    pub(crate) async fn with(origin: &ScriptedOrigin, more: &str) -> Self {
        Self::of(&Self::toml(origin, more)).await
    }

    /// What [`Tintype::with`] is configured by.
    pub(crate) fn toml(origin: &ScriptedOrigin, more: &str) -> String {
        let base = origin.base();
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
             [upstream.origin]\nkind = \"remote\"\nurl = \"{base}\"\n\
             [route.all]\npath = \"/\"\nupstream = \"origin\"\n{more}"
        )
    }

    /// With this configuration.
    pub(crate) async fn of(toml: &str) -> Self {
        Self::at(toml, START).await
    }

    /// With this configuration, at this time.
    pub(crate) async fn at(toml: &str, start: Timestamp) -> Self {
        let config = Config::from_toml(toml).unwrap_or_else(|problems| panic!("{}", problems.to_text(false)));
        Self::begin(config, Beginning::default(), start).await
    }

    /// With the configuration in this file, which can be reloaded.
    pub(crate) async fn from_file(file: &Path) -> Self {
        let sources = Sources::only(Base::File(file.to_owned()));
        let config = Config::read(&sources).unwrap_or_else(|problems| panic!("{}", problems.to_text(false)));
        Self::begin(config, Beginning { sources: Some(sources), ..Beginning::default() }, START).await
    }

    async fn begin(config: Config, beginning: Beginning, start: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(start));
        let app = App::begin(config, Arc::clone(&clock) as Arc<_>, beginning).await.expect("tintype starts");
        let (address, admin) = (app.address, app.admin_address.expect("control plane"));
        Tintype { app: Some(app), address, admin, clock, client: Client::new() }
    }

    /// The owner of its tasks.
    pub(crate) fn tasks(&self) -> &tintype::tasks::Tasks {
        self.app.as_ref().expect("it runs").tasks()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.client.get(&self.url(path), &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.client.get(&self.url(path), fields).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str) -> Answer {
        self.client.request(method, &self.url(path), &[], "").await
    }

    /// Turns the clock.
    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// `/stats`.
    pub(crate) async fn stats(&self) -> Value {
        let answer = self.client.get(&self.admin_url("/stats"), &[]).await;
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Purges, and wants it to succeed.
    pub(crate) async fn purge(&self, json: &str) {
        let answer = self.client.request("POST", &self.admin_url("/purge"), &[], json).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// `POST /reload`.
    pub(crate) async fn reload(&self) -> Answer {
        self.client.request("POST", &self.admin_url("/reload"), &[], "").await
    }

    /// Stops it in order.
    pub(crate) async fn stop(mut self) {
        // Its idle connections would be lingered for.
        self.client = Client::new();
        if let Some(app) = self.app.take() {
            app.shutdown().await;
        }
    }
}

/// Status, `X-Cache` and body at one glance.
pub(crate) fn glance(answer: &Answer) -> (u16, String, String) {
    (answer.status, answer.header("x-cache").unwrap_or("-").to_owned(), answer.text())
}

/// What [`glance`] should give.
pub(crate) fn seen(status: u16, cache: &str, body: &str) -> (u16, String, String) {
    (status, cache.to_owned(), body.to_owned())
}
