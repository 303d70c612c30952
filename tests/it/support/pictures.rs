//! Pictures that a screenshot service could answer with.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, Luma, RgbImage};

/// A picture of two colours, `shade` and white, in this format.
pub(crate) fn picture_as(format: ImageFormat, shade: u8) -> Bytes {
    let picture =
        RgbImage::from_fn(64, 48, |x, y| image::Rgb(if x < 9 && y < 9 { [255; 3] } else { [shade; 3] }));
    let mut octets = Cursor::new(Vec::new());
    picture.write_to(&mut octets, format).expect("a picture");
    octets.into_inner().into()
}

/// The same as PNG.
pub(crate) fn picture(shade: u8) -> Bytes {
    picture_as(ImageFormat::Png, shade)
}

/// A PNG of one colour.
pub(crate) fn blank_picture() -> Bytes {
    let mut octets = Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(64, 48, Luma([255]));
    picture.write_to(&mut octets, ImageFormat::Png).expect("a picture");
    octets.into_inner().into()
}
