//! PNG and APNG, every checksum verified.
//!
//! The `png` crate ignores the Adler-32 of the pixels and the CRC of ancillary chunks unless told otherwise, and a
//! caller that stops after the pixels never sees whether the rest of the file is there: here all of it is read. An
//! APNG's default image is taken, which is what every viewer without APNG shows, and the first frame in all but odd
//! files.

use std::io::Cursor;

use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Info, Transformations};

use super::limits::Limits;
use super::raster::{Raster, Rejected, admit, exif_orientation, to_8_bits};
use crate::sample::{Change, Reason};

/// Most bytes of one file's ancillary data that the decoder keeps, decompressed: EXIF and the ICC profile. Text chunks
/// are skipped, whatever their size.
const MAX_ANCILLARY: usize = 16 << 20;

/// Decodes a PNG file.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_skip_ancillary_crc_failures(false);
    options.set_ignore_text_chunk(true);
    let mut file = Cursor::new(bytes);
    let mut decoder = Decoder::new_with_options(&mut file, options);
    decoder.set_limits(png::Limits { bytes: MAX_ANCILLARY });
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(rejected)?;
    let (width, height) = header.size();
    admit(width, height, limits)?;

    let mut reader = decoder.read_info().map_err(rejected)?;
    // Before the pixels: the control chunks of later frames replace the first one's.
    let frames = frames(reader.info());
    let size = reader.output_buffer_size().ok_or_else(|| Rejected::corrupt("its size overflows"))?;
    let mut samples = vec![0; size];
    let output = reader.next_frame(&mut samples).map_err(rejected)?;
    reader.finish().map_err(|error| match rejected(error) {
        Rejected { reason: Reason::Truncated, .. } => Rejected::truncated("the chunks after the pixels are cut off"),
        other => other,
    })?;

    if output.bit_depth == BitDepth::Sixteen {
        samples = to_8_bits(samples.as_chunks().0.iter().map(|&sample| u16::from_be_bytes(sample)));
    }
    let info = reader.info();
    let mut raster = Raster::still(width, height, output.color_type.samples(), samples, mode(info));
    match info.bit_depth {
        BitDepth::Sixteen => raster.changes.push(Change::Depth),
        _ if matches!(raster.mode, "1" | "P") => raster.changes.push(Change::Palette),
        _ => {}
    }
    raster.orientation = info.exif_metadata.as_deref().map_or(1, exif_orientation);
    raster.set_icc(info.icc_profile.as_deref().map(<[u8]>::to_vec));
    raster.set_frames(frames);
    drop(reader);
    raster.note_trailing(bytes.len().saturating_sub(file.position() as usize));
    Ok(raster)
}

/// Frames of an animation, the default image counted where it is not one of them.
fn frames(info: &Info<'_>) -> u32 {
    match &info.animation_control {
        Some(animation) if info.frame_control.is_some() => animation.num_frames,
        Some(animation) => animation.num_frames.saturating_add(1),
        None => 1,
    }
}

/// Pillow's mode for a header, told apart by depth.
fn mode(info: &Info<'_>) -> &'static str {
    let deep = info.bit_depth == BitDepth::Sixteen;
    match info.color_type {
        ColorType::Indexed => "P",
        ColorType::Grayscale if deep => "I;16",
        ColorType::Grayscale if info.bit_depth == BitDepth::One => "1",
        ColorType::Grayscale => "L",
        ColorType::GrayscaleAlpha => ["LA", "LA;16"][usize::from(deep)],
        ColorType::Rgb => ["RGB", "RGB;16"][usize::from(deep)],
        ColorType::Rgba => ["RGBA", "RGBA;16"][usize::from(deep)],
    }
}

fn rejected(error: DecodingError) -> Rejected {
    match &error {
        DecodingError::IoError(io) => Rejected::from_io(io),
        DecodingError::LimitsExceeded => Rejected::corrupt(format!("more than {MAX_ANCILLARY} bytes of metadata")),
        _ => Rejected::corrupt(with_plain_chunk_names(&error.to_string())),
    }
}

/// The crate prints a chunk as `ChunkType { type: IDAT, critical: true, … }`.
fn with_plain_chunk_names(words: &str) -> String {
    let parts = || {
        let (before, chunk) = words.split_once("ChunkType { type: ")?;
        let (name, rest) = chunk.split_once(',')?;
        let (_, after) = rest.split_once('}')?;
        Some(format!("{before}{name}{after}"))
    };
    parts().unwrap_or_else(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::Encoder;

    /// A PNG of 2 × 1 pixels.
    fn file(
        color: ColorType,
        depth: BitDepth,
        data: &[u8],
        more: impl FnOnce(&mut Encoder<'_, &mut Vec<u8>>),
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        more(&mut encoder);
        encoder.write_header().expect("a header").write_image_data(data).expect("pixels");
        bytes
    }

    fn decoded(bytes: &[u8]) -> Raster {
        decode(bytes, &Limits::default()).expect("it decodes")
    }

    fn reason(bytes: &[u8]) -> Option<Reason> {
        decode(bytes, &Limits::default()).err().map(|error| error.reason)
    }

    #[test]
    fn modes_and_changes_follow_the_header() {
        use BitDepth::*;
        use Change::*;
        use ColorType::*;
        let plain = |_: &mut Encoder<'_, &mut Vec<u8>>| {};
        let palette = |e: &mut Encoder<'_, &mut Vec<u8>>| e.set_palette(vec![1, 2, 3, 4, 5, 6]);
        let clear = |e: &mut Encoder<'_, &mut Vec<u8>>| {
            e.set_palette(vec![1, 2, 3, 4, 5, 6]);
            e.set_trns(vec![255, 0]);
        };
        for (bytes, mode, pixels, changes) in [
            (file(Rgb, Eight, &[1, 2, 3, 4, 5, 6], plain), "RGB", vec![1, 2, 3, 4, 5, 6], vec![]),
            (file(Grayscale, Four, &[0x1F], plain), "L", vec![17, 255], vec![]),
            (file(Grayscale, One, &[0x40], plain), "1", vec![0, 255], vec![Palette]),
            (file(Grayscale, Sixteen, &[0xFF, 0x7F, 0, 0], plain), "I;16", vec![255, 0], vec![Depth]),
            (file(GrayscaleAlpha, Eight, &[9, 255, 9, 0], plain), "LA", vec![9, 255], vec![Alpha]),
            (file(Indexed, One, &[0x40], palette), "P", vec![1, 2, 3, 4, 5, 6], vec![Palette]),
            (file(Indexed, Eight, &[0, 1], clear), "P", vec![1, 2, 3, 255, 255, 255], vec![Alpha, Palette]),
        ] {
            let raster = decoded(&bytes);
            assert_eq!((raster.mode, raster.pixels, raster.changes), (mode, pixels, changes));
        }
    }

    #[test]
    fn every_cut_is_truncated_even_behind_the_pixels() {
        let bytes = file(ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6], |_| {});
        for end in 0..bytes.len() {
            assert_eq!(reason(&bytes[..end]), Some(Reason::Truncated), "{end} of {} bytes", bytes.len());
        }
        let raster = decoded(&[bytes.as_slice(), b"more"].concat());
        assert_eq!(raster.note.as_deref(), Some("4 bytes after the end of the image"));
    }

    #[test]
    fn any_flipped_byte_is_noticed() {
        let bytes = file(ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6], |_| {});
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let rejected = decode(&damaged, &Limits::default()).expect_err("it is noticed");
            assert!(!rejected.detail.contains('{'), "byte {at}: {}", rejected.detail);
        }
    }

    #[test]
    fn the_first_frame_of_an_animation_is_taken() {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_animated(2, 0).expect("frames");
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&[1, 2]).expect("a frame");
        writer.write_image_data(&[3, 4]).expect("a frame");
        writer.finish().expect("the end");
        let raster = decoded(&bytes);
        assert_eq!((raster.frames, raster.pixels, raster.changes), (2, vec![1, 2], vec![Change::FirstFrame]));
    }

    #[test]
    fn a_size_that_is_too_large_is_refused_by_its_header() {
        // 100,000 × 100,000 pixels and nothing else.
        let bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0\0\0\x27\x30\x9c\x9f";
        assert_eq!(reason(bomb), Some(Reason::TooManyPixels));
    }

    #[test]
    fn text_and_profiles_that_inflate_are_not_kept() {
        let bomb = file(ColorType::Rgb, BitDepth::Eight, &[0; 6], |encoder| {
            encoder.add_ztxt_chunk("Comment".into(), "x".repeat(40 << 20)).expect("a text");
        });
        assert!(bomb.len() < 1 << 20);
        assert_eq!(decoded(&bomb).changes, []);
    }
}
