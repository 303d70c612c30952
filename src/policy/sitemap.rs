//! Sitemaps (sitemaps.org): the pages of a site, or further sitemaps.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What one file lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sitemap {
    /// Pages.
    Pages(Vec<String>),
    /// Further sitemaps.
    Index(Vec<String>),
}

/// Reads one file.
///
/// # Errors
/// In words, what is wrong with it.
pub fn read(xml: &[u8]) -> Result<Sitemap, String> {
    let text = std::str::from_utf8(xml).map_err(|_| "it is not in UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let (mut path, mut found, mut loc): (Vec<String>, Vec<String>, String) = Default::default();
    let mut is_index = None;
    loop {
        let event = reader.read_event().map_err(|error| format!("it is no XML: {error}"))?;
        match event {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if path.is_empty() {
                    is_index = match name.as_str() {
                        "urlset" => Some(false),
                        "sitemapindex" => Some(true),
                        _ => return Err("it is no sitemap: neither urlset nor sitemapindex".to_owned()),
                    };
                }
                path.push(name);
                loc.clear();
            }
            Event::Text(text) if in_loc(&path) => loc += &text,
            Event::CData(text) if in_loc(&path) => loc += &text,
            Event::GeneralRef(reference) if in_loc(&path) => {
                let named = match reference.as_ref() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().map_err(|error| error.to_string())?,
                };
                loc.extend(named);
            }
            Event::End(_) => {
                if in_loc(&path) && !loc.trim().is_empty() {
                    found.push(loc.trim().to_owned());
                }
                path.pop();
            }
            Event::Eof if path.is_empty() => break,
            Event::Eof => return Err("it ends in the middle".to_owned()),
            _ => {}
        }
    }
    match is_index {
        Some(true) => Ok(Sitemap::Index(found)),
        Some(false) => Ok(Sitemap::Pages(found)),
        None => Err("it is empty".to_owned()),
    }
}

/// Whether this is where a page or a sitemap is named, and not one of its images.
fn in_loc(path: &[String]) -> bool {
    matches!(path, [_, parent, name] if matches!(parent.as_str(), "url" | "sitemap") && name == "loc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_further_sitemaps_are_read() {
        let pages = |urls: &[&str]| Ok(Sitemap::Pages(urls.iter().map(|&url| url.to_owned()).collect()));
        let index = |urls: &[&str]| Ok(Sitemap::Index(urls.iter().map(|&url| url.to_owned()).collect()));
        for (xml, expected) in [
            (
                "<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>\
                 <url><loc> https://a.example/?b=1&amp;c=&#50; </loc><lastmod>2025-01-01</lastmod></url>\
                 <url><loc><![CDATA[https://a.example/x&y]]></loc></url></urlset>",
                pages(&["https://a.example/?b=1&c=2", "https://a.example/x&y"]),
            ),
            (
                "<s:urlset xmlns:s='x' xmlns:image='y'><s:url><s:loc>https://a.example/</s:loc>\
                 <image:image><image:loc>https://a.example/i.png</image:loc></image:image></s:url></s:urlset>",
                pages(&["https://a.example/"]),
            ),
            (
                "<sitemapindex><sitemap><loc>https://a.example/1.xml</loc></sitemap></sitemapindex>",
                index(&["https://a.example/1.xml"]),
            ),
            ("<urlset/>", Err("it is empty".to_owned())),
            ("<html></html>", Err("it is no sitemap: neither urlset nor sitemapindex".to_owned())),
            ("<urlset><url>", Err("it ends in the middle".to_owned())),
        ] {
            assert_eq!(read(xml.as_bytes()), expected, "{xml}");
        }
        assert!(read(b"<urlset></url></urlset>").is_err());
        // Nobody's entities are expanded.
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><urlset><url><loc>https://a/&a;</loc></url></urlset>";
        assert_eq!(read(bomb.as_bytes()), pages(&["https://a/"]));
    }
}
