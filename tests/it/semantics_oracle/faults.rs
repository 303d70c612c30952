//! What `http-cache-semantics` 3.0 gets wrong, each with the clause that says so; and what we do not store although one might.

use super::exchange::{Date, Directive, Exchange, Form, NOW, Side};
use super::their_lifetime;

/// A fault of the oracle.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) clause: &'static str,
    /// Writes the exchange so that the oracle reads what the clause says that it means.
    pub(super) heal: fn(&mut Exchange),
}

/// What we refuse to store.
pub(super) struct Ruling {
    pub(super) fault: Fault,
    /// Whether it concerns an exchange, given as it is and healed.
    pub(super) when: fn(&Exchange, &Exchange) -> bool,
}

const fn fault(name: &'static str, clause: &'static str, heal: fn(&mut Exchange)) -> Fault {
    Fault { name, clause, heal }
}

const fn ruling(name: &'static str, clause: &'static str, when: fn(&Exchange, &Exchange) -> bool) -> Ruling {
    Ruling { fault: fault(name, clause, |_| {}), when }
}

/// In the order in which they are healed.
pub(super) const FAULTS: &[Fault] = &[
    // How directives are written.
    fault("names are compared by case", "RFC 9111 5.2, 5.4", |exchange| {
        let Exchange { request, response, presented, .. } = exchange;
        for directive in response.iter_mut().chain(&mut request.directives).chain(&mut presented.directives) {
            directive.case = 0;
        }
        for side in [request, presented] {
            side.pragma = if side.pragma == "No-Cache" { "no-cache" } else { side.pragma };
        }
    }),
    fault("commas in quotes separate", "RFC 9110 5.6.4", |exchange| {
        exchange.response.retain(|directive| directive.name != "x-extension");
    }),
    fault("qualified forms count for the whole", "RFC 9111 5.2.2.4, 5.2.2.7", |exchange| {
        let qualified = |d: &Directive| matches!(d.name, "no-cache" | "private") && d.argument.is_some();
        exchange.response.retain(|directive| !qualified(directive));
    }),
    fault("numbers that are none, or too large, are read otherwise", "RFC 9111 1.2.2, 4.2.1", |exchange| {
        for directive in exchange.response.iter_mut().filter(|d| matches!(d.name, "max-age" | "s-maxage")) {
            directive.argument = Some(directive.seconds().to_string());
        }
    }),
    fault("of several values the first counts", "RFC 9111 4.2.1", |exchange| {
        for name in ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"] {
            let shortest = exchange.seconds(name).filter(|_| exchange.count(name) > 1);
            if let Some(seconds) = shortest {
                exchange.response.retain(|directive| directive.name != name);
                exchange.response.push(Directive::plain(name, seconds));
            }
        }
    }),
    fault("Pragma counts beside Cache-Control", "RFC 9111 5.4", |exchange| {
        if !exchange.presented.directives.is_empty() {
            exchange.presented.pragma = "";
        }
    }),
    // What directives mean.
    fault("must-understand is not known", "RFC 9111 5.2.2.3", |exchange| {
        if exchange.has("must-understand") && is_understood(exchange.status) {
            exchange.response.retain(|directive| directive.name != "no-store");
        }
    }),
    fault("max-stale overrides what forbids it", "RFC 9111 4.2.4, 5.2.2.8, 5.2.2.10", |exchange| {
        if exchange.never_stale() {
            exchange.presented.directives.retain(|directive| directive.name != "max-stale");
        }
    }),
    fault("proxy-revalidate is taken for no freshness", "RFC 9111 5.2.2.8", |exchange| {
        exchange.response.retain(|directive| directive.name != "proxy-revalidate");
    }),
    fault("immutable is taken for a day of freshness", "RFC 8246 2", |exchange| {
        exchange.response.retain(|directive| directive.name != "immutable");
    }),
    fault("Pragma counts in responses", "RFC 9111 5.4", |exchange| exchange.pragma = false),
    fault("Set-Cookie takes freshness away", "RFC 9111 7.3", |exchange| exchange.set_cookie = false),
    fault("most final statuses are never stored", "RFC 9111 3, 5.2.2.3", |exchange| {
        // 302 is understood, and needs explicit freshness as those do.
        if matches!(exchange.status, 201 | 299 | 403 | 429 | 451 | 500 | 503 | 599) {
            exchange.status = 302;
        }
    }),
    // Dates and ages.
    fault("of several Expires the first counts", "RFC 9111 4.2.1", |exchange| {
        if exchange.expires.windows(2).any(|pair| pair[0].text() != pair[1].text()) {
            exchange.expires = vec![Date::Junk("0")];
        }
    }),
    fault("dates are read by another grammar", "RFC 9110 5.6.7", |exchange| {
        let Exchange { date, expires, last_modified, .. } = exchange;
        for date in date.iter_mut().chain(expires).chain(last_modified) {
            *date = match *date {
                Date::At(_, Form::NumericZone) => Date::Junk("0"),
                Date::At(distance, _) => Date::At(distance, Form::Imf),
                Date::Junk(text) => Date::Junk(text),
            };
        }
    }),
    fault("lists in Age are ignored", "RFC 9111 5.1", |exchange| {
        exchange.age = first_member(exchange).map(str::to_owned).into_iter().collect();
    }),
    fault("a large Age overflows", "RFC 9111 1.2.2", |exchange| {
        if given_age(exchange) == Some(1 << 31) {
            exchange.age = vec!["2147483648".to_owned()];
        }
    }),
    fault("Date and the response delay do not count in the age", "RFC 9111 4.2.3", |exchange| {
        let apparent = exchange.date.as_ref().map_or(0, |date| match date {
            Date::At(distance, _) => u64::try_from(-distance).unwrap_or(0),
            Date::Junk(_) => 0,
        });
        if exchange.delay > 0 || apparent > 0 {
            let age = given_age(exchange).unwrap_or(0) + exchange.delay;
            exchange.age = vec![age.max(apparent).to_string()];
        }
    }),
    fault("heuristic freshness has no bound", "RFC 9111 4.2.2", |exchange| {
        const TEN_DAYS: i64 = 10 * 24 * 3600;
        let generated = match exchange.date {
            Some(Date::At(distance, _)) => distance,
            _ => 0,
        };
        if let Some(Date::At(modified, _)) = &mut exchange.last_modified {
            *modified = (*modified).max(generated - TEN_DAYS);
        }
    }),
    // What the later request asks.
    fault("of several values in a request the first counts", "RFC 9111 5.2.1", |exchange| {
        let asked = &mut exchange.presented.directives;
        let of = |name| asked.iter().filter(move |directive| directive.name == name);
        // A max-stale without argument has no limit; what cannot be read asks for as much as can be, max-stale for nothing.
        let age = of("max-age").map(Directive::seconds).min();
        let fresh = of("min-fresh").map(|directive| directive.number().unwrap_or(1 << 31)).max();
        let stale = of("max-stale")
            .filter_map(|d| if d.argument.is_none() { Some(NO_LIMIT) } else { d.number() })
            .min();
        asked.retain(|directive| !matches!(directive.name, "max-age" | "min-fresh" | "max-stale"));
        let merged = [("max-age", age), ("min-fresh", fresh), ("max-stale", stale)];
        asked.extend(merged.into_iter().filter_map(|(name, value)| Some(Directive::plain(name, value?))));
    }),
    fault("max-stale excludes its limit", "RFC 9111 5.2.1.2", |exchange| {
        for directive in exchange.presented.directives.iter_mut().filter(|d| d.name == "max-stale") {
            if let Some(Ok(limit)) = directive.argument.as_ref().map(|text| text.parse::<u64>()) {
                directive.argument = Some((limit + 1).to_string());
            }
        }
    }),
    fault(
        "max-age=0 is served what came this second",
        "RFC 9111 5.2.1.1: an age of 0.9 s is more than 0",
        |exchange| {
            for directive in exchange.presented.directives.iter_mut().filter(|d| d.name == "max-age") {
                if directive.number() == Some(0) {
                    *directive = Directive { name: "no-cache", argument: None, ..directive.clone() };
                }
            }
        },
    ),
    fault("only the first line of a selecting field counts", "RFC 9110 5.3, RFC 9111 4.1", |exchange| {
        for Side { language, .. } in [&mut exchange.request, &mut exchange.presented] {
            if language.len() > 1 {
                *language = vec![language.join(", ")];
            }
        }
    }),
    fault("selecting fields are compared octet by octet", "RFC 9111 4.1, RFC 9110 12.5.4", |exchange| {
        for Side { language, .. } in [&mut exchange.request, &mut exchange.presented] {
            for line in language {
                let lower = line.to_ascii_lowercase();
                let mut ranges: Vec<&str> = lower.split(',').map(str::trim).collect();
                ranges.sort_unstable();
                ranges.dedup();
                *line = ranges.join(",");
            }
        }
    }),
];

/// All of them are allowed: a cache may store less than it might (RFC 9111 section 3).
pub(super) const RULINGS: &[Ruling] = &[
    ruling("HEAD is not stored", "RFC 9111 4.3.5: it could only freshen a GET", |exchange, _| {
        exchange.method == "HEAD"
    }),
    ruling(
        "POST is not stored",
        "RFC 9110 9.3.3: only for a later GET of its Content-Location",
        |exchange, _| exchange.method == "POST",
    ),
    ruling("Vary: * is not stored", "RFC 9111 4.1: it always fails to match", |exchange, _| {
        exchange.vary.contains('*')
    }),
    ruling("must-understand with a status that we do not", "RFC 9111 5.2.2.3", |exchange, _| {
        exchange.has("must-understand") && !is_understood(exchange.status)
    }),
    ruling(
        "what speaks of a request is not stored",
        "RFC 6585 3, 4, 5, 6",
        |exchange, _| matches!(exchange.status, 406 | 408 | 411..=413 | 415..=417 | 421 | 425 | 426 | 428 | 429 | 431 | 505 | 511),
    ),
    ruling("Set-Cookie needs explicit freshness", "RFC 9111 7.3", |exchange, _| {
        let explicit = exchange.has("max-age") || exchange.has("s-maxage") || !exchange.expires.is_empty();
        exchange.set_cookie && !explicit
    }),
    ruling("what has no use is not stored", "RFC 9111 3, 4", |exchange, healed| {
        let modified = matches!(healed.last_modified, Some(Date::At(..)));
        let windows = ["stale-while-revalidate", "stale-if-error"];
        let stale = windows.iter().any(|name| exchange.seconds(name) > Some(0)) && !exchange.never_stale();
        their_lifetime(healed).is_zero() && !exchange.entity_tag && !modified && !stale
    }),
];

/// More than any response is stale here, and one less than what a number may be.
const NO_LIMIT: u64 = NOW.as_secs() * 10;

fn is_understood(status: u16) -> bool {
    !matches!(status, 299 | 599)
}

/// `Age` by its first member, if that is a number.
fn given_age(exchange: &Exchange) -> Option<u64> {
    let first = first_member(exchange)?.to_owned();
    Directive { argument: Some(first), ..Directive::plain("age", 0) }.number()
}

/// The first member of `Age` that is not empty (RFC 9110 section 5.6.1.2).
fn first_member(exchange: &Exchange) -> Option<&str> {
    exchange.age.iter().flat_map(|line| line.split(',')).map(str::trim).find(|member| !member.is_empty())
}
