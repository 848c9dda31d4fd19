//! Geometry: turning an image upright, and scaling it.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use std::borrow::Cow;
use std::cell::RefCell;

use super::raster::Raster;
use super::{Filter, Resize, ResizeWhen};

/// Applies an EXIF orientation (CIPA DC-008, 4.6.5.A), after which the image is upright and its `orientation` 1.
pub fn upright(mut raster: Raster) -> Raster {
    let (width, height) = (raster.width as usize, raster.height as usize);
    // Source column and row of the pixel at column x, row y of the upright image.
    let from: fn(usize, usize, usize, usize) -> (usize, usize) = match raster.orientation {
        2 => |x, y, w, _| (w - 1 - x, y),
        3 => |x, y, w, h| (w - 1 - x, h - 1 - y),
        4 => |x, y, _, h| (x, h - 1 - y),
        5 => |x, y, _, _| (y, x),
        6 => |x, y, _, h| (y, h - 1 - x),
        7 => |x, y, w, h| (w - 1 - y, h - 1 - x),
        8 => |x, y, w, _| (w - 1 - y, x),
        _ => return raster,
    };
    if raster.orientation >= 5 {
        (raster.width, raster.height) = (raster.height, raster.width);
    }
    let channels = usize::from(raster.channels);
    let mut pixels = Vec::with_capacity(raster.pixels.len());
    for y in 0..raster.height as usize {
        for x in 0..raster.width as usize {
            let (column, row) = from(x, y, width, height);
            let at = (row * width + column) * channels;
            pixels.extend_from_slice(&raster.pixels[at..at + channels]);
        }
    }
    raster.pixels = pixels;
    raster.orientation = 1;
    raster
}

/// The size that an image of `width` × `height` gets, or `None` if it keeps its own.
pub fn target(resize: &Resize, width: u32, height: u32) -> Option<(u32, u32)> {
    let (shorter, longer) = (width.min(height), width.max(height));
    let wanted = match resize.when {
        ResizeWhen::Larger => shorter > resize.shorter_side,
        ResizeWhen::Always => shorter != resize.shorter_side,
    };
    let scaled = (u64::from(longer) * u64::from(resize.shorter_side) + u64::from(shorter) / 2) / u64::from(shorter);
    let scaled = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
    wanted.then_some(if width <= height { (resize.shorter_side, scaled) } else { (scaled, resize.shorter_side) })
}

/// Scales an image.
///
/// # Errors
/// fast_image_resize's, for sizes that it does not take.
pub fn scale(raster: Raster, (width, height): (u32, u32), filter: Filter) -> Result<Raster, ScaleError> {
    let size = (raster.width as usize, raster.height as usize);
    let whole = (f64::from(raster.width), f64::from(raster.height));
    let to = (width as usize, height as usize);
    let pixels = match raster.channels {
        1 => scale_planes([&raster.pixels], size, whole, to, filter)?,
        _ => resample(&raster.pixels, size, PixelType::U8x3, whole, to, filter)?,
    };
    Ok(Raster { width, height, pixels, ..raster })
}

/// Scales the `part` of planes, each `[rows, columns] u8`, measured from their upper left corner, to a size; the results lie
/// one behind the other.
///
/// # Why in two steps
///
/// fast_image_resize goes along the rows first, and a row of single bytes is what its vector code is slowest at. So the
/// rows are made fewer first, and then four of them are taken as the four channels of one. The filter is the same.
///
/// # Errors
/// As [`scale`].
pub(super) fn scale_planes<const N: usize>(
    planes: [&[u8]; N],
    (columns, rows): (usize, usize),
    (across, down): (f64, f64),
    (to_columns, to_rows): (usize, usize),
    filter: Filter,
) -> Result<Vec<u8>, ScaleError> {
    // Side by side, so that the filter's weights are computed once.
    let beside = match planes[..] {
        [plane] => Cow::Borrowed(plane),
        _ => {
            let row = |row| planes.map(|plane| &plane[row * columns..][..columns]);
            Cow::Owned((0..rows).flat_map(row).collect::<Vec<_>>().concat())
        }
    };
    let width = columns * N;
    let fewer = resample(&beside, (width, rows), PixelType::U8, (width as f64, down), (width, to_rows), filter)?;
    let bands = (to_rows * N).div_ceil(4);
    let banded = interleave(&fewer, columns, bands);
    let part = (across, bands as f64);
    let banded = resample(&banded, (columns, bands), PixelType::U8x4, part, (to_columns, bands), filter)?;
    Ok(deinterleave(&banded, to_columns, to_rows, N))
}

/// `[rows, columns]` to `[bands, columns, 4]`; rows beyond the last are the first of their band.
fn interleave(samples: &[u8], columns: usize, bands: usize) -> Vec<u8> {
    let mut banded = vec![0; bands * columns * 4];
    for (pixels, rows) in banded.as_chunks_mut::<4>().0.chunks_exact_mut(columns).zip(samples.chunks(columns * 4)) {
        let row = |at: usize| rows.get(at * columns..(at + 1) * columns).unwrap_or(&rows[..columns]);
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        // Whole words: bytes put one by one are not vectorised.
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let word = |row: &[u8], shift: u32| u32::from(row[i]) << shift;
            *pixel = (word(a, 0) | word(b, 8) | word(c, 16) | word(d, 24)).to_le_bytes();
        }
    }
    banded
}

/// `[bands, columns, 4]`, whose rows are those of `planes` planes in turn, to `[planes, rows, columns]`.
fn deinterleave(banded: &[u8], columns: usize, rows: usize, planes: usize) -> Vec<u8> {
    let mut samples = vec![0; planes * rows * columns];
    for (at, row) in samples.chunks_exact_mut(columns).enumerate() {
        let from = at % rows * planes + at / rows;
        let pixels = &banded.as_chunks::<4>().0[from / 4 * columns..][..columns];
        let shift = from % 4 * 8;
        for (sample, pixel) in row.iter_mut().zip(pixels) {
            *sample = (u32::from_le_bytes(*pixel) >> shift) as u8;
        }
    }
    samples
}

/// Scales the `part` of `[rows, columns]` pixels, measured from the upper left corner, to a size.
fn resample(
    samples: &[u8],
    (columns, rows): (usize, usize),
    pixel: PixelType,
    part: (f64, f64),
    (to_columns, to_rows): (usize, usize),
    filter: Filter,
) -> Result<Vec<u8>, ScaleError> {
    thread_local! {
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let filter = match filter {
        Filter::Box => FilterType::Box,
        Filter::Bilinear => FilterType::Bilinear,
        Filter::CatmullRom => FilterType::CatmullRom,
        Filter::Mitchell => FilterType::Mitchell,
        Filter::Lanczos3 => FilterType::Lanczos3,
    };
    let source = ImageRef::new(columns as u32, rows as u32, samples, pixel)?;
    let mut scaled = Image::new(to_columns as u32, to_rows as u32, pixel);
    // The fourth channel is no alpha.
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).crop(0.0, 0.0, part.0, part.1).use_alpha(false);
    RESIZER.with_borrow_mut(|resizer| resizer.resize(&source, &mut scaled, &options))?;
    Ok(scaled.into_vec())
}

/// Sizes that cannot be scaled to.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    /// The buffer does not fit the size.
    #[error("cannot be scaled: {0}")]
    Buffer(#[from] fast_image_resize::ImageBufferError),
    /// The resizer refused.
    #[error("cannot be scaled: {0}")]
    Resize(#[from] fast_image_resize::ResizeError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::encode::encode;
    use crate::clean::{Clean, Outcome, OutputFormat, clean};
    use crate::sample::Reason;
    use fast_image_resize::CpuExtensions;

    #[test]
    fn every_orientation_is_turned_upright() {
        // The upright image:  1 2 3
        //                     4 5 6
        let stored: [(u8, u32, u32, [u8; 6]); 8] = [
            (1, 3, 2, [1, 2, 3, 4, 5, 6]),
            (2, 3, 2, [3, 2, 1, 6, 5, 4]),
            (3, 3, 2, [6, 5, 4, 3, 2, 1]),
            (4, 3, 2, [4, 5, 6, 1, 2, 3]),
            (5, 2, 3, [1, 4, 2, 5, 3, 6]),
            (6, 2, 3, [3, 6, 2, 5, 1, 4]),
            (7, 2, 3, [6, 3, 5, 2, 4, 1]),
            (8, 2, 3, [4, 1, 5, 2, 6, 3]),
        ];
        for (orientation, width, height, pixels) in stored {
            let raster = Raster { orientation, ..Raster::gray(width, height, pixels.to_vec()) };
            let raster = upright(raster);
            assert_eq!((raster.width, raster.height, raster.orientation), (3, 2, 1), "{orientation}");
            assert_eq!(raster.pixels, [1, 2, 3, 4, 5, 6], "{orientation}");
        }
    }

    #[test]
    fn the_shorter_side_gets_the_wanted_length_and_nothing_is_scaled_up_by_larger() {
        let larger = Resize { shorter_side: 256, when: ResizeWhen::Larger };
        assert_eq!(target(&larger, 500, 375), Some((341, 256)));
        assert_eq!(target(&larger, 375, 500), Some((256, 341)));
        assert_eq!(target(&larger, 256, 9000), None);
        assert_eq!(target(&larger, 100, 100), None);
        let always = Resize { when: ResizeWhen::Always, ..larger };
        assert_eq!(target(&always, 100, 50), Some((512, 256)));
        assert_eq!(target(&always, 256, 256), None);
    }

    #[test]
    fn a_thin_image_is_refused_before_it_is_scaled_to_gigabytes() {
        let resize = Some(Resize { shorter_side: 256, when: ResizeWhen::Always });
        for format in [OutputFormat::Jpeg, OutputFormat::Png] {
            let plain = Clean { format, ..Clean::default() };
            let thin = |height: u32| encode(&Raster::gray(1, height, vec![9; height as usize]), &plain).unwrap();
            let cleaned = clean("thin", &thin(40_000), &Clean { resize, ..plain.clone() });
            assert_eq!(cleaned.outcome, Outcome::Refused(Reason::TooManyPixels));
            let detail = cleaned.detail.unwrap();
            assert!(detail.starts_with("would become 256 × 10240000 pixels"), "{detail}");
            // Few pixels, but a side that no JPEG has.
            let cleaned = clean("thin", &thin(300), &Clean { resize, ..Clean::default() });
            assert_eq!(cleaned.outcome, Outcome::Refused(Reason::Unsupported));
            let detail = cleaned.detail.unwrap();
            assert!(detail.starts_with("would become 256 × 76800 pixels"), "{detail}");
        }
    }

    #[test]
    fn vector_instructions_change_no_bit() {
        let pixels: Vec<u8> = (0..331 * 227 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let source = ImageRef::new(331, 227, &pixels, PixelType::U8x3).unwrap();
        let scaled = |extensions: Option<CpuExtensions>| {
            let mut resizer = Resizer::new();
            if let Some(extensions) = extensions {
                // SAFETY: no extension at all is supported by every processor.
                unsafe { resizer.set_cpu_extensions(extensions) };
            }
            let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
            let mut scaled = Image::new(97, 64, PixelType::U8x3);
            resizer.resize(&source, &mut scaled, &options).unwrap();
            scaled.into_vec()
        };
        assert!(scaled(None) == scaled(Some(CpuExtensions::None)));
    }

    #[test]
    fn scaling_keeps_a_flat_colour() {
        let raster = Raster { channels: 3, ..Raster::gray(97, 61, [10, 200, 30].repeat(97 * 61)) };
        let scaled = scale(raster, (40, 25), Filter::Lanczos3).unwrap();
        assert_eq!(scaled.pixels, [10, 200, 30].repeat(40 * 25));
    }
}
