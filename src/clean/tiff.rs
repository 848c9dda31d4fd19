//! TIFF and BigTIFF, the first page of several.
//!
//! Read with the `tiff` crate itself: `image` knows no palettes, no pages and no associated alpha. A palette page is
//! read as gray (its photometric tag is patched in a copy) and looked up here. JPEG inside of TIFF is refused: the
//! crate's JPEG decoder fills what is missing without a word.

use std::io::Cursor;

use tiff::ColorType;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::ifd::Container;
use super::limits::Limits;
use super::raster::{Raster, Rejected, admit, orientation_or_upright, to_8_bits};
use crate::sample::{Change, Reason};

const PALETTE: u64 = 3;
const BLACK_IS_ZERO: u8 = 1;
const LOWEST_BIT_FIRST: u64 = 2;
const JPEG_COMPRESSIONS: [u64; 3] = [6, 7, 34892];
const ASSOCIATED_ALPHA: u64 = 1;
const UNASSOCIATED_ALPHA: u64 = 2;
/// Most bytes of one tag's values.
const MAX_TAG: usize = 16 << 20;

/// Decodes a TIFF's first page.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let container = Container::of(bytes)?;
    let first = container.first_page()?;
    if first.preview {
        return Err(Rejected::unsupported("a camera raw file: its first page is a preview"));
    }
    // The decoder ignores the tag and would give garbled pixels.
    if first.fill_order == Some(LOWEST_BIT_FIRST) {
        return Err(Rejected::unsupported("TIFF with reversed bits (FillOrder 2)"));
    }
    let mut patched;
    let (bytes, palette) = match first.photometric {
        Some((PALETTE, at)) => {
            patched = bytes.to_vec();
            // The value's low byte: the first of a little-endian SHORT, the second of a big-endian one.
            patched[at + usize::from(container.big_endian)] = BLACK_IS_ZERO;
            (patched.as_slice(), true)
        }
        _ => (bytes, false),
    };
    if let Some(compression) = first.compression.filter(|c| JPEG_COMPRESSIONS.contains(c)) {
        return Err(Rejected::unsupported(format!("JPEG inside of TIFF (compression {compression})")));
    }
    if let Some((width, height)) = first.size {
        let clamp = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        admit(clamp(width), clamp(height), limits)?;
    }

    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(rejected)?;
    let (width, height) = decoder.dimensions().map_err(rejected)?;
    admit(width, height, limits)?;
    let color = decoder.colortype().map_err(rejected)?;
    let layout = decoder.image_buffer_layout().map_err(rejected)?;
    let pixels = width as usize * height as usize;
    // At most 5 samples of 64 bits: whatever is larger is not one of the layouts below.
    if layout.complete_len > pixels.saturating_mul(40) {
        return Err(Rejected::unsupported(format!("pixels of the kind {color:?}")));
    }
    let mut allowance = tiff::decoder::Limits::default();
    // Also bounds the values of tags, 32 bytes each while they are read.
    allowance.decoding_buffer_size = layout.complete_len.max(8 * MAX_TAG);
    allowance.intermediate_buffer_size = layout.complete_len.saturating_add(MAX_TAG);
    allowance.ifd_value_size = MAX_TAG;
    let mut decoder = decoder.with_limits(allowance);
    require_all_chunks(&mut decoder, height)?;

    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(rejected)?;
    let planes = layout.planes.max(1);
    let page = Page { width, height, planes, color };
    let mut raster = if palette {
        let map = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(rejected)?;
        page.palette(samples, &map)?
    } else {
        // Without the tag there are none.
        let extra = decoder.find_tag_unsigned_vec::<u64>(Tag::ExtraSamples).map_err(rejected)?.unwrap_or_default();
        page.raster(samples, extra.first().copied())?
    };
    let orientation = decoder.find_tag_unsigned::<u32>(Tag::Orientation).unwrap_or(None);
    raster.orientation = orientation_or_upright(orientation);
    match decoder.find_tag(Tag::IccProfile).and_then(|icc| icc.map(|icc| icc.into_u8_vec()).transpose()) {
        Ok(icc) => raster.set_icc(icc),
        Err(error @ TiffError::IoError(_)) => return Err(rejected(error)),
        Err(error) => raster.add_note(format!("an ICC profile is dropped: {error}")),
    }
    raster.set_frames(container.count_pages()?);
    Ok(raster)
}

/// Refuses a page whose strips or tiles are too few to cover it: the decoder would leave the rest black.
fn require_all_chunks(decoder: &mut Decoder<Cursor<&[u8]>>, height: u32) -> Result<(), Rejected> {
    let (width, _) = decoder.dimensions().map_err(rejected)?;
    let (across, down) = decoder.chunk_dimensions();
    let needed = u64::from(width.div_ceil(across.max(1))) * u64::from(height.div_ceil(down.max(1)));
    let there = match decoder.get_chunk_type() {
        tiff::decoder::ChunkType::Strip => decoder.strip_count(),
        tiff::decoder::ChunkType::Tile => decoder.tile_count(),
    };
    let there = there.map_err(rejected)?;
    if u64::from(there) < needed {
        return Err(Rejected::corrupt(format!("{there} of {needed} strips or tiles are there")));
    }
    Ok(())
}

/// A page's layout, to make a [`Raster`] of its samples.
struct Page {
    width: u32,
    height: u32,
    /// 1 where samples are interleaved, else as many as there are samples per pixel.
    planes: usize,
    color: ColorType,
}

impl Page {
    /// Gray, RGB or CMYK samples, `extra` being the kind of the first extra sample.
    fn raster(&self, samples: DecodingResult, extra: Option<u64>) -> Result<Raster, Rejected> {
        let (count, depth) = match self.color {
            ColorType::Gray(depth) => (1, depth),
            ColorType::Multiband { bit_depth, num_samples: 2 } => (2, bit_depth),
            ColorType::RGB(depth) => (3, depth),
            ColorType::RGBA(depth) | ColorType::CMYK(depth) => (4, depth),
            other => return Err(Rejected::unsupported(format!("pixels of the kind {other:?}"))),
        };
        let mut bytes = match samples {
            DecodingResult::U8(packed) if depth < 8 => self.unpack(&packed, count, depth, 255 / ((1 << depth) - 1)),
            DecodingResult::U8(bytes) => bytes,
            DecodingResult::U16(words) if depth == 16 => to_8_bits(words),
            _ => return Err(Rejected::unsupported(format!("samples of {depth} bits that are not unsigned integers"))),
        };
        let size = self.width as usize * self.height as usize;
        if bytes.len() != size * count {
            return Err(Rejected::corrupt("its samples do not fill the page"));
        }
        if self.planes > 1 {
            bytes = (0..size).flat_map(|at| (0..count).map(move |c| c * size + at)).map(|at| bytes[at]).collect();
        }
        let deep = usize::from(depth == 16);
        let (channels, mode) = match self.color {
            ColorType::Gray(1) => (1, "1"),
            ColorType::Gray(_) => (1, ["L", "I;16"][deep]),
            ColorType::RGB(_) => (3, ["RGB", "RGB;16"][deep]),
            ColorType::CMYK(_) => {
                bytes = cmyk_to_rgb(&bytes);
                (3, ["CMYK", "CMYK;16"][deep])
            }
            _ => match extra {
                Some(ASSOCIATED_ALPHA) => {
                    unmultiply(&mut bytes, count);
                    (count, [["LA", "LA;16"], ["RGBA", "RGBA;16"]][count / 4][deep])
                }
                Some(UNASSOCIATED_ALPHA) => (count, [["LA", "LA;16"], ["RGBA", "RGBA;16"]][count / 4][deep]),
                // An extra sample of no stated meaning is no alpha: it is left out, as in Pillow.
                _ => {
                    bytes = bytes.chunks_exact(count).flat_map(|pixel| &pixel[..count - 1]).copied().collect();
                    (count - 1, [["L", "I;16"], ["RGB", "RGB;16"]][count / 4][deep])
                }
            },
        };
        let mut raster = Raster::still(self.width, self.height, channels, bytes, mode);
        if depth == 16 {
            raster.changes.push(Change::Depth);
        }
        match self.color {
            ColorType::CMYK(_) => raster.changes.push(Change::Cmyk),
            ColorType::Gray(1) => raster.changes.push(Change::Palette),
            _ => {}
        }
        Ok(raster)
    }

    /// Indices looked up in a color map of all reds, then greens, then blues, 16 bits each.
    fn palette(&self, samples: DecodingResult, map: &[u16]) -> Result<Raster, Rejected> {
        let indices = match (samples, self.color) {
            (DecodingResult::U8(packed), ColorType::Gray(depth)) if depth < 8 => self.unpack(&packed, 1, depth, 1),
            (DecodingResult::U8(indices), ColorType::Gray(8)) => indices,
            _ => return Err(Rejected::unsupported(format!("a palette for pixels of the kind {:?}", self.color))),
        };
        let colors = map.len() / 3;
        if indices.len() != self.width as usize * self.height as usize {
            return Err(Rejected::corrupt("its samples do not fill the page"));
        }
        if let Some(index) = indices.iter().find(|&&index| usize::from(index) >= colors) {
            return Err(Rejected::corrupt(format!("color {index} of a palette of {colors}")));
        }
        // The high byte, as in Pillow: writers multiply 8-bit colours by 256 as often as by 257.
        let color = |index: u8| [0, 1, 2].map(|c| (map[c * colors + usize::from(index)] >> 8) as u8);
        let pixels = indices.iter().flat_map(|&index| color(index)).collect();
        let mut raster = Raster::still(self.width, self.height, 3, pixels, "P");
        raster.changes.push(Change::Palette);
        Ok(raster)
    }

    /// Samples of less than 8 bits, rows of `count` samples a pixel padded to bytes, each times `scale`.
    fn unpack(&self, packed: &[u8], count: usize, depth: u8, scale: u8) -> Vec<u8> {
        let row = self.width as usize * count;
        let depth = usize::from(depth);
        let sample = |line: &[u8], at: usize| {
            let bit = at * depth;
            line[bit / 8] >> (8 - depth - bit % 8) & ((1 << depth) - 1)
        };
        let lines = packed.chunks_exact((row * depth).div_ceil(8));
        lines.flat_map(|line| (0..row).map(move |at| sample(line, at) * scale)).collect()
    }
}

/// Ink to light as Pillow does it, without a profile.
fn cmyk_to_rgb(bytes: &[u8]) -> Vec<u8> {
    let light = |ink: u8, black: u8| ((255 - u32::from(ink)) * (255 - u32::from(black)) + 127) / 255;
    bytes.as_chunks().0.iter().flat_map(|&[c, m, y, k]| [c, m, y].map(|ink| light(ink, k) as u8)).collect()
}

/// Divides colours by the alpha that they are multiplied with.
fn unmultiply(bytes: &mut [u8], channels: usize) {
    for pixel in bytes.chunks_exact_mut(channels) {
        if let [colors @ .., alpha @ 1..=254] = pixel {
            let alpha = u32::from(*alpha);
            colors.iter_mut().for_each(|c| *c = ((u32::from(*c) * 255 + alpha / 2) / alpha).min(255) as u8);
        }
    }
}

fn rejected(error: TiffError) -> Rejected {
    match &error {
        TiffError::IoError(io) => Rejected::from_io(io),
        TiffError::UnsupportedError(what) => Rejected::unsupported(what.to_string()),
        TiffError::LimitsExceeded => {
            Rejected { reason: Reason::TooManyPixels, detail: "its strips or tags are larger than its page".into() }
        }
        _ => Rejected::corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::limits::PixelCount;

    /// A little-endian TIFF of 2 × 1 pixels, or of as many pages, with these tags (all SHORTs) beside the usual ones.
    fn file(pages: usize, photometric: u16, bits: u16, samples: u16, more: &[(u16, &[u16])], data: &[u8]) -> Vec<u8> {
        let mut bytes = b"II*\0\0\0\0\0".to_vec();
        let mut link_at = 4;
        for _ in 0..pages {
            let (strip, length) = (bytes.len() as u16, data.len() as u16);
            bytes.extend_from_slice(data);
            let mut tags: Vec<(u16, Vec<u16>)> = vec![
                (256, vec![2]),
                (257, vec![1]),
                (258, vec![bits; usize::from(samples)]),
                (259, vec![1]),
                (262, vec![photometric]),
                (273, vec![strip]),
                (277, vec![samples]),
                (278, vec![1]),
                (279, vec![length]),
            ];
            tags.extend(more.iter().map(|(tag, values)| (*tag, values.to_vec())));
            tags.sort();
            let mut entries = Vec::new();
            for (tag, values) in &tags {
                entries.extend_from_slice(&[tag.to_le_bytes(), 3u16.to_le_bytes()].concat());
                entries.extend_from_slice(&(values.len() as u32).to_le_bytes());
                let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                if raw.len() <= 4 {
                    entries.extend_from_slice(&[raw.as_slice(), &[0; 4][raw.len()..]].concat());
                } else {
                    entries.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(&raw);
                }
            }
            let directory = bytes.len() as u32;
            bytes[link_at..link_at + 4].copy_from_slice(&directory.to_le_bytes());
            bytes.extend_from_slice(&(tags.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&entries);
            link_at = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
        }
        bytes
    }

    fn decoded(bytes: &[u8]) -> Raster {
        decode(bytes, &Limits::default()).expect("it decodes")
    }

    fn reason(bytes: &[u8]) -> Option<Reason> {
        decode(bytes, &Limits::default()).err().map(|error| error.reason)
    }

    #[test]
    fn the_kinds_of_pixels_become_gray_or_rgb() {
        use Change::*;
        let map: Vec<u16> = [vec![0x1100; 16], vec![0x2200; 16], vec![0x3300; 16]].concat();
        for (bytes, mode, pixels, changes) in [
            (file(1, 1, 8, 1, &[], &[7, 9]), "L", vec![7, 9], vec![]),
            (file(1, 0, 1, 1, &[], &[0x40]), "1", vec![255, 0], vec![Palette]),
            (file(1, 1, 16, 1, &[], &[0xFF, 0xFF, 0, 0]), "I;16", vec![255, 0], vec![Depth]),
            (file(1, 2, 8, 3, &[], &[1, 2, 3, 4, 5, 6]), "RGB", vec![1, 2, 3, 4, 5, 6], vec![]),
            (file(1, 3, 4, 1, &[(320, &map)], &[0x0F]), "P", [0x11, 0x22, 0x33].repeat(2), vec![Palette]),
            (file(1, 5, 8, 4, &[], &[255, 0, 0, 0, 0, 0, 0, 255]), "CMYK", vec![0, 255, 255, 0, 0, 0], vec![Cmyk]),
            (
                file(1, 2, 8, 4, &[(338, &[2])], &[9, 9, 9, 0, 1, 2, 3, 255]),
                "RGBA",
                vec![255, 255, 255, 1, 2, 3],
                vec![Alpha],
            ),
            (
                file(1, 2, 8, 4, &[(338, &[1])], &[100, 0, 0, 100, 1, 2, 3, 255]),
                "RGBA",
                vec![255, 155, 155, 1, 2, 3],
                vec![Alpha],
            ),
            (file(1, 2, 8, 4, &[(338, &[0])], &[9, 9, 9, 0, 1, 2, 3, 0]), "RGB", vec![9, 9, 9, 1, 2, 3], vec![]),
        ] {
            let raster = decoded(&bytes);
            assert_eq!((raster.mode, raster.pixels, raster.changes), (mode, pixels, changes));
        }
    }

    #[test]
    fn planes_are_interleaved() {
        let raster = decoded(&file(1, 2, 8, 3, &[(284, &[1])], &[1, 2, 3, 4, 5, 6]));
        let page = Page { width: 2, height: 1, planes: 3, color: ColorType::RGB(8) };
        let planar = page.raster(DecodingResult::U8(vec![1, 4, 2, 5, 3, 6]), None).expect("three planes");
        assert_eq!(planar.pixels, raster.pixels);
    }

    #[test]
    fn pages_are_counted_and_the_first_is_taken() {
        let raster = decoded(&file(3, 1, 8, 1, &[], &[7, 9]));
        assert_eq!((raster.frames, raster.pixels, raster.changes), (3, vec![7, 9], vec![Change::FirstFrame]));
        let mut circle = file(1, 1, 8, 1, &[], &[7, 9]);
        let (at, first) = (circle.len() - 4, circle[4..8].to_vec());
        circle[at..].copy_from_slice(&first);
        assert_eq!(reason(&circle), Some(Reason::Corrupt));
    }

    #[test]
    fn the_orientation_tag_is_read() {
        assert_eq!([3, 0, 77].map(|tag| decoded(&file(1, 1, 8, 1, &[(274, &[tag])], &[7, 9])).orientation), [3, 1, 1]);
    }

    #[test]
    fn every_cut_is_truncated() {
        let bytes = file(2, 1, 8, 1, &[], &[7, 9]);
        for end in 0..bytes.len() {
            assert_eq!(reason(&bytes[..end]), Some(Reason::Truncated), "{end} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_the_library_cannot_decode_strictly_is_unsupported() {
        let mut jpeg = file(1, 1, 8, 1, &[], &[7, 9]);
        let at = jpeg.windows(2).position(|pair| pair == 259u16.to_le_bytes()).expect("the compression tag");
        jpeg[at + 8] = 7;
        assert_eq!(reason(&jpeg), Some(Reason::Unsupported));
        assert_eq!(reason(&file(1, 1, 32, 1, &[(339, &[3])], &[0; 8])), Some(Reason::Unsupported));
        assert_eq!(reason(&file(1, 8, 8, 3, &[], &[0; 6])), Some(Reason::Unsupported));
    }

    #[test]
    fn camera_raw_files_and_reversed_bits_are_unsupported() {
        let detail = |tag, value| {
            let rejected = decode(&file(1, 1, 8, 1, &[(tag, &[value])], &[7, 9]), &Limits::default()).err();
            rejected.map(|rejected| (rejected.reason, rejected.detail))
        };
        let preview = Some((Reason::Unsupported, "a camera raw file: its first page is a preview".to_owned()));
        assert_eq!((detail(254, 1), detail(50706, 1)), (preview.clone(), preview));
        let reversed = Some((Reason::Unsupported, "TIFF with reversed bits (FillOrder 2)".to_owned()));
        assert_eq!(detail(266, 2), reversed);
        // A full page of several, and bits as they are everywhere.
        assert_eq!((detail(254, 2), detail(266, 1)), (None, None));
    }

    #[test]
    fn an_ink_profile_does_not_stay_with_rgb() {
        let ink: Vec<u16> =
            [[0; 8], [u16::from_le_bytes(*b"CM"), u16::from_le_bytes(*b"YK"), 0, 0, 0, 0, 0, 0]].concat();
        let mut bytes = file(1, 5, 8, 4, &[(34675, &ink)], &[0; 8]);
        // The profile's values are bytes: of type UNDEFINED, and twice as many.
        let at = bytes.windows(4).position(|tag| tag == [0x73, 0x87, 3, 0]).expect("the profile's tag");
        bytes[at + 2] = 7;
        bytes[at + 4] = 32;
        let raster = decoded(&bytes);
        assert_eq!(raster.icc, None);
        assert_eq!(raster.note.as_deref(), Some("the ICC profile is for CMYK, not for RGB pixels"));
    }

    #[test]
    fn sizes_are_checked_first_and_missing_strips_noticed() {
        let mut bytes = file(1, 1, 8, 1, &[], &[7, 9]);
        let at = bytes.windows(4).position(|tag| tag == [1, 1, 3, 0]).expect("the height tag");
        bytes[at + 8] = 200;
        assert_eq!(reason(&bytes), Some(Reason::Corrupt));
        let limits = Limits { pixels: PixelCount(399), ..Limits::default() };
        assert_eq!(decode(&bytes, &limits).map_err(|error| error.reason), Err(Reason::TooManyPixels));
    }
}
