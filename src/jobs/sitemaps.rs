//! Sitemaps by their URL, and those that they lead to on the same site or on hosts that are allowed, all bounded. What is left out is told.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use url::{Position, Url};

use super::list::{self, List, Place};
use crate::message::body::{Body, BodyError};
use crate::origin::remote::{self, Config, Remote};
use crate::origin::{Origin as _, OriginError};
use crate::policy::sitemap::{self, Kind, Sitemap, SitemapError};

/// Files of one site, unless configured.
pub const MAX_FILES: usize = 200;
/// Indexes on the way to a file.
const MAX_DEPTH: usize = 5;
/// Redirects on the way to a file.
const MAX_REDIRECTS: usize = 5;
/// Bytes of one file, unpacked, unless configured: what sitemaps.org allows.
pub const MAX_BYTES: u64 = 50 << 20;
/// Entries that are left out of an answer by name, so that a broken site costs no memory.
const MAX_LEFT_OUT: usize = 10_000;

/// What may be fetched, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// Pages.
    pub most: usize,
    /// Further hosts whose sitemaps may be fetched.
    pub hosts: &'a [String],
    /// Files.
    pub files: usize,
    /// Bytes of one file, unpacked.
    pub bytes: u64,
}

/// What a site lists.
#[derive(Debug, Default)]
pub struct Listed {
    /// Its pages, and what is bad among them.
    pub list: List,
    /// Sitemaps that were not read.
    pub left_out: Vec<LeftOut>,
}

/// A sitemap that was not read.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// Its URL, as it is listed.
    pub what: String,
    /// Why.
    pub why: Why,
    /// Where it is listed.
    pub place: Place,
}

/// Why a sitemap was not read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is on another site, and its host is not allowed.
    #[error("it is on another site; allow its host to have it read")]
    OtherSite,
    /// It is no URL of the web.
    #[error("it is no http:// or https:// URL")]
    NoUrl,
    /// Too many indexes lead to it.
    #[error("more than {MAX_DEPTH} indexes lead to it")]
    TooDeep,
    /// There are enough.
    #[error("more than {0} sitemaps are not read")]
    TooMany(usize),
    /// It cannot be had, or read.
    #[error("{0}")]
    Failed(String),
}

impl Why {
    /// Whether something went wrong, rather than being out of bounds.
    pub fn is_failure(&self) -> bool {
        matches!(self, Why::NoUrl | Why::Failed(_))
    }
}

/// Why a file cannot be had or read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A redirect without a usable `Location`.
    #[error("it answers {0} and leads nowhere")]
    Nowhere(StatusCode),
    /// A redirect to a site that is not allowed.
    #[error("it leads to another site: {0}")]
    OtherSite(String),
    /// Another status than 200.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// Redirects without end.
    #[error("it leads on more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// The URL is none for the client.
    #[error(transparent)]
    Url(http::uri::InvalidUri),
    /// The request cannot be made.
    #[error(transparent)]
    Request(#[from] http::Error),
    /// The client cannot be made.
    #[error(transparent)]
    Client(#[from] remote::Error),
    /// No response came.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The body did not arrive whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body cannot be unpacked.
    #[error(transparent)]
    Packing(#[from] list::UnpackError),
    /// The body is no sitemap.
    #[error(transparent)]
    Content(#[from] SitemapError),
}

/// A sitemap that is to be read.
struct Waiting {
    url: Url,
    depth: usize,
    place: Place,
}

/// The pages that the sitemap at `url` lists, with those of the sitemaps that it lists.
///
/// # Errors
/// Why the first file cannot be had or read.
pub async fn pages(url: &Url, bounds: Bounds<'_>) -> Result<Listed, FetchError> {
    let mut fetcher = Fetcher { site: url.clone(), bounds, remotes: HashMap::new() };
    let mut listed = Listed::default();
    let first = Waiting { url: url.clone(), depth: 0, place: Place { file: url.as_str().into(), line: 1 } };
    let (mut waiting, mut known) = (VecDeque::from([first]), HashSet::from([url.clone()]));
    let mut files = 0;
    while let Some(Waiting { url, depth, place }) = waiting.pop_front() {
        files += 1;
        let read = fetcher.get(&url).await.and_then(|octets| Ok(sitemap::read(&octets)?));
        let Sitemap { kind, entries, fault } = match read {
            Ok(sitemap) => sitemap,
            Err(why) if files == 1 => return Err(why),
            Err(why) => {
                listed.leave_out(url.to_string(), Why::Failed(why.to_string()), place);
                continue;
            }
        };
        if let Some(why) = fault {
            listed.leave_out(url.to_string(), Why::Failed(format!("not read to its end: {why}")), place);
        }
        match kind {
            Kind::Pages => {
                let more = list::of_pages(url.as_str(), entries);
                listed.list.items.extend(more.items);
                let room = MAX_LEFT_OUT.saturating_sub(listed.list.bad.len());
                listed.list.bad.extend(more.bad.into_iter().take(room));
            }
            Kind::Index => {
                for sitemap::Entry { url: entry, line } in entries {
                    let place = Place { file: url.as_str().into(), line };
                    let why = match url.join(&entry) {
                        Err(_) => Why::NoUrl,
                        Ok(next) if !matches!(next.scheme(), "http" | "https") => Why::NoUrl,
                        Ok(next) if !fetcher.allows(&next) => Why::OtherSite,
                        Ok(_) if depth >= MAX_DEPTH => Why::TooDeep,
                        // One that is listed twice is read once.
                        Ok(next) if !known.insert(next.clone()) => continue,
                        Ok(_) if files + waiting.len() >= bounds.files => Why::TooMany(bounds.files),
                        Ok(url) => {
                            waiting.push_back(Waiting { url, depth: depth + 1, place });
                            continue;
                        }
                    };
                    listed.leave_out(entry, why, place);
                }
            }
        }
        if listed.list.items.len() >= bounds.most {
            break;
        }
    }
    listed.renumber();
    Ok(listed)
}

impl Listed {
    fn leave_out(&mut self, what: String, why: Why, place: Place) {
        if self.left_out.len() < MAX_LEFT_OUT {
            self.left_out.push(LeftOut { what, why, place });
        }
    }

    /// Each file counts its items from 1.
    fn renumber(&mut self) {
        for (item, number) in self.list.items.iter_mut().zip(1..) {
            item.id = format!("item-{number}");
        }
    }
}

/// Fetches files of one site.
struct Fetcher<'a> {
    site: Url,
    bounds: Bounds<'a>,
    /// By origin.
    remotes: HashMap<String, Remote>,
}

impl Fetcher<'_> {
    /// Whether `url` is of this site, or of a host that is allowed.
    fn allows(&self, url: &Url) -> bool {
        let is_named =
            |host: &str| self.bounds.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
        is_same_site(&self.site, url) || url.host_str().is_some_and(is_named)
    }

    /// The file at `url`, unpacked.
    async fn get(&mut self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask(&url).await?;
            let status = response.status();
            if status.is_redirection() {
                let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
                let to = to.and_then(|to| url.join(to).ok());
                url = to.ok_or(FetchError::Nowhere(status))?;
                if !self.allows(&url) {
                    let host = url.host_str().unwrap_or("none").to_owned();
                    return Err(FetchError::OtherSite(host));
                }
                continue;
            }
            if status != StatusCode::OK {
                return Err(FetchError::Status(status));
            }
            let body = response.into_body().collect().await?.to_bytes();
            return Ok(list::unpacked(&body, self.bounds.bytes)?);
        }
        Err(FetchError::TooManyRedirects)
    }

    async fn ask(&mut self, url: &Url) -> Result<http::Response<Body>, FetchError> {
        let remote = match self.remotes.entry(url[..Position::BeforePath].to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let base = place.key().parse().map_err(FetchError::Url)?;
                let mut config = Config::plain(base);
                config.max_body_bytes = self.bounds.bytes;
                place.insert(Remote::new(config)?)
            }
        };
        let mut request = Request::get(&url[..Position::AfterQuery]).body(Body::Empty)?;
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("tintype"));
        Ok(remote.fetch(request).await?)
    }
}

/// Whether two URLs are of one site, as crawlers have it: the same host with or without `www.`, over HTTP or HTTPS.
fn is_same_site(one: &Url, other: &Url) -> bool {
    let site = |url: &Url| {
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        // The default port of either scheme is none.
        Some((host.strip_prefix("www.").map_or(host.clone(), str::to_owned), url.port()))
    };
    site(one).is_some() && site(one) == site(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_host_with_or_without_www_over_either_scheme() {
        let url = |text: &str| Url::parse(text).unwrap();
        let site = url("https://www.a.example/sitemap.xml");
        for (other, expected) in [
            ("http://www.a.example/1.xml", true),
            ("http://a.example/1.xml", true),
            ("https://A.example./1.xml", true),
            ("https://a.example:8443/1.xml", false),
            ("https://b.a.example/1.xml", false),
            ("https://a.example.com/1.xml", false),
            ("https://wwwa.example/1.xml", false),
        ] {
            assert_eq!(is_same_site(&site, &url(other)), expected, "{other}");
        }
        let hosts = ["CDN.example".to_owned()];
        let bounds = Bounds { most: 1, hosts: &hosts, files: 1, bytes: MAX_BYTES };
        let fetcher = Fetcher { site, bounds, remotes: HashMap::new() };
        assert!(fetcher.allows(&url("https://cdn.example/1.xml")));
        assert!(!fetcher.allows(&url("https://x.cdn.example/1.xml")));
    }
}
