//! Encoding: what re-encoded images become. The embedded colour profile goes along, since the pixels keep its meaning.

use std::cell::RefCell;

use turbojpeg::{Compressor, PixelFormat, Subsamp};

use super::planes::Planes;
use super::raster::{Raster, Rejected, icc_misfit};
use super::webp::push_chunk;
use super::{Clean, OutputFormat, Subsampling};
use crate::sample::{Format, Reason};

impl OutputFormat {
    /// The format in the words of the manifest.
    pub fn format(self) -> Format {
        match self {
            OutputFormat::Jpeg => Format::Jpeg,
            OutputFormat::Webp => Format::Webp,
            OutputFormat::Png => Format::Png,
        }
    }

    /// Most pixels of a side: libjpeg's `JPEG_MAX_DIMENSION` and libwebp's `WEBP_MAX_DIMENSION`.
    pub fn longest_side(self) -> u32 {
        match self {
            OutputFormat::Jpeg => 65_500,
            OutputFormat::Webp => 16_383,
            OutputFormat::Png => u32::MAX,
        }
    }
}

/// The profile, if it is for pixels of so many `channels`.
fn fitting(icc: Option<&[u8]>, channels: u8) -> Option<&[u8]> {
    icc.filter(|icc| icc_misfit(icc, channels).is_none())
}

/// Encodes an upright image as the file says.
///
/// # Errors
/// `Unsupported` where the format cannot hold it: JPEG ends at 65,500 pixels a side, WebP at 16,383.
pub fn encode(raster: &Raster, clean: &Clean) -> Result<Vec<u8>, Rejected> {
    let encoded = match clean.format {
        OutputFormat::Jpeg => jpeg(raster, clean.quality, clean.subsampling),
        OutputFormat::Webp => webp(raster, clean.quality),
        OutputFormat::Png => png(raster),
    };
    encoded.map_err(|why| refused(raster.width, raster.height, clean.format.format(), &why))
}

/// Encodes the planes of a JPEG as a JPEG, whatever `clean.format` says.
///
/// # Errors
/// As [`encode`].
pub fn encode_planes(planes: &Planes, icc: Option<&[u8]>, clean: &Clean) -> Result<Vec<u8>, Rejected> {
    let encoded = compress(clean.quality, planes.subsampling, fitting(icc, 3), |compressor| {
        compressor.compress_yuv_to_vec(planes.image(&planes.samples[..]))
    });
    encoded.map_err(|why| refused(planes.width, planes.height, Format::Jpeg, &why))
}

fn refused(width: u32, height: u32, format: Format, why: &str) -> Rejected {
    Rejected::new(Reason::Unsupported, format!("{width} × {height} pixels as {format}: {why}"))
}

impl From<Subsampling> for Subsamp {
    fn from(subsampling: Subsampling) -> Subsamp {
        match subsampling {
            Subsampling::S444 => Subsamp::None,
            Subsampling::S422 => Subsamp::Sub2x1,
            Subsampling::S420 => Subsamp::Sub2x2,
        }
    }
}

fn jpeg(raster: &Raster, quality: u8, subsampling: Subsampling) -> Result<Vec<u8>, String> {
    let (format, subsampling) = match raster.channels {
        1 => (PixelFormat::GRAY, Subsamp::Gray),
        _ => (PixelFormat::RGB, subsampling.into()),
    };
    let image = turbojpeg::Image {
        pixels: &raster.pixels[..],
        width: raster.width as usize,
        pitch: raster.width as usize * usize::from(raster.channels),
        height: raster.height as usize,
        format,
    };
    let icc = fitting(raster.icc.as_deref(), raster.channels);
    compress(quality, subsampling, icc, |compressor| compressor.compress_to_vec(image))
}

/// Runs `encode` with this thread's compressor and adds the profile.
fn compress(
    quality: u8,
    subsampling: Subsamp,
    icc: Option<&[u8]>,
    encode: impl FnOnce(&mut Compressor) -> turbojpeg::Result<Vec<u8>>,
) -> Result<Vec<u8>, String> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
    }
    let encoded = COMPRESSOR.with_borrow_mut(|slot| -> turbojpeg::Result<Vec<u8>> {
        if slot.is_none() {
            *slot = Some(Compressor::new()?);
        }
        let compressor = slot.as_mut().expect("filled above");
        compressor.set_quality(quality.into())?;
        compressor.set_subsamp(subsampling)?;
        encode(compressor)
    });
    let mut encoded = encoded.map_err(|error| error.to_string())?;
    if let Some(icc) = icc {
        insert_icc(&mut encoded, icc);
    }
    Ok(encoded)
}

/// Puts a profile behind the JFIF segment, in APP2 chunks (ICC.1:2022, annex B.4). A profile too large for 255 chunks
/// cannot exist in a JPEG and is left out.
fn insert_icc(jpeg: &mut Vec<u8>, icc: &[u8]) {
    const CHUNK: usize = 65_519;
    let chunks = icc.chunks(CHUNK);
    let Ok(count) = u8::try_from(chunks.len()) else { return };
    let mut segments = Vec::with_capacity(icc.len() + chunks.len() * 18);
    for (number, chunk) in (1u8..).zip(chunks) {
        segments.extend_from_slice(&[0xFF, 0xE2]);
        segments.extend_from_slice(&((chunk.len() + 16) as u16).to_be_bytes());
        segments.extend_from_slice(b"ICC_PROFILE\0");
        segments.extend_from_slice(&[number, count]);
        segments.extend_from_slice(chunk);
    }
    let jfif_end = 4 + usize::from(u16::from_be_bytes([jpeg[4], jpeg[5]]));
    let at = if jpeg[2..4] == [0xFF, 0xE0] { jfif_end } else { 2 };
    jpeg.splice(at..at, segments);
}

fn webp(raster: &Raster, quality: u8) -> Result<Vec<u8>, String> {
    let rgb;
    let pixels = match raster.channels {
        // libwebp has no gray.
        1 => {
            rgb = raster.pixels.iter().flat_map(|&v| [v; 3]).collect::<Vec<u8>>();
            &rgb
        }
        _ => &raster.pixels,
    };
    let encoder = webp::Encoder::from_rgb(pixels, raster.width, raster.height);
    let encoded = encoder.encode_simple(quality == 100, quality.into()).map_err(|error| format!("{error:?}"))?;
    // What was gray is RGB now, so its profile stays behind.
    Ok(match fitting(raster.icc.as_deref(), 3) {
        Some(icc) => webp_with_icc(&encoded, icc, raster.width, raster.height),
        None => encoded.to_vec(),
    })
}

/// A simple WebP file (RFC 9649, 2.5 and 2.6) of `width` × `height` opaque pixels, made an extended one (2.7) with a
/// profile.
fn webp_with_icc(simple: &[u8], icc: &[u8], width: u32, height: u32) -> Vec<u8> {
    const ICC_FLAG: u8 = 0x20;
    /// "RIFF", its size, "WEBP".
    const HEADER: usize = 12;
    let [w, h] = [width, height].map(|side| (side - 1).to_le_bytes());
    let mut file = simple[..HEADER].to_vec();
    push_chunk(&mut file, b"VP8X", &[ICC_FLAG, 0, 0, 0, w[0], w[1], w[2], h[0], h[1], h[2]]);
    push_chunk(&mut file, b"ICCP", icc);
    file.extend_from_slice(&simple[HEADER..]);
    let size = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

fn png(raster: &Raster) -> Result<Vec<u8>, String> {
    let mut info = png::Info::with_size(raster.width, raster.height);
    info.bit_depth = png::BitDepth::Eight;
    info.color_type = if raster.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb };
    info.icc_profile = fitting(raster.icc.as_deref(), raster.channels).map(Into::into);
    let mut bytes = Vec::new();
    let encode = || -> Result<(), png::EncodingError> {
        let mut writer = png::Encoder::with_info(&mut bytes, info)?.write_header()?;
        writer.write_image_data(&raster.pixels)?;
        writer.finish()
    };
    encode().map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::jpeg;
    use crate::clean::limits::Limits;
    use crate::clean::raster;

    fn sample(channels: u8) -> Raster {
        let side = 64u32;
        let pixels = (0..side * side * u32::from(channels)).map(|i| (i / 97 * 13 % 251) as u8).collect();
        let icc = Some(profile(if channels == 1 { b"GRAY" } else { b"RGB " }));
        Raster { channels, icc, ..Raster::gray(side, side, pixels) }
    }

    /// What is looked at of a profile for pixels of a kind, of more than one JPEG chunk and an odd length.
    fn profile(space: &[u8; 4]) -> Vec<u8> {
        [[9u8; 16].as_slice(), space, &[9; 70_001]].concat()
    }

    fn decoded(format: Format, bytes: &[u8]) -> Raster {
        let limits = Limits::default();
        match format {
            Format::Jpeg => jpeg::pixels(bytes, &jpeg::header(bytes, &limits).unwrap()).unwrap(),
            _ => raster::decode(format, bytes, &limits).unwrap(),
        }
    }

    #[test]
    fn every_format_is_read_back_with_its_profile() {
        for format in [OutputFormat::Jpeg, OutputFormat::Png] {
            for channels in [1, 3] {
                let raster = sample(channels);
                let bytes = encode(&raster, &Clean { format, ..Clean::default() }).unwrap();
                let back = decoded(format.format(), &bytes);
                assert_eq!((back.width, back.height, back.channels), (64, 64, channels), "{format:?}");
                assert_eq!(back.icc, raster.icc, "{format:?} {channels}");
            }
        }
    }

    #[test]
    fn a_webp_keeps_the_profile_of_rgb_and_leaves_that_of_gray_behind() {
        for quality in [95, 100] {
            let clean = Clean { format: OutputFormat::Webp, quality, ..Clean::default() };
            for (channels, icc) in [(3, Some(profile(b"RGB "))), (1, None)] {
                let back = decoded(Format::Webp, &encode(&sample(channels), &clean).unwrap());
                assert_eq!((back.width, back.height, back.channels), (64, 64, 3), "{quality} {channels}");
                assert!(back.icc == icc && back.note.is_none(), "{quality} {channels}: {:?}", back.note);
            }
        }
    }

    #[test]
    fn a_profile_that_is_not_for_the_pixels_stays_behind() {
        let raster = Raster { icc: Some(profile(b"CMYK")), ..sample(3) };
        for format in [OutputFormat::Jpeg, OutputFormat::Webp, OutputFormat::Png] {
            let back = decoded(format.format(), &encode(&raster, &Clean { format, ..Clean::default() }).unwrap());
            assert_eq!((back.icc, back.note), (None, None), "{format:?}");
        }
        let planes = Planes::new(16, 16, Subsamp::Sub2x2);
        let with = |space| encode_planes(&planes, Some(&profile(space)), &Clean::default()).unwrap();
        let icc = |bytes: &[u8]| decoded(Format::Jpeg, bytes).icc;
        assert_eq!(icc(&with(b"CMYK")), None);
        assert!(icc(&with(b"RGB ")) == Some(profile(b"RGB ")));
    }

    #[test]
    fn quality_100_webp_and_png_are_lossless() {
        let raster = Raster { icc: None, ..sample(3) };
        for format in [OutputFormat::Webp, OutputFormat::Png] {
            let bytes = encode(&raster, &Clean { format, quality: 100, ..Clean::default() }).unwrap();
            assert_eq!(decoded(format.format(), &bytes).pixels, raster.pixels, "{format:?}");
        }
    }

    #[test]
    fn an_image_too_long_for_the_format_is_unsupported() {
        let raster = Raster::gray(20_000, 1, vec![0; 20_000]);
        let rejected = encode(&raster, &Clean { format: OutputFormat::Webp, ..Clean::default() }).expect_err("refused");
        assert_eq!(rejected.reason, Reason::Unsupported);
    }
}
