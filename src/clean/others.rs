//! BMP, ICO, Netpbm and QOI through the `image` crate, which is strict about missing data.
//!
//! `image` gives RGB where Pillow says gray or palette, so the mode is read from the header here. An icon's several
//! sizes are not frames: the largest is taken, as a file of its own.

use std::io::{Cursor, ErrorKind};

use image::codecs::{bmp::BmpDecoder, ico::IcoDecoder, pnm::PnmDecoder, qoi::QoiDecoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError};

use super::limits::Limits;
use super::png;
use super::raster::{Raster, Rejected, admit, to_8_bits};
use crate::sample::Change;

/// Decodes a Windows bitmap.
pub(super) fn decode_bmp(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    if let Some((width, height)) = bmp_size(bytes) {
        admit(width, height, limits)?;
        if width.max(height) > 65535 {
            return Err(Rejected::unsupported(format!("a bitmap of {width}×{height} pixels")));
        }
    }
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(rejected)?;
    let mut raster = read(decoder, limits)?;
    if let Some(mode) = bmp_palette_mode(bytes) {
        raster.mode = mode;
        if mode != "L" {
            raster.changes.push(Change::Palette);
        }
        if mode != "P" && raster.channels == 3 {
            raster.pixels = raster.pixels.into_iter().step_by(3).collect();
            raster.channels = 1;
        }
    }
    Ok(raster)
}

/// Width and height in the header, which `image` reports only where it likes them.
fn bmp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let i32_at = |at: usize| bytes.get(at..at + 4)?.first_chunk().map(|b| i32::from_le_bytes(*b).unsigned_abs());
    let u16_at = |at: usize| bytes.get(at..at + 2)?.first_chunk().map(|b| u32::from(u16::from_le_bytes(*b)));
    if i32_at(14)? == 12 { u16_at(18).zip(u16_at(20)) } else { i32_at(18).zip(i32_at(22)) }
}

/// Pillow's mode of a bitmap with a palette (of at most 8 bits a pixel): `1` or `L` where it is a ramp of grays.
fn bmp_palette_mode(bytes: &[u8]) -> Option<&'static str> {
    let u16_at = |at: usize| bytes.get(at..at + 2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])));
    let u32_at = |at: usize| Some(u16_at(at)? | u16_at(at + 2)? << 16);
    let header = u32_at(14)?;
    let core = header == 12;
    let depth = u16_at(if core { 24 } else { 28 })?;
    if depth > 8 {
        return None;
    }
    let announced = if core { 0 } else { u32_at(46)? };
    let colors = if announced == 0 { 1 << depth } else { announced.min(256) };
    let (start, size) = (14 + header as usize, if core { 3 } else { 4 });
    let is_gray = |index: u32| {
        let gray = if colors == 2 { index * 255 } else { index } as u8;
        let at = start + index as usize * size;
        bytes.get(at..at + 3) == Some(&[gray; 3])
    };
    Some(match ((0..colors).all(is_gray), colors) {
        (true, 2) => "1",
        (true, _) => "L",
        _ => "P",
    })
}

/// One size of an icon.
#[derive(Clone, Copy)]
struct Entry {
    width: u32,
    height: u32,
    depth: u16,
    offset: usize,
    length: usize,
}

/// Decodes the largest image of a Windows icon or cursor, of several the deepest, of several the first.
pub(super) fn decode_ico(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let cut = || Rejected::truncated("the file ends inside its directory");
    let count = bytes.get(4..6).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]]))).ok_or_else(cut)?;
    let directory = bytes.get(6..6 + 16 * count).ok_or_else(cut)?;
    let entries = directory.as_chunks::<16>().0.iter().rev().map(|e| Entry {
        width: side(e[0]),
        height: side(e[1]),
        depth: u16::from_le_bytes([e[6], e[7]]),
        offset: u32::from_le_bytes([e[12], e[13], e[14], e[15]]) as usize,
        length: u32::from_le_bytes([e[8], e[9], e[10], e[11]]) as usize,
    });
    let largest = entries.max_by_key(|entry| (entry.width * entry.height, entry.depth));
    let largest = largest.ok_or_else(|| Rejected::corrupt("an icon without images"))?;
    // Lengths in the directory are often wrong: what follows the offset says itself how long it is.
    let payload = bytes.get(largest.offset..).filter(|payload| payload.len() >= 40);
    let payload = payload.ok_or_else(|| Rejected::truncated("the file ends before its largest image"))?;
    let mut raster = if payload.starts_with(b"\x89PNG") {
        let end = largest.length.min(payload.len());
        png::decode(&payload[..end], limits).or_else(|_| png::decode(payload, limits))?
    } else {
        let icon = single_icon(payload)?;
        read(IcoDecoder::new(Cursor::new(icon)).map_err(rejected)?, limits)?
    };
    raster.frames = 1;
    raster.note = None;
    Ok(raster)
}

/// A side in an icon's directory, where 0 stands for 256.
fn side(byte: u8) -> u32 {
    if byte == 0 { 256 } else { u32::from(byte) }
}

/// An icon file of the one bitmap at the start of `payload`, which has at least 40 bytes.
fn single_icon(payload: &[u8]) -> Result<Vec<u8>, Rejected> {
    let u32_at = |at: usize| u32::from_le_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]]);
    let (header, width, height) = (u32_at(0) as usize, u32_at(4), u32_at(8) / 2);
    if header < 40 || !(1..=256).contains(&width) || !(1..=256).contains(&height) {
        return Err(Rejected::corrupt(format!("an icon's bitmap of {width}×{height} pixels")));
    }
    let depth = u16::from_le_bytes([payload[14], payload[15]]);
    // A 32-bit bitmap has an alpha channel; the mask after it is for displays that know none, and often cut off.
    let end = if depth == 32 { header + width as usize * height as usize * 4 } else { payload.len() };
    let payload = payload.get(..end);
    let payload = payload.ok_or_else(|| Rejected::truncated("the file ends before its largest image"))?;
    let mut icon = vec![0, 0, 1, 0, 1, 0, width as u8, height as u8, 0, 0, 0, 0, 0, 0];
    icon.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    icon.extend_from_slice(&22u32.to_le_bytes());
    icon.extend_from_slice(payload);
    Ok(icon)
}

/// Decodes the first image of a Netpbm file: PBM, PGM, PPM or PAM.
pub(super) fn decode_pnm(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let mut rest = bytes;
    let decoder = PnmDecoder::new(&mut rest).map_err(rejected)?;
    let mut raster = read(decoder, limits)?;
    if raster.mode == "1" {
        raster.changes.push(Change::Palette);
    }
    if bytes.starts_with(b"P7") {
        // Pillow cannot open PAM, so it must not be kept as it is.
        raster.changes.push(Change::Format);
    }
    // Text ends with a line end, or several.
    let text = matches!(bytes.get(1), Some(b'1'..=b'3'));
    raster.note_trailing(if text { rest.trim_ascii_start() } else { rest }.len());
    Ok(raster)
}

/// Decodes a QOI file.
pub(super) fn decode_qoi(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    const HEADER: usize = 14;
    const END: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];
    let header = bytes.first_chunk::<HEADER>();
    let &[_, _, _, _, w0, w1, w2, w3, h0, h1, h2, h3, ..] =
        header.ok_or_else(|| Rejected::truncated("the file ends inside its header"))?;
    // The decoder has a limit of its own and calls what is above it damaged.
    admit(u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]), limits)?;
    let decoder = QoiDecoder::new(bytes).map_err(rejected)?;
    // The decoder stops at the last pixel and does not look for the end.
    let end = bytes.windows(END.len()).rposition(|window| window == END);
    let end = end.ok_or_else(|| Rejected::truncated("the end marker is missing"))? + END.len();
    let mut raster = read(decoder, limits)?;
    raster.note_trailing(bytes.len() - end);
    Ok(raster)
}

/// Reads an image whose header `decoder` has read.
fn read(mut decoder: impl ImageDecoder, limits: &Limits) -> Result<Raster, Rejected> {
    let (width, height) = decoder.dimensions();
    admit(width, height, limits)?;
    let bits = decoder.original_color_type();
    let icc = decoder.icc_profile().unwrap_or(None);
    let image = DynamicImage::from_decoder(decoder).map_err(rejected)?;
    let deep = image.color().bits_per_pixel() / u16::from(image.color().channel_count()) > 8;
    let (channels, samples, mode) = match image {
        DynamicImage::ImageLuma8(image) => (1, image.into_raw(), if bits == ExtendedColorType::L1 { "1" } else { "L" }),
        DynamicImage::ImageLumaA8(image) => (2, image.into_raw(), "LA"),
        DynamicImage::ImageRgb8(image) => (3, image.into_raw(), "RGB"),
        DynamicImage::ImageRgba8(image) => (4, image.into_raw(), "RGBA"),
        DynamicImage::ImageLuma16(image) => (1, to_8_bits(image.into_raw()), "I;16"),
        DynamicImage::ImageLumaA16(image) => (2, to_8_bits(image.into_raw()), "LA;16"),
        DynamicImage::ImageRgb16(image) => (3, to_8_bits(image.into_raw()), "RGB;16"),
        DynamicImage::ImageRgba16(image) => (4, to_8_bits(image.into_raw()), "RGBA;16"),
        other => return Err(Rejected::unsupported(format!("pixels of the kind {:?}", other.color()))),
    };
    let mut raster = Raster::still(width, height, channels, samples, mode);
    if deep {
        raster.changes.push(Change::Depth);
    }
    raster.set_icc(icc);
    Ok(raster)
}

fn rejected(error: ImageError) -> Rejected {
    match &error {
        ImageError::Unsupported(what) => Rejected::unsupported(what.to_string()),
        ImageError::IoError(io) => Rejected::from_io(io),
        _ if ends_early(&error) => Rejected::truncated("the file ends before its image does"),
        _ => Rejected::corrupt(error.to_string()),
    }
}

/// Whether an I/O error in the chain of causes says that the input ended, or the Netpbm decoder in its own words.
fn ends_early(error: &ImageError) -> bool {
    if error.to_string().contains("Not enough data") {
        return true;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Reason;
    use image::{ImageFormat, RgbImage, RgbaImage};

    type Decode = fn(&[u8], &Limits) -> Result<Raster, Rejected>;

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).expect("it encodes");
        bytes.into_inner()
    }

    fn reason(decode: Decode, bytes: &[u8]) -> Option<Reason> {
        decode(bytes, &Limits::default()).err().map(|error| error.reason)
    }

    #[test]
    fn plain_colors_keep_their_pixels_in_every_format() {
        let image = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8 * 50, y as u8 * 90, 7]));
        let formats: [(ImageFormat, Decode); 3] =
            [(ImageFormat::Bmp, decode_bmp), (ImageFormat::Pnm, decode_pnm), (ImageFormat::Qoi, decode_qoi)];
        for (format, decode) in formats {
            let bytes = encoded(image.clone(), format);
            let raster = decode(&bytes, &Limits::default()).expect("it decodes");
            assert_eq!((raster.width, raster.height, raster.mode), (3, 2, "RGB"), "{format:?}");
            // `image` writes PAM.
            let changes = if bytes.starts_with(b"P7") { vec![Change::Format] } else { vec![] };
            assert_eq!((&raster.pixels, raster.changes), (image.as_raw(), changes), "{format:?}");
            for end in 0..bytes.len() {
                let reason = reason(decode, &bytes[..end]);
                // A Netpbm header is text: where it is cut it may as well be damaged.
                let expected = if format == ImageFormat::Pnm && end < bytes.len() - 18 {
                    reason.or(Some(Reason::Truncated))
                } else {
                    Some(Reason::Truncated)
                };
                assert_eq!(reason, expected, "{format:?}, {end} bytes");
            }
        }
    }

    #[test]
    fn a_bitmap_of_a_gray_ramp_is_gray_and_one_of_colors_a_palette() {
        let mut bytes = encoded(image::GrayImage::from_raw(2, 1, vec![7, 200]).expect("two pixels"), ImageFormat::Bmp);
        let raster = decode_bmp(&bytes, &Limits::default()).expect("it decodes");
        assert_eq!((raster.mode, raster.channels, &raster.pixels), ("L", 1, &vec![7, 200]));
        assert_eq!(raster.changes, []);
        bytes[54 + 4 * 7] = 99;
        let raster = decode_bmp(&bytes, &Limits::default()).expect("it decodes");
        assert_eq!(
            (raster.mode, raster.changes, raster.pixels),
            ("P", vec![Change::Palette], vec![7, 7, 99, 200, 200, 200])
        );
    }

    #[test]
    fn the_largest_image_of_an_icon_is_its_only_frame() {
        let [small, large] = [[9, 2, 2, 255], [1, 2, 3, 255]].map(image::Rgba);
        let (small, large) = (RgbaImage::from_pixel(16, 16, small), RgbaImage::from_pixel(48, 48, large));
        let payloads = [small, large].map(|image| encoded(image, ImageFormat::Png));
        let mut bytes = vec![0, 0, 1, 0, 2, 0];
        let mut offset = 6 + 2 * 16;
        for (payload, side) in payloads.iter().zip([16, 48]) {
            bytes.extend_from_slice(&[side, side, 0, 0, 1, 0, 32, 0]);
            bytes.extend_from_slice(&[payload.len() as u32, offset].map(u32::to_le_bytes).concat());
            offset += payload.len() as u32;
        }
        bytes.extend(payloads.concat());
        let raster = decode_ico(&bytes, &Limits::default()).expect("it decodes");
        assert_eq!((raster.width, raster.height, raster.frames, raster.mode), (48, 48, 1, "RGBA"));
        assert_eq!((raster.pixels[..3].to_vec(), raster.changes), (vec![1, 2, 3], vec![Change::Alpha]));
        assert_eq!(reason(decode_ico, &bytes[..bytes.len() - 30]), Some(Reason::Truncated));
    }

    #[test]
    fn deep_and_one_bit_netpbm_images_are_scaled_to_eight_bits() {
        let deep = decode_pnm(b"P5 2 1 65535 \xff\xff\x80\x80", &Limits::default()).expect("it decodes");
        assert_eq!((deep.mode, deep.pixels, deep.changes), ("I;16", vec![255, 128], vec![Change::Depth]));
        let bits = decode_pnm(b"P1 2 1 1 0", &Limits::default()).expect("it decodes");
        assert_eq!((bits.mode, bits.pixels, bits.changes), ("1", vec![0, 255], vec![Change::Palette]));
        let few = decode_pnm(b"P5 2 1 100 \x64\x32", &Limits::default()).expect("it decodes");
        assert_eq!((few.mode, few.pixels), ("L", vec![255, 128]));
    }

    #[test]
    fn pam_is_encoded_anew_and_other_netpbm_formats_are_kept() {
        let pam = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n\x07\x09";
        let raster = decode_pnm(pam, &Limits::default()).expect("it decodes");
        assert_eq!((raster.pixels, raster.changes), (vec![7, 9], vec![Change::Format]));
        let raster = decode_pnm(b"P5 2 1 255 \x07\x09", &Limits::default()).expect("it decodes");
        assert_eq!((raster.pixels, raster.changes), (vec![7, 9], vec![]));
    }

    #[test]
    fn bytes_after_a_netpbm_image_are_noted_but_not_the_line_ends_of_text() {
        let note = |bytes: &[u8]| decode_pnm(bytes, &Limits::default()).expect("it decodes").note;
        assert_eq!(note(b"P5 2 1 255 \x07\x09more").as_deref(), Some("4 bytes after the end of the image"));
        assert_eq!(note(b"P2 2 1 255 7 9\n4").as_deref(), Some("1 bytes after the end of the image"));
        assert_eq!(note(b"P2 2 1 255 7 9\n\n"), None);
        assert_eq!(note(b"P5 2 1 255 \x07\x09"), None);
    }

    #[test]
    fn sizes_that_are_too_large_are_refused_by_their_header() {
        let mut bmp = encoded(RgbImage::new(1, 1), ImageFormat::Bmp);
        bmp[18..26].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0x0B, 0, 0]);
        assert_eq!(reason(decode_bmp, &bmp), Some(Reason::TooManyPixels));
        assert_eq!(reason(decode_pnm, b"P6 4000000000 3000 255 "), Some(Reason::TooManyPixels));
        let qoi = b"qoif\x7f\xff\xff\xff\0\0\x0b\xff\x03\0\0\0\0\0\0\0\0\x01";
        assert_eq!(reason(decode_qoi, qoi), Some(Reason::TooManyPixels));
    }
}
