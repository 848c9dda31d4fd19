//! The perceptual hash: 64 bits that stay nearly the same when an image is re-encoded, scaled or slightly brightened.
//!
//! The algorithm, version [`VERSION`], in integers only so that every machine agrees:
//! 1. a gray thumbnail, upright, at 1/8, 1/4, 1/2 or 1/1 of the image's size: the smallest whose shorter side is at least
//!    32 pixels;
//! 2. its exact area average on a grid of 32 × 32, in 1/16 of a gray level;
//! 3. the DCT-II of that grid, cosines in 1/4096;
//! 4. bit *i*, from the highest down, tells whether the *i*-th coefficient after the first, in zigzag order, is above the
//!    median of these 64.
//!
//! After Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions* (2010), section 3.2.

use std::sync::LazyLock;

use super::raster::Raster;

/// Version of the algorithm: hashes of different versions do not compare.
pub const VERSION: u32 = 1;

const GRID: usize = 32;
/// Highest horizontal or vertical frequency among the first 64 after the constant in zigzag order.
const FREQUENCIES: usize = 11;

/// A gray image: `[height, width]` u8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gray {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Row-major, no padding.
    pub pixels: Vec<u8>,
}

/// By what power of two, at most 8, an image is divided so that its shorter side stays at 32 pixels or more.
pub fn thumbnail_scale(width: u32, height: u32) -> u32 {
    [8, 4, 2].into_iter().find(|scale| width.min(height).div_ceil(*scale) >= 32).unwrap_or(1)
}

/// The gray thumbnail of decoded pixels: means of square blocks, partial ones at the right and lower edges.
pub fn thumbnail(raster: &Raster) -> Gray {
    let scale = thumbnail_scale(raster.width, raster.height) as usize;
    let (width, height) = (raster.width as usize, raster.height as usize);
    let channels = usize::from(raster.channels);
    let (columns, rows) = (width.div_ceil(scale), height.div_ceil(scale));
    // Down first: at most 8 × 255, and a loop that vectorises.
    let mut down = vec![0u16; width * channels];
    let mut pixels = Vec::with_capacity(columns * rows);
    for band in raster.pixels.chunks(scale * width * channels) {
        down.fill(0);
        for row in band.chunks_exact(width * channels) {
            down.iter_mut().zip(row).for_each(|(sum, &v)| *sum += u16::from(v));
        }
        let high = band.len() / (width * channels);
        pixels.extend(down.chunks(scale * channels).map(|block| {
            let count = (high * block.len() / channels) as u32;
            let mean = |channel: usize| {
                let sum: u32 = block.iter().skip(channel).step_by(channels).map(|&v| u32::from(v)).sum();
                (sum + count / 2) / count
            };
            if channels == 1 { mean(0) as u8 } else { luma([mean(0), mean(1), mean(2)]) }
        }));
    }
    Gray { width: columns as u32, height: rows as u32, pixels }
}

/// ITU-R BT.601 luma in 16-bit fixed point, as libjpeg computes it.
fn luma([r, g, b]: [u32; 3]) -> u8 {
    ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8
}

/// The hash of an upright thumbnail.
pub fn phash(gray: &Gray) -> u64 {
    let grid = average(gray);
    // Rows first: [GRID rows][FREQUENCIES]; then columns.
    let across: Vec<i64> = grid
        .chunks_exact(GRID)
        .flat_map(|row| (0..FREQUENCIES).map(move |u| (0..GRID).map(|x| row[x] * cosine(u, x)).sum::<i64>()))
        .collect();
    let coefficient = |u: usize, v: usize| (0..GRID).map(|y| across[y * FREQUENCIES + u] * cosine(v, y)).sum::<i64>();
    let coefficients: Vec<i64> = ZIGZAG.iter().map(|&(u, v)| coefficient(u, v)).collect();
    let mut sorted = coefficients.clone();
    sorted.sort_unstable();
    let median = sorted[31].midpoint(sorted[32]);
    coefficients.iter().fold(0, |hash, &c| hash << 1 | u64::from(c > median))
}

/// The first 64 index pairs (u across, v down) of the zigzag after (0, 0).
static ZIGZAG: LazyLock<Vec<(usize, usize)>> = LazyLock::new(|| {
    let diagonal = |sum: usize| {
        let rising = (0..=sum).map(move |u| (u, sum - u));
        if sum % 2 == 1 { rising.rev().collect::<Vec<_>>() } else { rising.collect() }
    };
    (1..FREQUENCIES).flat_map(diagonal).take(64).collect()
});

/// 4096 · cos(π m / 64) for m = 0..=32, rounded.
const QUARTER: [i64; 33] = [
    4096, 4091, 4076, 4052, 4017, 3973, 3920, 3857, 3784, 3703, 3612, 3513, 3406, 3290, 3166, 3035, 2896, 2751, 2598,
    2440, 2276, 2106, 1931, 1751, 1567, 1380, 1189, 995, 799, 601, 401, 201, 0,
];

/// 4096 · cos(π (2x + 1) u / 64).
fn cosine(u: usize, x: usize) -> i64 {
    let m = (2 * x + 1) * u % 128;
    match m {
        0..=32 => QUARTER[m],
        33..=64 => -QUARTER[64 - m],
        65..=96 => -QUARTER[m - 64],
        _ => QUARTER[128 - m],
    }
}

/// The area average on the grid, in 1/16 of a gray level, row-major.
///
/// Lengths are counted in units in which a pixel is `GRID` wide and a cell is as wide as the image has pixels, so every
/// overlap is a whole number.
fn average(gray: &Gray) -> Vec<i64> {
    let (width, height) = (gray.width as usize, gray.height as usize);
    let mut bands = vec![0i64; GRID * width];
    for (cell, band) in bands.chunks_exact_mut(width).enumerate() {
        for (y, weight) in overlaps(cell, height) {
            for (sum, &pixel) in band.iter_mut().zip(&gray.pixels[y * width..(y + 1) * width]) {
                *sum += weight * i64::from(pixel);
            }
        }
    }
    let area = (width * height) as i64;
    let mean = |band: &[i64], cell| {
        let sum: i64 = overlaps(cell, width).map(|(x, weight)| weight * band[x]).sum();
        (sum * 16 + area / 2) / area
    };
    bands.chunks_exact(width).flat_map(|band| (0..GRID).map(move |cell| mean(band, cell))).collect()
}

/// The pixels that a cell covers along an axis of `length` pixels, with the length covered of each.
fn overlaps(cell: usize, length: usize) -> impl Iterator<Item = (usize, i64)> {
    let (from, to) = (cell * length, (cell + 1) * length);
    (from / GRID..to.div_ceil(GRID)).map(move |i| (i, ((i + 1) * GRID).min(to) as i64 - (i * GRID).max(from) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(width: u32, height: u32, gain: f64, phase: f64) -> Gray {
        let value = |x: u32, y: u32| {
            let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            128.0 + gain * ((7.0 * x + phase).sin() * 40.0 + (5.0 * y * (1.0 + x)).cos() * 50.0)
        };
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| value(x, y) as u8)).collect();
        Gray { width, height, pixels }
    }

    #[test]
    fn cosines_are_those_of_the_formula() {
        for u in 0..FREQUENCIES {
            for x in 0..GRID {
                let wanted = (std::f64::consts::PI * (2 * x + 1) as f64 * u as f64 / 64.0).cos() * 4096.0;
                assert!((cosine(u, x) as f64 - wanted).abs() <= 0.51, "u {u} x {x}");
            }
        }
    }

    #[test]
    fn the_zigzag_is_that_of_jpeg() {
        assert_eq!(ZIGZAG.len(), 64);
        assert_eq!(ZIGZAG[..5], [(1, 0), (0, 1), (0, 2), (1, 1), (2, 0)]);
    }

    #[test]
    fn a_scaled_or_dimmed_image_keeps_its_hash_and_another_does_not() {
        let hash = phash(&waves(64, 48, 1.0, 0.0));
        assert!((hash ^ phash(&waves(47, 35, 1.0, 0.0))).count_ones() <= 4);
        assert!((hash ^ phash(&waves(64, 48, 0.7, 0.0))).count_ones() <= 4);
        assert!((hash ^ phash(&waves(64, 48, -1.0, 0.0))).count_ones() > 10);
    }

    #[test]
    fn blank_and_tiny_images_have_a_hash() {
        assert_eq!(phash(&Gray { width: 1, height: 1, pixels: vec![7] }), 0);
        assert_eq!(phash(&Gray { width: 40, height: 33, pixels: vec![200; 40 * 33] }), 0);
    }

    #[test]
    fn a_vector_pins_the_algorithm() {
        assert_eq!(phash(&waves(64, 48, 1.0, 0.0)), PINNED, "a change here needs a new VERSION");
    }
    const PINNED: u64 = 13_513_458_911_715_527_929;

    #[test]
    fn thumbnails_average_whole_and_partial_blocks() {
        let raster = Raster::gray(67, 64, (0..67 * 64).map(|i| if i % 67 < 66 { 10 } else { 90 }).collect());
        let gray = thumbnail(&raster);
        assert_eq!((gray.width, gray.height), (34, 32));
        assert!(gray.pixels.chunks(34).all(|row| row[..33].iter().all(|&v| v == 10) && row[33] == 90));
    }
}
