//! Reads and writes durations and sizes, and finds the word that a misspelt one was meant to be.

use std::time::Duration;

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;
pub(super) const TIB: u64 = 1 << 40;

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// A duration as it is written in proxy.toml: `15m`, `1h 30m`.
pub(super) fn write_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A number of bytes as it is written in proxy.toml, exactly: in the largest unit that divides it.
pub(super) fn write_size(bytes: u64) -> String {
    let units = [(TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// Reads a duration with a unit.
pub(super) fn read_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

/// Reads a size: bytes, or a number with a unit.
pub(super) fn read_size(text: &str) -> Option<u64> {
    let size: bytesize::ByteSize = text.trim().parse().ok()?;
    // The crate saturates. A number that large is outside of all bounds anyway.
    Some(size.as_u64())
}

/// The candidate that `word` was most likely meant to be, if one is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |w: &str| w.to_lowercase().replace('-', "_");
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_back_as_written() {
        for duration in [Duration::ZERO, Duration::from_millis(250), secs(90), secs(900), days(7)] {
            assert_eq!(read_duration(&write_duration(duration)), Some(duration));
        }
        for bytes in [0, 1, 1023, KIB, 1536, 64 * KIB, 256 * MIB, 2 * GIB, TIB + 1] {
            assert_eq!(read_size(&write_size(bytes)), Some(bytes), "{bytes}");
        }
        assert_eq!(write_size(1536), "1536B");
    }

    #[test]
    fn what_is_no_duration_or_size_is_refused() {
        for text in ["", "15", "m", "15x", "-1s", "1.5.5s"] {
            assert_eq!(read_duration(text), None, "{text}");
        }
        for text in ["", "MiB", "12XB", "-1", "1,5MiB", "."] {
            assert_eq!(read_size(text), None, "{text}");
        }
    }

    #[test]
    fn the_nearest_word_is_what_was_meant() {
        let words = ["memory", "disk", "max_stored_bytes", "listen"];
        for (typo, meant) in [
            ("memroy", Some("memory")),
            ("Memory", Some("memory")),
            ("max-stored-bytes", Some("max_stored_bytes")),
            ("max_store_byte", Some("max_stored_bytes")),
            ("lisen", Some("listen")),
            ("dsk", Some("disk")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(typo, words), meant, "{typo}");
        }
    }
}
