//! One process following another on the same address (`server.reuse_port`).

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::listener::listeners_on;
use crate::store;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);
/// How long a successor is waited for that has not even taken the cache folder.
const UNSEEN: Duration = Duration::from_secs(2);
/// How long one is waited for that has.
const SEEN: Duration = Duration::from_secs(30);

/// Waits until another process listens on `address`; false if none comes. One that comes takes the cache folder `dir` first.
pub(super) async fn wait(address: SocketAddr, dir: Option<&Path>) -> bool {
    let waited = Stopwatch::start();
    loop {
        if listeners_on(address) > 1 {
            return true;
        }
        let limit = if dir.is_some_and(store::is_locked) { SEEN } else { UNSEEN };
        if waited.elapsed() >= limit {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
}
