//! Judges 206 and 416.

use super::oracle::{Exchange, ensure};

/// Each part must be one that was asked for, of the very body.
pub(super) fn partial(exchange: &Exchange<'_>, body: &str) -> Result<(), String> {
    let answer = exchange.answer;
    let range = exchange.range().ok_or("a 206 that nobody asked for")?;
    let asked = resolve(range, body.len()).ok_or("a 206 for no range")?;
    ensure!(answer.broken.is_none(), "a part that broke off");
    if let Some(given) = exchange.if_range {
        let holds = !given.starts_with("W/") && answer.header("etag").is_none_or(|tag| tag == given);
        ensure!(holds, "a part, yet If-Range is {given}");
    }
    if let Some(range) = answer.header("content-range") {
        return part(range, &answer.text(), body, &asked);
    }
    let kind = answer.header("content-type").ok_or("a 206 without Content-Range and Content-Type")?;
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").ok_or("a strange Content-Type")?;
    let text = answer.text();
    let mut found = 0;
    for one in text.split(&format!("--{}", boundary.trim_matches('"'))).skip(1) {
        if one.starts_with("--") {
            break;
        }
        let (head, content) = one.split_once("\r\n\r\n").ok_or("a part without head")?;
        let line = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-range").then(|| value.trim().to_owned())
        };
        let range = head.lines().find_map(line).ok_or("a part without Content-Range")?;
        part(&range, content.strip_suffix("\r\n").unwrap_or(content), body, &asked)?;
        found += 1;
    }
    ensure!(found == asked.len(), "{found} parts of {}", asked.len());
    Ok(())
}

/// A 416 must be true of some body that the origin had.
pub(super) fn unsatisfiable(exchange: &Exchange<'_>) -> Result<(), String> {
    let range = exchange.range().ok_or("a 416 that nobody asked for")?;
    let length = exchange.answer.header("content-range").and_then(|range| range.strip_prefix("bytes */"));
    let length: usize = length.and_then(|length| length.parse().ok()).ok_or("a 416 without Content-Range")?;
    let had = exchange.sent.iter().any(|sent| sent.key == exchange.ask.key && sent.body.len() == length);
    ensure!(had, "a 416 about a length that the origin never had");
    ensure!(resolve(range, length).is_some_and(|parts| parts.is_empty()), "a 416 for {range} of {length}");
    Ok(())
}

fn part(range: &str, content: &str, body: &str, asked: &[(usize, usize)]) -> Result<(), String> {
    let bounds = || {
        let (bounds, length) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = bounds.split_once('-')?;
        let (first, end) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()? + 1);
        (length == body.len().to_string() && end <= body.len()).then_some((first, end))
    };
    let (first, end) = bounds().ok_or_else(|| format!("Content-Range: {range} of {}", body.len()))?;
    ensure!(asked.contains(&(first, end)), "the part {range} was not asked for");
    ensure!(body[first..end] == *content, "{range} is not {content:?}");
    Ok(())
}

/// The parts that a range selects; `None` if it is none.
fn resolve(range: &str, length: usize) -> Option<Vec<(usize, usize)>> {
    let mut parts = Vec::new();
    for one in range.strip_prefix("bytes=")?.split(',') {
        let (first, last) = one.split_once('-')?;
        let (first, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last => (first, (last + 1).min(length)),
            (Ok(_), Ok(_)) => return None,
            (Ok(first), Err(_)) => (first, length),
            (Err(_), Ok(octets)) => (length.saturating_sub(octets), length),
            (Err(_), Err(_)) => return None,
        };
        if first < end {
            parts.push((first, end));
        }
    }
    Some(parts)
}
