//! Scripts of the world in pictures, with the doctor's glyph card:
//!
//! - every line of the card has ink, the emoji have colours and nothing else has;
//! - joined Arabic letters, conjuncts and joined emoji take less room than the same kept apart, in pixels;
//! - the page finds no fault with itself.

use std::ops::Range;

use http::Method;
use tintype::origin::chrome::{Config, Engine};
use tintype::origin::{Flaw, Origin, OriginError};

use super::chrome_site::{Pixels, ask, config, picture, start};

const CARD: &str = include_str!("../../src/cli/doctor/card.html");
const STRIP: u32 = 20;
const ROW: u32 = 40;
const ROWS: u32 = 9;
const EMOJI: u32 = 1;
const SAMPLE: Range<u32> = 210..560;

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn document(
    engine: &Engine,
    html: &str,
    more: &str,
) -> Result<http::Response<tintype::message::body::Body>, OriginError> {
    ask(engine, Method::GET, &format!("/screenshot?html={}&{more}", escaped(html))).await
}

fn engine() -> std::sync::Arc<Engine> {
    start(Config { max_concurrent: 1, ..config() })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_script_has_ink_and_emoji_have_colours() {
    let engine = engine();
    let height = STRIP + ROW * ROWS;
    let shot = document(&engine, CARD, &format!("width=640&height={height}")).await;
    let card = Pixels::decode(&picture(shot));
    assert_eq!(card.size(), (640, height));
    for row in 0..ROWS {
        let (mut ink, mut colours) = (0, 0);
        for y in STRIP + row * ROW..STRIP + (row + 1) * ROW {
            for [r, g, b] in SAMPLE.map(|x| card.at(x, y)) {
                ink += u32::from(r.min(g).min(b) < 128);
                colours += u32::from(r.max(g).max(b) - r.min(g).min(b) > 60);
            }
        }
        assert!(ink > 200, "row {row}: {ink}");
        assert_eq!(colours > 100, row == EMOJI, "row {row}: {colours}");
    }
    engine.shutdown().await;
}

/// How many columns a text has ink in, from its first to its last.
async fn width(engine: &Engine, text: &str) -> u32 {
    let html = format!("<meta charset=utf-8><body style='margin: 8px; font: 32px sans-serif'>{text}");
    let pixels = Pixels::decode(&picture(document(engine, &html, "width=320&height=80").await));
    let has_ink = |x: &u32| (0..pixels.height).any(|y| pixels.at(*x, y).iter().any(|&part| part < 128));
    let inked: Vec<u32> = (0..pixels.width).filter(has_ink).collect();
    inked.last().unwrap() - inked.first().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_shaped() {
    let engine = engine();
    for (shaped, apart) in [("ببب", "ب\u{200c}ب\u{200c}ب"), ("क्ष", "क्\u{200c}ष"), ("👩\u{200d}🚀", "👩🚀")]
    {
        let (narrow, wide) = (width(&engine, shaped).await, width(&engine, apart).await);
        assert!(narrow + 3 < wide, "{shaped} {narrow}, {apart} {wide}");
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_finds_no_fault_with_itself() {
    let engine = engine();
    let script = "throw new Error(card.map(({ script, fault }) => `${script} ${fault}`).join())";
    let judged = document(&engine, CARD, &format!("js={}", escaped(script))).await;
    let Err(OriginError::Flawed { flaw: Flaw::Script, detail }) = judged else { panic!("{judged:?}") };
    let scripts =
        ["Latin", "emoji", "Chinese", "Japanese", "Korean", "Arabic", "Hebrew", "Devanagari", "Thai"];
    let good = scripts.map(|script| format!("{script} null")).join(",");
    assert!(detail.ends_with(&good), "{detail}");
    engine.shutdown().await;
}
