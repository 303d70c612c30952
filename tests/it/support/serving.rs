//! A listener under test.

use std::net::SocketAddr;
use std::time::Duration;

use tintype::listener::{Config, Handler, Listener, ServeReport};
use tokio::task::JoinHandle;

use super::{Gate, within};

/// A running [`Listener`] on a port of its own.
///
/// ```ignore
/// let serving = Serving::start(Serving::config(), |_request, _peer| async { Response::new(Body::whole("hi"))
/// }).await; let answer = Client::new().get(&serving.url("/"), &[]).await;
/// assert_eq!(serving.drain().await.cut, 0);
/// ```
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    stop: Gate,
    task: JoinHandle<ServeReport>,
}

impl Serving {
    /// Limits that no test reaches by accident.
    pub(crate) fn config() -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
            max_connections: 100,
            max_connections_per_address: 100,
            crowded: Vec::new(),
            max_requests_per_connection: 1_000_000,
            header_read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            min_read_rate: 0,
            min_write_rate: 0,
            max_header_bytes: 32 * 1024,
            max_header_count: 100,
            max_streams: 100,
            max_resets: 100_000,
            max_control_frames: 100_000,
            reuse_port: false,
            backlog: 1024,
            drain_grace: Duration::from_secs(30),
        }
    }

    /// Binds and serves.
    pub(crate) async fn start(config: Config, handler: impl Handler) -> Self {
        let listener = Listener::bind(config).await.expect("a free port");
        let (address, stop) = (listener.local_addr(), Gate::new());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { listener.serve(handler, async move { stop.wait().await }).await }
        });
        Serving { address, stop, task }
    }

    /// The absolute URL of a path on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Begins the shutdown and leaves it at that.
    pub(crate) fn stop(&self) {
        self.stop.open();
    }

    /// Begins the shutdown and waits for its end.
    #[track_caller]
    pub(crate) fn drain(self) -> impl Future<Output = ServeReport> {
        self.stop.open();
        within("the drain to end", async { self.task.await.expect("serving does not panic") })
    }
}
