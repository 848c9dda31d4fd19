//! AVIF: the container by `avif-parse`, the AV1 bitstream by libaom, the colours here.
//!
//! # Why not `avif-decode`
//!
//! It puts the same two crates together, but its conversion divides premultiplied colours down to black, takes the
//! middle of chroma for 8-bit where gray and alpha are deeper, and repeats chroma instead of interpolating it. What
//! neither crate reads, `irot`, `imir` and `colr`, is read from the boxes here. As MIAF has it, those transforms are
//! the orientation, and an EXIF tag that says otherwise is not looked at.

use std::panic::catch_unwind;

use aom_decode::{Config, Decoder, FrameTempRef};
use avif_parse::{AV1Metadata, AvifData};

use super::bmff::{Properties, boxes, find, samples_of_longest_track};
use super::limits::Limits;
use super::raster::{Raster, Rejected, admit};
use super::yuv::Picture;
use crate::sample::Change;

/// Decodes an AVIF file, of a sequence its primary image.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let top = boxes(bytes)?;
    let meta = find(&top, b"meta").and_then(|meta| meta.get(4..));
    // A sequence without a still image says nothing of how it is turned.
    let properties = meta.map_or_else(|| Ok(Properties::default()), Properties::of)?;
    if find(&top, b"mdat").is_none() || meta.is_none() && find(&top, b"moov").is_none() {
        return Err(Rejected::truncated("the file ends before its image"));
    }
    let avif = parse(bytes, meta.is_some())?;
    let (width, height) = admitted_size(&avif.primary_item, limits)?;
    if let Some(alpha) = &avif.alpha_item
        && admitted_size(alpha, limits)? != (width, height)
    {
        return Err(Rejected::unsupported("an alpha plane of another size"));
    }

    // One thread: the pipeline decodes a file on every core.
    let mut decoder = Decoder::new(&Config { threads: 1 }).map_err(rejected)?;
    let alpha = avif.alpha_item.as_deref().map(|item| alpha_plane(&decoder.decode_frame(item).map_err(rejected)?));
    let alpha = alpha.transpose()?;
    let frame = decoder.decode_frame(&avif.primary_item).map_err(rejected)?;
    let picture = Picture::of(&frame, properties.cicp)?;
    if (picture.y.width, picture.y.height) != (width as usize, height as usize) {
        return Err(Rejected::corrupt("the frame has another size than its header"));
    }

    let (channels, mut pixels) = if picture.chroma.is_some() { (3, picture.rgb()?) } else { (1, picture.gray()) };
    let mode = match (channels, alpha.is_some()) {
        (1, false) => ["L", "I;16"],
        (1, true) => ["LA", "LA;16"],
        (_, false) => ["RGB", "RGB;16"],
        (_, true) => ["RGBA", "RGBA;16"],
    };
    let mode = mode[usize::from(picture.depth > 8)];
    if let Some(alpha) = &alpha {
        if alpha.len() * channels != pixels.len() {
            return Err(Rejected::corrupt("the alpha plane has another size than its header"));
        }
        for (pixel, &alpha) in pixels.chunks_exact_mut(channels).zip(alpha) {
            let white = 255 * (255 - u32::from(alpha));
            let weight = if avif.premultiplied_alpha { 255 } else { u32::from(alpha) };
            pixel.iter_mut().for_each(|c| *c = ((u32::from(*c) * weight + white + 127) / 255).min(255) as u8);
        }
    }
    let mut raster = Raster::still(width, height, channels, pixels, mode);
    if alpha.is_some() {
        raster.changes.push(Change::Alpha);
    }
    if picture.depth > 8 {
        raster.changes.push(Change::Depth);
    }
    raster.orientation = properties.orientation();
    raster.set_icc(properties.icc);
    raster.set_frames(find(&top, b"moov").map_or(Ok(1), samples_of_longest_track)?);
    Ok(raster)
}

/// The items of the file; of a sequence with a `meta` box, its primary image.
fn parse(bytes: &[u8], has_meta: bool) -> Result<AvifData, Rejected> {
    // In a debug build the parser asserts that every box is read to its end, which damaged ones are not.
    let parse = |bytes: &[u8]| match catch_unwind(|| AvifData::from_reader(&mut &*bytes)) {
        Ok(Ok(avif)) => Ok(avif),
        Ok(Err(avif_parse::Error::UnexpectedEOF)) => Err(Rejected::truncated("the file ends inside a box")),
        Ok(Err(avif_parse::Error::Io(error))) => Err(Rejected::from_io(&error)),
        Ok(Err(avif_parse::Error::Unsupported(what))) => Err(Rejected::unsupported(what)),
        Ok(Err(error)) => Err(Rejected::corrupt(error.to_string())),
        Err(_) => Err(Rejected::corrupt("a box has another length than its content")),
    };
    match bytes.get(8..12) {
        // The parser refuses sequences by their brand alone; the still image in them is as any other.
        Some(b"avis") if has_meta => {
            let mut still = bytes.to_vec();
            still[8..12].copy_from_slice(b"avif");
            parse(&still)
        }
        _ => parse(bytes),
    }
}

/// The size that an item's sequence header gives, within `limits`.
fn admitted_size(item: &[u8], limits: &Limits) -> Result<(u32, u32), Rejected> {
    only_one_sequence(item)?;
    let header = AV1Metadata::parse_av1_bitstream(item).map_err(|error| match error {
        avif_parse::Error::Unsupported(what) => Rejected::unsupported(what),
        error => Rejected::corrupt(format!("AV1 sequence header: {error}")),
    })?;
    let size = (header.max_frame_width.get(), header.max_frame_height.get());
    admit(size.0, size.1, limits)?;
    Ok(size)
}

/// Refuses a second AV1 sequence header that differs from the first: it could announce any size after `limits` were
/// checked. (AV1 specification, 5.3: `obu_header`.)
fn only_one_sequence(mut item: &[u8]) -> Result<(), Rejected> {
    const SEQUENCE_HEADER: u8 = 1;
    let damaged = || Rejected::corrupt("the AV1 units are damaged");
    let mut first = None;
    while let Some((&header, rest)) = item.split_first() {
        let rest = rest.get(usize::from(header >> 2 & 1)..).ok_or_else(damaged)?;
        let (size, rest) = if header & 2 == 0 { (rest.len(), rest) } else { leb128(rest).ok_or_else(damaged)? };
        let unit = rest.get(..size).ok_or_else(damaged)?;
        item = &rest[size..];
        if header >> 3 & 15 == SEQUENCE_HEADER && *first.get_or_insert(unit) != unit {
            return Err(Rejected::unsupported("an AV1 item of several sequences"));
        }
    }
    Ok(())
}

/// A number in AV1's variable length, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = 1 + bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7F));
    Some((value, &bytes[length..]))
}

/// `[height, width] u8` of an alpha item.
fn alpha_plane(frame: &FrameTempRef<'_>) -> Result<Vec<u8>, Rejected> {
    Ok(Picture::of(frame, Some((2, frame.range())))?.gray())
}

fn rejected(error: aom_decode::Error) -> Rejected {
    match error {
        aom_decode::Error::Unsupported(what) => Rejected::unsupported(what),
        error => Rejected::corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::limits::PixelCount;
    use crate::sample::Reason;

    /// 3×5 pixels of (200, 40, 90), 4:4:4, to be turned by `irot`.
    const TURNED: &str = "\
        00000020667479706176696600000000617669666d6966316d6961664d413141000000f56d657461000000000000002168646c72\
        000000000000000070696374000000000000000000000000000000000e7069746d0000000000010000001e696c6f630000000044\
        0000010001000000010000011d0000001e0000002869696e660000000000010000001a696e666502000000000100006176303143\
        6f6c6f72000000007469707270000000546970636f00000014697370650000000000000003000000050000001070697869000000\
        00030808080000000c617631438120000000000013636f6c726e636c780001000d0006800000000969726f74030000001869706d\
        6100000000000000010001050102830485000000266d64617412000a083804a8c2021a0d203210100000000ffa447004be3d766c\
        16367c";

    /// The same at half opacity, premultiplied, 4:2:0.
    const PREMULTIPLIED: &str = "\
        00000020667479706176696600000000617669666d6966316d6961664d413142000001946d657461000000000000002168646c72\
        000000000000000070696374000000000000000000000000000000000e7069746d0000000000010000002c696c6f630000000044\
        000002000100000001000001ca0000001d000200000001000001bc0000000e0000004269696e660000000000020000001a696e66\
        65020000000001000061763031436f6c6f72000000001a696e6665020000000002000061763031416c7068610000000028697265\
        66000000000000000e7072656d0001000100020000000e6175786c000200010001000000c3697072700000009d6970636f000000\
        1469737065000000000000000300000005000000107069786900000000030808080000000c6176314381000c0000000013636f6c\
        726e636c780001000d0006800000000e706978690000000001080000000c6176314381001c000000003861757843000000007572\
        6e3a6d7065673a6d706567423a636963703a73797374656d733a617578696c696172793a616c706861000000001e69706d610000\
        0000000000020001040102830400020401058607000000336d64617412000a051804a8c2a0320310000c12000a081804a8c1010d\
        0684320f1000000007c82474d3be9c697609e0";

    /// 3×5 pixels of 91, 4:0:0.
    const GRAY: &str = "\
        0000001c667479706176696600000000617669666d6966316d696166000000e96d657461000000000000002168646c7200000000\
        0000000070696374000000000000000000000000000000000e7069746d0000000000010000001e696c6f63000000004400000100\
        01000000010000010d000000160000002869696e660000000000010000001a696e6665020000000001000061763031436f6c6f72\
        000000006869707270000000496970636f00000014697370650000000000000003000000050000000e7069786900000000010800\
        00000c6176314381001c0000000013636f6c726e636c780001000d0006800000001769706d610000000000000001000104010283\
        040000001e6d64617412000a081804a8c3010d06a0320810000018e142aac0";

    fn file(hex: &str) -> Vec<u8> {
        let digit = |c: u8| (c as char).to_digit(16).expect("a hexadecimal digit") as u8;
        hex.as_bytes().as_chunks().0.iter().map(|&[high, low]| digit(high) << 4 | digit(low)).collect()
    }

    fn near(pixels: &[u8], color: &[u8]) -> bool {
        pixels.chunks_exact(color.len()).all(|pixel| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(*b) <= 3))
    }

    #[test]
    fn the_transforms_of_the_container_are_the_orientation() {
        let raster = decode(&file(TURNED), &Limits::default()).expect("it decodes");
        assert_eq!((raster.width, raster.height, raster.channels, raster.mode), (3, 5, 3, "RGB"));
        assert_eq!((raster.orientation, raster.frames, raster.changes.as_slice()), (6, 1, [].as_slice()));
        assert!(near(&raster.pixels, &[200, 40, 90]), "{:?}", raster.pixels);
    }

    #[test]
    fn an_image_whose_properties_are_damaged_is_not_shown_unturned() {
        let whole = file(TURNED);
        let at = whole.windows(4).position(|name| name == b"ipma").unwrap();
        // The item that they are of, and how many they are.
        for (offset, value) in [(13, 9), (14, 200)] {
            let mut damaged = whole.clone();
            damaged[at + offset] = value;
            let rejected = decode(&damaged, &Limits::default()).expect_err("refused");
            assert_eq!(
                (rejected.reason, rejected.detail.as_str()),
                (Reason::Corrupt, "the AVIF's image has no properties")
            );
        }
    }

    #[test]
    fn premultiplied_alpha_is_composited_on_white() {
        let raster = decode(&file(PREMULTIPLIED), &Limits::default()).expect("it decodes");
        assert_eq!((raster.mode, raster.changes.as_slice()), ("RGBA", [Change::Alpha].as_slice()));
        assert!(near(&raster.pixels, &[227, 147, 172]), "{:?}", raster.pixels);
    }

    #[test]
    fn gray_stays_gray() {
        let raster = decode(&file(GRAY), &Limits::default()).expect("it decodes");
        assert_eq!((raster.channels, raster.pixels.len(), raster.changes.len()), (1, 15, 0));
        assert!(near(&raster.pixels, &[91]), "{:?}", raster.pixels);
    }

    #[test]
    fn every_cut_is_truncated_and_every_size_is_checked_first() {
        let bytes = file(PREMULTIPLIED);
        for end in 0..bytes.len() {
            let error = decode(&bytes[..end], &Limits::default()).expect_err("a cut file");
            assert_eq!(error.reason, Reason::Truncated, "{end} bytes: {error}");
        }
        let limits = Limits { pixels: PixelCount(14), ..Limits::default() };
        assert_eq!(decode(&bytes, &limits).map_err(|e| e.reason), Err(Reason::TooManyPixels));
    }
}
