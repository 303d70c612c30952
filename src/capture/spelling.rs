//! The canonical spelling of single values.

use url::Url;

use super::parameter::{Kind, Parameter};
use super::parameters::blocking::ResourceKind;
use super::values;

/// The canonical spelling of `value`; `None` for what has none, and is for the origin to refuse.
pub(super) fn spelled(parameter: &Parameter, value: &str) -> Option<String> {
    match parameter.kind {
        Kind::Flag => values::flag(value).map(|yes| yes.to_string()),
        Kind::Integer(..) | Kind::Number(..) => plain_number(value),
        Kind::Delay => {
            let microseconds = values::delay(value.trim())?.as_micros();
            Some((microseconds as f64 / 1000.0).to_string())
        }
        Kind::Choice(words, others) => Some(match values::choice(words, others, value) {
            Some(word) => word.to_owned(),
            None => value.trim().to_ascii_lowercase(),
        }),
        Kind::Resources if let Some(kind) = ResourceKind::of(value) => Some(kind.name().to_owned()),
        Kind::Word | Kind::Words | Kind::Resources => Some(value.trim().to_ascii_lowercase()),
        // As browsers read it, who know which blanks around are none of it. The fragment stays: pages look
        // at it.
        Kind::Url => Url::parse(value).ok().map(String::from),
        Kind::Box => {
            let sides: Option<Vec<String>> = value.split(',').map(plain_number).collect();
            sides.map(|sides| sides.join(","))
        }
        Kind::Pairs(between) => pair(value, between),
        Kind::Text | Kind::Secret | Kind::Lifetime | Kind::TextSet => Some(value.trim().to_owned()),
        Kind::Texts | Kind::Document | Kind::Opaque => Some(value.to_owned()),
    }
}

fn plain_number(value: &str) -> Option<String> {
    let number: f64 = value.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    // -0 is 0.
    Some((number + 0.0).to_string())
}

fn pair(value: &str, between: &str) -> Option<String> {
    let (name, rest) = value.split_once(between)?;
    Some(match between {
        // Field names have no case; cookies have.
        ":" => format!("{}: {}", name.trim().to_ascii_lowercase(), rest.trim()),
        _ => format!("{}{between}{}", name.trim(), rest.trim()),
    })
}
