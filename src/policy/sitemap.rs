//! Sitemaps (sitemaps.org) in every form that crawlers read: XML with and without namespaces, RSS,
//! Atom, lists of URLs, and robots.txt. A [`Sitemap`] lists pages of a site or further sitemaps.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The parsed content of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitemap {
    /// Whether the entries are pages or further sitemaps.
    pub kind: Kind,
    /// The entries in order, as written in the file.
    pub entries: Vec<Entry>,
    /// The error that ended the parse early, if any.
    pub fault: Option<SitemapError>,
}

/// Why a file was not read, or not completely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SitemapError {
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file begins with the mark of UTF-16 but is not valid UTF-16.
    #[error("it is not in UTF-16, which its first octets say")]
    NotUtf16,
    /// The file is not UTF-8 and declares no other known encoding.
    #[error("it is not in UTF-8")]
    NotUtf8,
    /// The file is not well-formed XML; with the parser's message.
    #[error("it is no XML: {0}")]
    Xml(String),
    /// The root element is not that of a sitemap or feed.
    #[error("it is no sitemap: neither urlset, sitemapindex, rss nor feed")]
    OtherXml,
    /// The file ends inside of its root element.
    #[error("it ends in the middle")]
    CutOff,
}

/// The kind of entries in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The entries are URLs of pages.
    Pages,
    /// The entries are URLs of further sitemaps.
    Index,
}

/// One entry. The URL is not validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The text in place of the URL.
    pub url: String,
    /// The line on which the entry ends, from 1.
    pub line: usize,
}

/// Parses one file. Entries before a syntax error are returned with the error in `fault`.
///
/// # Errors
/// If nothing can be read from the file.
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

/// Decodes a file: UTF-8, UTF-16 with its byte order mark, or ISO 8859-1 if the XML declares it.
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

/// Whether the XML declaration names ISO 8859-1 or windows-1252, which browsers treat alike.
fn is_latin(octets: &[u8]) -> bool {
    let declaration = octets.split(|&octet| octet == b'>').next().unwrap_or_default();
    let declaration =
        String::from_utf8_lossy(declaration.get(..200).unwrap_or(declaration)).to_ascii_lowercase();
    declaration.contains("<?xml")
        && (declaration.contains("iso-8859-1") || declaration.contains("windows-1252"))
}

/// Parses a list of URLs by line. `Sitemap:` lines, as in robots.txt, make the file an index.
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

/// The XML forms, by their root element.
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
            // RSS 1.0 has an RDF root element.
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

    /// Whether the text at `path` is the URL of an entry, and not of one of its images.
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
    // Many sitemaps contain a bare `&` in query strings.
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

/// The URL of an entry of an Atom feed.
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
    fn sitemap_in_each_form_is_parsed() {
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
            // A bare ampersand, which many generators write.
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
        // Custom entities are not expanded.
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><urlset><url><loc>https://a/&a;</loc></url></urlset>";
        assert_eq!(entries(bomb.as_bytes()), listed(Kind::Pages, &[("https://a/", 1)]));
    }

    #[test]
    fn sitemap_in_other_encodings_is_decoded() {
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

    /// Entries before a syntax error are kept.
    #[test]
    fn sitemap_entries_before_fault_are_kept() {
        let sitemap = read(b"<urlset><url><loc>https://a.example/</loc></url><url><loc>https://b").unwrap();
        assert_eq!(sitemap.entries.len(), 1);
        assert!(sitemap.fault.is_some());
    }
}
