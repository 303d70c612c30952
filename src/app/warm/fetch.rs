//! Sitemaps by their URL, and those that they lead to on the same origin, all bounded.

use std::collections::VecDeque;
use std::io::Read as _;

use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use url::{Position, Url};

use crate::message::body::Body;
use crate::origin::Origin as _;
use crate::origin::remote::{Config, Remote};
use crate::policy::sitemap::{self, Sitemap};

/// Files of one site.
const MAX_FILES: usize = 200;
/// Bytes of one file, unpacked: what the protocol allows.
const MAX_BYTES: u64 = 50 << 20;

/// The pages that the sitemap at `url` lists, `most` of them, with those of the sitemaps that it lists. Redirects are not followed, and
/// what it lists of other origins is no affair of its own.
///
/// # Errors
/// In words, why the first file cannot be had. Further ones that fail are logged.
pub async fn pages(url: &Url, most: usize) -> Result<Vec<String>, String> {
    let base = url[..Position::BeforePath].parse().map_err(|error| format!("{error}"))?;
    let mut config = Config::plain(base);
    config.max_body_bytes = MAX_BYTES;
    let remote = Remote::new(config).map_err(|error| error.to_string())?;
    let (mut waiting, mut pages, mut files) = (VecDeque::from([url.clone()]), Vec::new(), 0);
    while let Some(next) = waiting.pop_front() {
        files += 1;
        match one(&remote, &next).await {
            Ok(Sitemap::Pages(more)) => pages.extend(more),
            Ok(Sitemap::Index(more)) => {
                let ours = more.iter().filter_map(|more| Url::parse(more).ok());
                let ours = ours.filter(|more| more.origin() == url.origin());
                waiting.extend(ours.take(MAX_FILES.saturating_sub(files + waiting.len())));
            }
            Err(why) if files == 1 => return Err(why),
            Err(why) => tracing::warn!(path = next.path(), why, "a further sitemap is left out"),
        }
        if pages.len() >= most {
            pages.truncate(most);
            break;
        }
    }
    Ok(pages)
}

async fn one(remote: &Remote, url: &Url) -> Result<Sitemap, String> {
    let mut request =
        Request::get(&url[..Position::AfterQuery]).body(Body::Empty).map_err(|error| error.to_string())?;
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("tintype"));
    let response = remote.fetch(request).await.map_err(|error| error.to_string())?;
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(format!("it answers {status}: name where it leads")),
        status => return Err(format!("it answers {status}")),
    }
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    if !body.starts_with(&[0x1f, 0x8b]) {
        return sitemap::read(&body);
    }
    let mut xml = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(&body[..]).take(MAX_BYTES).read_to_end(&mut xml);
    unpacked.map_err(|error| format!("it is packed wrongly: {error}"))?;
    sitemap::read(&xml)
}
