//! Compares the limits of this process with the configuration: open files and memory.

use bytesize::ByteSize;
use rustix::process::{Resource, getrlimit};
use tintype::config::Upstream;
use tintype::{listener, proxy, store};

use super::finding::Finding;

/// Files of the program itself, its logs, its libraries and its control plane.
const OWN_FILES: u64 = 256;
/// Memory of the program itself in bytes.
const OWN_MEMORY: u64 = 64 << 20;

pub(super) fn check(
    server: &listener::Config,
    store: &store::Config,
    proxy: &proxy::Config,
    upstreams: &[(String, Upstream)],
) -> Vec<Finding> {
    vec![
        files(needed_files(server, store, upstreams), getrlimit(Resource::Nofile).current),
        memory(needed_memory(store, proxy, upstreams), memory_limit()),
    ]
}

fn needed_files(server: &listener::Config, store: &store::Config, upstreams: &[(String, Upstream)]) -> u64 {
    let blocks = store.dir.as_ref().map_or(0, |_| store.disk_bytes / store.block_bytes.max(1));
    let origins: usize = upstreams
        .iter()
        .map(|(_, upstream)| match upstream {
            Upstream::Remote(remote) => remote.max_concurrent + remote.max_idle_connections,
            // One connection from the browser, and one to the site.
            Upstream::Chrome(chrome) => chrome.max_concurrent * chrome.max_page_connections * 2,
        })
        .sum();
    // Each block is opened twice: by the engine for writing, and by the store for reads from the
    // page cache.
    OWN_FILES + blocks * 2 + (server.max_connections + origins) as u64
}

fn files(needed: u64, limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < needed => Finding::warning(
            "files",
            format!(
                "{limit} open files are allowed, and {needed} may be needed: beyond, connections wait or fail"
            ),
            format!(
                "raise the limit (ulimit -n {needed}, LimitNOFILE=, docker --ulimit), or lower max_connections"
            ),
        ),
        Some(limit) => {
            Finding::good("files", format!("{limit} open files are allowed, {needed} may be needed"))
        }
        None => Finding::good("files", "open files are not limited"),
    }
}

fn needed_memory(store: &store::Config, proxy: &proxy::Config, upstreams: &[(String, Upstream)]) -> u64 {
    let browsers: u64 = upstreams
        .iter()
        .map(|(_, upstream)| match upstream {
            Upstream::Chrome(chrome) if chrome.remote.is_empty() => chrome.recycle_memory,
            _ => 0,
        })
        .sum();
    let write_buffer = store.dir.as_ref().map_or(0, |_| store.write_buffer_bytes);
    [store.memory_bytes, write_buffer, proxy.max_fetch_buffer, browsers]
        .iter()
        .fold(OWN_MEMORY, |sum, bytes| sum.saturating_add(*bytes))
}

fn memory(needed: u64, limit: Option<(u64, &'static str)>) -> Finding {
    let Some((limit, whose)) = limit else {
        return Finding::good("memory", format!("{} may be needed; no limit is known", ByteSize(needed)));
    };
    let says = format!("{} may be needed, {whose} has {}", ByteSize(needed), ByteSize(limit));
    if needed > limit {
        let remedy =
            "lower memory and max_fetch_buffer in [store] and recycle_memory, or give it more memory";
        return Finding::warning(
            "memory",
            format!("{says}: the system may kill tintype or its browser"),
            remedy,
        );
    }
    Finding::good("memory", says)
}

/// Bytes that this process and its browser may use, and the source of the limit.
fn memory_limit() -> Option<(u64, &'static str)> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total(&text)).map(|bytes| (bytes, "the machine"));
    // The cgroup's own folder if it is visible, and the root of the view of a container.
    let group = read("/proc/self/cgroup").unwrap_or_default();
    let own = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let places = [
        format!("/sys/fs/cgroup{}/memory.max", own.trim_end_matches('/')),
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    let groups = places.iter().filter_map(|place| read(place)?.trim().parse().ok());
    groups.map(|bytes| (bytes, "the control group")).chain(machine).min()
}

/// The memory of the machine in bytes, from /proc/meminfo.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    #[test]
    fn what_may_be_needed_is_held_against_the_limit() {
        for (limit, expected) in [(None, Mark::Good), (Some(100), Mark::Good), (Some(99), Mark::Warning)] {
            assert_eq!(files(100, limit).mark, expected, "{limit:?}");
            assert_eq!(memory(100, limit.map(|limit| (limit, "it"))).mark, expected, "{limit:?}");
        }
    }

    #[test]
    fn meminfo_is_read() {
        assert_eq!(total("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16_384));
        assert_eq!(total("nothing"), None);
    }
}
