//! From the planes of an AV1 frame to 8-bit gray or RGB (ITU-T H.273, section 8.3).
//!
//! In floating point, chroma interpolated between the centres of its samples, as libavif does where it has the choice.

use aom_decode::color::{ChromaSampling, MatrixCoefficients, Range};
use aom_decode::{FrameTempRef, RowsIter, RowsIters};

use super::raster::Rejected;

/// Samples of one plane, row-major, as wide as the bitstream has them.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    samples: Vec<u16>,
}

impl Plane {
    fn of<P: Copy>(rows: RowsIter<'_, P>, sample: impl Fn(P) -> u16) -> Plane {
        let (width, height) = (rows.width(), rows.height());
        let mut samples = Vec::with_capacity(width * height);
        rows.for_each(|row| samples.extend(row.iter().map(|&p| sample(p))));
        Plane { width, height, samples }
    }

    /// Row `y` of a picture `scale` times as large (1 or 2, across and down), interpolated between sample centres.
    fn row(&self, y: usize, scale: (usize, usize), out: &mut [f32]) {
        let (above, below, lower) = neighbours(y, scale.1, self.height);
        let row = |y: usize| &self.samples[y * self.width..(y + 1) * self.width];
        let (above, below) = (row(above), row(below));
        for (x, out) in out.iter_mut().enumerate() {
            let (left, right, righter) = neighbours(x, scale.0, self.width);
            let across = |row: &[u16]| f32::from(row[left]) * (1.0 - righter) + f32::from(row[right]) * righter;
            *out = across(above) * (1.0 - lower) + across(below) * lower;
        }
    }
}

/// The two of `len` samples around position `at` of the scaled picture, and the weight of the second.
fn neighbours(at: usize, scale: usize, len: usize) -> (usize, usize, f32) {
    let near = (at / scale).min(len - 1);
    match (scale, at % 2) {
        (1, _) => (near, near, 0.0),
        (_, 0) => (near.saturating_sub(1), near, 0.75),
        _ => (near, (near + 1).min(len - 1), 0.25),
    }
}

/// A decoded frame, not yet RGB.
pub(super) struct Picture {
    pub(super) y: Plane,
    /// U, V, and how many luma samples one of theirs covers, across and down.
    pub(super) chroma: Option<(Plane, Plane, (usize, usize))>,
    /// Bits per sample.
    pub(super) depth: u8,
    matrix: Matrix,
    range: Range,
}

/// How Y, U and V become R, G and B.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Matrix {
    /// Y, U and V are G, B and R.
    Identity,
    /// YCgCo.
    YCgCo,
    /// YCbCr with the luma weights of red and blue.
    Weights(f32, f32),
}

impl Matrix {
    /// By code point of ITU-T H.273, table 4. What is unspecified is BT.601, as in libavif.
    fn of(code: u16) -> Result<Matrix, Rejected> {
        Ok(match code {
            0 => Matrix::Identity,
            1 => Matrix::Weights(0.2126, 0.0722),
            2 | 5 | 6 => Matrix::Weights(0.299, 0.114),
            4 => Matrix::Weights(0.30, 0.11),
            7 => Matrix::Weights(0.212, 0.087),
            8 => Matrix::YCgCo,
            9 => Matrix::Weights(0.2627, 0.0593),
            other => return Err(Rejected::unsupported(format!("matrix coefficients {other}"))),
        })
    }
}

impl Picture {
    /// The planes of `frame`; `cicp`, from the container, overrides its matrix and range.
    pub(super) fn of(frame: &FrameTempRef<'_>, cicp: Option<(u16, Range)>) -> Result<Picture, Rejected> {
        let (wide, narrow) = (u16::from_ne_bytes, u16::from);
        let (y, chroma, depth) = match frame.rows_iter().map_err(|error| Rejected::unsupported(error.to_string()))? {
            RowsIters::Mono8(y) => (Plane::of(y, narrow), None, 8),
            RowsIters::Mono16(y, depth) => (Plane::of(y, wide), None, depth as u8),
            RowsIters::YuvPlanes8 { y, u, v, chroma_sampling } => {
                (Plane::of(y, narrow), Some((Plane::of(u, narrow), Plane::of(v, narrow), chroma_sampling)), 8)
            }
            RowsIters::YuvPlanes16 { y, u, v, chroma_sampling, depth } => {
                (Plane::of(y, wide), Some((Plane::of(u, wide), Plane::of(v, wide), chroma_sampling)), depth as u8)
            }
        };
        let chroma = chroma.map(|(u, v, sampling)| match sampling {
            ChromaSampling::Cs420 => (u, v, (2, 2)),
            ChromaSampling::Cs422 => (u, v, (2, 1)),
            ChromaSampling::Cs444 | ChromaSampling::Monochrome => (u, v, (1, 1)),
        });
        let own = frame.matrix_coefficients().map_or(2, |matrix: MatrixCoefficients| matrix as u16);
        let (matrix, range) = cicp.unwrap_or((own, frame.range()));
        Ok(Picture { y, chroma, depth, matrix: Matrix::of(matrix)?, range })
    }

    /// Offset and scale that take a sample of luma to 0..1.
    fn luma(&self) -> (f32, f32) {
        let unit = f32::from(1u16 << (self.depth - 8));
        match self.range {
            Range::Limited => (16.0 * unit, 1.0 / (219.0 * unit)),
            Range::Full => (0.0, 1.0 / f32::from(u16::MAX >> (16 - self.depth))),
        }
    }

    /// Offset and scale that take a sample of chroma to -0.5..0.5.
    fn chroma(&self) -> (f32, f32) {
        let unit = f32::from(1u16 << (self.depth - 8));
        match self.range {
            Range::Limited => (128.0 * unit, 1.0 / (224.0 * unit)),
            Range::Full => (128.0 * unit, 1.0 / f32::from(u16::MAX >> (16 - self.depth))),
        }
    }

    /// `[height, width] u8`.
    pub(super) fn gray(&self) -> Vec<u8> {
        let (offset, scale) = self.luma();
        self.y.samples.iter().map(|&y| to_byte((f32::from(y) - offset) * scale)).collect()
    }

    /// `[height, width, 3] u8`.
    pub(super) fn rgb(&self) -> Result<Vec<u8>, Rejected> {
        let Some((u, v, scale)) = &self.chroma else { return Ok(self.gray()) };
        if u.samples.is_empty() || (u.width, u.height) != (v.width, v.height) {
            return Err(Rejected::corrupt("a frame without chroma"));
        }
        let (y_offset, y_scale) = self.luma();
        let (c_offset, c_scale) = if self.matrix == Matrix::Identity { (y_offset, y_scale) } else { self.chroma() };
        let mut pixels = Vec::with_capacity(self.y.samples.len() * 3);
        let (mut us, mut vs) = (vec![0.0; self.y.width], vec![0.0; self.y.width]);
        for (row, ys) in self.y.samples.chunks_exact(self.y.width).enumerate() {
            u.row(row, *scale, &mut us);
            v.row(row, *scale, &mut vs);
            for ((&y, &u), &v) in ys.iter().zip(&us).zip(&vs) {
                let (y, u, v) =
                    ((f32::from(y) - y_offset) * y_scale, (u - c_offset) * c_scale, (v - c_offset) * c_scale);
                let rgb = match self.matrix {
                    Matrix::Identity => [v, y, u],
                    Matrix::YCgCo => [y - u + v, y + u, y - u - v],
                    Matrix::Weights(kr, kb) => {
                        let (r, b) = (y + 2.0 * (1.0 - kr) * v, y + 2.0 * (1.0 - kb) * u);
                        [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b]
                    }
                };
                pixels.extend(rgb.map(to_byte));
            }
        }
        Ok(pixels)
    }
}

fn to_byte(value: f32) -> u8 {
    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolated_chroma_meets_its_samples_at_the_edges() {
        let plane = Plane { width: 2, height: 1, samples: vec![0, 100] };
        let mut row = [0.0; 4];
        plane.row(0, (2, 2), &mut row);
        assert_eq!(row, [0.0, 25.0, 75.0, 100.0]);
    }
}
