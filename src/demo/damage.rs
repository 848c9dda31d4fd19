//! JPEGs that are turned, cut or damaged.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use turbojpeg::{Decompressor, PixelFormat};

use super::dice::Dice;
use super::draw::Picture;
use super::encode::{EncodeError, QUALITY, jpeg, rgb_image};

/// A JPEG whose EXIF `orientation` turns the stored pixels into `upright`.
pub(super) fn turned(upright: Picture, orientation: u8) -> Result<Vec<u8>, EncodeError> {
    let stored_from_upright = match Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms) {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        its_own_inverse => its_own_inverse,
    };
    let mut image = DynamicImage::ImageRgb8(rgb_image(upright));
    image.apply_orientation(stored_from_upright);
    let (width, height) = (image.width(), image.height());
    let mut bytes = jpeg(&Picture { width, height, rgb: image.into_bytes() }, PixelFormat::RGB, QUALITY, |_| Ok(()))?;
    bytes.splice(2..2, exif(orientation));
    Ok(bytes)
}

/// An APP1 segment that holds nothing but the orientation (EXIF 2.32, sections 4.5.2 and 4.6.2).
fn exif(orientation: u8) -> Vec<u8> {
    let mut segment = b"\xFF\xE1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    segment.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    segment.extend_from_slice(&[0; 4]);
    segment
}

pub(super) fn without_tail(mut bytes: Vec<u8>, cut: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - cut);
    bytes
}

/// Where the entropy-coded data of a baseline JPEG of ours begins: behind its only scan header.
pub(super) fn entropy_start(jpeg: &[u8]) -> usize {
    let mut at = 2;
    while at + 4 <= jpeg.len() {
        let scan = jpeg[at + 1] == 0xDA;
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if scan {
            break;
        }
    }
    at.min(jpeg.len())
}

/// Flips one bit so that the decoder reports damage (half of all flips go unnoticed).
///
/// Damage that the decoder takes for missing data is passed over: the file is corrupt, not truncated.
pub(super) fn bit_flipped(whole: Vec<u8>, mut dice: Dice) -> Result<Vec<u8>, EncodeError> {
    let entropy = entropy_start(&whole) + 1..whole.len().saturating_sub(2);
    for _ in 0..2000 {
        let at = entropy.start + dice.below(entropy.len());
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << dice.below(8);
        // A flip beside 0xFF would make or unmake a marker.
        if [whole[at - 1], whole[at], damaged[at]].contains(&0xFF) {
            continue;
        }
        if decode(&damaged).is_err_and(|error| !error.to_string().contains("remature end")) {
            return Ok(damaged);
        }
    }
    Err(EncodeError::NoFlip)
}

/// Decodes strictly: libjpeg-turbo's warnings are errors here.
pub(super) fn decode(jpeg: &[u8]) -> Result<RgbImage, turbojpeg::Error> {
    let mut decompressor = Decompressor::new()?;
    let header = decompressor.read_header(jpeg)?;
    let format = PixelFormat::RGB;
    let (width, height, pitch) = (header.width, header.height, header.width * format.size());
    let mut pixels = vec![0; pitch * height];
    decompressor.decompress(jpeg, turbojpeg::Image { pixels: &mut pixels[..], width, pitch, height, format })?;
    Ok(rgb_image(Picture { width: width as u32, height: height as u32, rgb: pixels }))
}

#[cfg(test)]
mod tests {
    use super::super::draw::Scene;
    use super::super::shape::Shape;
    use super::*;

    #[test]
    fn a_turned_jpeg_is_upright_once_its_orientation_is_applied() {
        let upright = Scene::new(42, Shape::Star, 1).paint(64, 48);
        for orientation in 2..=8 {
            let bytes = turned(upright.clone(), orientation).unwrap();
            assert_eq!(&bytes[2..12], b"\xFF\xE1\0\x22Exif\0\0");
            assert_eq!(bytes[30], orientation);
            let stored = decode(&bytes).unwrap();
            let mut far = 0;
            for (x, y, pixel) in rgb_image(upright.clone()).enumerate_pixels() {
                // Where the pixel of the upright picture is stored, by the table of EXIF 2.32, section 4.6.2.
                let (right, bottom) = (63 - x, 47 - y);
                let (column, row) = match orientation {
                    2 => (right, y),
                    3 => (right, bottom),
                    4 => (x, bottom),
                    5 => (y, x),
                    6 => (y, right),
                    7 => (bottom, right),
                    _ => (bottom, x),
                };
                far +=
                    stored.get_pixel(column, row).0.iter().zip(pixel.0).map(|(a, b)| a.abs_diff(b) as u64).sum::<u64>();
            }
            assert!(far < 64 * 48 * 3 * 8, "orientation {orientation}: off by {far}");
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_as_damage_and_leaves_the_length() {
        let picture = Scene::new(42, Shape::Cross, 1).paint(48, 48);
        let whole = jpeg(&picture, PixelFormat::RGB, QUALITY, |_| Ok(())).unwrap();
        let damaged = bit_flipped(whole.clone(), Dice::new(&[1])).unwrap();
        let bits: u32 = whole.iter().zip(&damaged).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((bits, damaged.len()), (1, whole.len()));
        assert!(decode(&whole).is_ok() && decode(&damaged).is_err());
    }
}
