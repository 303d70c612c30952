//! The glyph card: a page with a line of each common script, judged by the browser that draws it.
//!
//! The page draws each character alone and compares its pixels with those of a code point that no
//! font has. Fonts cannot be asked for by name, because the fallback fonts are the choice of the
//! browser. Widths do not help, because a box is often as wide as the character. Characters that
//! all look the same are boxes too. Shaping shows in widths: joined letters and conjuncts are
//! narrower than the same letters with a zero-width non-joiner between them. A script returns the
//! findings as the text of the error that it throws. The picture is checked as well: three patches
//! of known colour, and ink in every line.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tintype::origin::chrome::Engine;

use super::engine::{capture, thrown_json};
use super::finding::Finding;
use crate::cli::terminal::Complaint;

const CARD: &str = include_str!("card.html");
const CHECK: &str = "fonts";
/// Size of the card in pixels: a strip, and a row for each script.
const WIDTH: usize = 640;
const STRIP: usize = 20;
const ROW: usize = 40;
/// Horizontal range of the sample in a row.
const SAMPLE: std::ops::Range<usize> = 210..560;
/// Scripts on the card, and the Debian package that has their letters.
const PACKAGES: [(&str, &str); 9] = [
    ("Latin", "fonts-liberation"),
    ("emoji", "fonts-noto-color-emoji"),
    ("Chinese", "fonts-noto-cjk"),
    ("Japanese", "fonts-noto-cjk"),
    ("Korean", "fonts-noto-cjk"),
    ("Arabic", "fonts-noto-core"),
    ("Hebrew", "fonts-noto-core"),
    ("Devanagari", "fonts-noto-core"),
    ("Thai", "fonts-noto-core"),
];

pub(super) async fn check(engine: &Engine, keep: Option<PathBuf>) -> Vec<Finding> {
    let height = STRIP + ROW * PACKAGES.len();
    let shot = json!({ "html": CARD, "width": WIDTH, "height": height });
    let (picture, found) = tokio::join!(
        capture(engine, shot),
        thrown_json(engine, CARD, "throw new Error(JSON.stringify({ card }))")
    );
    let mut findings = Vec::new();
    match picture.map_err(|why| format!("no picture of the glyph card: {why}")) {
        Ok(picture) => {
            if let Some(file) = keep {
                findings.push(kept(&file, &picture));
            }
            if let Err(why) = look_at(&picture) {
                let remedy = "look at the picture (--card FILE.png); try another browser";
                findings.push(Finding::failure("picture", why.to_string(), remedy));
            }
        }
        Err(why) => findings.push(Finding::failure("picture", why, "see the other lines")),
    }
    match found {
        Ok(found) => findings.extend(judge(&found["card"])),
        Err(why) => {
            let says = format!("the glyph card cannot be judged: {why}");
            findings.push(Finding::failure(CHECK, says, "look at the picture (--card FILE.png)"));
        }
    }
    findings
}

fn kept(file: &Path, picture: &[u8]) -> Finding {
    match std::fs::write(file, picture) {
        Ok(()) => Finding::good("card", format!("the glyph card is in {}", file.display())),
        Err(error) => {
            Finding::failure("card", format!("cannot write {}: {error}", file.display()), "name another file")
        }
    }
}

/// A finding for each script, from the results of the page.
fn judge(card: &Value) -> Vec<Finding> {
    let fault = |script: &str| -> Option<String> {
        let entry = card.as_array().and_then(|card| card.iter().find(|entry| entry["script"] == script));
        match entry.and_then(|entry| entry.get("fault")) {
            Some(Value::Null) => None,
            Some(Value::String(fault)) => Some(fault.clone()),
            _ => Some("unknown".into()),
        }
    };
    let mut findings = Vec::new();
    let mut good = Vec::new();
    for (script, package) in PACKAGES {
        let what = match fault(script).as_deref() {
            None => {
                good.push(script);
                continue;
            }
            Some("boxes") => "is drawn as boxes: no font has it",
            Some("grey") => "has no colours",
            Some("unshaped") => "is drawn letter by letter, which nobody can read",
            _ => "was not judged",
        };
        let remedy = format!(
            "apt-get install {package} (elsewhere: the Noto font of the script), then start tintype anew"
        );
        let says = format!("{script} {what}");
        // Without letters, pictures are of no use. Other scripts may not be needed.
        findings.push(match script {
            "Latin" => Finding::failure(CHECK, says, remedy),
            _ => Finding::warning(CHECK, says, remedy),
        });
    }
    if !good.is_empty() {
        findings.insert(0, Finding::good(CHECK, format!("real glyphs, shaped: {}", good.join(", "))));
    }
    findings
}

/// Checks that the picture shows the card: its colours, and ink in each line.
fn look_at(picture: &[u8]) -> Result<(), Complaint> {
    let pixels = Pixels::decode(picture).map_err(|error| format!("the picture is no PNG: {error}"))?;
    for (at, colour) in [(100, [255, 0, 0]), (320, [0, 255, 0]), (540, [0, 0, 255])] {
        let seen = pixels.at(at, STRIP / 2);
        if seen != Some(colour) {
            return Err(format!("a patch of colour {colour:?} comes out as {seen:?}").into());
        }
    }
    let dark = |x, y| pixels.at(x, y).is_some_and(|pixel| pixel.iter().any(|&part| part < 128));
    for (row, (script, _)) in PACKAGES.iter().enumerate() {
        let top = STRIP + row * ROW;
        if !SAMPLE.flat_map(|x| (top..top + ROW).map(move |y| (x, y))).any(|(x, y)| dark(x, y)) {
            return Err(format!("the picture has nothing where {script} should be").into());
        }
    }
    Ok(())
}

/// A decoded PNG of eight bits for each channel.
struct Pixels {
    width: usize,
    parts: usize,
    data: Vec<u8>,
}

impl Pixels {
    fn decode(picture: &[u8]) -> Result<Self, png::DecodingError> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info()?;
        let mut data = vec![0; reader.output_buffer_size().unwrap_or_default()];
        let info = reader.next_frame(&mut data)?;
        Ok(Pixels { width: info.width as usize, parts: info.color_type.samples(), data })
    }

    fn at(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        let at = (y * self.width + x) * self.parts;
        self.data.get(at..at + 3)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    fn card(faults: &[(&str, &str)]) -> Value {
        let fault = |script| faults.iter().find(|(other, _)| *other == script).map(|(_, fault)| *fault);
        PACKAGES.iter().map(|(script, _)| json!({ "script": script, "fault": fault(*script) })).collect()
    }

    #[test]
    fn each_fault_names_its_package() {
        let findings = judge(&card(&[]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].says.ends_with("Devanagari, Thai"), "{findings:?}");

        let findings = judge(&card(&[("Korean", "boxes"), ("Arabic", "unshaped"), ("Latin", "boxes")]));
        let marks: Vec<_> = findings.iter().map(|finding| finding.mark).collect();
        assert_eq!(marks, [Mark::Good, Mark::Failure, Mark::Warning, Mark::Warning]);
        let remedies: Vec<_> = findings.iter().filter_map(|finding| finding.remedy.as_deref()).collect();
        for (remedy, package) in
            remedies.iter().zip(["fonts-liberation", "fonts-noto-cjk", "fonts-noto-core"])
        {
            assert!(remedy.contains(package), "{remedy}");
        }
    }

    #[test]
    fn a_card_that_says_nothing_is_no_good_one() {
        for odd in [json!(null), json!([]), json!("fine"), json!([{ "script": "Latin" }])] {
            assert!(judge(&odd).iter().all(|finding| finding.mark != Mark::Good), "{odd}");
        }
    }

    #[test]
    fn the_card_has_a_line_for_each_script() {
        for (script, _) in PACKAGES {
            assert!(CARD.contains(&format!("script: \"{script}\"")), "{script}");
        }
    }

    #[test]
    fn every_package_is_in_the_image_and_in_the_script_that_installs() {
        for file in ["Dockerfile", "scripts/install-browser"] {
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '"').collect();
            for (script, package) in PACKAGES {
                assert!(words.contains(&package), "{file} lacks {package} for {script}");
            }
        }
    }
}
