//! Tables: what is taken out of a request, which size comes of it, which format a client gets.

use http::HeaderValue;

use super::super::{Canonical, Defaults};
use super::*;

fn read(query: &str) -> Canonical {
    let defaults = Defaults { derive: true, ..Defaults::default() };
    Canonical::read(&format!("url=https://e.com/&{query}"), None, &defaults).unwrap()
}

fn accepting(accept: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    if !accept.is_empty() {
        fields.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
    }
    fields
}

#[test]
fn sizes_and_formats_are_no_part_of_the_capture() {
    let plain = read("");
    assert_eq!(plain.derivative, None);
    for (query, key) in [
        ("format=png", None),
        ("format=png&quality=30", None),
        ("quality=30", None),
        ("fit=cover", None),
        ("format=jpg", Some("format=jpeg&quality=80")),
        ("file_type=webp&image_quality=70", Some("format=webp&quality=70")),
        ("image_width=400", Some("format=png&image_width=400")),
        ("thumbnail_width=400", Some("format=png&image_width=400")),
        ("thumb_width=4&thumb_height=5&fit=fill", Some("format=png&image_width=4&image_height=5&fit=fill")),
        ("image_width=400&fit=cover", Some("format=png&image_width=400")),
        ("image_width=4e2&image_height=300&fit=CONTAIN", Some("format=png&image_width=400&image_height=300")),
        ("image_height=300&quality=5", Some("format=png&image_height=300")),
    ] {
        let canonical = read(query);
        let told = canonical.derivative.as_ref().map(|made| made.key(made.format_for(&HeaderMap::new())));
        assert_eq!(told.as_deref(), key, "{query}");
        assert_eq!(
            (canonical.key.as_str(), canonical.parameters.query()),
            (plain.key.as_str(), plain.parameters.query()),
            "{query}"
        );
    }
}

/// The engine refuses it, with everything else that is bad.
#[test]
fn what_is_bad_stays_for_the_engine_to_refuse() {
    for bad in [
        "format=gif",
        "image_width=0",
        "image_width=16385",
        "image_width=wide",
        "fit=inside",
        "quality=101&format=webp",
        "image_width=1&image_width=2",
        "format=png&format=webp",
        "quality=80&quality=81",
        "format=jpeg&omit_background=true",
    ] {
        let canonical = read(&format!("{bad}&width=none"));
        assert_eq!(canonical.derivative, None, "{bad}");
        let sent = canonical.parameters.query().unwrap();
        let name = bad.split('=').next().unwrap();
        assert!(sent.contains(&format!("{name}=")) && sent.contains("width=none"), "{bad}: {sent}");
    }
}

#[test]
fn without_derivation_they_are_the_origins() {
    let of = |query: &str| Canonical::read(query, None, &Defaults::default()).unwrap();
    assert_eq!(of("image_width=5&format=webp&fit=cover").key, "fit=cover&format=webp&image_width=5");
    assert_eq!(of("image_width=5").derivative, None);
}

#[test]
fn sizes_table() {
    for (query, source, size, crop) in [
        ("image_width=400", (1280, 720), (400, 225), false),
        ("image_height=360", (1280, 720), (640, 360), false),
        ("image_width=400&image_height=400", (1280, 720), (400, 225), false),
        ("image_width=400&image_height=100", (1280, 720), (178, 100), false),
        ("image_width=400&image_height=400&fit=cover", (1280, 720), (400, 400), true),
        ("image_width=400&image_height=400&fit=fill", (1280, 720), (400, 400), false),
        // Nothing is made larger by what only bounds it.
        ("image_width=4000", (1280, 720), (1280, 720), false),
        ("image_width=4000&image_height=100&fit=fill", (1280, 720), (4000, 100), false),
        ("image_width=1", (1000, 1), (1, 1), false),
        ("image_width=3", (7, 16_000), (3, 6857), false),
        ("format=webp", (5, 6), (5, 6), false),
    ] {
        let made = read(query).derivative.unwrap();
        assert_eq!(made.size_of(source), (size, crop), "{query} {source:?}");
    }
}

#[test]
fn a_picture_that_is_as_asked_is_left_as_it_is() {
    let plan =
        |query: &str, source, png| read(query).derivative.unwrap().plan(source, png, &HeaderMap::new());
    assert_eq!(plan("image_width=2000", (1280, 720), true), None);
    assert_eq!(plan("format=auto", (1280, 720), true), None);
    let made = plan("image_width=2000", (1280, 720), false).unwrap();
    assert_eq!((made.format, made.size), (Format::Png, (1280, 720)));
}

#[test]
fn what_is_too_tall_for_webp_is_said_or_is_a_png() {
    let chrome = accepting("image/webp");
    let tall = (1280, 16_384);
    let of = |query: &str| read(query).derivative.unwrap().plan(tall, true, &chrome);
    assert!(of("format=webp").unwrap().impossible().unwrap().contains("16383"));
    assert_eq!(of("format=auto"), None);
    assert_eq!(of("format=auto&image_width=640").unwrap().format, Format::Webp);
    assert_eq!(of("format=webp&image_width=640").unwrap().impossible(), None);
}

#[test]
fn negotiation_table() {
    let auto = read("format=auto").derivative.unwrap();
    assert!(auto.negotiates() && !read("format=webp").derivative.unwrap().negotiates());
    let only_avif = if cfg!(feature = "avif") { Format::Avif } else { Format::Png };
    for (accept, format) in [
        ("", Format::Png),
        ("*/*", Format::Png),
        ("image/*", Format::Png),
        ("image/png", Format::Png),
        ("image/webp,*/*", Format::Webp),
        ("image/webp;q=0", Format::Png),
        ("image/webp;q=0.5, image/png;q=0.9", Format::Png),
        ("image/webp;q=0.5, image/png;q=0.5", Format::Webp),
        ("IMAGE/WebP ; Q=0.3", Format::Webp),
        ("image/webp;q=0.8, */*;q=0.9", Format::Png),
        ("image/webp;q=2", Format::Png),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", Format::Webp),
        ("image/avif,image/apng,image/*,*/*;q=0.8", only_avif),
        ("image/avif,image/webp;q=0.9", if cfg!(feature = "avif") { Format::Avif } else { Format::Webp }),
        ("image/avif;q=0.7,image/webp,*/*;q=0.5", Format::Webp),
        ("text/html", Format::Png),
        (",;=,image/webp", Format::Webp),
    ] {
        assert_eq!(auto.format_for(&accepting(accept)), format, "{accept}");
    }
}
