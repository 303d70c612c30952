//! A job at work: its items side by side, one that fails taking nothing from the others; and whoever wanted to know, told of its end.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, header};

use super::ask::web;
use super::event::{Done, Event};
use super::job::Job;
use super::queue::Jobs;
use crate::origin::backoff;
use crate::policy::public_url;
use crate::policy::signing::hmac_sha256;
use crate::tasks;

impl Jobs {
    /// Runs `job` from where it stands to its end.
    pub(super) async fn run(self: Arc<Self>, job: Arc<Job>) {
        if job.ended().is_none() {
            let items = futures_util::stream::iter(job.pending());
            let one = |item| {
                let (jobs, job) = (Arc::clone(&self), Arc::clone(&job));
                async move {
                    let done = jobs.item(&job, item).await;
                    let at = jobs.clock.now();
                    note(&job, Event::Item { item, done, at }).await;
                }
            };
            items.for_each_concurrent(job.asked.parallel, one).await;
            note(&job, Event::Ended { at: self.clock.now() }).await;
            tracing::info!(
                job = job.id,
                items = job.asked.items.len(),
                failed = job.has_failure(),
                "job ended"
            );
        }
        if job.is_to_be_told() {
            self.tell(&job).await;
            note(&job, Event::Told).await;
        }
    }

    async fn item(&self, job: &Job, item: usize) -> Done {
        let Some(item) = job.asked.items.get(item) else { return Done::Failed("no such item".to_owned()) };
        // Closed never.
        let _place = self.places.acquire().await;
        self.captures.yield_to_clients().await;
        if job.asked.fail_fast && job.has_failure() {
            return Done::Failed("not taken: another one failed (fail_fast)".to_owned());
        }
        let taken = tasks::caught(self.captures.capture(item, !job.asked.cache, job.asked.base.as_ref()));
        match tokio::time::timeout(job.asked.timeout, taken).await {
            Ok(Some(Ok(captured))) => Done::Taken { url: captured.url, cached: captured.cached },
            Ok(Some(Err(why))) => Done::Failed(why.to_string()),
            Ok(None) => Done::Failed("internal fault".to_owned()),
            Err(_) => Done::Failed(format!("no picture within {:?}", job.asked.timeout)),
        }
    }

    /// Tells the webhook, again and again within bounds.
    async fn tell(&self, job: &Job) {
        let Some(url) = job.asked.webhook.as_deref().and_then(web) else { return };
        let is_local = url.host_str().is_some_and(public_url::is_this_machine);
        // By way of a value: its members are in the order of their names.
        let Ok(results) = serde_json::to_value(self.results(job, is_local)) else { return };
        let body = Bytes::from(format!("{results:#}\n"));
        for tried in 1.. {
            let set = self.set.load_full();
            let how = &set.config.webhook;
            let fields = fields(job, how.secret.as_deref(), &body);
            let failure = match self.poster.post(&set.guard, &url, fields, body.clone(), how.timeout).await {
                Ok(()) => return tracing::info!(job = job.id, tried, "webhook told"),
                Err(failure) => failure,
            };
            // Without the URL: people put secrets into them.
            if !failure.is_passing() || tried >= how.attempts {
                return tracing::warn!(job = job.id, tried, %failure, "webhook given up");
            }
            tracing::debug!(job = job.id, tried, %failure, "webhook failed");
            tokio::time::sleep(backoff::wait(tried, how.retry_base, how.retry_max, backoff::dice())).await;
        }
    }
}

/// Notes `event` where waiting for the disk holds nobody up.
async fn note(job: &Arc<Job>, event: Event) {
    let job = Arc::clone(job);
    let _ = tokio::task::spawn_blocking(move || job.note(event)).await;
}

fn fields(job: &Job, secret: Option<&str>, body: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::USER_AGENT, HeaderValue::from_static("tintype"));
    let authorization = job.asked.webhook_auth.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
    fields.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
    let signature = secret.and_then(|secret| hmac_sha256(secret.as_bytes(), &[body])).map(hex::encode);
    if let Some(value) = signature.and_then(|hex| HeaderValue::try_from(format!("sha256={hex}")).ok()) {
        fields.insert("x-signature", value);
    }
    fields
}
