//! The network out of one capture: names resolved once, every address vetted, connections and bytes counted,
//! and what was barred remembered, so that the capture can say why a page did not come.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use url::{Position, Url};

use super::barred::Barred;
use super::guard::Guard;
use super::metered::{Budget, Metered};
use super::upstream_proxy::UpstreamProxy;

/// Time to connect to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Names that one capture may look up.
const MAX_NAMES: usize = 1024;
/// Refusals and failures that are remembered.
const MAX_TROUBLES: usize = 64;

/// What one capture may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Bytes in both directions.
    pub(crate) bytes: u64,
    /// Connections opened to origins.
    pub(crate) connections: usize,
    /// Requests taken from the browser, refused ones too; a tunnel is one.
    pub(crate) requests: usize,
}

/// Where a capture goes, and what it may use on the way.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) allowance: Allowance,
    /// Its host, already resolved to `addresses`.
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
    /// What connects in our place, if the capture is to come from elsewhere.
    pub(crate) egress: Option<UpstreamProxy>,
    /// The request takes pages whose certificates are not valid.
    pub(crate) ignores_certificates: bool,
}

/// Host, as it was named, and port.
pub(crate) type Site = (String, u16);
type Names = HashMap<String, Arc<OnceCell<Result<Vec<IpAddr>, Barred>>>>;

async fn reach(egress: Option<&UpstreamProxy>, address: SocketAddr) -> io::Result<TcpStream> {
    match egress {
        Some(egress) => egress.connect(address).await,
        None => TcpStream::connect(address).await,
    }
}

/// Every road of one capture.
pub(crate) struct PageNetwork {
    guard: Arc<Guard>,
    names: Mutex<Names>,
    /// What may be used, from when the capture is known on.
    terms: OnceLock<Terms>,
    opened: AtomicUsize,
    asked: AtomicUsize,
    troubles: Mutex<Vec<Trouble>>,
}

/// A request or connection that failed.
struct Trouble {
    site: Site,
    /// Path and query, where the request was in the clear.
    target: Option<String>,
    why: Barred,
}

struct Terms {
    allowance: Allowance,
    budget: Arc<Budget>,
    egress: Option<UpstreamProxy>,
    ignores_certificates: bool,
}

impl PageNetwork {
    /// PageNetwork under the rules of `guard`, of a capture that is not known yet: nothing may pass.
    pub(crate) fn closed(guard: Arc<Guard>) -> Self {
        PageNetwork {
            guard,
            names: Mutex::default(),
            terms: OnceLock::new(),
            opened: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            troubles: Mutex::default(),
        }
    }

    /// Opens them for one capture.
    pub(crate) fn open(&self, to: Destination) {
        let Destination { allowance, host, addresses, egress, ignores_certificates } = to;
        self.names.lock().insert(host, Arc::new(OnceCell::new_with(Some(Ok(addresses)))));
        // Once only: no page serves two captures.
        let budget = Arc::new(Budget::new(allowance.bytes));
        let _ = self.terms.set(Terms { budget, allowance, egress, ignores_certificates });
    }

    fn terms(&self) -> Result<&Terms, Barred> {
        self.terms.get().ok_or(Barred::Limit { limit: 0, what: "requests" })
    }

    /// Counts one request. An error if it is beyond what one capture may make.
    pub(crate) fn admit(&self) -> Result<(), Barred> {
        let limit = self.terms()?.allowance.requests;
        if self.asked.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(Barred::Limit { limit: limit as u64, what: "requests" });
        }
        Ok(())
    }

    /// Connects to a vetted address of `site`.
    pub(crate) async fn connect(&self, site: &Site) -> Result<Metered<TcpStream>, Barred> {
        let (host, port) = site;
        let addresses = self.addresses(host).await?;
        self.guard.vet(host, *port, &addresses)?;
        if let Some(spent) = self.spent() {
            return Err(spent);
        }
        let Terms { allowance, budget, egress, .. } = self.terms()?;
        if self.opened.fetch_add(1, Ordering::Relaxed) >= allowance.connections {
            return Err(Barred::Limit { limit: allowance.connections as u64, what: "connections" });
        }
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match tokio::time::timeout(CONNECT_TIMEOUT, reach(egress.as_ref(), (address, *port).into())).await
            {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(Metered::new(stream, budget.clone()));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(unreachable(site, &last))
    }

    /// Whether the request takes pages whose certificates are not valid.
    pub(crate) fn ignores_certificates(&self) -> bool {
        self.terms.get().is_some_and(|terms| terms.ignores_certificates)
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Barred> {
        let cell = {
            let mut names = self.names.lock();
            if names.len() >= MAX_NAMES && !names.contains_key(host) {
                return Err(Barred::Limit { limit: MAX_NAMES as u64, what: "names" });
            }
            names.entry(host.to_owned()).or_default().clone()
        };
        cell.get_or_init(|| self.guard.resolve(host)).await.clone()
    }

    /// Remembers why the way to `site` is barred, for a request of `target` or a tunnel.
    pub(crate) fn remember(&self, site: Site, target: Option<String>, why: Barred) {
        tracing::debug!(host = site.0, port = site.1, %why, "page connection barred");
        let mut troubles = self.troubles.lock();
        if troubles.len() == MAX_TROUBLES {
            troubles.remove(0);
        }
        troubles.push(Trouble { site, target, why });
    }

    /// The last refusal or failure with this host and port.
    pub(crate) fn trouble_with(&self, host: &str, port: u16) -> Option<Barred> {
        self.last_trouble(|trouble| trouble.site.0 == host && trouble.site.1 == port)
    }

    /// The last refusal or failure of a request for this URL. Inside of TLS requests are not seen, and answers are the
    /// site's own.
    pub(crate) fn trouble_at(&self, url: &Url) -> Option<Barred> {
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        let target = &url[Position::BeforePath..Position::AfterQuery];
        self.last_trouble(|trouble| {
            trouble.site.0 == host && trouble.site.1 == port && trouble.target.as_deref() == Some(target)
        })
    }

    fn last_trouble(&self, is_it: impl Fn(&Trouble) -> bool) -> Option<Barred> {
        self.troubles.lock().iter().rev().find(|trouble| is_it(trouble)).map(|trouble| trouble.why.clone())
    }

    /// The byte limit, if it was reached.
    pub(crate) fn spent(&self) -> Option<Barred> {
        let Terms { allowance, budget, .. } = self.terms.get()?;
        budget.is_spent().then_some(Barred::Limit { limit: allowance.bytes, what: "bytes" })
    }
}

/// Why nobody answers at `site`.
pub(crate) fn unreachable(site: &Site, cause: &dyn std::error::Error) -> Barred {
    Barred::Unreachable { host: site.0.clone(), port: site.1, cause: cause.to_string() }
}
