//! A colour JPEG scaled as it is stored: luma and chroma planes, without the way to RGB and back.
//!
//! # Why
//!
//! Where a JPEG becomes a smaller JPEG, RGB is a detour: chroma stored at half size would be blown up, converted, scaled
//! three channels wide, converted back and halved again, and each step rounds. Scaling every plane from the size it is
//! stored at to the size it will have costs about a fifth less and loses less.

use turbojpeg::{Subsamp, YuvImage};

use super::raster::Raster;
use super::resize::{ScaleError, scale_planes};
use super::{Filter, Subsampling};

/// The planes of a YCbCr image, upright: `[planes, rows, columns] u8`, one behind the other.
///
/// Luma is padded to whole chroma samples; a chroma sample lies in the middle of the pixels that it covers (JFIF 1.02).
pub struct Planes {
    /// Pixels across, without padding.
    pub width: u32,
    /// Pixels down, without padding.
    pub height: u32,
    /// How many pixels a chroma sample covers.
    pub subsampling: Subsamp,
    /// Y, Cb and Cr.
    pub samples: Vec<u8>,
}

impl Planes {
    /// Planes of nothing yet, for `width` × `height` pixels.
    pub fn new(width: u32, height: u32, subsampling: Subsamp) -> Planes {
        let mut planes = Planes { width, height, subsampling, samples: Vec::new() };
        let (luma, chroma) = (planes.size(0), planes.size(1));
        planes.samples = vec![0; luma.0 * luma.1 + 2 * chroma.0 * chroma.1];
        planes
    }

    /// Samples across and down of the `plane`-th plane.
    fn size(&self, plane: usize) -> (usize, usize) {
        let (across, down) = self.subsampling.size();
        let (columns, rows) = ((self.width as usize).div_ceil(across), (self.height as usize).div_ceil(down));
        if plane == 0 { (columns * across, rows * down) } else { (columns, rows) }
    }

    fn plane(&self, plane: usize) -> &[u8] {
        let length = |plane| self.size(plane).0 * self.size(plane).1;
        let start = (0..plane).map(length).sum::<usize>();
        &self.samples[start..start + length(plane)]
    }

    /// How libjpeg-turbo sees the planes.
    pub fn image<T>(&self, pixels: T) -> YuvImage<T> {
        let (width, height) = (self.width as usize, self.height as usize);
        YuvImage { pixels, width, align: 1, height, subsamp: self.subsampling }
    }

    /// Scales to `width` × `height` pixels with chroma as `subsampling` says.
    ///
    /// # Errors
    /// fast_image_resize's, for sizes that it does not take.
    pub fn scale(
        &self,
        (width, height): (u32, u32),
        filter: Filter,
        subsampling: Subsampling,
    ) -> Result<Planes, ScaleError> {
        let mut scaled = Planes { width, height, subsampling: subsampling.into(), samples: Vec::new() };
        let (size, part) = (self.size(0), (f64::from(self.width), f64::from(self.height)));
        let luma = scale_planes([self.plane(0)], size, part, (width as usize, height as usize), filter)?;
        grow(&luma, (width as usize, height as usize), scaled.size(0), &mut scaled.samples);
        let (size, to) = (self.size(1), scaled.size(1));
        // What the wanted samples cover, in samples of the plane: the last of them may reach beyond the image.
        let covered = |to: usize, wanted: (u32, usize), has: (u32, usize)| {
            (to * wanted.1) as f64 / f64::from(wanted.0) * f64::from(has.0) / has.1 as f64
        };
        let (wanted, has) = (scaled.subsampling.size(), self.subsampling.size());
        let across = covered(to.0, (width, wanted.0), (self.width, has.0));
        let down = covered(to.1, (height, wanted.1), (self.height, has.1));
        let grown = (size.0.max(across.ceil() as usize), size.1.max(down.ceil() as usize));
        let (mut blue, mut red) = (Vec::new(), Vec::new());
        grow(self.plane(1), size, grown, &mut blue);
        grow(self.plane(2), size, grown, &mut red);
        scaled.samples.extend(scale_planes([&blue, &red], grown, (across, down), to, filter)?);
        Ok(scaled)
    }

    /// The gray image.
    pub fn luma(&self) -> Raster {
        let (columns, width) = (self.size(0).0, self.width as usize);
        let rows: Vec<&[u8]> =
            self.plane(0).chunks_exact(columns).take(self.height as usize).map(|row| &row[..width]).collect();
        Raster::gray(self.width, self.height, rows.concat())
    }
}

/// Appends a plane to `grown`, its last column and row repeated until it has a size.
fn grow(plane: &[u8], (columns, rows): (usize, usize), (to_columns, to_rows): (usize, usize), grown: &mut Vec<u8>) {
    grown.reserve(to_columns * to_rows);
    for row in 0..to_rows {
        let row = &plane[row.min(rows - 1) * columns..][..columns];
        grown.extend_from_slice(row);
        grown.resize(grown.len() + to_columns - columns, row[columns - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::{Clean, encode, jpeg, limits::Limits, resize};
    use proptest::prelude::*;
    use turbojpeg::{Compressor, Image, PixelFormat};

    /// A smooth picture in colour: what scaling does to it does not depend on how chroma is stored.
    fn picture(width: usize, height: usize) -> Vec<u8> {
        let wave = |x: usize, y: usize, fx: f64, fy: f64| {
            let (x, y) = (x as f64 / width as f64, y as f64 / height as f64);
            (128.0 + 100.0 * (fx * x + 0.3).sin() * (fy * y + 0.7).cos()) as u8
        };
        let pixel = |x, y| [wave(x, y, 5.0, 3.0), wave(x, y, 2.0, 6.0), wave(x, y, 4.0, 1.0)];
        (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
    }

    fn encoded(width: usize, height: usize, subsampling: Subsamp) -> Vec<u8> {
        let pixels = picture(width, height);
        let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(98).unwrap();
        compressor.set_subsamp(subsampling).unwrap();
        compressor.compress_to_vec(image).unwrap()
    }

    /// The mean difference per sample between the images that both ways give.
    fn distance(source: &[u8], size: (u32, u32), clean: &Clean) -> f64 {
        let limits = Limits::default();
        let decoded = |bytes: &[u8]| jpeg::pixels(bytes, &jpeg::header(bytes, &limits).unwrap()).unwrap();
        let header = jpeg::header(source, &limits).unwrap();
        let planes = jpeg::planes(source, &header).unwrap().expect("a plain colour JPEG").0;
        let ours = planes.scale(size, clean.filter, clean.subsampling).unwrap();
        let ours = decoded(&encode::encode_planes(&ours, None, clean).unwrap());
        let theirs = resize::scale(decoded(source), size, clean.filter).unwrap();
        assert_eq!((ours.width, ours.height), size);
        let differences = ours.pixels.iter().zip(&theirs.pixels).map(|(a, b)| f64::from(a.abs_diff(*b)));
        differences.sum::<f64>() / ours.pixels.len() as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn planes_give_what_rgb_gives(
            size in (80usize..300, 80usize..300),
            to in (20u32..120, 20u32..120),
            from in prop::sample::select(vec![Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Sub1x2, Subsamp::Sub4x1]),
            subsampling in prop::sample::select(vec![Subsampling::S444, Subsampling::S422, Subsampling::S420]),
        ) {
            let clean = Clean { subsampling, ..Clean::default() };
            let distance = distance(&encoded(size.0, size.1, from), to, &clean);
            prop_assert!(distance < 2.0, "{distance}");
        }
    }

    #[test]
    fn what_is_not_stored_as_luma_and_chroma_has_no_planes() {
        let limits = Limits::default();
        let gray = encode::encode(&Raster::gray(64, 64, vec![9; 64 * 64]), &Clean::default()).unwrap();
        let mut compressor = Compressor::new().unwrap();
        compressor.set_colorspace(turbojpeg::Colorspace::RGB).unwrap();
        compressor.set_subsamp(Subsamp::None).unwrap();
        let pixels = picture(64, 64);
        let image = Image { pixels: &pixels[..], width: 64, pitch: 192, height: 64, format: PixelFormat::RGB };
        let rgb = compressor.compress_to_vec(image).unwrap();
        for bytes in [gray, rgb] {
            let header = jpeg::header(&bytes, &limits).unwrap();
            assert!(jpeg::planes(&bytes, &header).unwrap().is_none());
        }
    }
}
