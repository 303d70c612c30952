//! What the tests of the guard share: a page with every road out of it, a victim at the end of each, and a scripted
//! resolver.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tintype::origin::chrome::resolver::Resolver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;

use crate::chrome_site::{Answer, html};

/// Roads by a name of their own, as HTML, or as a script after `js:`. `URL` leads to the victim, `HOST` is its host and port.
pub(crate) const ROADS: &[(&str, &str)] = &[
    ("img", "<img src='URL'>"),
    ("srcset", "<img srcset='URL 1x'>"),
    ("picture", "<picture><source srcset='URL'><img></picture>"),
    ("svg-image", "<svg><image href='URL'/></svg>"),
    ("input-image", "<input type=image src='URL'>"),
    ("table-background", "<table background='URL'><td>x</table>"),
    ("css", "<link rel=stylesheet href='URL'>"),
    ("css-import", "<style>@import url('URL');</style>"),
    ("css-background", "<style>body { background-image: url('URL') }</style>"),
    ("css-mask", "<div style='mask-image: url(URL)'>x</div>"),
    ("css-content", "<style>#quote::before { content: url('URL') }</style><p id=quote>x"),
    (
        "font",
        "<style>@font-face { font-family: f; src: url('URL') }</style><p style='font-family: f'>text</p>",
    ),
    ("font-face", "js:new FontFace('g', 'url(URL)').load().catch(() => 0)"),
    ("script", "<script src='URL'></script>"),
    ("module", "<script type=module src='URL'></script>"),
    ("dynamic-import", "js:import('URL').catch(() => 0)"),
    ("fetch", "js:fetch('URL', { mode: 'no-cors' }).catch(() => 0)"),
    (
        "fetch-keepalive",
        "js:fetch('URL', { method: 'POST', body: 'x', keepalive: true, mode: 'no-cors' }).catch(() => 0)",
    ),
    ("xhr", "js:const x = new XMLHttpRequest(); x.open('GET', 'URL'); x.send()"),
    ("beacon", "js:navigator.sendBeacon('URL', 'x')"),
    ("websocket", "js:new WebSocket('ws://HOST/websocket')"),
    ("event-source", "js:new EventSource('URL')"),
    ("frame", "<iframe src='URL'></iframe>"),
    ("frame-redirect", "<iframe src='/to/frame-redirect'></iframe>"),
    ("frame-refresh", "<iframe srcdoc=\"<meta http-equiv=refresh content='0;url=URL'>\"></iframe>"),
    ("frame-location", "<iframe srcdoc=\"<script>location = 'URL'</script>\"></iframe>"),
    (
        "form",
        "<iframe name=form></iframe><form id=f method=post target=form action='URL'></form><script>f.submit()</script>",
    ),
    ("image-redirect", "<img src='/to/image-redirect'>"),
    ("fetch-redirect", "js:fetch('/to/fetch-redirect', { mode: 'no-cors' }).catch(() => 0)"),
    ("object", "<object data='URL'></object>"),
    ("pdf", "<object type='application/pdf' data='URL'></object><embed type='application/pdf' src='URL'>"),
    ("embed", "<embed src='URL'>"),
    ("video", "<video src='URL'></video>"),
    ("poster", "<video poster='URL'></video>"),
    ("audio", "<audio src='URL' preload=auto></audio>"),
    (
        "track",
        "<video crossorigin><track default src='URL'></video><script>document.querySelector('track').track.mode = 'showing'</script>",
    ),
    ("preload", "<link rel=preload as=image href='URL'>"),
    ("modulepreload", "<link rel=modulepreload href='URL'>"),
    ("prefetch", "<link rel=prefetch href='URL'>"),
    ("audio-worklet", "js:new OfflineAudioContext(1, 1, 44100).audioWorklet.addModule('URL').catch(() => 0)"),
    ("tls", "<img src='https://HOST/tls'>"),
    ("wss", "js:new WebSocket('wss://HOST/wss')"),
    ("popup", "js:open('URL')"),
    (
        "blank-link",
        "js:const a = document.createElement('a'); a.target = '_blank'; a.href = 'URL'; a.click()",
    ),
    ("preconnect", "<link rel=preconnect href='http://HOST'>"),
    ("dns-prefetch", "<link rel=dns-prefetch href='http://HOST'>"),
    ("favicon", "<link rel=icon href='URL'>"),
    ("manifest", "<link rel=manifest href='URL'>"),
    (
        "prerender",
        "<script type=speculationrules>{ \"prerender\": [{ \"urls\": [\"URL\"], \"eagerness\": \"immediate\" }] }</script>",
    ),
    ("web-transport", "js:new WebTransport('https://HOST/x').ready.catch(() => 0)"),
];

/// Roads of workers, which one script for all of them takes.
pub(crate) const WORKER_ROADS: [&str; 3] = ["worker", "shared-worker", "service-worker"];

/// Roads that are there, but which this browser does not take or which end without a request.
pub(crate) const IDLE: [&str; 7] =
    ["pdf", "preconnect", "dns-prefetch", "favicon", "manifest", "prerender", "web-transport"];

/// Roads that open a window; the guard is not asked, since there is none.
pub(crate) const WINDOWS: [&str; 2] = ["popup", "blank-link"];

/// Hosts that mean the victim's machine in one notation or another, and whether the system would go there.
pub(crate) const NOTATIONS: &[(&str, bool)] = &[
    ("127.0.0.1", true),
    ("2130706433", true),
    ("017700000001", true),
    ("0x7f000001", true),
    ("0x7f.1", true),
    ("127.1", true),
    ("0177.0.0.01", true),
    ("127.0.0.1.", true),
    ("%31%32%37.0.0.1", true),
    ("１２７。０。０。１", true),
    ("localhost", true),
    ("localhost.", true),
    ("LocalHost", true),
    ("x.localhost", true),
    ("0", true),
    ("0.0.0.0", true),
    ("[::]", true),
    ("[::1]", true),
    ("[::ffff:127.0.0.1]", true),
    ("[::ffff:7f00:1]", true),
    ("[::127.0.0.1]", false),
    ("[64:ff9b::7f00:1]", false),
    ("[64:ff9b:1::127.0.0.1]", false),
    ("[2002:7f00:1::]", false),
    ("1.1.1.1@127.0.0.1", false),
];

/// The page at `/`, and what else its site has to answer, all leading to `port`. It turns lime at its end.
pub(crate) fn site(port: u16) -> Vec<(&'static str, Answer)> {
    let host = |road: &str| format!("{road}.victim.test:{port}");
    let url = |road: &str| format!("http://{}/{road}", host(road));
    let mut page = String::from("<!doctype html><body style='margin:0;background-color:#f00'>");
    for (road, snippet) in ROADS {
        let snippet = snippet.replace("URL", &url(road)).replace("HOST", &host(road));
        page += &match snippet.strip_prefix("js:") {
            Some(script) => format!("<script>try {{ {script} }} catch (e) {{}}</script>\n"),
            None => format!("{snippet}\n"),
        };
    }
    for (n, (host, _)) in NOTATIONS.iter().enumerate() {
        page += &format!("<iframe src='http://{host}:{port}/notation-{n}'></iframe>\n");
    }
    page += &format!(
        "<script>
            const go = run => {{ try {{ run() }} catch (e) {{}} }};
            go(() => new Worker('/worker.js?worker'));
            go(() => new SharedWorker('/worker.js?shared-worker'));
            go(() => navigator.serviceWorker.register('/worker.js?service-worker'));
            for (const at of ['127.0.0.1', '[::1]']) go(() => {{
                const peer = new RTCPeerConnection({{ iceServers: [
                    {{ urls: `stun:${{at}}:{port}` }},
                    {{ urls: `turn:${{at}}:{port}`, username: 'u', credential: 'c' }},
                    {{ urls: `turn:${{at}}:{port}?transport=tcp`, username: 'u', credential: 'c' }},
                    {{ urls: `turns:${{at}}:{port}`, username: 'u', credential: 'c' }},
                ] }});
                peer.createDataChannel('c');
                peer.createOffer().then(offer => peer.setLocalDescription(offer));
            }});
            document.body.style.background = '#0f0';
        </script>"
    );
    // Each kind of worker has hosts of its own.
    let worker = format!(
        "const to = (scheme, road) => `${{scheme}}://${{road}}.victim.test:{port}/${{road}}`;
        const kind = location.search.slice(1);
        fetch(to('http', kind + '-fetch'), {{ mode: 'no-cors' }}).catch(() => 0);
        new WebSocket(to('ws', kind + '-websocket'));
        try {{ importScripts(to('http', kind + '-import')) }} catch (e) {{}}"
    );
    let headers = vec![
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("link", format!("<{}>; rel=preload; as=image", url("link-field"))),
        (
            "content-security-policy-report-only",
            format!("form-action 'none'; report-uri {}", url("csp-report")),
        ),
    ];
    let to = |road: &str| Answer::To(url(road));
    vec![
        ("/", Answer::Full(200, headers, page)),
        ("/worker.js", Answer::Now(200, "text/javascript", worker)),
        ("/to/frame-redirect", to("frame-redirect")),
        ("/to/image-redirect", to("image-redirect")),
        ("/to/fetch-redirect", to("fetch-redirect")),
        ("/lime", html("<body bgcolor=lime>")),
    ]
}

/// The roads by name on which this browser sends requests.
pub(crate) fn named_roads() -> BTreeSet<String> {
    let plain = ROADS.iter().map(|(road, _)| (*road).to_owned());
    let kinds = ["fetch", "websocket", "import"];
    let workers = WORKER_ROADS.iter().flat_map(|road| kinds.map(|kind| format!("{road}-{kind}")));
    let fields = ["link-field", "csp-report"].map(str::to_owned);
    plain.chain(workers).chain(fields).filter(|road| !IDLE.contains(&road.as_str())).collect()
}

/// Listeners that must never be reached: one port, TCP and UDP, IPv4 and IPv6 loopback.
pub(crate) struct Victim {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    datagrams: Arc<AtomicUsize>,
    visits: Arc<watch::Sender<BTreeSet<String>>>,
}

impl Victim {
    pub(crate) async fn start() -> Self {
        // A port that is free on all four.
        let (tcp, udp) = loop {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = first.local_addr().unwrap().port();
            let (four, six) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
            let second = TcpListener::bind((six, port)).await;
            let (third, fourth) = (UdpSocket::bind((four, port)).await, UdpSocket::bind((six, port)).await);
            if let (Ok(second), Ok(third), Ok(fourth)) = (second, third, fourth) {
                break ([first, second], [third, fourth]);
            }
        };
        let port = tcp[0].local_addr().unwrap().port();
        let victim =
            Victim { port, connections: Arc::default(), datagrams: Arc::default(), visits: Arc::default() };
        for listener in tcp {
            let (connections, visits) = (victim.connections.clone(), victim.visits.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(welcome(stream, visits.clone()));
                }
            });
        }
        for socket in udp {
            let (datagrams, visits) = (victim.datagrams.clone(), victim.visits.clone());
            tokio::spawn(async move {
                while let Ok((_, from)) = socket.recv_from(&mut [0; 64]).await {
                    datagrams.fetch_add(1, Ordering::SeqCst);
                    visits.send_if_modified(|visits| visits.insert(format!("udp{}", family(from))));
                }
            });
        }
        victim
    }

    /// Connections and datagrams that came.
    pub(crate) fn reached(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.datagrams.load(Ordering::SeqCst))
    }

    /// Waits until every one of these came; says what is missing if they do not within a minute.
    pub(crate) async fn visited(&self, roads: &BTreeSet<String>) {
        awaited(self.visits.subscribe(), roads).await;
    }
}

/// Remembers what a connection is for: the path of a request, or what is no HTTP.
async fn welcome(mut stream: tokio::net::TcpStream, visits: Arc<watch::Sender<BTreeSet<String>>>) {
    let mut head = vec![0; 4096];
    while let Ok(1..) = stream.peek(&mut head).await {
        let Ok(length) = stream.read(&mut head).await else { return };
        let text = String::from_utf8_lossy(&head[..length]);
        let path = text.split(' ').nth(1).filter(|path| path.starts_with('/'));
        let kind = match (path, head[0]) {
            (Some(path), _) => path[1..].to_owned(),
            (None, 0x16) => "any-tls".to_owned(),
            (None, _) => "turn-tcp".to_owned(),
        };
        visits.send_if_modified(|visits| visits.insert(kind));
        let answer = "HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

fn family(address: SocketAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

async fn awaited(mut seen: watch::Receiver<BTreeSet<String>>, all: &BTreeSet<String>) {
    let enough = seen.wait_for(|seen| all.is_subset(seen));
    let came = tokio::time::timeout(Duration::from_secs(60), enough).await.is_ok();
    let missing: Vec<_> = all.difference(&seen.borrow()).cloned().collect();
    assert!(came, "these did not come: {missing:?}");
}

/// A resolver that says what it is told: the answers of a name in turn, the last one again and again. Any other name
/// below `victim.test` or `localhost` is the victim's.
#[derive(Debug)]
pub(crate) struct Names {
    script: Mutex<HashMap<&'static str, Vec<&'static str>>>,
    asked: watch::Sender<BTreeSet<String>>,
    lookups: AtomicUsize,
}

impl Names {
    /// Each answer is a list of addresses, parted by spaces.
    pub(crate) fn new(script: impl IntoIterator<Item = (&'static str, Vec<&'static str>)>) -> Arc<Self> {
        let script = script.into_iter().map(|(name, answers)| (name, answers.into_iter().rev().collect()));
        Arc::new(Names {
            script: Mutex::new(script.collect()),
            asked: watch::Sender::default(),
            lookups: AtomicUsize::new(0),
        })
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    /// Waits until the guard was asked for each of these roads.
    pub(crate) async fn asked(&self, roads: &BTreeSet<String>) {
        awaited(self.asked.subscribe(), roads).await;
    }

    /// Whether it was asked for this road.
    pub(crate) fn was_asked(&self, road: &str) -> bool {
        self.asked.borrow().contains(road)
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let bare = name.trim_end_matches('.');
        let road = bare.strip_suffix(".victim.test").unwrap_or(bare).to_owned();
        self.asked.send_if_modified(|asked| asked.insert(road));
        let mut script = self.script.lock().unwrap();
        let addresses = match script.get_mut(bare) {
            Some(answers) if answers.len() > 1 => answers.pop(),
            Some(answers) => answers.last().copied(),
            None if bare.ends_with("localhost") || bare.ends_with(".victim.test") => Some("127.0.0.1"),
            None => None,
        };
        let addresses = addresses.map(|list| list.split(' ').map(|a| a.parse().unwrap()).collect());
        Box::pin(std::future::ready(addresses.ok_or_else(|| io::ErrorKind::NotFound.into())))
    }
}
