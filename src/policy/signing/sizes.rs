//! The sizes that a signed link allows: `800x600,320-1280x*` ([`Sizes`]).

use std::fmt;
use std::str::FromStr;

/// Limit on the sizes of one link.
const MAX_SIZES: usize = 64;

/// A list of allowed sizes, as width and height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(Vec<(Side, Side)>);

/// The allowed values of one side, in the unit of the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Any value, or none.
    Any,
    /// From the first to the second, both included.
    Within(u32, u32),
}

impl Side {
    /// Only the canonical form of a number is allowed, so that each size has one link.
    fn allows(self, given: Option<&str>) -> bool {
        match (self, given) {
            (Side::Any, None) => true,
            (Side::Within(..), None) => false,
            (side, Some(given)) => number(given).is_some_and(|given| match side {
                Side::Any => true,
                Side::Within(least, most) => (least..=most).contains(&given),
            }),
        }
    }
}

impl Sizes {
    /// Whether a request may have these values of `width` and `height`.
    pub fn allow(&self, width: Option<&str>, height: Option<&str>) -> bool {
        self.0.iter().any(|(across, down)| across.allows(width) && down.allows(height))
    }
}

impl FromStr for Sizes {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let sizes: Option<Vec<_>> = text
            .split(',')
            .map(|size| {
                let (width, height) = size.split_once('x')?;
                Some((side(width)?, side(height)?))
            })
            .collect();
        sizes.filter(|sizes| sizes.len() <= MAX_SIZES).map(Sizes).ok_or(())
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (width, height)) in self.0.iter().enumerate() {
            write!(f, "{}{width}x{height}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Any => f.write_str("*"),
            Side::Within(least, most) if least == most => write!(f, "{least}"),
            Side::Within(least, most) => write!(f, "{least}-{most}"),
        }
    }
}

fn side(text: &str) -> Option<Side> {
    if text == "*" {
        return Some(Side::Any);
    }
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most) = (number(least)?, number(most)?);
    (least <= most).then_some(Side::Within(least, most))
}

fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_valid_text_round_trips() {
        for good in ["800x600", "800x600,400x*", "*x*", "320-1280x200-900", "1x1"] {
            assert_eq!(good.parse::<Sizes>().expect(good).to_string(), good);
        }
        for bad in [
            "",
            "800",
            "800x",
            "x600",
            "800X600",
            "0x5",
            "05x5",
            "9-8x5",
            "800x600,",
            "-5x5",
            "+5x5",
            "99999999999x1",
        ] {
            assert_eq!(bad.parse::<Sizes>(), Err(()), "{bad}");
        }
        assert_eq!(vec!["1x1"; MAX_SIZES + 1].join(",").parse::<Sizes>(), Err(()));
    }

    #[test]
    fn sizes_outside_of_range_are_refused() {
        let sizes: Sizes = "800x600,100-200x*".parse().expect("sizes");
        for (width, height, allowed) in [
            (Some("800"), Some("600"), true),
            (Some("800"), Some("601"), false),
            (Some("800"), None, false),
            (Some("100"), None, true),
            (Some("99"), None, false),
            (Some("200"), Some("5"), true),
            (Some("200"), Some("x"), false),
            (Some("201"), None, false),
            (None, Some("600"), false),
            (None, None, false),
        ] {
            assert_eq!(sizes.allow(width, height), allowed, "{width:?} {height:?}");
        }
    }
}
