//! A document given as Markdown, as a page: CommonMark with tables, footnotes, task lists and struck text, in a plain dress.
//! Raw HTML in it stays, as a document given as HTML may have any. Pure.

use pulldown_cmark::{Options, Parser, html};

const STYLE: &str = include_str!("markdown.css");

/// The page of `text`.
pub(super) fn render(text: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let head = "<!doctype html><html><head><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width\"><style>";
    let mut page = format!("{head}\n{STYLE}</style></head><body>\n");
    html::push_html(&mut page, Parser::new_ext(text, options));
    page.push_str("</body></html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_a_page() {
        for (text, expected) in [
            ("# A\n\nb *c*", "<h1>A</h1>\n<p>b <em>c</em></p>"),
            ("|a|b|\n|-|-|\n|1|2|", "<table><thead><tr><th>a</th><th>b</th></tr></thead>"),
            ("~~a~~", "<del>a</del>"),
            ("- [x] a", "<input disabled=\"\" type=\"checkbox\" checked=\"\"/>"),
            ("`a < b`", "<code>a &lt; b</code>"),
            ("<b onclick=x()>a</b>", "<b onclick=x()>a</b>"),
        ] {
            let page = render(text);
            assert!(page.contains(expected), "{text}: {page}");
            assert!(page.starts_with("<!doctype html>") && page.ends_with("</body></html>\n"));
        }
    }
}
