//! Tidy text, by the rules of CONTRIBUTING.md:
//! - prose of the documentation and comments fit into 100 columns;
//! - banned words are in neither of them, nor in proxy.toml;
//! - relative links lead to files and headings that exist, and so do documents that the code names;
//! - each term of the glossary is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MAX_COLUMNS: usize = 100;

/// Files and folders below `src` whose comments keep the rules. Add one when its comments are rewritten.
const TIDY_SOURCES: &[&str] = &[
    "cli",
    "clock.rs",
    "config",
    "derive",
    "lib.rs",
    "listener",
    "main.rs",
    "message",
    "policy",
    "store",
    "tasks.rs",
    "telemetry",
];

/// Files and folders below `src` whose doc comments say more than a name. Add one when its stubs are gone.
const SUBSTANTIAL_SOURCES: &[&str] = TIDY_SOURCES;

/// A doc comment of fewer words says nothing that the name does not.
const MIN_DOC_WORDS: usize = 4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path below the root of the repository, for messages.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Files below `folder` with this ending, sorted by name.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The Markdown files of the repository: those in its root, in docs and in packaging.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    found.sort();
    for folder in ["docs", "packaging"] {
        found.extend(files(&root().join(folder), "md"));
    }
    assert!(found.len() > 20, "only {} documents", found.len());
    found
}

/// The Rust files of `places` below `src`.
fn sources(places: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in places {
        let path = root().join("src").join(place);
        if path.is_dir() { found.extend(files(&path, "rs")) } else { found.push(path) }
    }
    found
}

/// The lines of a Markdown text with their numbers; those of code blocks are empty.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fence = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim_start_matches([' ', '>']);
        let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                lines.push((index + 1, line));
                continue;
            }
            _ => {}
        }
        lines.push((index + 1, ""));
    }
    lines
}

/// The whole-line comments of a Rust text with their numbers and without their marks; other lines are empty.
fn comments(text: &str) -> Vec<(usize, &str)> {
    let comment = |line: &'_ str| -> Option<usize> {
        let bare = line.trim_start();
        let mark = ["///", "//!", "//"].into_iter().find(|mark| bare.starts_with(mark))?;
        Some(line.len() - bare.len() + mark.len())
    };
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, comment(line).map_or("", |start| &line[start..])))
        .collect()
}

/// Where the code span ends that a run of `width` backticks began.
fn closing(text: &str, width: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find('`') {
        let start = from + found;
        let run = text[start..].bytes().take_while(|&octet| octet == b'`').count();
        if run == width {
            return Some(start);
        }
        from = start + run;
    }
    None
}

/// The line with a single backtick in place of each code span.
fn without_code(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        text.push_str(&rest[..start]);
        text.push('`');
        let width = rest[start..].bytes().take_while(|&octet| octet == b'`').count();
        rest = &rest[start + width..];
        if let Some(end) = closing(rest, width) {
            rest = &rest[end + width..];
        }
    }
    text.push_str(rest);
    text
}

/// The line without the targets of its links.
fn without_targets(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("](") {
        text.push_str(&rest[..=start]);
        rest = &rest[start + 2..];
        rest = rest.find(')').map_or("", |end| &rest[end + 1..]);
    }
    text.push_str(rest);
    text
}

/// The targets of the links in a line.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find("](") {
        rest = &rest[start + 2..];
        let end = rest.find(')').unwrap_or(rest.len());
        // A title may follow the target.
        found.extend(rest[..end].split_whitespace().next());
        rest = &rest[end..];
    }
    found
}

/// Whether a line is wider than it has to be. A URL or a single word cannot be broken.
fn is_too_wide(line: &str) -> bool {
    let text = without_targets(line);
    text.chars().count() > MAX_COLUMNS && !text.contains("://") && text.split_whitespace().count() > 2
}

/// Whether `text`, in lower case, has `phrase` as whole words, beginning before `end`.
fn has_phrase(text: &str, phrase: &str, end: usize) -> bool {
    text.match_indices(phrase).take_while(|(start, _)| *start < end).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// The banned words and phrases of CONTRIBUTING.md: the first column of its table.
fn banned() -> Vec<String> {
    let text = read(&root().join("CONTRIBUTING.md"));
    let section = text.split("### Banned words").nth(1).expect("a section on banned words");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let banned: Vec<String> = rows
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split(','))
        .map(|phrase| phrase.trim().to_lowercase())
        .collect();
    assert!(banned.len() >= 8, "only {banned:?}");
    banned
}

/// Each banned phrase in these lines. A phrase may go on in the next line.
fn banned_in(path: &Path, lines: &[(usize, &str)], banned: &[String]) -> Vec<String> {
    let mut offences = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        let own = without_code(line).to_lowercase();
        let next = lines.get(index + 1).map_or("", |(_, next)| next);
        let next = without_code(next.trim_start_matches([' ', '#', '>'])).to_lowercase();
        let text = format!("{} {next}", own.trim_end());
        for phrase in banned {
            if has_phrase(&text, phrase, own.len()) {
                offences.push(format!("{}:{number}: \"{phrase}\": {}", shown(path), line.trim()));
            }
        }
    }
    offences
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    without_targets(heading)
        .trim()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .flat_map(char::to_lowercase)
        .collect()
}

/// The anchors of a Markdown text: its headings, and elements with an id.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() < line.len() && title.starts_with(' ') {
            let slug = slug(title);
            let count = seen.entry(slug.clone()).or_default();
            found.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
            *count += 1;
        }
        for part in line.split("id=\"").skip(1) {
            found.extend(part.split('"').next().map(str::to_owned));
        }
    }
    found
}

/// Why a link of the document at `path` leads nowhere.
fn broken(path: &Path, target: &str, text: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let leads_to = if file.is_empty() { path.to_owned() } else { path.parent()?.join(file) };
    if !leads_to.exists() {
        return Some(format!("no file {file}"));
    }
    let anchor = anchor?;
    if leads_to.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let there = if file.is_empty() { text.to_owned() } else { read(&leads_to) };
    (!anchors(&there).contains(anchor)).then(|| format!("no heading #{anchor} in {}", shown(&leads_to)))
}

/// Each `docs/NAME.md` in a text.
fn named_documents(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '/' | '.');
    text.match_indices("docs/").filter_map(move |(start, _)| {
        // Part of another path, such as one that a test requests.
        let before = text[..start].chars().next_back();
        if before.is_some_and(|letter| letter == '/' || letter.is_alphanumeric()) {
            return None;
        }
        let path = &text[start..];
        let path = &path[..path.find(|letter| !is_part(letter)).unwrap_or(path.len())];
        path.rfind(".md").map(|end| &path[..end + 3])
    })
}

/// The text as words in lower case, each between two spaces.
fn words(text: &str) -> String {
    let mut all = String::from(" ");
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        all.push_str(&word.to_lowercase());
        all.push(' ');
    }
    all
}

/// The terms in the first columns of the glossary.
fn glossary_terms(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| term"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split(','))
        .map(|term| term.trim().to_owned())
        .collect()
}

/// Fails with one offence for each line.
fn refuse(offences: &[String]) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

#[test]
fn prose_of_documents_fits_into_100_columns() {
    let mut offences = Vec::new();
    for path in documents() {
        for (number, line) in prose(&read(&path)) {
            let is_table = line.trim_start_matches([' ', '>']).starts_with('|');
            if !is_table && is_too_wide(line) {
                offences.push(format!("{}:{number}: {} columns", shown(&path), line.chars().count()));
            }
        }
    }
    refuse(&offences);
}

#[test]
fn comments_of_tidy_sources_fit_into_100_columns() {
    let mut offences = Vec::new();
    for path in sources(TIDY_SOURCES) {
        let text = read(&path);
        for ((number, comment), line) in comments(&text).into_iter().zip(text.lines()) {
            let is_table = comment.trim_start().starts_with('|');
            if !comment.is_empty() && !is_table && is_too_wide(line) {
                offences.push(format!("{}:{number}: {} columns", shown(&path), line.chars().count()));
            }
        }
    }
    refuse(&offences);
}

#[test]
fn banned_words_are_in_no_document_and_not_in_the_shipped_configuration() {
    let banned = banned();
    let mut offences = Vec::new();
    for path in documents() {
        let text = read(&path);
        let mut lines = prose(&text);
        if path.ends_with("CONTRIBUTING.md") {
            // Its tables list them, and have examples of what not to write.
            for (_, line) in &mut lines {
                if line.starts_with('|') {
                    *line = "";
                }
            }
        }
        offences.extend(banned_in(&path, &lines, &banned));
    }
    let path = root().join("proxy.toml");
    let text = read(&path);
    let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(index, line)| (index + 1, line)).collect();
    offences.extend(banned_in(&path, &lines, &banned));
    refuse(&offences);
}

#[test]
fn banned_words_are_in_no_comment_of_tidy_sources() {
    let banned = banned();
    let mut offences = Vec::new();
    for path in sources(TIDY_SOURCES) {
        offences.extend(banned_in(&path, &comments(&read(&path)), &banned));
    }
    refuse(&offences);
}

#[test]
fn doc_comments_of_substantial_sources_say_more_than_a_name() {
    let mut offences = Vec::new();
    for path in sources(SUBSTANTIAL_SOURCES) {
        let text = read(&path);
        let mut count = 0;
        for (index, line) in text.lines().enumerate() {
            match line.trim_start().strip_prefix("///") {
                Some(comment) => count += comment.split_whitespace().count(),
                None if (1..MIN_DOC_WORDS).contains(&count) => {
                    offences.push(format!("{}:{index}: a doc comment of {count} words", shown(&path)));
                    count = 0;
                }
                None => count = 0,
            }
        }
    }
    refuse(&offences);
}

#[test]
fn relative_links_lead_to_files_and_headings_that_exist() {
    let mut offences = Vec::new();
    let mut links = 0;
    for path in documents() {
        let text = read(&path);
        for (number, line) in prose(&text) {
            let line = without_code(line);
            for target in targets(&line) {
                links += 1;
                if let Some(why) = broken(&path, target, &text) {
                    offences.push(format!("{}:{number}: {target}: {why}", shown(&path)));
                }
            }
        }
    }
    assert!(links > 100, "only {links} links");
    refuse(&offences);
}

#[test]
fn documents_that_the_code_names_exist() {
    let mut paths = vec![root().join("proxy.toml"), root().join("Cargo.toml"), root().join("Makefile")];
    for folder in ["src", "tests", "fuzz/fuzz_targets", "benches"] {
        paths.extend(files(&root().join(folder), "rs"));
        paths.extend(files(&root().join(folder), "py"));
    }
    let mut offences = Vec::new();
    for path in paths {
        // This file has examples.
        if path.ends_with("tidy.rs") {
            continue;
        }
        let text = read(&path);
        for name in named_documents(&text) {
            if !root().join(name).exists() {
                offences.push(format!("{}: no {name}", shown(&path)));
            }
        }
    }
    refuse(&offences);
}

#[test]
fn glossary_terms_are_each_defined_once_and_used() {
    let glossary = root().join("docs/GLOSSARY.md");
    let terms = glossary_terms(&read(&glossary));
    assert!(terms.len() > 40, "only {} terms", terms.len());
    let mut paths = documents();
    paths.retain(|path| *path != glossary);
    paths.extend(files(&root().join("src"), "rs"));
    paths.push(root().join("proxy.toml"));
    let all: Vec<String> = paths.iter().map(|path| words(&read(path))).collect();
    let is_used = |term: &str| {
        let term = words(term);
        let term = term.trim();
        let forms = [format!(" {term} "), format!(" {term}s "), format!(" {term}es ")];
        all.iter().any(|text| forms.iter().any(|form| text.contains(form)))
    };
    let mut offences = Vec::new();
    let mut seen = BTreeSet::new();
    for term in &terms {
        if !seen.insert(term) {
            offences.push(format!("{term}: defined twice"));
        }
        if !is_used(term) {
            offences.push(format!("{term}: used nowhere"));
        }
    }
    refuse(&offences);
}

#[test]
fn helpers_read_markdown_as_github_does() {
    assert_eq!(without_code("a `b` c ``d ` e`` f"), "a ` c ` f");
    assert_eq!(without_code("a ` b"), "a ` b");
    assert_eq!(targets("[a](b.md#c), ![d](e \"f\")"), ["b.md#c", "e"]);
    assert_eq!(without_targets("see [a](b) and [c](d)."), "see [a] and [c].");
    assert_eq!(slug(" Capture routes: `dialect = \"tintype\"`"), "capture-routes-dialect--tintype");
    assert_eq!(slug(" The [life](a.md) of max_load"), "the-life-of-max_load");
    let twice = anchors("# A\n```\n# not one\n```\n## A\n<a id=\"b\"></a>\n");
    assert_eq!(twice.into_iter().collect::<Vec<_>>(), ["a", "a-1", "b"]);
    assert_eq!(
        prose("a\n```sh\nb\n```\nc").into_iter().map(|(_, line)| line).collect::<Vec<_>>(),
        ["a", "", "", "", "c"]
    );
    assert_eq!(comments("/// a\nlet b;\n    // c")[2], (3, " c"));
    assert_eq!(named_documents("see docs/A.md, /docs/b.md and docs/adr/1.md.").count(), 2);
}

#[test]
fn phrases_are_found_as_whole_words() {
    for (text, phrase, found) in [
        ("those who ask whom to ask", "whom", true),
        ("an unwholesome text", "whole", false),
        ("a mean of late requests", "of late", true),
        ("a mean of later requests", "of late", false),
        ("he heeds", "heed", false),
        ("lest", "lest", true),
    ] {
        assert_eq!(has_phrase(text, phrase, text.len()), found, "{phrase} in {text}");
    }
    let lines = [(1, "as they went of"), (2, "late. Whose"), (3, "`whom` is code")];
    let banned = ["of late".to_owned(), "whom".to_owned()];
    assert_eq!(banned_in(Path::new("a.md"), &lines, &banned).len(), 1);
}
