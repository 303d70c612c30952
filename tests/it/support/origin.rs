//! An HTTP/1.1 server that answers by script and remembers what it was asked.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::raw::{read_body, read_head};
use super::reply::End;
use super::{Reply, within};

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    /// Its place among all requests of this origin, from 0.
    pub(crate) index: usize,
    /// The connection it came on, from 0.
    pub(crate) connection: usize,
    /// Its method.
    pub(crate) method: String,
    /// Its target, byte for byte.
    pub(crate) target: String,
    /// Its field lines, in order and case as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body, without chunked framing.
    pub(crate) body: Vec<u8>,
}

impl ReceivedRequest {
    /// The value of the first field line of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.header_all(name).into_iter().next()
    }

    /// The values of all field lines of this name.
    pub(crate) fn header_all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str()).collect()
    }
}

/// A scripted HTTP/1.1 origin on a port of its own on 127.0.0.1. It ends when it is dropped.
///
/// The script is called for each request, once its body is whole, and gives the [`Reply`].
pub(crate) struct ScriptedOrigin {
    address: SocketAddr,
    scheme: &'static str,
    log: watch::Receiver<Log>,
    task: AbortHandle,
}

#[derive(Clone, Default)]
struct Log {
    requests: Vec<ReceivedRequest>,
    connections: usize,
    closed: usize,
}

type Script = Arc<dyn Fn(ReceivedRequest) -> Reply + Send + Sync>;

impl ScriptedOrigin {
    /// An origin that answers each request by `script`.
    pub(crate) async fn start(script: impl Fn(ReceivedRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self::launch(Arc::new(script), None).await
    }

    /// An origin that answers the n-th request with the n-th reply, and all further ones with the last.
    pub(crate) async fn sequence(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        Self::start(move |request| {
            let last = replies.len().checked_sub(1).expect("a sequence needs a reply");
            replies[request.index.min(last)].clone()
        })
        .await
    }

    /// An origin behind TLS.
    pub(crate) async fn start_tls(
        tls: Arc<rustls::ServerConfig>,
        script: impl Fn(ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::launch(Arc::new(script), Some(TlsAcceptor::from(tls))).await
    }

    async fn launch(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (log, watched) = watch::channel(Log::default());
        let task = tokio::spawn(accept(listener, tls, script, Arc::new(log))).abort_handle();
        ScriptedOrigin { address, scheme, log: watched, task }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its scheme and authority, `http://127.0.0.1:PORT`.
    pub(crate) fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The absolute URL of a path on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    /// All requests received so far.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.log.borrow().requests.clone()
    }

    /// How many requests were received so far.
    pub(crate) fn count(&self) -> usize {
        self.log.borrow().requests.len()
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.log.borrow().connections
    }

    /// Waits until `n` requests were received, whether answered or not, and gives all of them.
    #[track_caller]
    pub(crate) fn received(&self, n: usize) -> impl Future<Output = Vec<ReceivedRequest>> {
        let mut log = self.log.clone();
        within("requests at the origin", async move {
            log.wait_for(|log| log.requests.len() >= n).await.expect("origin runs").requests.clone()
        })
    }

    /// Waits until `n` connections have ended, by either side.
    #[track_caller]
    pub(crate) fn closed(&self, n: usize) -> impl Future<Output = ()> {
        let mut log = self.log.clone();
        within("connections to close", async move {
            log.wait_for(|log| log.closed >= n).await.expect("origin runs");
        })
    }

    /// Stops at once: the port refuses, and all connections end.
    pub(crate) async fn stop(self) {
        let address = self.address;
        drop(self);
        within("the port to close", async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

impl Drop for ScriptedOrigin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    script: Script,
    log: Arc<watch::Sender<Log>>,
) {
    // Dropped, and so ended, together with this task.
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        // Head and body are written apart; without this each answer waits for a delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        log.send_modify(|log| log.connections += 1);
        let (tls, script, log) = (tls.clone(), script.clone(), log.clone());
        connections.spawn(async move {
            let _ended = match tls {
                None => serve(stream, number, &script, &log).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, number, &script, &log).await,
                    Err(error) => Err(error),
                },
            };
            log.send_modify(|log| log.closed += 1);
        });
    }
}

/// A stream that can be closed with an RST.
pub(super) trait Resettable {
    fn linger_zero(&self) -> io::Result<()>;
}

impl Resettable for TcpStream {
    fn linger_zero(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Resettable for tokio_rustls::server::TlsStream<TcpStream> {
    fn linger_zero(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

async fn serve<IO: AsyncRead + AsyncWrite + Resettable + Unpin>(
    stream: IO,
    connection: usize,
    script: &Script,
    log: &watch::Sender<Log>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let Some(head) = read_head(&mut stream).await? else { return Ok(()) };
        if head.header("expect").is_some() {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let (body, _) = read_body(&mut stream, &head, false).await?;
        let mut line = head.start.split(' ').map(str::to_owned);
        let mut request = ReceivedRequest {
            index: 0,
            connection,
            method: line.next().unwrap_or_default(),
            target: line.next().unwrap_or_default(),
            headers: head.fields,
            body,
        };
        log.send_modify(|log| {
            request.index = log.requests.len();
            log.requests.push(request.clone());
        });
        let method = request.method.clone();
        let reply = script(request);
        reply.write(&method, stream.get_mut()).await?;
        match reply.end {
            End::Keep => {}
            End::Close | End::Cut => return stream.get_mut().shutdown().await,
            End::Reset => return stream.get_ref().linger_zero(),
            End::Stall => return until_closed(&mut stream).await,
        }
    }
}

/// Reads and forgets until the peer closes.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut scrap = [0; 1024];
    // A bound of its own, as a test that forgets to close would otherwise only fail at its end.
    let drained = async {
        while stream.read(&mut scrap).await? > 0 {}
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), drained).await.unwrap_or(Ok(()))
}
