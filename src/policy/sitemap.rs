//! Sitemaps (sitemaps.org) in every form that crawlers read: XML with and without namespaces, RSS, Atom, lists of URLs and robots.txt.
//! They list the pages of a site, or further sitemaps.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What one file lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitemap {
    /// What its entries are.
    pub kind: Kind,
    /// What it lists, as it is written there.
    pub entries: Vec<Entry>,
    /// Why it was not read to its end, if it was not.
    pub fault: Option<SitemapError>,
}

/// Why a file was not read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SitemapError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is not in the encoding that its byte order mark names.
    #[error("it is not in UTF-16, which its first octets say")]
    NotUtf16,
    /// It names no other encoding and is not in UTF-8.
    #[error("it is not in UTF-8")]
    NotUtf8,
    /// It is not well-formed XML.
    #[error("it is no XML: {0}")]
    Xml(String),
    /// It is XML of another kind.
    #[error("it is no sitemap: neither urlset, sitemapindex, rss nor feed")]
    OtherXml,
    /// It ends before its root element does.
    #[error("it ends in the middle")]
    CutOff,
}

/// What the entries of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pages.
    Pages,
    /// Further sitemaps.
    Index,
}

/// One entry. It may be anything: nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What should be a URL.
    pub url: String,
    /// The line on which it ends, from 1.
    pub line: usize,
}

/// Reads one file. What comes before a fault counts.
///
/// # Errors
/// In words, why nothing can be read from it.
pub fn read(octets: &[u8]) -> Result<Sitemap, SitemapError> {
    let text = decoded(octets)?;
    let text = text.trim_start_matches('\u{feff}');
    let blank = text.len() - text.trim_start().len();
    let lines_before = newlines(&text[..blank]);
    match text.trim_start() {
        "" => Err(SitemapError::Empty),
        xml if xml.starts_with('<') => read_xml(xml, lines_before),
        _ => Ok(read_lines(text)),
    }
}

/// The text of a file: UTF-8, UTF-16 with its mark, or ISO 8859-1 where it says so.
pub fn decoded(octets: &[u8]) -> Result<Cow<'_, str>, SitemapError> {
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        text.map(Cow::Owned).map_err(|_| SitemapError::NotUtf16)
    };
    match octets {
        [0xff, 0xfe, rest @ ..] => return units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return units(rest, u16::from_be_bytes),
        _ => {}
    }
    match std::str::from_utf8(octets) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) if is_latin(octets) => Ok(Cow::Owned(octets.iter().map(|&octet| char::from(octet)).collect())),
        Err(_) => Err(SitemapError::NotUtf8),
    }
}

/// Whether the XML declaration names ISO 8859-1, or what browsers take for it.
fn is_latin(octets: &[u8]) -> bool {
    let declaration = octets.split(|&octet| octet == b'>').next().unwrap_or_default();
    let declaration =
        String::from_utf8_lossy(declaration.get(..200).unwrap_or(declaration)).to_ascii_lowercase();
    declaration.contains("<?xml")
        && (declaration.contains("iso-8859-1") || declaration.contains("windows-1252"))
}

/// URLs by line. `Sitemap:` lines of a robots.txt make it an index.
fn read_lines(text: &str) -> Sitemap {
    let lines = || text.lines().zip(1..).map(|(text, line)| (text.trim(), line));
    let named = |text: &str| -> Option<String> {
        let (name, url) = text.split_once(':')?;
        name.trim().eq_ignore_ascii_case("sitemap").then(|| url.trim().to_owned())
    };
    let sitemaps: Vec<Entry> =
        lines().filter_map(|(text, line)| Some(Entry { url: named(text)?, line })).collect();
    if !sitemaps.is_empty() {
        return Sitemap { kind: Kind::Index, entries: sitemaps, fault: None };
    }
    let is_entry = |text: &str| !text.is_empty() && !text.starts_with('#');
    let entries = lines().filter(|(text, _)| is_entry(text));
    let entries = entries.map(|(url, line)| Entry { url: url.to_owned(), line }).collect();
    Sitemap { kind: Kind::Pages, entries, fault: None }
}

/// The forms in XML, by their root.
#[derive(Clone, Copy)]
enum Form {
    UrlSet,
    Index,
    Rss,
    Atom,
}

impl Form {
    fn of(root: &str) -> Option<Self> {
        match root {
            "urlset" => Some(Form::UrlSet),
            "sitemapindex" => Some(Form::Index),
            // RSS 1.0 has RDF around it.
            "rss" | "RDF" => Some(Form::Rss),
            "feed" => Some(Form::Atom),
            _ => None,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Form::Index => Kind::Index,
            Form::UrlSet | Form::Rss | Form::Atom => Kind::Pages,
        }
    }

    /// Whether the text at `path` is an entry, and not one of its images.
    fn has_entry_at(self, path: &[String]) -> bool {
        let Some(([.., parent], name)) = path.split_last().map(|(name, rest)| (rest, name)) else {
            return false;
        };
        match self {
            Form::UrlSet => path.len() == 3 && parent == "url" && name == "loc",
            Form::Index => path.len() == 3 && parent == "sitemap" && name == "loc",
            Form::Rss => parent == "item" && name == "link",
            Form::Atom => false,
        }
    }
}

fn read_xml(xml: &str, lines_before: usize) -> Result<Sitemap, SitemapError> {
    let mut reader = Reader::from_str(xml);
    // Many sitemaps have query strings with a bare `&` in them.
    reader.config_mut().allow_dangling_amp = true;
    let (mut path, mut entries, mut text): (Vec<String>, Vec<Entry>, String) = Default::default();
    let (mut form, mut line, mut counted) = (None::<Form>, lines_before + 1, 0);
    let fault = loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => break Some(SitemapError::Xml(error.to_string())),
        };
        let position = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(xml.len());
        line += newlines(xml.get(counted..position).unwrap_or_default());
        counted = position;
        let in_entry = form.is_some_and(|form| form.has_entry_at(&path));
        match event {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if path.is_empty() {
                    form = Some(Form::of(&name).ok_or(SitemapError::OtherXml)?);
                }
                if let Some(url) = atom_link(form, &path, &name, &start) {
                    entries.push(Entry { url, line });
                }
                path.push(name);
                text.clear();
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                if path.is_empty() && form.is_none() {
                    form = Some(Form::of(&name).ok_or(SitemapError::OtherXml)?);
                }
                if let Some(url) = atom_link(form, &path, &name, &start) {
                    entries.push(Entry { url, line });
                }
            }
            Event::Text(piece) if in_entry => text += &piece,
            Event::CData(piece) if in_entry => text += &piece,
            Event::GeneralRef(reference) if in_entry => {
                let named = match reference.as_ref() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().unwrap_or_default(),
                };
                text.extend(named);
            }
            Event::End(_) => {
                if in_entry && !text.trim().is_empty() {
                    entries.push(Entry { url: text.trim().to_owned(), line });
                }
                path.pop();
            }
            Event::Eof if path.is_empty() => break None,
            Event::Eof => break Some(SitemapError::CutOff),
            _ => {}
        }
    };
    match (form, fault) {
        (Some(form), fault) if fault.is_none() || !entries.is_empty() => {
            Ok(Sitemap { kind: form.kind(), entries, fault })
        }
        (_, Some(fault)) => Err(fault),
        _ => Err(SitemapError::Empty),
    }
}

/// Where an entry of an Atom feed leads.
fn atom_link(form: Option<Form>, path: &[String], name: &str, start: &BytesStart<'_>) -> Option<String> {
    if !matches!(form, Some(Form::Atom)) || name != "link" || !matches!(path, [_, entry] if entry == "entry")
    {
        return None;
    }
    let attribute = |name: &str| {
        let attribute = start.try_get_attribute(name).ok().flatten()?;
        attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
    };
    let is_page = attribute("rel").is_none_or(|rel| rel == "alternate");
    attribute("href").filter(|_| is_page).map(|url| url.trim().to_owned())
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&octet| octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(octets: &[u8]) -> Result<(Kind, Vec<(String, usize)>), String> {
        let sitemap = read(octets).map_err(|error| error.to_string())?;
        assert_eq!(sitemap.fault, None);
        Ok((sitemap.kind, sitemap.entries.into_iter().map(|entry| (entry.url, entry.line)).collect()))
    }

    #[test]
    fn pages_and_further_sitemaps_are_read() {
        let listed = |kind: Kind, urls: &[(&str, usize)]| {
            Ok((kind, urls.iter().map(|&(url, line)| (url.to_owned(), line)).collect::<Vec<_>>()))
        };
        for (text, expected) in [
            (
                "<?xml version='1.0'?>\n<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>\
                 <url><loc> https://a.example/?b=1&amp;c=&#50; </loc><lastmod>2025-01-01</lastmod></url>\n\
                 <url><loc><![CDATA[https://a.example/x&y]]></loc></url></urlset>",
                listed(Kind::Pages, &[("https://a.example/?b=1&c=2", 2), ("https://a.example/x&y", 3)]),
            ),
            (
                "\u{feff}\n<s:urlset xmlns:s='x' xmlns:image='y'><s:url><s:loc>https://a.example/</s:loc>\
                 <image:image><image:loc>https://a.example/i.png</image:loc></image:image></s:url></s:urlset>",
                listed(Kind::Pages, &[("https://a.example/", 2)]),
            ),
            (
                "<sitemapindex><sitemap><loc>1.xml</loc></sitemap></sitemapindex>",
                listed(Kind::Index, &[("1.xml", 1)]),
            ),
            (
                "<rss version='2.0'><channel><link>https://a.example/</link><item><title>T</title>\
                 <link>https://a.example/1</link></item></channel></rss>",
                listed(Kind::Pages, &[("https://a.example/1", 1)]),
            ),
            (
                "<rdf:RDF><channel><link>https://a.example/</link></channel>\
                 <item><link>https://a.example/1</link></item></rdf:RDF>",
                listed(Kind::Pages, &[("https://a.example/1", 1)]),
            ),
            (
                "<feed xmlns='http://www.w3.org/2005/Atom'><link href='https://a.example/'/>\
                 <entry><link rel='edit' href='https://a.example/e'/><link href='https://a.example/1?a=1&amp;b'/></entry>\
                 <entry><link rel='alternate' href='https://a.example/2'></link></entry></feed>",
                listed(Kind::Pages, &[("https://a.example/1?a=1&b", 1), ("https://a.example/2", 1)]),
            ),
            (
                "# ours\r\nhttps://a.example/1\r\n\r\nhttps://a.example/2",
                listed(Kind::Pages, &[("https://a.example/1", 2), ("https://a.example/2", 4)]),
            ),
            (
                "User-agent: *\nDisallow:\nsitemap: https://a.example/s.xml\n",
                listed(Kind::Index, &[("https://a.example/s.xml", 3)]),
            ),
            // A bare ampersand, as many generators write it.
            (
                "<urlset><url><loc>https://a.example/?a=1&b=2</loc></url></urlset>",
                listed(Kind::Pages, &[("https://a.example/?a=1&b=2", 1)]),
            ),
            ("<urlset/>", listed(Kind::Pages, &[])),
            ("<html></html>", Err("it is no sitemap: neither urlset, sitemapindex, rss nor feed".to_owned())),
            ("<urlset><url>", Err("it ends in the middle".to_owned())),
            (" \n", Err("it is empty".to_owned())),
        ] {
            assert_eq!(entries(text.as_bytes()), expected, "{text}");
        }
        assert!(read(b"<urlset></url></urlset>").is_err());
        // Nobody's entities are expanded.
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><urlset><url><loc>https://a/&a;</loc></url></urlset>";
        assert_eq!(entries(bomb.as_bytes()), listed(Kind::Pages, &[("https://a/", 1)]));
    }

    #[test]
    fn other_encodings_are_read() {
        let xml = "<urlset><url><loc>https://a.example/é</loc></url></urlset>";
        let expected = Ok((Kind::Pages, vec![("https://a.example/é".to_owned(), 1)]));
        let little: Vec<u8> =
            std::iter::once(0xfeff).chain(xml.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> =
            std::iter::once(0xfeff).chain(xml.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        assert_eq!(entries(&little), expected);
        assert_eq!(entries(&big), expected);
        let mut latin =
            b"<?xml version='1.0' encoding='ISO-8859-1'?><urlset><url><loc>https://a.example/".to_vec();
        latin.extend(b"\xe9</loc></url></urlset>");
        assert_eq!(entries(&latin), expected);
        assert_eq!(entries(b"https://a.example/\xe9"), Err("it is not in UTF-8".to_owned()));
    }

    /// What a broken end leaves is not lost.
    #[test]
    fn what_comes_before_a_fault_counts() {
        let sitemap = read(b"<urlset><url><loc>https://a.example/</loc></url><url><loc>https://b").unwrap();
        assert_eq!(sitemap.entries.len(), 1);
        assert!(sitemap.fault.is_some());
    }
}
