//! Lists of pictures as people write them: by line a URL or an item in JSON, a job as JSON, or a sitemap.

use serde::Deserialize;

use super::Item;
use crate::message::json;
use crate::policy::sitemap::{self, Sitemap};

/// Why a list cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A line is nothing of the kind.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The whole is not.
    #[error("{0}")]
    Whole(String),
    /// It is an index of further sitemaps, which are to be fetched.
    #[error("it lists further sitemaps; name it by its URL")]
    Index,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    url: String,
    id: Option<String>,
    width: Option<u64>,
    height: Option<u64>,
    format: Option<String>,
}

#[derive(Deserialize)]
struct Whole {
    items: Vec<Line>,
}

/// What `text` lists; items without an id have their number for it.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(text: &str) -> Result<Vec<Item>, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('<') {
        return match sitemap::read(text.trim_start().as_bytes()) {
            Ok(Sitemap::Pages(pages)) => Ok(of_pages(pages)),
            Ok(Sitemap::Index(_)) => Err(Unreadable::Index),
            Err(why) => Err(Unreadable::Whole(why)),
        };
    }
    if let Ok(Whole { items }) = json::from_slice(text.as_bytes()) {
        return Ok(items.into_iter().enumerate().map(|(at, line)| line.into_item(at)).collect());
    }
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .enumerate()
        .map(|(at, (line, text))| match text.starts_with('{') {
            true => json::from_slice::<Line>(text.as_bytes())
                .map(|item| item.into_item(at))
                .map_err(|error| Unreadable::Line { line, why: error.to_string() }),
            false if super::ask::web(text).is_some() => Ok(of_page(at, text.to_owned())),
            false => {
                let why = "neither an http:// or https:// URL nor a JSON object".to_owned();
                Err(Unreadable::Line { line, why })
            }
        })
        .collect()
}

/// Pictures of these pages, as their route has them by default.
pub fn of_pages(pages: impl IntoIterator<Item = String>) -> Vec<Item> {
    pages.into_iter().enumerate().map(|(at, page)| of_page(at, page)).collect()
}

fn of_page(at: usize, url: String) -> Item {
    Line { url, id: None, width: None, height: None, format: None }.into_item(at)
}

impl Line {
    fn into_item(self, at: usize) -> Item {
        let Line { url, id, width, height, format } = self;
        Item { id: id.unwrap_or_else(|| format!("item-{}", at + 1)), url, width, height, format }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_each_form() {
        let urls = |text: &str| {
            read(text).map(|items| items.into_iter().map(|item| (item.id, item.url)).collect::<Vec<_>>())
        };
        let pair = |id: &str, url: &str| (id.to_owned(), url.to_owned());
        assert_eq!(
            urls("# ours\nhttps://a.example/\n\n{\"url\":\"https://b.example\",\"id\":\"b\",\"width\":9}\n"),
            Ok(vec![pair("item-1", "https://a.example/"), pair("b", "https://b.example")])
        );
        assert_eq!(
            urls("{\"items\": [{\"url\": \"https://a.example\"}],\n \"config\": {}}"),
            Ok(vec![pair("item-1", "https://a.example")])
        );
        assert_eq!(
            urls("<urlset><url><loc>https://a.example</loc></url></urlset>"),
            Ok(vec![pair("item-1", "https://a.example")])
        );
        assert_eq!(urls("<sitemapindex></sitemapindex>"), Err(Unreadable::Index));
        for bad in ["x\nfile:///etc/passwd", "https://a.example\n\nno", "{\"url\":\"https://a\",\"delay\":1}"]
        {
            assert!(matches!(urls(bad), Err(Unreadable::Line { .. })), "{bad}");
        }
        assert!(matches!(urls("<html>"), Err(Unreadable::Whole(_))));
    }
}
