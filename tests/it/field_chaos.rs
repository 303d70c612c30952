//! Faults of the process and of what is around it, under steady load: no request hangs, no answer is wrong, and afterwards there is either
//! full service or the end of the process with a code that says so.
//!
//! Sources: typedb#7985 (the accept loop was dead, the process lived), slint#11396 (a log reader that goes away), omicron#4352 (a full disk
//! under the log).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use tokio::task::JoinSet;

use crate::field_logs::{configured, logging_to};
use crate::field_tasks::{VITAL, everything};
use crate::support::client::get;
use crate::support::*;

/// Clients at once: some keep their connections, some make a new one for each request.
const CLIENTS: usize = 6;
/// No request lasts longer, that of a stopped process included.
const BOUND: Duration = Duration::from_secs(15);

/// What became of requests, by kind.
#[derive(Debug, Default)]
struct Outcomes {
    hits: AtomicUsize,
    misses: AtomicUsize,
    /// Answers of 5xx that are whole.
    errors: AtomicUsize,
    /// Connections that were refused, or ended without a whole answer.
    unanswered: AtomicUsize,
}

/// Load that goes on until it is told to stop. What is hung or wrong is kept in words.
struct Chaos {
    clients: JoinSet<Vec<String>>,
    stop: Arc<AtomicBool>,
    outcomes: Arc<Outcomes>,
}

impl Chaos {
    fn on(address: SocketAddr) -> Self {
        Self::within(BOUND, address)
    }

    /// Load whose requests may last no longer than `bound`.
    fn within(bound: Duration, address: SocketAddr) -> Self {
        let (stop, outcomes) = (Arc::new(AtomicBool::new(false)), Arc::new(Outcomes::default()));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (stop, outcomes) = (Arc::clone(&stop), Arc::clone(&outcomes));
            clients.spawn(async move {
                let (kept, mut bad) = (Client::new(), Vec::new());
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    // Two hits, and a miss that no other request asks for.
                    let is_miss = n % 3 == 2;
                    let path =
                        if is_miss { format!("/miss-{number}-{n}") } else { format!("/hit-{}", n % 5) };
                    let client = if number % 2 == 0 { kept.clone() } else { Client::new() };
                    let asked = ask(client, format!("http://{address}{path}"));
                    match tokio::time::timeout(bound, asked).await {
                        Err(_) => bad.push(format!("{path}: no end within {bound:?}")),
                        Ok(None) => count(&outcomes.unanswered),
                        Ok(Some((200, body))) if body == format!("body of {path}") => {
                            count(if is_miss { &outcomes.misses } else { &outcomes.hits });
                        }
                        Ok(Some((500..=599, _))) => count(&outcomes.errors),
                        Ok(Some((status, body))) => bad.push(format!("{path}: {status} {body:?}")),
                    }
                    // Bounded: the machine has others to serve.
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
                bad
            });
        }
        Chaos { clients, stop, outcomes }
    }

    /// Waits for `more` hits and some misses from now on.
    async fn goes_on(&self, more: usize) {
        let wanted = |count: &AtomicUsize, more| (count.load(Ordering::Relaxed) + more, more);
        let (hits, misses) = (wanted(&self.outcomes.hits, more).0, wanted(&self.outcomes.misses, more / 4).0);
        within_long("answers under load", async {
            while self.outcomes.hits.load(Ordering::Relaxed) < hits
                || self.outcomes.misses.load(Ordering::Relaxed) < misses
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Ends it: what hung, and what was wrong.
    async fn bad(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await.concat()
    }

    /// Ends it, and wants nothing to have hung or been wrong.
    async fn end(self, what: &str) -> Arc<Outcomes> {
        let outcomes = Arc::clone(&self.outcomes);
        let bad = self.bad().await;
        eprintln!("{what}: {outcomes:?}");
        assert!(bad.is_empty(), "{what}: {} bad of {outcomes:?}: {bad:?}", bad.len());
        outcomes
    }

    /// As [`end`](Self::end), where every request is to be answered.
    async fn all_answered(self, what: &str) {
        let outcomes = self.end(what).await;
        let failed = [&outcomes.errors, &outcomes.unanswered].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(failed, [0, 0], "{what}: {outcomes:?}");
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Status and body of a whole answer; nothing where none comes.
async fn ask(client: Client, url: String) -> Option<(u16, String)> {
    let answer = client.try_request("GET", &url, &[], "").await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn origin() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        Reply::ok(format!("body of {}", request.target)).header("Cache-Control", "max-age=600")
    })
    .await
}

/// Ready, answering a hit and a miss, and ending in order.
async fn serves_in_full(process: Process, what: &str) {
    let ready = get(&format!("http://{}/readyz", process.admin), &[]).await;
    assert_eq!(ready.status, 200, "{what}: {}", ready.text());
    for path in ["/hit-0", "/afterwards"] {
        let answer = get(&format!("http://{}{path}", process.address), &[]).await;
        assert_eq!((answer.status, answer.text()), (200, format!("body of {path}")), "{what}");
    }
    assert!(process.stop().await, "{what}: SIGTERM ends it with 0");
}

/// The load itself notices what the tests below are about.
#[tokio::test]
async fn the_load_notices_wrong_answers_and_requests_without_an_end() {
    let wrong = ScriptedOrigin::start(|_| Reply::ok("body of /another")).await;
    let load = Chaos::on(wrong.address());
    wrong.received(CLIENTS).await;
    let bad = load.bad().await;
    assert!(!bad.is_empty() && bad.iter().all(|why| why.contains("200")), "{bad:?}");

    // The kernel lets clients in, and nobody answers them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let load = Chaos::within(Duration::from_millis(200), silent.local_addr().unwrap());
    tokio::task::yield_now().await;
    let bad = load.bad().await;
    assert!(!bad.is_empty() && bad.iter().all(|why| why.contains("no end")), "{bad:?}");
}

/// slint#11396 and omicron#4352.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_disturbs_no_request() {
    let (origin, folder) = (origin().await, tempfile::tempdir().unwrap());
    let config = configured(folder.path(), &origin, "max_buffer = \"64KiB\"");

    let (read, write) = std::io::pipe().unwrap();
    let process = logging_to(&config, OwnedFd::from(write)).await;
    let load = Chaos::on(process.address);
    load.goes_on(30).await;
    drop(read);
    load.goes_on(300).await;
    load.all_answered("log reader killed").await;
    serves_in_full(process, "log reader killed").await;

    // Shorter than the pipe of 64 KiB would be, so that it is full soon.
    let (unread, write) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&write, 4096).unwrap();
    let process = logging_to(&config, OwnedFd::from(write)).await;
    let load = Chaos::on(process.address);
    within_long("a full pipe", async {
        while lost(&process).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    load.goes_on(300).await;
    load.all_answered("log pipe full").await;
    serves_in_full(process, "log pipe full").await;
    drop(unread);

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let process = logging_to(&config, full).await;
    let load = Chaos::on(process.address);
    load.goes_on(300).await;
    assert!(lost(&process).await > 0);
    load.all_answered("disk full under the log").await;
    serves_in_full(process, "disk full under the log").await;
}

async fn lost(process: &Process) -> u64 {
    let metrics = get(&format!("http://{}/metrics", process.admin), &[]).await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("tintype_lost_log_lines_total "));
    line.expect("the metric").trim().parse().unwrap()
}

/// typedb#7985: what looks like a hang from outside is none once the process runs again. The stop lasts 5 s by the requirement; whatever
/// was asked meanwhile is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_stopped_answers_what_was_asked_meanwhile() {
    let (origin, folder) = (origin().await, tempfile::tempdir().unwrap());
    let process = Process::start(&configured(folder.path(), &origin, "access = false")).await;
    let load = Chaos::on(process.address);
    load.goes_on(50).await;
    process.signal(Signal::STOP);
    tokio::time::sleep(Duration::from_secs(5)).await;
    process.signal(Signal::CONT);
    load.goes_on(300).await;
    load.all_answered("stopped for 5 s").await;
    serves_in_full(process, "stopped for 5 s").await;
}

/// typedb#7985, for a clock that is set. A process cannot be given another wall clock without further programs or privileges, so this one
/// runs within the test, with its listeners and a clock that can be turned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_stepped_disturbs_no_request() {
    const HOUR: Duration = Duration::from_secs(3600);
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let origin = origin().await;
    let running = Tintype::before(&origin).await;
    let address = running.url("").trim_start_matches("http://").parse().unwrap();
    let load = Chaos::on(address);
    for now in [START, START - HOUR, START + HOUR, START - YEAR, START + YEAR, START] {
        running.clock.set(now);
        load.goes_on(40).await;
    }
    load.all_answered("clock stepped").await;
    let ready = running.client.get(&running.admin_url("/readyz"), &[]).await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    running.stop().await;
}

/// typedb#7985: the accept loop ended at the first error. `ulimit -n` from the start, and a limit that is lowered to what is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_file_descriptors_leave_no_request_without_an_end() {
    let (origin, folder) = (origin().await, tempfile::tempdir().unwrap());
    let config = configured(folder.path(), &origin, "access = false");
    let process = Process::launched(Process::launch(&config, "ulimit -n 48")).await;
    let load = Chaos::on(process.address);
    load.goes_on(300).await;
    load.end("ulimit -n 48").await;
    serves_in_full(process, "ulimit -n 48").await;

    let process = Process::start(&config).await;
    let load = Chaos::on(process.address);
    load.goes_on(50).await;
    let limit = |current| Rlimit { current: Some(current), maximum: Some(4096) };
    let open = Path::new("/proc").join(process.pid().as_raw_nonzero().to_string()).join("fd");
    let open = std::fs::read_dir(open).unwrap().count() as u64;
    prlimit(Some(process.pid()), Resource::Nofile, limit(open + 1)).unwrap();
    // Hits are answered, on the connections that are kept if on no others.
    let hits = load.outcomes.hits.load(Ordering::Relaxed);
    within_long("hits", async {
        while load.outcomes.hits.load(Ordering::Relaxed) < hits + 300 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    prlimit(Some(process.pid()), Resource::Nofile, limit(1024)).unwrap();
    load.goes_on(300).await;
    load.end("no descriptors left").await;
    serves_in_full(process, "no descriptors left").await;
}

/// typedb#7985: the process lived on without its accept loop. Each of the tasks that must live is ended in turn.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_any_vital_task_ends_the_process_and_hangs_no_request() {
    let origin = origin().await;
    for name in VITAL {
        let folder = tempfile::tempdir().unwrap();
        let (config, end) = (folder.path().join("proxy.toml"), folder.path().join("end"));
        std::fs::write(&config, everything(folder.path(), &origin)).unwrap();
        let before = format!("export __TINTYPE_END_TASK={name}:{}", end.display());
        let process = Process::launched(Process::launch(&config, &before)).await;
        let load = Chaos::on(process.address);
        load.goes_on(20).await;
        std::fs::write(&end, "").unwrap();
        assert_eq!(process.ended().await, Some(1), "{name}");
        load.end(name).await;
    }
}
