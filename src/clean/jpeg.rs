//! JPEG: verified from the header on, mended where that loses nothing, decoded only where its pixels must change.
//!
//! # Why libjpeg-turbo's word is taken, warnings included
//!
//! A truncated or damaged JPEG still "decodes" in most libraries, gray where its data ended. libjpeg-turbo knows, and says
//! so in a warning; here a warning is an error. The verdict costs no full decode: at 1/8 scale the decoder reads the whole
//! entropy stream, which is where damage shows, and yields the thumbnail that the fingerprint needs. For the common
//! baseline files [`super::jpeg_scan`] proves the same without libjpeg.

use std::cell::RefCell;

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor, Subsamp};

use super::fingerprint::{Gray, thumbnail_scale};
use super::jpeg_header::{self, Header};
use super::jpeg_scan::Verifier;
use super::limits::Limits;
use super::planes::Planes;
use super::raster::{Raster, Rejected, admit};
use crate::sample::{Change, Reason};

/// Progressive files may hold thousands of scans that each touch every block; a camera writes about ten.
const MOST_SCANS: u32 = 500;

/// A JPEG whose every bit of entropy data was read without a warning.
pub struct Verified {
    /// What its header says.
    pub header: Header,
    /// The gray thumbnail, not yet upright.
    pub thumbnail: Gray,
    /// The file with its end-of-image marker, where that was missing.
    pub mended: Option<Vec<u8>>,
    /// Worth recording: bytes after the image.
    pub note: Option<String>,
}

/// Reads the header and refuses what is not a JPEG that could be a sample.
///
/// # Errors
/// `Truncated`, `Corrupt`, `Unsupported`, or `TooManyPixels`.
pub fn header(bytes: &[u8], limits: &Limits) -> Result<Header, Rejected> {
    let header = jpeg_header::parse(bytes)?;
    admit(header.width, header.height, limits)?;
    if header.precision != 8 {
        return Err(Rejected::new(Reason::Unsupported, format!("JPEG with {} bits a sample", header.precision)));
    }
    if !matches!(header.components, 1 | 3 | 4) {
        return Err(Rejected::new(Reason::Unsupported, format!("JPEG with {} components", header.components)));
    }
    Ok(header)
}

/// Proves that a gray or three-component JPEG decodes without error or warning.
///
/// # Errors
/// `Truncated` or `Corrupt` with libjpeg-turbo's words, `Unsupported` for a process it does not know.
pub fn verify(bytes: &[u8], header: Header) -> Result<Verified, Rejected> {
    let scale = thumbnail_scale(header.width, header.height);
    thread_local! {
        static VERIFIER: RefCell<Verifier> = RefCell::new(Verifier::new());
    }
    if scale == 8
        && let Ok(scan) = VERIFIER.with_borrow_mut(|verifier| verifier.verify(bytes))
    {
        let thumbnail = Gray { width: scan.thumb_width, height: scan.thumb_height, pixels: scan.thumb };
        return Ok(Verified { header, thumbnail, mended: None, note: trailing_note(scan.trailing) });
    }
    let factor = ScalingFactor::new(1, scale as usize);
    let (image, mended) = mending(bytes, &header, |bytes| decode(bytes, &header, PixelFormat::GRAY, factor))?;
    let thumbnail = Gray { width: image.width as u32, height: image.height as u32, pixels: image.pixels };
    let note = trailing_note(jpeg_header::structure(bytes).trailing);
    Ok(Verified { header, thumbnail, mended, note })
}

/// Decodes to 8-bit gray or RGB.
///
/// CMYK and YCCK follow Pillow and the browsers: the ink values are taken as inverted, as Adobe writes them.
///
/// # Errors
/// As [`verify`].
pub fn pixels(bytes: &[u8], header: &Header) -> Result<Raster, Rejected> {
    let format = match header.components {
        1 => PixelFormat::GRAY,
        3 => PixelFormat::RGB,
        _ => PixelFormat::CMYK,
    };
    let (image, mended) = mending(bytes, header, |bytes| decode(bytes, header, format, ScalingFactor::ONE))?;
    let mut changes = Vec::new();
    if mended.is_some() {
        changes.push(Change::Eoi);
    }
    let pixels = match format {
        PixelFormat::CMYK => {
            changes.push(Change::Cmyk);
            rgb_of_inverted_ink(&image.pixels)
        }
        _ => image.pixels,
    };
    Ok(Raster {
        width: header.width,
        height: header.height,
        channels: if header.components == 1 { 1 } else { 3 },
        pixels,
        mode: header.mode(),
        frames: 1,
        orientation: header.orientation,
        // An ink profile says nothing about RGB.
        icc: if header.components == 4 { None } else { header.icc.clone() },
        changes,
        note: note(bytes),
    })
}

/// Decodes a three-component JPEG to its planes; `None` if it is not stored as luma and chroma of a usual subsampling, or
/// would have to be turned upright.
///
/// # Errors
/// As [`verify`].
pub fn planes(bytes: &[u8], header: &Header) -> Result<Option<Planes>, Rejected> {
    if header.components != 3 || header.orientation != 1 {
        return Ok(None);
    }
    let decode = |bytes: &[u8]| -> Result<Option<Planes>, turbojpeg::Error> {
        let mut decompressor = decompressor()?;
        let stored = decompressor.read_header(bytes)?;
        if stored.colorspace != Colorspace::YCbCr || stored.subsamp == Subsamp::Unknown || stored.is_lossless {
            return Ok(None);
        }
        let mut planes = Planes::new(header.width, header.height, stored.subsamp);
        let mut samples = std::mem::take(&mut planes.samples);
        decompressor.decompress_to_yuv(bytes, planes.image(&mut samples[..]))?;
        Ok(Some(Planes { samples, ..planes }))
    };
    mending(bytes, header, decode).map(|(planes, _)| planes)
}

/// What is worth recording of a JPEG that was decoded.
pub fn note(bytes: &[u8]) -> Option<String> {
    trailing_note(jpeg_header::structure(bytes).trailing)
}

fn trailing_note(trailing: usize) -> Option<String> {
    (trailing > 0).then(|| format!("{trailing} bytes after the end of the image"))
}

/// Runs `decode`; if all that is missing is the end-of-image marker, adds it and runs `decode` again.
///
/// Adding the marker proves nothing where whole scans may be missing, so the scans that are there must be complete.
fn mending<T>(
    bytes: &[u8],
    header: &Header,
    decode: impl Fn(&[u8]) -> Result<T, turbojpeg::Error>,
) -> Result<(T, Option<Vec<u8>>), Rejected> {
    let error = match decode(bytes) {
        Ok(done) => return Ok((done, None)),
        Err(error) => error,
    };
    let structure = jpeg_header::structure(bytes);
    if !structure.ends && structure.complete(header) {
        let mended = [bytes, &[0xFF, 0xD9]].concat();
        if let Ok(done) = decode(&mended) {
            return Ok((done, Some(mended)));
        }
    }
    Err(rejected(&error, structure.ends))
}

/// libjpeg-turbo's words, put into a reason. `ends`: the file has an end-of-image marker.
fn rejected(error: &turbojpeg::Error, ends: bool) -> Rejected {
    let words = match error {
        turbojpeg::Error::TurboJpegError(words) => words.clone(),
        other => other.to_string(),
    };
    // A damaged stream may hold what looks like a marker of a kind that does not exist.
    let reason = if words.starts_with("Unsupported marker type") {
        Reason::Corrupt
    } else if words.contains("Unsupported") || words.contains("not implemented") {
        Reason::Unsupported
    } else if !ends || words.contains("Premature end") {
        Reason::Truncated
    } else {
        Reason::Corrupt
    };
    Rejected::new(reason, words)
}

fn decode(
    bytes: &[u8],
    header: &Header,
    format: PixelFormat,
    factor: ScalingFactor,
) -> Result<Image<Vec<u8>>, turbojpeg::Error> {
    let width = factor.scale(header.width as usize);
    let height = factor.scale(header.height as usize);
    let pitch = width * format.size();
    let mut image = Image { pixels: vec![0; pitch * height], width, pitch, height, format };
    let mut decompressor = decompressor()?;
    decompressor.set_scaling_factor(factor)?;
    decompressor.decompress(bytes, image.as_deref_mut())?;
    Ok(image)
}

/// A new one each time: a decompressor remembers the tables of the file before, and would lend them to one that has none.
fn decompressor() -> Result<Decompressor, turbojpeg::Error> {
    let mut decompressor = Decompressor::new()?;
    decompressor.set_scan_limit(MOST_SCANS)?;
    Ok(decompressor)
}

/// RGB of four-channel ink, each stored as 255 minus the amount: the product of what ink and black let through.
fn rgb_of_inverted_ink(ink: &[u8]) -> Vec<u8> {
    let through = |c: u8, k: u8| ((u32::from(c) * u32::from(k) + 127) / 255) as u8;
    ink.chunks_exact(4).flat_map(|p| [through(p[0], p[3]), through(p[1], p[3]), through(p[2], p[3])]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use turbojpeg::{Compressor, Subsamp};

    fn photo(width: usize, height: usize, progressive: bool) -> Vec<u8> {
        let image = Image::mandelbrot(width, height, PixelFormat::RGB);
        let mut compressor = Compressor::new().unwrap();
        compressor.set_subsamp(Subsamp::Sub2x2).unwrap();
        compressor.set_progressive(progressive).unwrap();
        compressor.compress_to_vec(image.as_deref()).unwrap()
    }

    fn verdict(bytes: &[u8]) -> Result<Verified, Rejected> {
        verify(bytes, header(bytes, &Limits::default())?)
    }

    #[test]
    fn a_good_file_is_vouched_for_with_its_thumbnail() {
        let verified = verdict(&photo(400, 300, false)).unwrap();
        assert_eq!((verified.thumbnail.width, verified.thumbnail.height), (50, 38));
        assert!(verified.mended.is_none() && verified.note.is_none());
    }

    #[test]
    fn a_missing_end_marker_is_mended_and_nothing_else_is() {
        for progressive in [false, true] {
            let whole = photo(400, 300, progressive);
            for cut in [1, 2] {
                let verified = verdict(&whole[..whole.len() - cut]).unwrap();
                let mended = verified.mended.expect("mended");
                assert!(mended.ends_with(&[0xFF, 0xD9]));
            }
            for cut in [whole.len() / 4, whole.len() / 2, 40] {
                let rejected = verdict(&whole[..whole.len() - cut]).err().expect("refused");
                assert_eq!(rejected.reason, Reason::Truncated, "cut {cut}: {}", rejected.detail);
            }
        }
    }

    #[test]
    fn a_progressive_file_cut_between_scans_is_truncated_not_mended() {
        let whole = photo(400, 300, true);
        let last_scan = whole.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
        // The tables of the last scan, if any, go with it.
        let rejected = verdict(&whole[..last_scan]).err().expect("refused");
        assert_eq!(rejected.reason, Reason::Truncated, "{}", rejected.detail);
    }

    #[test]
    fn bytes_after_the_image_are_accepted_and_noted() {
        let mut bytes = photo(400, 300, false);
        bytes.extend_from_slice(b"trailing garbage");
        let verified = verdict(&bytes).unwrap();
        assert_eq!(verified.note.as_deref(), Some("16 bytes after the end of the image"));
    }

    #[test]
    fn cmyk_becomes_rgb_with_adobes_inversion() {
        let white = vec![255; 16 * 16 * 4];
        let image = Image { pixels: &white[..], width: 16, pitch: 64, height: 16, format: PixelFormat::CMYK };
        let bytes = Compressor::new().unwrap().compress_to_vec(image).unwrap();
        let raster = pixels(&bytes, &header(&bytes, &Limits::default()).unwrap()).unwrap();
        assert_eq!((raster.channels, raster.mode), (3, "CMYK"));
        assert!(raster.changes.contains(&Change::Cmyk));
        assert!(raster.pixels.iter().all(|&v| v > 250));
    }

    #[test]
    fn a_header_that_claims_too_much_is_refused_before_decoding() {
        let mut bytes = photo(32, 32, false);
        let sof = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        bytes[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
        let rejected = header(&bytes, &Limits::default()).expect_err("refused");
        assert_eq!(rejected.reason, Reason::TooManyPixels);
    }
}
