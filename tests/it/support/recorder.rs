//! An origin that keeps every byte it gets, and reads them by the letter.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A request as a reader of RFC 9112 without mercy reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    /// Its first line.
    pub(crate) start: String,
    /// Its field lines, names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: String,
}

impl Exact {
    /// All values of the fields of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// Answers each whole request with `204` and keeps all bytes, by connection.
pub(crate) struct Recorder {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    task: AbortHandle,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut heard = kept.lock();
                    heard.push(Vec::new());
                    heard.len() - 1
                };
                connections.spawn(serve(stream, number, Arc::clone(&kept)));
            }
        });
        Recorder { address, heard, task: task.abort_handle() }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All whole requests that came, and what came of others.
    ///
    /// # Panics
    /// If what came can be read in two ways.
    #[track_caller]
    pub(crate) fn exact(&self) -> (Vec<Exact>, Vec<String>) {
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        for bytes in self.heard.lock().iter() {
            let mut rest = &bytes[..];
            while let Some((exact, used)) = read(rest) {
                whole.push(exact);
                rest = &rest[used..];
            }
            if !rest.is_empty() {
                parts.push(String::from_utf8_lossy(rest).into_owned());
            }
        }
        (whole, parts)
    }

    /// Forgets what came so far. Connections go on.
    pub(crate) fn forget(&self) {
        self.heard.lock().iter_mut().for_each(Vec::clear);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, number: usize, heard: Arc<Mutex<Vec<Vec<u8>>>>) {
    let (mut pending, mut buf) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buf).await {
        heard.lock()[number].extend_from_slice(&buf[..n]);
        pending.extend_from_slice(&buf[..n]);
        while let Some((_, used)) = read(&pending) {
            pending.drain(..used);
            let _gone = stream.write_all(b"HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n\r\n").await;
        }
    }
}

/// The request that `bytes` begin with, and its length; nothing if it is not whole.
fn read(bytes: &[u8]) -> Option<(Exact, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("text");
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    assert_eq!(start.split(' ').count(), 3, "{start:?}");
    assert!(start.ends_with(" HTTP/1.1") && !head.contains('\0'), "{head:?}");
    let fields: Vec<_> = lines
        .map(|line| {
            assert!(!line.contains(['\r', '\n']), "{line:?}");
            let (name, value) = line.split_once(':').expect("a colon");
            assert!(name.bytes().all(|o| o.is_ascii_alphanumeric() || b"-_!~".contains(&o)), "{line:?}");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let mut exact = Exact { start, fields, body: String::new() };
    assert_eq!(exact.all("host").len(), 1, "{head:?}");
    let mut at = end + 4;
    match (&exact.all("content-length")[..], &exact.all("transfer-encoding")[..]) {
        ([], []) => {}
        ([length], []) => {
            let length: usize = length.parse().expect("a length");
            exact.body = String::from_utf8(bytes.get(at..at + length)?.to_vec()).expect("text");
            at += length;
        }
        ([], ["chunked"]) => loop {
            let line = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
            let size = std::str::from_utf8(&bytes[at..at + line]).expect("text");
            let size = usize::from_str_radix(size, 16).expect("a size and nothing else");
            at += line + 2;
            let chunk = bytes.get(at..at + size + 2)?;
            assert_eq!(&chunk[size..], b"\r\n", "no trailers, and whole chunks");
            exact.body.push_str(std::str::from_utf8(&chunk[..size]).expect("text"));
            at += size + 2;
            if size == 0 {
                break;
            }
        },
        other => panic!("framed in two ways: {other:?}"),
    }
    Some((exact, at))
}
