//! Encoding: what re-encoded images become. The embedded colour profile goes along, since the pixels keep its meaning.

use std::cell::RefCell;

use turbojpeg::{Compressor, PixelFormat, Subsamp};

use super::planes::Planes;
use super::raster::{Raster, Rejected};
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
    let encoded = compress(clean.quality, planes.subsampling, icc, |compressor| {
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
    compress(quality, subsampling, raster.icc.as_deref(), |compressor| compressor.compress_to_vec(image))
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
    Ok(encoded.to_vec())
}

fn png(raster: &Raster) -> Result<Vec<u8>, String> {
    let mut info = png::Info::with_size(raster.width, raster.height);
    info.bit_depth = png::BitDepth::Eight;
    info.color_type = if raster.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb };
    info.icc_profile = raster.icc.as_deref().map(Into::into);
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
        Raster { channels, icc: Some(vec![9; 70_000]), ..Raster::gray(side, side, pixels) }
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
