//! A decoded image in one shape, whatever its format, and the strict decoders that give it.
//!
//! # Why strict
//!
//! Most decoders would rather show half an image than none. A dataset wants the opposite: a file that ends early is
//! [`Reason::Truncated`] and a damaged one [`Reason::Corrupt`], and neither becomes pixels. Sizes are read from the
//! header and held against the [`Limits`] before anything is allocated for pixels. What a library tolerates in silence
//! is checked here, in the file of its format.

use crate::sample::{Change, Format, Reason};

use super::limits::Limits;
use super::{avif, exif, gif, others, png, tiff, webp};

/// Most bytes of an ICC profile, decompressed; a larger one is dropped and noted.
const MAX_ICC: usize = 4 << 20;

/// A decoded still image, not yet turned upright: 8-bit, gray or RGB, row-major, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// 1 (gray) or 3 (RGB).
    pub channels: u8,
    /// `[height, width, channels] u8`.
    pub pixels: Vec<u8>,
    /// The mode before conversion, in Pillow's words (`L`, `RGBA`, `P`…), `;16` added where samples have more than 8
    /// bits.
    pub mode: &'static str,
    /// Frames or pages of the file; 1 for a still image.
    pub frames: u32,
    /// EXIF orientation, 1 to 8; absent and nonsense are 1.
    pub orientation: u8,
    /// The embedded ICC profile.
    pub icc: Option<Vec<u8>>,
    /// What a plain decode would not have given as 8-bit gray or RGB, in the order of [`Change`], each once.
    pub changes: Vec<Change>,
    /// What is worth recording, such as bytes after the end of the image.
    pub note: Option<String>,
}

/// Why a file does not become a [`Raster`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejected {
    /// The reason for the quarantine.
    pub reason: Reason,
    /// The decoder's words.
    pub detail: String,
}

/// Decodes `bytes`, whose content is `format`: the first frame of several, composited on white where it is transparent,
/// scaled to 8 bits where it is deeper.
///
/// # Errors
///
/// [`Reason::Truncated`], [`Reason::Corrupt`], [`Reason::TooManyPixels`], or [`Reason::Unsupported`] for formats (JPEG
/// among them, which [`super`] decodes elsewhere) and variants of formats that are not decoded here.
pub fn decode(format: Format, bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let decoder = match format {
        Format::Webp => webp::decode,
        Format::Png => png::decode,
        Format::Gif => gif::decode,
        Format::Avif => avif::decode,
        Format::Tiff => tiff::decode,
        Format::Bmp => others::decode_bmp,
        Format::Ico => others::decode_ico,
        Format::Pnm => others::decode_pnm,
        Format::Qoi => others::decode_qoi,
        Format::Jpeg
        | Format::Heic
        | Format::Jxl
        | Format::Jp2
        | Format::Psd
        | Format::Tga
        | Format::Svg
        | Format::Pdf
        | Format::Html
        | Format::Xml
        | Format::LfsPointer
        | Format::Empty
        | Format::Unknown => return Err(Rejected::unsupported(format!("{format} is not decoded here"))),
    };
    let mut raster = decoder(bytes, limits)?;
    raster.changes.sort();
    raster.changes.dedup();
    Ok(raster)
}

impl Raster {
    /// A still image from interleaved 8-bit samples of 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA) `channels`, not
    /// premultiplied. Alpha is composited on white.
    pub(super) fn still(width: u32, height: u32, channels: usize, samples: Vec<u8>, mode: &'static str) -> Raster {
        let (channels, pixels, changes) = match channels {
            1 | 3 => (channels as u8, samples, Vec::new()),
            2 => (1, on_white::<1, 2>(&samples), vec![Change::Alpha]),
            _ => (3, on_white::<3, 4>(&samples), vec![Change::Alpha]),
        };
        Raster { width, height, channels, pixels, mode, frames: 1, orientation: 1, icc: None, changes, note: None }
    }

    /// A gray still image: `[height, width] u8`.
    pub fn gray(width: u32, height: u32, pixels: Vec<u8>) -> Raster {
        Raster::still(width, height, 1, pixels, "L")
    }

    /// Records the embedded profile, unless it is too large to carry along or does not fit the pixels.
    pub(super) fn set_icc(&mut self, icc: Option<Vec<u8>>) {
        let Some(icc) = icc.filter(|icc| !icc.is_empty()) else { return };
        match icc_misfit(&icc, self.channels) {
            Some(why) => self.add_note(why),
            None => self.icc = Some(icc),
        }
    }

    /// Records that this is the first of `frames`; one frame is a still image.
    pub(super) fn set_frames(&mut self, frames: u32) {
        self.frames = frames.max(1);
        if frames > 1 {
            self.changes.push(Change::FirstFrame);
        }
    }

    /// Records bytes that follow the end of the image.
    pub(super) fn note_trailing(&mut self, bytes: usize) {
        if bytes > 0 {
            self.add_note(format!("{bytes} bytes after the end of the image"));
        }
    }

    /// Adds a remark to those there are.
    pub(super) fn add_note(&mut self, remark: impl Into<String>) {
        let remark = remark.into();
        self.note = Some(match self.note.take() {
            Some(note) => format!("{note}; {remark}"),
            None => remark,
        });
    }
}

impl Rejected {
    /// A refusal with the decoder's words.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Rejected { reason, detail: detail.into() }
    }

    pub(super) fn corrupt(detail: impl Into<String>) -> Self {
        Rejected { reason: Reason::Corrupt, detail: detail.into() }
    }

    pub(super) fn truncated(detail: impl Into<String>) -> Self {
        Rejected { reason: Reason::Truncated, detail: detail.into() }
    }

    pub(super) fn unsupported(detail: impl Into<String>) -> Self {
        Rejected { reason: Reason::Unsupported, detail: detail.into() }
    }

    /// Truncated where `error` says that the input ended early, corrupt otherwise.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Rejected::truncated("the file ends before its image does"),
            _ => Rejected::corrupt(error.to_string()),
        }
    }
}

/// Why a profile does not go along with pixels of so many `channels`; `None` if it does.
///
/// A profile for other pixels (bytes 16 to 19 of its header: ICC.1:2022, 7.2.6), such as that of a CMYK file, would make
/// readers refuse the image or show false colours.
pub(super) fn icc_misfit(icc: &[u8], channels: u8) -> Option<String> {
    if icc.len() > MAX_ICC {
        return Some(format!("an ICC profile of {} bytes is dropped", icc.len()));
    }
    let (space, pixels) = if channels == 1 { (b"GRAY", "gray") } else { (b"RGB ", "RGB") };
    match icc.get(16..20) {
        None => Some(format!("the ICC profile ends after {} bytes", icc.len())),
        Some(found) if found != space => {
            Some(format!("the ICC profile is for {}, not for {pixels} pixels", found.trim_ascii().escape_ascii()))
        }
        Some(_) => None,
    }
}

/// Holds a header's size against `limits`.
///
/// # Errors
///
/// [`Reason::TooManyPixels`], or [`Reason::Corrupt`] for an image without pixels.
pub(super) fn admit(width: u32, height: u32, limits: &Limits) -> Result<(), Rejected> {
    if width == 0 || height == 0 {
        return Err(Rejected::corrupt(format!("the header says {width}×{height} pixels")));
    }
    if !limits.allow(width, height) {
        let detail = format!("the header says {width}×{height} pixels, the limit is {}", limits.pixels);
        return Err(Rejected { reason: Reason::TooManyPixels, detail });
    }
    Ok(())
}

/// Scales 16-bit samples to 8 bits, rounding to nearest.
pub(super) fn to_8_bits(samples: impl IntoIterator<Item = u16>) -> Vec<u8> {
    samples.into_iter().map(|v| ((u32::from(v) * 255 + 32767) / 65535) as u8).collect()
}

/// Composites `N` = `C` + 1 interleaved channels, the last one alpha, on white.
fn on_white<const C: usize, const N: usize>(samples: &[u8]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(samples.len() / N * C);
    for pixel in samples.as_chunks::<N>().0 {
        let alpha = u32::from(pixel[C]);
        pixels.extend(pixel[..C].iter().map(|&c| ((u32::from(c) * alpha + 255 * (255 - alpha) + 127) / 255) as u8));
    }
    pixels
}

/// The orientation of an EXIF block (with or without its `Exif\0\0` prefix), 1 where it has none or is garbage.
pub(super) fn exif_orientation(block: &[u8]) -> u8 {
    exif::orientation(block.strip_prefix(b"Exif\0\0").unwrap_or(block))
}

/// An orientation tag's value, 1 where it is absent or nonsense.
pub(super) fn orientation_or_upright(value: Option<u32>) -> u8 {
    value.filter(|v| (1..=8).contains(v)).map_or(1, |v| v as u8)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// Files of `odd/` on which this module and Pillow (which wrote `odd.truth.csv`) disagree, and why this one is
    /// right.
    const DISAGREEMENTS: &[(&str, &str)] = &[
        ("png_suite/xcsn0g01.png", "Pillow does not check the CRC of pixel data"),
        (
            "clusterfuzz-testcase-minimized-fuzzer_script_tiff-5026894169374720.tif",
            "JPEG inside of TIFF is not decoded",
        ),
    ];

    /// A folder of `../shared/data`, `None` with a message where this checkout has none.
    fn data(name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
        if !path.exists() {
            eprintln!("skipped: {} is not here", path.display());
            return None;
        }
        Some(path)
    }

    /// The rows of a CSV file by column name. Fields may be quoted; none spans lines.
    fn rows(csv: &str) -> Vec<HashMap<String, String>> {
        let fields = |line: &str| {
            let mut fields = vec![String::new()];
            let mut quoted = false;
            for c in line.chars() {
                match c {
                    '"' => quoted = !quoted,
                    ',' if !quoted => fields.push(String::new()),
                    c => fields.last_mut().expect("a field").push(c),
                }
            }
            fields
        };
        let mut lines = csv.lines().map(fields);
        let names = lines.next().expect("a header");
        lines.map(|fields| names.iter().cloned().zip(fields).collect()).collect()
    }

    #[test]
    fn the_odd_files_are_taken_and_refused_as_by_pillow() {
        let (Some(root), Some(truth)) = (data("odd"), data("odd.truth.csv")) else { return };
        let mut checked = 0;
        for row in rows(&fs::read_to_string(truth).expect("the truth")) {
            let path = &row["path"];
            let format = match (row["pil_format"].as_str(), row["ext"].as_str()) {
                ("WEBP", _) | (_, "webp") => Format::Webp,
                ("PNG", _) | (_, "png") => Format::Png,
                ("GIF", _) | (_, "gif") => Format::Gif,
                ("TIFF", _) | (_, "tif" | "tiff") => Format::Tiff,
                ("BMP", _) | (_, "bmp") => Format::Bmp,
                ("ICO", _) | (_, "ico") => Format::Ico,
                _ if path.contains("fuzz-corpus/png/") => Format::Png,
                _ => continue,
            };
            let result = decode(format, &fs::read(root.join(path)).expect("the file"), &Limits::default());
            checked += 1;
            if let Some((_, why)) = DISAGREEMENTS.iter().find(|(end, _)| path.ends_with(end)) {
                assert!(result.is_err(), "{path} is taken now: {why}");
                continue;
            }
            assert_eq!(result.is_ok(), row["loads"] == "1", "{path}: {:?}, Pillow: {}", result.err(), row["error"]);
            if let Ok(raster) = result {
                let number = |name: &str| row[name].parse::<u32>().expect("a number");
                let size = (raster.width, raster.height);
                assert_eq!((size, raster.frames), ((number("width"), number("height")), number("frames")), "{path}");
                assert_eq!(raster.mode.trim_end_matches(";16"), row["mode"], "{path}");
            }
        }
        assert!(checked >= 90, "{checked} files are checked");
    }

    #[test]
    fn the_dirty_images_under_false_names_decode() {
        let (Some(root), Some(truth)) = (data("dirty"), data("dirty.truth.csv")) else { return };
        let mut checked = 0;
        for row in rows(&fs::read_to_string(truth).expect("the truth")) {
            let Ok(format) = row["real_format"].to_ascii_lowercase().parse::<Format>() else { continue };
            if row["readable(-1=decoder dependent)"] != "1" || format == Format::Jpeg {
                continue;
            }
            let bytes = fs::read(root.join(&row["path"])).expect("the file");
            let raster = decode(format, &bytes, &Limits::default());
            let raster = raster.unwrap_or_else(|error| panic!("{}: {error}", row["path"]));
            assert_eq!((raster.width, raster.height), (224, 224), "{}", row["path"]);
            checked += 1;
        }
        assert!(checked >= 100, "{checked} files are checked");
    }

    #[test]
    fn transparent_pixels_become_white_and_half_opaque_ones_lighter() {
        let raster = Raster::still(3, 1, 2, vec![0, 0, 0, 128, 40, 255], "LA");
        assert_eq!((raster.channels, raster.pixels, raster.changes), (1, vec![255, 127, 40], vec![Change::Alpha]));
    }

    #[test]
    fn a_profile_goes_along_only_with_the_pixels_that_it_is_for() {
        let profile = |space: &[u8; 4]| [[0u8; 16].as_slice(), space, &[7; 20]].concat();
        let with = |channels: usize, icc: Vec<u8>| {
            let mut raster = Raster::still(1, 1, channels, vec![0; channels], "L");
            raster.set_icc(Some(icc));
            (raster.icc.is_some(), raster.note)
        };
        assert_eq!(with(1, profile(b"GRAY")), (true, None));
        assert_eq!(with(3, profile(b"RGB ")), (true, None));
        assert_eq!(with(3, profile(b"CMYK")), (false, Some("the ICC profile is for CMYK, not for RGB pixels".into())));
        assert_eq!(with(1, profile(b"RGB ")), (false, Some("the ICC profile is for RGB, not for gray pixels".into())));
        assert_eq!(with(3, vec![7; 19]), (false, Some("the ICC profile ends after 19 bytes".into())));
        let large = [profile(b"RGB "), vec![0; MAX_ICC]].concat();
        assert!(!with(3, large).0);
    }

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        assert_eq!(to_8_bits([0, 128, 129, 257, 65406, 65407, 65535]), [0, 0, 1, 1, 254, 255, 255]);
    }

    #[test]
    fn garbage_orientations_are_upright() {
        let exif = |value| {
            [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[value, 0, 0, 0, 0, 0, 0, 0]].concat()
        };
        assert_eq!([6, 0, 9].map(|value| exif_orientation(&exif(value))), [6, 1, 1]);
        assert_eq!(exif_orientation(&[b"Exif\0\0".as_slice(), &exif(8)].concat()), 8);
        assert_eq!(exif_orientation(b"nonsense"), 1);
    }

    #[test]
    fn what_is_not_decoded_here_is_unsupported() {
        for format in [Format::Jpeg, Format::Heic, Format::Html, Format::Empty] {
            let error = decode(format, b"", &Limits::default()).expect_err("no decoder");
            assert_eq!(error.reason, Reason::Unsupported, "{format}");
        }
    }

    #[test]
    fn no_input_is_taken_or_panics_for_being_empty_or_short() {
        let formats = [Format::Webp, Format::Png, Format::Gif, Format::Avif, Format::Tiff, Format::Bmp, Format::Ico];
        for format in formats.into_iter().chain([Format::Pnm, Format::Qoi]) {
            for length in 0..16 {
                assert!(decode(format, &vec![0; length], &Limits::default()).is_err(), "{format}, {length} bytes");
            }
        }
    }
}
