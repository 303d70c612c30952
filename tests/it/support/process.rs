//! The real binary, and a bounded load on it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A running `tintype serve`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Its data plane.
    pub(crate) address: SocketAddr,
    /// Its control plane.
    pub(crate) admin: SocketAddr,
}

impl Process {
    /// Starts one with this configuration and waits until it listens.
    pub(crate) async fn start(config: &Path) -> Self {
        Self::launched(Self::launch(config, "")).await
    }

    /// Starts one in a shell after `before`, which may set limits; it listens at some later time.
    pub(crate) fn launch(config: &Path, before: &str) -> Child {
        let mut command = Self::command(config, before, "");
        command.stdin(Stdio::null()).spawn().unwrap()
    }

    /// Starts one that inherits `socket` as systemd hands it over.
    pub(crate) async fn inherit(config: &Path, socket: &TcpListener) -> Self {
        let mut command = Self::command(config, "", "3<&0 0</dev/null");
        command.env("LISTEN_FDS", "1").stdin(OwnedFd::from(socket.try_clone().unwrap()));
        Self::launched(command.spawn().unwrap()).await
    }

    fn command(config: &Path, before: &str, redirected: &str) -> Command {
        let mut command = Command::new("sh");
        let script = format!("{before}\nexec \"$0\" serve --config \"$1\" {redirected}");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tintype")]).arg(config);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Waits until it says where it listens.
    pub(crate) async fn launched(mut child: Child) -> Self {
        let stdout = child.stdout.take().unwrap();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || drain(stderr));
        }
        let told = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let address = |line: Option<String>| {
                let line = line.expect("it starts; its log is above");
                line.split("://")
                    .nth(1)
                    .and_then(|rest| rest.split(' ').next()?.parse().ok())
                    .expect("an address")
            };
            let told = (address(lines.next()), address(lines.next()));
            std::thread::spawn(move || lines.for_each(drop));
            told
        });
        let (address, admin) = told.await.unwrap();
        Process { child, address, admin }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// SIGTERM, and whether it ended well.
    pub(crate) async fn stop(self) -> bool {
        self.signal(Signal::TERM);
        self.ended().await == Some(0)
    }

    /// Waits for its end, and gives back its exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        super::within_long("the end of the process", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(stderr: ChildStderr) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if !line.contains("cache=") {
            eprintln!("{line}");
        }
    }
}

/// Clients that ask one after the other until they are told to stop: half of them on connections that they keep, half on a new one
/// for each request.
pub(crate) struct Load {
    clients: JoinSet<Vec<String>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl Load {
    /// `clients` of them, each asking for one of ten paths in turn.
    pub(crate) fn on(address: SocketAddr, clients: usize) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for client in 0..clients {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tasks.spawn(async move {
                let (mut failed, mut kept) = (Vec::new(), None);
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let path = format!("/{}", n % 10);
                    let asked = ask(address, kept.take(), &path);
                    match tokio::time::timeout(Duration::from_secs(20), asked).await {
                        Ok(Ok(connection)) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            kept = connection.filter(|_| client % 2 == 0);
                        }
                        Ok(Err(why)) => failed.push(why),
                        Err(_) => failed.push("no answer in time".to_owned()),
                    }
                    // Bounded: the machine has others to serve.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                failed
            });
        }
        Load { clients: tasks, stop, answered }
    }

    /// Waits until `more` requests were answered from now on.
    pub(crate) async fn answers(&self, more: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + more;
        super::within_long("answers under load", async {
            while self.answered.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Ends it: how many requests were answered, and why others were not.
    pub(crate) async fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.clients.join_all().await.concat();
        (self.answered.load(Ordering::Relaxed), failed)
    }
}

type Connection = tokio::io::BufReader<TcpStream>;

/// Asks once, on `kept` if there is one; gives the connection back if it may be used again.
async fn ask(
    address: SocketAddr,
    kept: Option<Connection>,
    path: &str,
) -> Result<Option<Connection>, String> {
    let on_kept = kept.is_some();
    let told = |what: &str, error: std::io::Error| format!("{what} (kept: {on_kept}): {error}");
    let mut connection = match kept {
        Some(kept) => kept,
        None => {
            let stream = TcpStream::connect(address).await.map_err(|error| told("connect", error))?;
            stream.set_nodelay(true).map_err(|error| told("connect", error))?;
            tokio::io::BufReader::new(stream)
        }
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: tintype\r\n\r\n");
    connection.write_all(request.as_bytes()).await.map_err(|error| told("write", error))?;
    let (mut length, mut close, mut line) = (0, false, String::new());
    connection.read_line(&mut line).await.map_err(|error| told("read", error))?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(format!("status line (kept: {on_kept}): {line:?}"));
    }
    loop {
        line.clear();
        connection.read_line(&mut line).await.map_err(|error| told("fields", error))?;
        let field = line.trim_end().to_ascii_lowercase();
        match field.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().map_err(|_| field.clone())?,
            Some(("connection", value)) => close = value == "close",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.map_err(|error| told("body", error))?;
    match String::from_utf8_lossy(&body).ends_with(path) {
        true => Ok((!close).then_some(connection)),
        false => Err(format!("another body for {path}")),
    }
}
