//! Lists of pictures as people write them: by line a URL or an item in JSON, a job as JSON, or a sitemap. A bad entry is set aside with its
//! place, and takes nothing from the others.

use std::collections::HashSet;
use std::fmt;
use std::io::Read as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ask::{self, Item};
use crate::message::json::from_slice;
use crate::policy::sitemap::{self, Entry, Kind, Sitemap, SitemapError};

/// Times that a file may be packed over.
const MAX_LAYERS: usize = 3;

/// What a list names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What can be asked for.
    pub items: Vec<Item>,
    /// What cannot.
    pub bad: Vec<Bad>,
}

/// An entry that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// What stands there.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
    /// Where it stands.
    pub place: Place,
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why nothing can be read from a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be unpacked.
    #[error(transparent)]
    Packing(#[from] UnpackError),
    /// Its content is no list.
    #[error(transparent)]
    Whole(#[from] SitemapError),
    /// It is an index of further sitemaps, which are to be fetched.
    #[error("it lists further sitemaps; name it by its URL")]
    Index,
}

/// Why a packed file cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The packing is broken.
    #[error("it is packed wrongly: {0}")]
    Broken(String),
    /// It is too large when unpacked.
    #[error("it has more than {max_bytes} bytes when it is unpacked")]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
}

/// Reads the list in `octets`, of the file called `name`, packed or not. Unpacked it may have `max_bytes`.
///
/// # Errors
/// If nothing can be read from it.
pub fn read(name: &str, octets: &[u8], max_bytes: u64) -> Result<List, Unreadable> {
    let octets = unpacked(octets, max_bytes)?;
    let text = sitemap::decoded(&octets)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::new(name);
    if text.trim_start().starts_with('<') {
        let Sitemap { kind, entries, fault } = sitemap::read(text.as_bytes())?;
        if kind == Kind::Index {
            return Err(Unreadable::Index);
        }
        let last = entries.last().map_or(1, |entry| entry.line);
        entries.into_iter().for_each(|entry| reader.page(entry));
        if let Some(why) = fault {
            reader.refuse("what follows".to_owned(), why.to_string(), last);
        }
        return Ok(reader.list);
    }
    if let Ok(Value::Object(job)) = from_slice(text.as_bytes())
        && let Some(Value::Array(items)) = job.get("items")
    {
        // Items have no lines of their own: their numbers do for them.
        items.iter().zip(1..).for_each(|(item, number)| reader.item(item, number));
        return Ok(reader.list);
    }
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.starts_with('{') {
            true => match from_slice::<Value>(line.as_bytes()) {
                Ok(item) => reader.item(&item, number),
                Err(error) => reader.refuse(line.to_owned(), error.to_string(), number),
            },
            false => reader.page(Entry { url: line.to_owned(), line: number }),
        }
    }
    Ok(reader.list)
}

/// Pictures of the pages that the file called `name` lists, as their route has them by default.
pub fn of_pages(name: &str, pages: impl IntoIterator<Item = Entry>) -> List {
    let mut reader = Reader::new(name);
    pages.into_iter().for_each(|page| reader.page(page));
    reader.list
}

/// `octets` without the packing around them, whatever their name or type says.
///
/// # Errors
/// In words, what is wrong with the packing.
pub fn unpacked(octets: &[u8], max_bytes: u64) -> Result<Vec<u8>, UnpackError> {
    let mut octets = octets.to_vec();
    for _ in 0..MAX_LAYERS {
        if !octets.starts_with(&[0x1f, 0x8b]) {
            break;
        }
        let mut inner = Vec::new();
        let reader = flate2::read::MultiGzDecoder::new(&octets[..]);
        let read = reader.take(max_bytes.saturating_add(1)).read_to_end(&mut inner);
        match read {
            // What follows the last member is padding.
            Err(error) if inner.is_empty() => return Err(UnpackError::Broken(error.to_string())),
            _ => octets = inner,
        }
        if octets.len() as u64 > max_bytes {
            return Err(UnpackError::TooLarge { max_bytes });
        }
    }
    Ok(octets)
}

/// Collects what a list has.
struct Reader {
    file: Arc<str>,
    ids: HashSet<String>,
    list: List,
}

impl Reader {
    fn new(name: &str) -> Self {
        Reader { file: name.into(), ids: HashSet::new(), list: List::default() }
    }

    fn page(&mut self, Entry { url, line }: Entry) {
        self.item(&json!({ "url": url }), line);
    }

    fn item(&mut self, item: &Value, line: usize) {
        let what = || item["url"].as_str().map_or_else(|| item.to_string(), str::to_owned);
        // Numbers of bad entries are not given to others.
        let number = self.list.items.len() + self.list.bad.len();
        match ask::item(item, number) {
            Ok(item) if self.ids.insert(item.id.clone()) => self.list.items.push(item),
            Ok(item) => self.refuse(what(), format!("another one has the id {:?}", item.id), line),
            Err(bad) => self.refuse(what(), bad.to_string(), line),
        }
    }

    fn refuse(&mut self, what: String, why: String, line: usize) {
        let place = Place { file: Arc::clone(&self.file), line };
        self.list.bad.push(Bad { what, why, place });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bad: &[Bad]) -> Vec<usize> {
        bad.iter().map(|bad| bad.place.line).collect()
    }

    #[test]
    fn lists_are_read_in_each_form() {
        let urls = |text: &str| {
            let list = read("list", text.as_bytes(), 1 << 20)?;
            assert_eq!(list.bad, []);
            Ok(list.items.into_iter().map(|item| (item.id, item.url)).collect::<Vec<_>>())
        };
        let pair = |id: &str, url: &str| (id.to_owned(), url.to_owned());
        assert_eq!(
            urls(
                "\u{feff}# ours\nhttps://a.example/\n\n{\"url\":\"https://b.example\",\"id\":\"b\",\"width\":\"9\"}\n"
            ),
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
        assert!(matches!(urls("<html>"), Err(Unreadable::Whole(_))));
    }

    #[test]
    fn bad_entries_are_set_aside_with_their_lines() {
        let long = format!("https://a.example/{}", "x".repeat(9000));
        let text = format!(
            "x\nfile:///etc/passwd\nhttps://a.example\n\n{{\"url\":\"https://b.example\",\"delay\":1}}\n/relative\n\
             mailto:me@a.example\n{long}\n{{\"url\":\"https://c.example\",\"id\":\"item-3\"}}\n{{\nhttps://d.example"
        );
        let list = read("list", text.as_bytes(), 1 << 20).unwrap();
        let urls: Vec<&str> = list.items.iter().map(|item| item.url.as_str()).collect();
        assert_eq!(urls, ["https://a.example", "https://d.example"]);
        assert_eq!(lines(&list.bad), [1, 2, 5, 6, 7, 8, 9, 10]);
        assert_eq!(list.bad[0].place.to_string(), "list:1");
        assert!(list.bad[2].why.contains("delay"), "{:?}", list.bad[2]);

        let job =
            "{\"items\":[{\"url\":\"https://a.example\"},7,{\"url\":\"https://b.example\",\"width\":0}]}";
        let list = read("job", job.as_bytes(), 1 << 20).unwrap();
        assert_eq!((list.items.len(), lines(&list.bad)), (1, vec![2, 3]));

        let cut = "<urlset><url><loc>https://a.example</loc></url>\n<url><loc>/b</loc></url><url>";
        let list = read("cut.xml", cut.as_bytes(), 1 << 20).unwrap();
        assert_eq!((list.items.len(), lines(&list.bad)), (1, vec![2, 2]));
    }

    #[test]
    fn packed_lists_are_unpacked_within_bounds() {
        use std::io::Write as _;
        let packed = |octets: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(octets).unwrap();
            encoder.finish().unwrap()
        };
        let once = packed(b"https://a.example\n");
        let members = [once.clone(), packed(b"https://b.example\n")].concat();
        let padded = [&once[..], &[0; 512]].concat();
        for (octets, count) in [(once.clone(), 1), (packed(&once), 1), (members, 2), (padded, 1)] {
            assert_eq!(read("list", &octets, 1000).unwrap().items.len(), count);
        }
        assert!(read("list", &packed(&[b'\n'; 1001]), 1000).is_err());
        assert!(read("list", &[0x1f, 0x8b, 7], 1000).is_err());
    }
}
