//! Renditions: other sizes and formats of a stored picture, made without a browser.
//!
//! [`Deriver`] runs the conversions of libraries on blocking threads. It bounds the conversions at
//! a time, the requests that wait, and the pixels of a picture. Concurrent requests for one
//! rendition share one conversion, which finishes even if they disconnect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::capture::rendition::Make;
use crate::tasks;

mod error;
mod judge;
mod picture;

pub use error::DeriveError;
pub use judge::{Unfit, picture_type};
pub use picture::size;

/// Bounds of the conversions, as section `[derive]` gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Conversions that run at a time.
    pub max_concurrent: usize,
    /// Requests that wait for their turn. Those beyond get 503.
    pub queue: usize,
    /// Pixels of a source or a rendition. A request beyond gets 400.
    pub max_pixels: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_concurrent: 2, queue: 64, max_pixels: 40_000_000 }
    }
}

type Making = Shared<BoxFuture<'static, Result<Bytes, DeriveError>>>;

/// Makes renditions of stored pictures.
pub struct Deriver {
    config: Config,
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    under_way: Arc<Mutex<HashMap<Vec<u8>, Making>>>,
}

impl Deriver {
    /// A deriver that keeps to the bounds in `config`.
    pub fn new(config: Config) -> Self {
        let turns = Arc::new(Semaphore::new(config.max_concurrent));
        Deriver { config, turns, waiting: Arc::default(), under_way: Arc::default() }
    }

    /// Converts `source`, whose size is `from`, as `make` says. Concurrent calls with one `key`
    /// share the conversion.
    ///
    /// # Errors
    /// The picture exceeds the bounds, or cannot be decoded or encoded.
    pub async fn derive(
        &self,
        key: Vec<u8>,
        source: &Bytes,
        from: (u32, u32),
        make: Make,
    ) -> Result<Bytes, DeriveError> {
        let limit = self.config.max_pixels;
        for (width, height) in [from, make.size] {
            let pixels = u64::from(width) * u64::from(height);
            if pixels > limit {
                return Err(DeriveError::TooLarge { pixels, limit });
            }
        }
        if let Some(allowed) = make.impossible() {
            return Err(DeriveError::Impossible(allowed));
        }
        let making = self.join(key, source, make)?;
        making.await
    }

    /// Checks that `body` is a whole picture and, unless `allow_blank`, has more than one colour.
    /// Waits for a turn.
    ///
    /// # Errors
    /// Either kind of [`Unfit`].
    pub async fn judge(&self, body: &Bytes, allow_blank: bool) -> Result<(), Unfit> {
        let _turn = Arc::clone(&self.turns).acquire_owned().await;
        let (body, max_pixels) = (body.clone(), self.config.max_pixels);
        let judged = tokio::task::spawn_blocking(move || judge::judge(&body, max_pixels, allow_blank)).await;
        judged.unwrap_or_else(|_| Err(Unfit::NotPicture("the picture cannot be decoded".into())))
    }

    fn join(&self, key: Vec<u8>, source: &Bytes, make: Make) -> Result<Making, DeriveError> {
        let mut under_way = self.under_way.lock();
        if let Some(making) = under_way.get(&key) {
            return Ok(making.clone());
        }
        let bound = self.config.queue + self.config.max_concurrent;
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= bound {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(DeriveError::Busy);
        }
        let entry = Entry {
            waiting: Arc::clone(&self.waiting),
            under_way: Arc::clone(&self.under_way),
            key: key.clone(),
        };
        let (turns, source) = (Arc::clone(&self.turns), source.clone());
        // A task of its own, because the request that began the conversion may end first.
        let task = tasks::spawn("derivative", async move {
            let _entry = entry;
            let _turn = turns.acquire_owned().await;
            let made = tokio::task::spawn_blocking(move || picture::make(&source, make)).await;
            made.unwrap_or_else(|_| Err(DeriveError::Failed("internal fault".into())))
        });
        let made =
            async move { task.await.unwrap_or_else(|_| Err(DeriveError::Failed("internal fault".into()))) };
        let making = made.boxed().shared();
        under_way.insert(key, making.clone());
        Ok(making)
    }
}

/// An entry of the conversions under way, removed on drop.
struct Entry {
    waiting: Arc<AtomicUsize>,
    under_way: Arc<Mutex<HashMap<Vec<u8>, Making>>>,
    key: Vec<u8>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.under_way.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
