//! How much memory the processes of a browser take.

use std::collections::HashMap;

/// Bytes that the processes of the group `leader` take, pages that they share counted once. `None` where it cannot
/// be told: without a group, or without /proc.
pub(crate) async fn of_group(leader: Option<u32>) -> Option<u64> {
    let leader = leader?;
    // Many small reads of a file system that answers from memory, but not always at once.
    tokio::task::spawn_blocking(move || sum(leader)).await.ok().flatten()
}

/// The processes of a browser, looked at again and again. A process is sorted once: into the group or not.
#[derive(Debug)]
pub(crate) struct Processes {
    leader: u32,
    known: HashMap<u32, bool>,
}

/// A process of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Bytes that it takes: its own pages, memory that it shares with other processes, and what was swapped out.
    /// Files that are mapped do not count, since the kernel can drop them.
    pub(crate) bytes: u64,
}

/// What a process of a browser is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The documents and workers of one site of one capture.
    Renderer,
    /// WebGL, and putting the pictures of all pages together.
    Gpu,
    /// The browser itself: blobs, caches and databases of all pages.
    Browser,
    /// Network and other services for all pages.
    Utility,
}

impl Role {
    /// Its name in errors and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Renderer => "renderer",
            Role::Gpu => "GPU",
            Role::Browser => "browser",
            Role::Utility => "utility",
        }
    }
}

impl Processes {
    /// Those of the group `leader`.
    pub(crate) fn new(leader: u32) -> Self {
        Processes { leader, known: HashMap::new() }
    }

    /// The processes that take more than `limit` bytes, and the most that one takes.
    pub(crate) async fn above(mut self, limit: u64) -> (Self, Vec<(Process, Role)>, u64) {
        let leader = self.leader;
        let look = move || {
            let all = self.look();
            let most = all.iter().map(|process| process.bytes).max().unwrap_or_default();
            let above = all.into_iter().filter(|process| process.bytes > limit);
            let above = above.map(|process| (process, role(process.pid, leader))).collect();
            (self, above, most)
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.unwrap_or_else(|_| (Processes::new(leader), Vec::new(), 0))
    }

    fn look(&mut self) -> Vec<Process> {
        let there: Vec<u32> = pids().collect();
        let known = std::mem::take(&mut self.known);
        self.known = there
            .into_iter()
            // A process of another group never joins this one. Reading what it is costs more than all the rest.
            .filter_map(|pid| Some((pid, known.get(&pid).copied().or_else(|| is_member(pid, self.leader))?)))
            .collect();
        let members = self.known.iter().filter(|(_, is_member)| **is_member);
        members.filter_map(|(pid, _)| Some(Process { pid: *pid, bytes: taken(*pid)? })).collect()
    }
}

fn sum(leader: u32) -> Option<u64> {
    let members = pids().filter(|pid| is_member(*pid, leader) == Some(true));
    let sizes: Vec<u64> = members.filter_map(|pid| proportional(pid).or_else(|| private(pid))).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `None` if it is gone.
fn is_member(pid: u32, leader: u32) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(group_in(&stat)? == leader)
}

fn role(pid: u32, leader: u32) -> Role {
    if pid == leader {
        return Role::Browser;
    }
    role_in(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
}

/// By its arguments.
fn role_in(command_line: &[u8]) -> Role {
    // Some of Chrome's processes have spaces where others have zeros.
    let arguments = command_line.split(|byte| matches!(byte, 0 | b' '));
    match arguments.filter_map(|argument| argument.strip_prefix(b"--type=")).next() {
        Some(b"renderer") => Role::Renderer,
        Some(b"gpu-process") => Role::Gpu,
        _ => Role::Utility,
    }
}

fn taken(pid: u32) -> Option<u64> {
    taken_in(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// Its share of the pages it uses; the kernel tells it of processes that we might trace.
fn proportional(pid: u32) -> Option<u64> {
    pss_in(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// Pages that it shares with nobody, which the kernel tells of every process.
fn private(pid: u32) -> Option<u64> {
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    Some(private_in(&std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?)? * page)
}

/// `pid (name) state ppid pgrp ...`, where the name may have spaces and parentheses.
fn group_in(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// `RssAnon`, `RssShmem` and `VmSwap` of /proc/PID/status; a process that is ending has none.
fn taken_in(status: &str) -> Option<u64> {
    let kib = |name: &str| kib_in(status, name);
    let (anonymous, shared) = (kib("RssAnon:")?, kib("RssShmem:").unwrap_or_default());
    anonymous.checked_add(shared)?.checked_add(kib("VmSwap:").unwrap_or_default())?.checked_mul(1024)
}

fn pss_in(rollup: &str) -> Option<u64> {
    kib_in(rollup, "Pss:")?.checked_mul(1024)
}

/// The number of a line `name 1234 kB`.
fn kib_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Pages: `size resident shared ...`.
fn private_in(statm: &str) -> Option<u64> {
    let mut fields = statm.split_whitespace().skip(1);
    let (resident, shared): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(resident.saturating_sub(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_as_the_kernel_writes_it() {
        assert_eq!(group_in("12 (a) b) c) S 1 77 5 0"), Some(77));
        assert_eq!(group_in("12 (a) S 1"), None);
        assert_eq!(group_in(""), None);
        let rollup = "5581-7ffc ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss:     1234 kB\nPss_Dirty: 5 kB\n";
        assert_eq!(pss_in(rollup), Some(1234 * 1024));
        assert_eq!(pss_in("Rss: 9 kB"), None);
        assert_eq!(private_in("900 300 100 1 0 2 0"), Some(200));
        assert_eq!(private_in("900"), None);
        let status = "Name:\tx\nVmRSS:\t 90 kB\nRssAnon:\t   40 kB\nRssFile:\t 30 kB\nRssShmem:\t 20 kB\nVmSwap:\t 5 kB\n";
        assert_eq!(taken_in(status), Some(65 * 1024));
        assert_eq!(taken_in("RssAnon:\t40 kB\n"), Some(40 * 1024));
        assert_eq!(taken_in("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn role_table() {
        for (line, expected) in [
            (&b"/chrome\0--type=renderer\0--lang=de"[..], Role::Renderer),
            (b"/chrome --type=renderer --lang=de", Role::Renderer),
            (b"/chrome\0--type=gpu-process", Role::Gpu),
            (b"/chrome\0--type=utility\0--utility-sub-type=network.mojom.NetworkService", Role::Utility),
            (b"/chrome\0--type=zygote", Role::Utility),
            (b"", Role::Utility),
        ] {
            assert_eq!(role_in(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn our_own_group_takes_some() {
        let leader = u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()).unwrap();
        assert!(of_group(Some(leader)).await.is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(of_group(None).await, None);
        assert_eq!(of_group(Some(u32::MAX)).await, None);

        let ours = std::process::id();
        let (processes, above, most) = Processes::new(leader).above(1 << 10).await;
        assert!(above.iter().any(|(process, _)| process.pid == ours) && most > 1 << 10);
        assert_eq!(processes.known.get(&ours), Some(&true));
        let (_, above, again) = processes.above(u64::MAX).await;
        assert!(above.is_empty() && again > 1 << 10);
    }
}
