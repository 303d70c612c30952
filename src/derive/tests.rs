//! Formats, sizes and colours of renditions; bounds; one conversion for concurrent requests.

use super::*;
use crate::capture::rendition::Format;
use image::{GenericImageView, ImageEncoder};

/// The left half is red, the right half is blue. With `alpha` the top is transparent.
fn source(width: u32, height: u32, alpha: bool) -> Bytes {
    let picture = image::RgbaImage::from_fn(width, height, |x, y| {
        let through = if alpha && y < height / 2 { 0 } else { 255 };
        if x < width / 2 { image::Rgba([255, 0, 0, through]) } else { image::Rgba([0, 0, 255, through]) }
    });
    let picture = image::DynamicImage::from(picture);
    let picture = if alpha { picture } else { picture.into_rgb8().into() };
    let mut octets = Vec::new();
    image::codecs::png::PngEncoder::new(&mut octets)
        .write_image(picture.as_bytes(), width, height, picture.color().into())
        .unwrap();
    octets.into()
}

fn wanted(format: Format, size: (u32, u32)) -> Make {
    Make { format, quality: 80, size, crop: false }
}

async fn made(source: &Bytes, make: Make) -> Result<Bytes, DeriveError> {
    let from = size(source).unwrap();
    Deriver::new(Config::default()).derive(b"k".to_vec(), source, from, make).await
}

fn near(one: image::Rgba<u8>, other: [u8; 4]) -> bool {
    one.0.iter().zip(other).all(|(a, b)| a.abs_diff(b) < 24)
}

#[tokio::test]
async fn every_format_holds_the_picture() {
    for alpha in [false, true] {
        let source = source(64, 32, alpha);
        for format in [Format::Png, Format::Jpeg, Format::Webp] {
            let octets = made(&source, wanted(format, (32, 16))).await.unwrap();
            let picture = match format {
                Format::Webp => {
                    assert_eq!((&octets[..4], &octets[8..12]), (&b"RIFF"[..], &b"WEBP"[..]));
                    let decoded = webp::Decoder::new(&octets).decode().unwrap();
                    assert_eq!(decoded.is_alpha(), alpha);
                    let (w, h) = (decoded.width(), decoded.height());
                    let rgb = decoded.to_vec();
                    match alpha {
                        true => image::DynamicImage::from(image::RgbaImage::from_raw(w, h, rgb).unwrap()),
                        false => image::RgbImage::from_raw(w, h, rgb).unwrap().into(),
                    }
                }
                _ => image::load_from_memory(&octets).unwrap(),
            };
            assert_eq!(picture.dimensions(), (32, 16), "{format:?}");
            assert!(
                near(picture.get_pixel(4, 12), [255, 0, 0, 255]),
                "{format:?} {:?}",
                picture.get_pixel(4, 12)
            );
            assert!(near(picture.get_pixel(28, 12), [0, 0, 255, 255]), "{format:?}");
            let top = picture.get_pixel(4, 3);
            match (alpha, format) {
                (true, Format::Jpeg) => assert!(near(top, [255; 4]), "transparent is white: {top:?}"),
                (true, _) => assert!(top.0[3] < 10, "{format:?} {top:?}"),
                (false, _) => assert!(near(top, [255, 0, 0, 255])),
            }
        }
    }
}

#[tokio::test]
async fn cover_cuts_off_both_sides_alike_and_fill_does_not() {
    let source = source(60, 20, false);
    for (crop, left) in [(true, [255, 0, 0, 255]), (false, [255, 0, 0, 255])] {
        let make = Make { crop, ..wanted(Format::Png, (20, 20)) };
        let picture = image::load_from_memory(&made(&source, make).await.unwrap()).unwrap();
        assert_eq!(picture.dimensions(), (20, 20));
        assert!(near(picture.get_pixel(1, 10), left) && near(picture.get_pixel(18, 10), [0, 0, 255, 255]));
    }
}

#[tokio::test]
async fn what_is_beyond_the_bounds_or_no_picture_is_refused() {
    let source = source(40, 40, false);
    let tight = Deriver::new(Config { max_pixels: 1600, ..Config::default() });
    let key = || b"k".to_vec();
    assert!(tight.derive(key(), &source, (40, 40), wanted(Format::Jpeg, (40, 40))).await.is_ok());
    for (from, to) in [((41, 40), (4, 4)), ((40, 40), (41, 40))] {
        let refused = tight.derive(key(), &source, from, wanted(Format::Jpeg, to)).await;
        assert_eq!(refused, Err(DeriveError::TooLarge { pixels: 1640, limit: 1600 }));
    }
    let tall = made(&source, wanted(Format::Webp, (1, 16_384))).await;
    assert!(matches!(tall, Err(DeriveError::Impossible(_))), "{tall:?}");
    let broken = source.slice(..source.len() / 2);
    let refused = tight.derive(key(), &broken, (40, 40), wanted(Format::Png, (4, 4))).await;
    assert!(matches!(refused, Err(DeriveError::Failed(_))), "{refused:?}");
    assert_eq!(size(b"<html>"), None);
    if !cfg!(feature = "avif") {
        let avif = made(&source, wanted(Format::Avif, (4, 4))).await;
        assert!(matches!(avif, Err(DeriveError::Impossible(_))), "{avif:?}");
    }
}

#[tokio::test]
async fn one_is_made_for_all_and_no_more_wait_than_may() {
    let deriver = Deriver::new(Config { max_concurrent: 1, queue: 1, ..Config::default() });
    let source = source(40, 40, false);
    let turn = Arc::clone(&deriver.turns).acquire_owned().await;
    let make = wanted(Format::Png, (4, 4));
    let first = deriver.join(b"a".to_vec(), &source, make).unwrap();
    let second = deriver.join(b"b".to_vec(), &source, make).unwrap();
    let again = deriver.join(b"a".to_vec(), &source, make).unwrap();
    assert_eq!(deriver.join(b"c".to_vec(), &source, make).err(), Some(DeriveError::Busy));
    assert!(first.ptr_eq(&again) && !first.ptr_eq(&second));
    drop((turn, again));
    assert!(first.await.is_ok() && second.await.is_ok());
    let last = deriver.derive(b"c".to_vec(), &source, (40, 40), make).await;
    assert!(last.is_ok() && deriver.under_way.lock().is_empty());
    assert_eq!(deriver.waiting.load(Ordering::Relaxed), 0);
}

#[cfg(feature = "avif")]
#[tokio::test]
async fn avif_is_made_where_it_is_built_in() {
    for alpha in [false, true] {
        let octets = made(&source(64, 32, alpha), wanted(Format::Avif, (32, 16))).await.unwrap();
        assert_eq!(&octets[4..12], b"ftypavif");
    }
}
