//! What is captured: the page at a URL, or a document in the request.

use url::Url;

use crate::capture::markdown;
use crate::capture::parameter::{Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group = Group { name: "page", parameters: &[&URL, &HTML, &MARKDOWN] };

static URL: Parameter = Parameter::capture(
    "url",
    Kind::Url,
    "the page: `http` or `https`, without user name or password. This, `html` or `markdown` is required",
)
.allowed_is("an absolute http or https URL without user name or password");
static HTML: Parameter = Parameter::capture(
    "html",
    Kind::Document,
    "a document to capture in place of a URL, up to *max_html*. It has no origin of its own: links in it \
     have to be absolute, and `headers`, `cookies` and `authorization` go nowhere",
);
static MARKDOWN: Parameter = Parameter::capture(
    "markdown",
    Kind::Document,
    "the same in Markdown (CommonMark with tables, task lists, footnotes and struck text), with a plain \
     style sheet; raw HTML in it stays",
);

/// What is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The page at this URL: `http` or `https`, without credentials.
    Url(Url),
    /// This document.
    Html(String),
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> Option<Page> {
    let url = r.take(&URL, values::target);
    let max = r.limits.max_html;
    let document = |text: &str| (1..=max).contains(&text.len()).then(|| text.to_owned());
    let html = r.take(&HTML, document);
    let markdown = r.take(&MARKDOWN, |text| document(text).map(|text| markdown::render(&text)));
    let given = [&URL, &HTML, &MARKDOWN].map(|page| r.is_given(page));
    if given == [false; 3] {
        r.missing(&URL, "an absolute http or https URL; it is required");
        return None;
    }
    if given.iter().filter(|given| **given).count() > 1 {
        let second = if given[2] { &MARKDOWN } else { &HTML };
        r.fault(second, "a document beside another page", "one of url, html and markdown");
        return None;
    }
    url.map(Page::Url).or(html.or(markdown).map(Page::Html))
}
