//! GIF: the first frame on its canvas.
//!
//! The blocks are walked once without decoding, which counts the frames and tells whether the file is whole; then the
//! first frame alone is decompressed. A file that lacks only its trailer is taken, as by every viewer.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::limits::Limits;
use super::raster::{Raster, Rejected, admit};
use crate::sample::Change;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2C;
const TRAILER: u8 = 0x3B;

/// What the blocks of a file say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Survey {
    frames: u32,
    /// Left, top, width, height of the first frame in pixels.
    first: [u32; 4],
    /// Bytes after the trailer; `None` where the file ends without one.
    rest: Option<usize>,
}

/// Decodes a GIF's first frame.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let header = bytes.get(..13).ok_or_else(|| Rejected::truncated("the file ends inside its header"))?;
    if &header[..3] != b"GIF" {
        return Err(Rejected::corrupt("the header is damaged"));
    }
    let screen = [u16_at(header, 6), u16_at(header, 8)];
    admit(screen[0], screen[1], limits)?;
    let survey = survey(bytes)?;
    let [left, top, frame_width, frame_height] = survey.first;
    admit(frame_width, frame_height, limits)?;
    // A first frame that exceeds the screen enlarges it, as in Pillow and in browsers.
    let (width, height) = (screen[0].max(left + frame_width), screen[1].max(top + frame_height));
    admit(width, height, limits)?;

    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(NonZeroU64::new(limits.pixels.0).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(bytes).map_err(rejected)?;
    let frame = decoder.read_next_frame().map_err(|error| match survey.rest {
        None => Rejected::truncated("the file ends before its image does"),
        Some(_) => rejected(error),
    })?;
    let frame = frame.ok_or_else(|| Rejected::corrupt("a GIF without a frame"))?.clone();
    if [frame.left, frame.top, frame.width, frame.height].map(u32::from) != survey.first {
        return Err(Rejected::corrupt("its blocks are damaged"));
    }
    let palette = frame.palette.as_deref().or(decoder.global_palette());
    let palette = palette.ok_or_else(|| Rejected::corrupt("a GIF without a palette"))?;
    let covers = (frame_width, frame_height) == (width, height);
    let mut pixels = vec![255; width as usize * height as usize * 3];
    for (row, indices) in frame.buffer.chunks_exact(frame_width as usize).enumerate() {
        let at = ((top as usize + row) * width as usize + left as usize) * 3;
        let line = &mut pixels[at..at + indices.len() * 3];
        for (pixel, &index) in line.as_chunks_mut().0.iter_mut().zip(indices) {
            if frame.transparent != Some(index) {
                // An index beyond the palette is black, as in Pillow.
                *pixel = palette.as_chunks().0.get(usize::from(index)).copied().unwrap_or([0; 3]);
            }
        }
    }

    let mut raster = Raster::still(width, height, 3, pixels, "P");
    raster.changes.push(Change::Palette);
    if frame.transparent.is_some() || !covers {
        raster.changes.push(Change::Alpha);
    }
    raster.set_icc(decoder.icc_profile().map(<[u8]>::to_vec));
    raster.set_frames(survey.frames);
    match survey.rest {
        Some(rest) => raster.note_trailing(rest),
        None => raster.add_note("the trailer is missing"),
    }
    Ok(raster)
}

/// Walks the blocks of a file, whose header is there.
fn survey(bytes: &[u8]) -> Result<Survey, Rejected> {
    let cut = || Rejected::truncated("the file ends inside a block");
    let mut survey = Survey::default();
    let mut at = 13 + color_table(bytes[10]);
    if at > bytes.len() {
        return Err(cut());
    }
    while let Some(&block) = bytes.get(at) {
        at += 1;
        match block {
            EXTENSION => at += 1,
            IMAGE => {
                let frame = bytes.get(at..at + 9).ok_or_else(cut)?;
                if survey.frames == 0 {
                    survey.first = [0, 2, 4, 6].map(|field| u16_at(frame, field));
                }
                survey.frames += 1;
                // The descriptor, its color table, and the code size of the compressed indices.
                at += 9 + color_table(frame[8]) + 1;
            }
            TRAILER => {
                survey.rest = Some(bytes.len() - at);
                break;
            }
            // Zeros between blocks are a common slip of writers.
            0 => continue,
            other => return Err(Rejected::corrupt(format!("a block of unknown kind 0x{other:02X}"))),
        }
        loop {
            match bytes.get(at) {
                Some(0) => break,
                Some(&size) => at += 1 + usize::from(size),
                // The frame is complete where the file ends exactly between two of its sub-blocks: the decoder tells.
                None if at == bytes.len() && survey.frames == 1 => return Ok(survey),
                None => return Err(cut()),
            }
        }
        at += 1;
    }
    match (survey.frames, survey.rest) {
        (0, Some(_)) => Err(Rejected::corrupt("a GIF without a frame")),
        (0, None) => Err(Rejected::truncated("the file ends before its first frame")),
        _ => Ok(survey),
    }
}

/// Bytes of the color table that a packed field announces.
fn color_table(packed: u8) -> usize {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) }
}

fn u16_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn rejected(error: DecodingError) -> Rejected {
    match &error {
        DecodingError::Io(io) => Rejected::from_io(io),
        DecodingError::UnexpectedEof => Rejected::truncated("the file ends before its image does"),
        _ => Rejected::corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Reason;
    use gif::{Encoder, Frame};

    /// A GIF of the palette red, green on a screen, of these frames.
    fn file(screen: (u16, u16), frames: &[Frame<'static>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, screen.0, screen.1, &[255, 0, 0, 0, 255, 0]).expect("a header");
        frames.iter().for_each(|frame| encoder.write_frame(frame).expect("a frame"));
        drop(encoder);
        bytes
    }

    fn frame(left: u16, indices: &[u8]) -> Frame<'static> {
        Frame { left, ..Frame::from_indexed_pixels(indices.len() as u16, 1, indices.to_vec(), None) }
    }

    fn decoded(bytes: &[u8]) -> Raster {
        decode(bytes, &Limits::default()).expect("it decodes")
    }

    fn reason(bytes: &[u8]) -> Option<Reason> {
        decode(bytes, &Limits::default()).err().map(|error| error.reason)
    }

    const RED: [u8; 3] = [255, 0, 0];
    const GREEN: [u8; 3] = [0, 255, 0];
    const WHITE: [u8; 3] = [255; 3];

    #[test]
    fn a_palette_becomes_rgb() {
        let raster = decoded(&file((2, 1), &[frame(0, &[0, 1])]));
        assert_eq!((raster.mode, raster.frames, raster.changes), ("P", 1, vec![Change::Palette]));
        assert_eq!(raster.pixels, [RED, GREEN].concat());
    }

    #[test]
    fn without_a_palette_it_has_no_colours_and_is_refused() {
        let mut bytes = file((2, 1), &[frame(0, &[0, 1])]);
        // The screen's flags, and the two colours behind it.
        bytes[10] &= 0x7F;
        bytes.drain(13..19);
        assert_eq!(reason(&bytes), Some(Reason::Corrupt));
    }

    #[test]
    fn what_the_first_frame_leaves_open_is_white() {
        let transparent = Frame { transparent: Some(1), ..frame(1, &[0, 1]) };
        let raster = decoded(&file((4, 1), &[transparent, frame(0, &[1])]));
        assert_eq!((raster.width, raster.height, raster.frames), (4, 1, 2));
        assert_eq!(raster.pixels, [WHITE, RED, WHITE, WHITE].concat());
        assert_eq!(raster.changes, [Change::Palette, Change::Alpha, Change::FirstFrame]);
    }

    #[test]
    fn a_first_frame_beyond_the_screen_enlarges_it() {
        let raster = decoded(&file((1, 1), &[frame(0, &[0, 1])]));
        assert_eq!((raster.width, raster.height, raster.pixels), (2, 1, [RED, GREEN].concat()));
    }

    #[test]
    fn forty_four_bytes_of_gigapixels_are_refused_by_their_header() {
        let mut bomb =
            b"GIF89a\xff\xff\xff\xff\x80\0\0\xff\0\0\0\xff\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;".to_vec();
        bomb.resize(44, 0);
        assert_eq!(reason(&bomb), Some(Reason::TooManyPixels));
        // A small screen does not excuse a large frame.
        bomb[6..10].copy_from_slice(&[1, 0, 1, 0]);
        assert_eq!(reason(&bomb), Some(Reason::TooManyPixels));
    }

    #[test]
    fn only_the_trailer_may_be_missing() {
        let bytes = file((2, 1), &[frame(0, &[0, 1]), frame(0, &[1, 0])]);
        for end in 0..bytes.len() {
            match decode(&bytes[..end], &Limits::default()) {
                Ok(raster) => {
                    assert_eq!(
                        (raster.pixels, raster.note.as_deref()),
                        ([RED, GREEN].concat(), Some("the trailer is missing"))
                    );
                }
                Err(error) => assert_eq!(error.reason, Reason::Truncated, "{end} bytes: {error}"),
            }
        }
        assert_eq!(reason(&bytes[..bytes.len() - 2]), Some(Reason::Truncated));
        let raster = decoded(&bytes[..bytes.len() - 1]);
        assert_eq!((raster.frames, raster.note.as_deref()), (2, Some("the trailer is missing")));
        let raster = decoded(&[bytes.as_slice(), b"xyz"].concat());
        assert_eq!(raster.note.as_deref(), Some("3 bytes after the end of the image"));
    }

    #[test]
    fn too_few_indices_are_no_image() {
        let mut bytes = file((2, 1), &[frame(0, &[0, 1])]);
        // The frame claims twice the rows that its data has.
        let at = bytes.windows(2).position(|pair| pair == [IMAGE, 0]).expect("a descriptor");
        bytes[at + 7] = 2;
        assert_eq!(reason(&bytes), Some(Reason::Corrupt));
    }
}
