//! Formats figures for people.

use std::time::Duration;

use bytesize::ByteSize;

/// A number of bytes, such as `1.5 MiB`.
pub(super) fn bytes(count: u64) -> String {
    ByteSize(count).to_string()
}

/// `1 stored response`, `2 stored responses`.
pub(super) fn stored_responses(count: u64) -> String {
    format!("{count} stored response{}", if count == 1 { "" } else { "s" })
}

/// Seconds in the two largest units: `2h 5m`, `-40s`.
pub(super) fn seconds(count: i64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let whole = count.unsigned_abs();
    let first = UNITS.iter().position(|(_, size)| whole >= *size).unwrap_or(UNITS.len() - 1);
    let mut rest = whole;
    let mut parts = Vec::new();
    for (name, size) in UNITS.iter().skip(first).take(2) {
        let of_it = rest / size;
        rest %= size;
        if of_it > 0 || parts.is_empty() {
            parts.push(format!("{of_it}{name}"));
        }
    }
    format!("{}{}", if count < 0 { "-" } else { "" }, parts.join(" "))
}

/// A measured duration: `0.42 ms`, `17 ms`, `2.3 s`.
pub(super) fn latency(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

/// Text of a peer, without characters that control a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `text` of several lines, without characters that control a terminal.
pub(super) fn plain_lines(text: &str) -> String {
    text.trim_end().split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_two_units() {
        for (count, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (119, "1m 59s"),
            (-40, "-40s"),
            (7_500, "2h 5m"),
            (7_205, "2h"),
            (90_000, "1d 1h"),
            (i64::MIN, "-106751991167300d 15h"),
        ] {
            assert_eq!(seconds(count), expected);
        }
    }

    #[test]
    fn latencies_keep_what_can_be_read() {
        for (micros, expected) in [(0, "0.00 ms"), (423, "0.42 ms"), (16_600, "17 ms"), (2_340_000, "2.3 s")]
        {
            assert_eq!(latency(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(plain("a\x1b[2J\u{9b}é\n"), "a\u{fffd}[2J\u{fffd}é\u{fffd}");
    }
}
