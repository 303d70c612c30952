//! Checks a remote origin: whether it connects, its certificate is trusted, and it responds.

use http::{Request, header};
use tintype::clock::{Clock, Stopwatch, SystemClock};
use tintype::message::body::Body;
use tintype::origin::remote::{Config, Remote};
use tintype::origin::{Origin, OriginError};

use super::clock;
use super::finding::Finding;
use crate::cli::terminal::with_causes;

const CHECK: &str = "upstream";

/// Sends `HEAD /` with the configured fields of requests, which are not shown.
pub(super) async fn check(name: String, config: Config) -> Vec<Finding> {
    // A base URL has no credentials but user name and password, which are not shown.
    let authority =
        config.base.authority().map(|a| a.as_str().rsplit('@').next().unwrap_or_default().to_owned());
    let at = format!(
        "{name}: {}://{}{}",
        config.base.scheme_str().unwrap_or("http"),
        authority.unwrap_or_default(),
        config.base.path().trim_end_matches('/')
    );
    let origin = match Remote::new(config) {
        Ok(origin) => origin,
        Err(error) => {
            let remedy = format!("correct [upstream.{name}]");
            return vec![Finding::failure(CHECK, format!("{at}: {}", with_causes(&error)), remedy)];
        }
    };
    let request = Request::head("http://doctor.invalid/").header(header::USER_AGENT, "tintype-doctor");
    let Ok(request) = request.body(Body::Empty) else { return Vec::new() };
    let watch = Stopwatch::start();
    let answer = origin.fetch(request).await;
    let took = watch.elapsed().as_millis();
    let mut findings = Vec::new();
    match answer {
        Ok(answer) => {
            let status = answer.status();
            findings.push(judge(&at, status.as_u16(), took));
            let field = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
            let age = field(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or_default();
            let date = field(header::DATE);
            findings.extend(date.and_then(|date| clock::compare(&name, SystemClock.now(), date, age)));
        }
        Err(error) => findings.push(Finding::failure(CHECK, format!("{at}: {error}"), remedy(&name, &error))),
    }
    origin.shutdown().await;
    findings
}

/// Any response shows that the origin works. Some statuses mean that requests will fail too.
fn judge(at: &str, status: u16, took: u128) -> Finding {
    let says = format!("{at} answers HEAD / with {status} in {took} ms");
    match status {
        401 | 403 => {
            Finding::warning(CHECK, says, "if requests need credentials, check set_headers and set_query")
        }
        407 => Finding::warning(CHECK, says, "a proxy stands before it that wants a password"),
        429 => Finding::warning(CHECK, says, "it is asked too often already"),
        500.. => Finding::warning(
            CHECK,
            says,
            "look at the origin's own logs: errors are covered by stale pictures alone",
        ),
        _ => Finding::good(CHECK, says),
    }
}

fn remedy(name: &str, error: &OriginError) -> String {
    match error {
        OriginError::Resolve { .. } => {
            format!("correct the host in url of [upstream.{name}], or this machine's DNS")
        }
        OriginError::Connect(_) => "start it, open the way to it, or correct url".to_owned(),
        OriginError::Tls(_) => {
            "name its certificate authority in tls_ca, or correct url and clock".to_owned()
        }
        OriginError::TimedOut { .. } => {
            "look whether something drops packets on the way, or raise the time".to_owned()
        }
        _ => format!("look whether an HTTP server listens at url, and at protocol of [upstream.{name}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    #[test]
    fn any_answer_is_one_but_some_are_warnings() {
        for (status, expected) in [
            (200, Mark::Good),
            (301, Mark::Good),
            (404, Mark::Good),
            (405, Mark::Good),
            (401, Mark::Warning),
            (403, Mark::Warning),
            (503, Mark::Warning),
        ] {
            assert_eq!(judge("api", status, 1).mark, expected, "{status}");
        }
    }
}
