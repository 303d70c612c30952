//! How much memory the processes of a group take.

/// Bytes that the processes of the group `leader` take, pages that they share counted once. `None` where it cannot
/// be told: without a group, or without /proc.
pub(super) async fn of_group(leader: Option<u32>) -> Option<u64> {
    let leader = leader?;
    // Many small reads of a file system that answers from memory, but not always at once.
    tokio::task::spawn_blocking(move || sum(leader)).await.ok().flatten()
}

/// The renderers among them that take more than `limit` bytes each, in pages that they share with nobody.
pub(super) async fn large_renderers(leader: u32, limit: u64) -> Vec<u32> {
    let large = move || {
        let members = members(leader).into_iter().flatten();
        members.filter(|pid| private(*pid).is_some_and(|bytes| bytes > limit) && renders(*pid)).collect()
    };
    tokio::task::spawn_blocking(large).await.unwrap_or_default()
}

fn sum(leader: u32) -> Option<u64> {
    let sizes = members(leader)?.filter_map(|pid| proportional(pid).or_else(|| private(pid)));
    let sizes: Vec<u64> = sizes.collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

fn members(leader: u32) -> Option<impl Iterator<Item = u32>> {
    Some(std::fs::read_dir("/proc").ok()?.flatten().filter_map(move |entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (group_in(&stat)? == leader).then_some(pid)
    }))
}

/// Whether it is one of Chrome's renderers, by its arguments.
fn renders(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // Some of Chrome's processes have spaces where others have zeros.
    line.split(|byte| matches!(byte, 0 | b' ')).any(|argument| argument == b"--type=renderer")
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

fn pss_in(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
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
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn our_own_group_takes_some() {
        let leader = u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()).unwrap();
        assert!(of_group(Some(leader)).await.is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(of_group(None).await, None);
        assert_eq!(of_group(Some(u32::MAX)).await, None);
    }
}
