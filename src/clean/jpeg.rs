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
use super::jpeg_header::{self, Header, Structure};
use super::jpeg_scan::Verifier;
use super::limits::Limits;
use super::planes::Planes;
use super::raster::{Raster, Rejected, admit};
use crate::sample::{Change, Reason};

/// How many scans a progressive file may have. It may hold thousands that each touch every block, so that what counts is
/// their number times the pixels; a camera writes about ten.
fn most_scans(header: &Header) -> u32 {
    let pixels = u64::from(header.width) * u64::from(header.height);
    (2_000_000_000 / pixels.max(1)).clamp(20, 500) as u32
}

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
    if header.lossless() {
        return Err(Rejected::unsupported("lossless JPEG"));
    }
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
    let decode = |bytes: &[u8]| decode(bytes, &header, PixelFormat::GRAY, factor);
    let Decoded { image, mended, note } = mending(bytes, &header, decode)?;
    let thumbnail = Gray { width: image.width as u32, height: image.height as u32, pixels: image.pixels };
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
    let decode = |bytes: &[u8]| decode(bytes, header, format, ScalingFactor::ONE);
    let Decoded { image, mended, note } = mending(bytes, header, decode)?;
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
    let mut raster = Raster {
        width: header.width,
        height: header.height,
        channels: if header.components == 1 { 1 } else { 3 },
        pixels,
        mode: header.mode(),
        frames: 1,
        orientation: header.orientation,
        icc: None,
        changes,
        note,
    };
    // An ink profile says nothing about RGB.
    if header.components != 4 {
        raster.set_icc(header.icc.clone());
    }
    Ok(raster)
}

/// Decodes a three-component JPEG to its planes, with what is worth recording; `None` if it is not stored as luma and chroma of a usual subsampling, or
/// would have to be turned upright.
///
/// # Errors
/// As [`verify`].
pub fn planes(bytes: &[u8], header: &Header) -> Result<Option<(Planes, Option<String>)>, Rejected> {
    if header.components != 3 || header.orientation != 1 {
        return Ok(None);
    }
    let decode = |bytes: &[u8]| -> Result<Option<Planes>, turbojpeg::Error> {
        let mut decompressor = decompressor(header)?;
        let stored = decompressor.read_header(bytes)?;
        if stored.colorspace != Colorspace::YCbCr || stored.subsamp == Subsamp::Unknown || stored.is_lossless {
            return Ok(None);
        }
        let mut planes = Planes::new(header.width, header.height, stored.subsamp);
        let mut samples = std::mem::take(&mut planes.samples);
        decompressor.decompress_to_yuv(bytes, planes.image(&mut samples[..]))?;
        Ok(Some(Planes { samples, ..planes }))
    };
    let Decoded { image, note, .. } = mending(bytes, header, decode)?;
    Ok(image.map(|planes| (planes, note)))
}

/// A JPEG that was decoded.
struct Decoded<T> {
    image: T,
    /// The file with its end-of-image marker, where that was missing.
    mended: Option<Vec<u8>>,
    note: Option<String>,
}

/// What is worth recording of a JPEG that was decoded.
fn note(structure: &Structure, header: &Header) -> Option<String> {
    // Legal, and seen by every decoder as a coarse image: a download that was cut and closed looks like this.
    let coarse = !structure.complete(header);
    let coarse = coarse.then(|| "scans are missing: the image is coarser than it was encoded".to_owned());
    let notes: Vec<String> = coarse.into_iter().chain(trailing_note(structure.trailing)).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn trailing_note(trailing: usize) -> Option<String> {
    (trailing > 0).then(|| format!("{trailing} bytes after the end of the image"))
}

/// Runs `decode`; if all that is missing is the end-of-image marker, adds it and runs `decode` again.
///
/// A decoder that meets the end-of-image marker takes missing scans for zeros without a warning. A component of which
/// nothing is there is no image; and the marker is added only where every scan is there.
fn mending<T>(
    bytes: &[u8],
    header: &Header,
    decode: impl Fn(&[u8]) -> Result<T, turbojpeg::Error>,
) -> Result<Decoded<T>, Rejected> {
    let decoded = decode(bytes);
    let structure = jpeg_header::structure(bytes);
    let error = match decoded {
        Ok(image) if structure.begins_all(header) => {
            return Ok(Decoded { image, mended: None, note: note(&structure, header) });
        }
        Ok(_) => return Err(Rejected::truncated("scans are missing: of one component nothing is there")),
        Err(error) => error,
    };
    if !structure.ends && structure.complete(header) {
        let mended = [bytes, &[0xFF, 0xD9]].concat();
        if let Ok(image) = decode(&mended) {
            return Ok(Decoded { image, mended: Some(mended), note: note(&structure, header) });
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
    } else if ["Unsupported", "not implemented", "Maximum supported image dimension"].iter().any(|w| words.contains(w))
    {
        Reason::Unsupported
    } else if words.starts_with("Bogus") || words.starts_with("Invalid") {
        // The header is nonsense, wherever the file ends.
        Reason::Corrupt
    } else if words.contains("Premature end") {
        Reason::Truncated
    } else if !ends {
        return Rejected::new(Reason::Truncated, format!("{words}; the file has no end-of-image marker"));
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
    let mut decompressor = decompressor(header)?;
    decompressor.set_scaling_factor(factor)?;
    decompressor.decompress(bytes, image.as_deref_mut())?;
    Ok(image)
}

/// A new one each time: a decompressor remembers the tables of the file before, and would lend them to one that has none.
fn decompressor(header: &Header) -> Result<Decompressor, turbojpeg::Error> {
    let mut decompressor = Decompressor::new()?;
    decompressor.set_scan_limit(most_scans(header))?;
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

    #[track_caller]
    fn scans_are_missing(bytes: &[u8]) {
        let header = header(bytes, &Limits::default()).unwrap();
        for rejected in [pixels(bytes, &header).err(), planes(bytes, &header).err(), verify(bytes, header).err()] {
            let rejected = rejected.expect("refused");
            assert_eq!(rejected.reason, Reason::Truncated);
            assert_eq!(rejected.detail, "scans are missing: of one component nothing is there");
        }
    }

    #[test]
    fn a_progressive_file_that_ends_before_its_last_scan_is_noted() {
        let whole = photo(400, 300, true);
        assert_eq!(verdict(&whole).unwrap().note, None);
        let scans: Vec<usize> = memchr::memmem::find_iter(&whole, b"\xFF\xDA").collect();
        assert!(scans.len() > 5);
        for &scan in &scans[1..] {
            let verified = verdict(&[&whole[..scan], &[0xFF, 0xD9]].concat()).unwrap();
            let note = verified.note.expect("noted");
            assert_eq!(note, "scans are missing: the image is coarser than it was encoded");
        }
    }

    #[test]
    fn a_sequential_file_without_its_chroma_scans_is_truncated_and_one_with_them_is_not() {
        // A gray file whose frame says that there are three components, its one scan repeated for each of them.
        let image = Image::mandelbrot(64, 64, PixelFormat::RGB);
        let mut compressor = Compressor::new().unwrap();
        compressor.set_subsamp(Subsamp::Gray).unwrap();
        let gray = compressor.compress_to_vec(image.as_deref()).unwrap();
        let at = |marker: u8| gray.windows(2).position(|pair| pair == [0xFF, marker]).unwrap();
        let (frame, scan) = (at(0xC0), at(0xDA));
        let mut bytes = gray[..frame + 2].to_vec();
        bytes.extend_from_slice(&[0, 17, 8, 0, 64, 0, 64, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
        bytes.extend_from_slice(&gray[frame + 13..scan]);
        for component in [1, 2, 3] {
            let start = bytes.len();
            bytes.extend_from_slice(&gray[scan..gray.len() - 2]);
            bytes[start + 5] = component;
            let ended = [bytes.as_slice(), &[0xFF, 0xD9]].concat();
            if component < 3 {
                scans_are_missing(&ended);
            } else {
                let raster = pixels(&ended, &header(&ended, &Limits::default()).unwrap()).unwrap();
                assert_eq!((raster.channels, raster.changes), (3, vec![]));
                assert!(verdict(&ended).unwrap().mended.is_none());
            }
        }
    }

    /// A photo of 32 × 32 pixels whose frame has another marker and another size.
    fn with_frame(process: u8, width: u16, height: u16) -> Vec<u8> {
        let mut bytes = photo(32, 32, false);
        let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        bytes[frame + 1] = process;
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    }

    #[test]
    fn what_libjpeg_turbo_does_not_take_is_unsupported() {
        let rejected = verdict(&with_frame(0xC3, 32, 32)).err().expect("refused");
        assert_eq!((rejected.reason, rejected.detail.as_str()), (Reason::Unsupported, "lossless JPEG"));
        let rejected = verdict(&with_frame(0xC0, 65_501, 1)).err().expect("refused");
        assert_eq!(rejected.reason, Reason::Unsupported, "{}", rejected.detail);
    }

    #[test]
    fn the_more_pixels_the_fewer_scans_may_be() {
        let most = |width, height| {
            let bytes = with_frame(0xC0, width, height);
            most_scans(&header(&bytes, &Limits::default()).unwrap())
        };
        assert_eq!([most(100, 100), most(4000, 3000), most(10_000, 10_000)], [500, 166, 20]);
    }

    #[test]
    fn a_profile_for_other_pixels_is_left_out_and_noted() {
        let jpeg = photo(32, 32, false);
        let with = |space: &[u8; 4]| {
            let chunk = [b"ICC_PROFILE\0\x01\x01".as_slice(), &[0; 16], space].concat();
            let segment = [[0xFF, 0xE2, 0, chunk.len() as u8 + 2].as_slice(), &chunk].concat();
            let bytes = [&jpeg[..2], &segment, &jpeg[2..]].concat();
            let raster = pixels(&bytes, &header(&bytes, &Limits::default()).unwrap()).unwrap();
            (raster.icc.is_some(), raster.note)
        };
        assert_eq!(with(b"RGB "), (true, None));
        assert_eq!(with(b"GRAY"), (false, Some("the ICC profile is for GRAY, not for RGB pixels".into())));
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
