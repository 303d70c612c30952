//! The canonical spelling of single values; `None` for what has none, and is for the origin to refuse.

use std::time::Duration;

use url::Url;

use super::table::{Form, Parameter};

/// The canonical spelling of `value`.
pub(super) fn spelled(parameter: &Parameter, value: &str) -> Option<String> {
    match parameter.form {
        Form::Flag => flag(value).map(|yes| yes.to_string()),
        Form::Number => number(value),
        Form::Delay => delay(value),
        Form::Word | Form::WordSet => Some(word(parameter.name, value)),
        Form::Url => url(value),
        Form::Box => boxed(value),
        Form::Pairs(between) => pair(value, between),
        Form::Text if parameter.name == "cache_key" => Some(value.to_owned()),
        Form::Text => Some(value.trim().to_owned()),
        Form::Texts => Some(value.to_owned()),
        Form::TextSet => Some(value.trim().to_owned()),
    }
}

/// `true`, `1`, `yes`, `on`, and their opposites.
pub(super) fn flag(value: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(["true", "1", "yes", "on"]) {
        Some(true)
    } else if is(["false", "0", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// Seconds, or a duration with units such as `1h 30m`.
pub(super) fn seconds(value: &str) -> Option<Duration> {
    let value = value.trim();
    match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(value).ok(),
    }
}

fn number(value: &str) -> Option<String> {
    let number: f64 = value.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    // -0 is 0.
    Some((number + 0.0).to_string())
}

fn delay(value: &str) -> Option<String> {
    let value = value.trim();
    let (number, factor) = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1000.0),
        (None, None) => (value, 1.0),
    };
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let amount: f64 = number.parse().ok().filter(|_| plain)?;
    // Whole microseconds, as the engine waits, so that what is read again is the same.
    Some(((amount * factor * 1000.0).round() / 1000.0).to_string())
}

fn word(name: &str, value: &str) -> String {
    let word = value.trim().to_ascii_lowercase();
    let same = match (name, word.as_str()) {
        ("format", "jpg") => "jpeg",
        (
            "wait_until",
            "networkidle0" | "networkidle2" | "network_idle" | "requestsfinished" | "mostrequestsfinished",
        ) => "networkidle",
        ("wait_until", "domloaded" | "dom_loaded" | "dom_content_loaded") => "domcontentloaded",
        ("wait_until", "loaded" | "page_loaded") => "load",
        ("block_resources", "css") => "stylesheet",
        ("block_resources", "images") => "image",
        ("block_resources", "fonts") => "font",
        ("block_resources", "stylesheets") => "stylesheet",
        ("block_resources", "scripts") => "script",
        _ => return word,
    };
    same.to_owned()
}

/// As browsers read it, who know which blanks around are none of it. The fragment stays: pages look at it.
fn url(value: &str) -> Option<String> {
    Url::parse(value).ok().map(String::from)
}

fn boxed(value: &str) -> Option<String> {
    let sides: Option<Vec<String>> = value.split(',').map(number).collect();
    sides.map(|sides| sides.join(","))
}

fn pair(value: &str, between: &str) -> Option<String> {
    let (name, rest) = value.split_once(between)?;
    Some(match between {
        // Field names have no case; cookies have.
        ":" => format!("{}: {}", name.trim().to_ascii_lowercase(), rest.trim()),
        _ => format!("{}{between}{}", name.trim(), rest.trim()),
    })
}
