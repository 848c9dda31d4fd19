//! A JPEG's verdict without its pixels: proves that libjpeg-turbo decodes the file without error or warning, and
//! gives the gray thumbnail at 1/8 scale, in 0.4 of the time of libjpeg-turbo's own 1/8 decode.
//!
//! # Why
//!
//! swinpipe keeps a good JPEG byte for byte, so all that `scan` needs of it is the proof that it decodes and a small
//! gray picture for the perceptual hash. libjpeg-turbo can only give both by entropy decoding into coefficients, one
//! Huffman symbol per table lookup. Neither the proof nor the picture needs AC coefficients: a block's mean is its DC
//! coefficient, and the others must only be *counted*. So one lookup here steps over as many whole symbols (code and
//! extra bits) as its 12 bits hold, and nothing is stored but luma DC: 0.33 ms for a 110 kB photo, where
//! libjpeg-turbo takes 0.82 at 1/8 scale and 1.24 in full.
//!
//! # The contract
//!
//! [`Verifier::verify`] answers `Ok` only where libjpeg-turbo decodes the same bytes silently to the same dimensions,
//! with a bit-identical 1/8 gray image (tests hold this against mutated files). The reverse is not promised: whatever
//! is rare, dubious or merely tolerated by libjpeg is a [`Doubt`], and the caller then asks libjpeg-turbo.
//!
//! Sections are those of ITU-T T.81: markers B.1 and B.2, Huffman tables C and F.2.2, restarts E.2.4 and F.2.2.5.

mod header;
mod window;
mod lookup;

use std::fmt;

use header::{EOI, Header, MAX_SIDE};
use lookup::BlockTable;
use window::Window;

/// A sequential Huffman-coded 8-bit JPEG of one scan, gray or YCbCr, that libjpeg-turbo decodes without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1 (gray) or 3 (YCbCr).
    pub components: u8,
    /// Luma blocks per MCU, horizontally and vertically: (2, 2) is 4:2:0. (1, 1) for gray.
    pub sampling: (u8, u8),
    /// `ceil(width / 8)`.
    pub thumb_width: u32,
    /// `ceil(height / 8)`.
    pub thumb_height: u32,
    /// Gray, `[thumb_height, thumb_width] u8`: what libjpeg-turbo gives at 1/8 scale.
    pub thumb: Vec<u8>,
    /// Bytes behind EOI, which every decoder ignores.
    pub trailing: usize,
}

/// Why a file is not vouched for. It may still be a perfect JPEG: libjpeg-turbo has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No SOI at the start.
    NotJpeg,
    /// The bytes end before the image does.
    Truncated,
    /// Something else than a marker where one must be (B.1.1.2).
    NoMarker,
    /// A marker that sequential files do not have, or not here.
    Marker(u8),
    /// A marker segment whose length or values are wrong.
    Segment(u8),
    /// Progressive (SOF2).
    Progressive,
    /// Lossless, hierarchical or arithmetic (SOF3 and above).
    Process(u8),
    /// Not 8 bits per sample.
    Precision(u8),
    /// Neither 1 nor 3 components.
    Components(u8),
    /// No pixels, or more on a side than libjpeg takes.
    Dimensions,
    /// Sampling factors that libjpeg cannot upsample, or that do not give luma the full resolution.
    Sampling,
    /// Components that are, or may be, something else than YCbCr.
    Colour,
    /// A JFIF major version other than 1, of which libjpeg warns.
    Jfif,
    /// ICC chunks that do not make one profile, of which turbojpeg warns.
    Icc,
    /// A component names a quantisation or Huffman table that the file does not define.
    MissingTable,
    /// A Huffman table that is no prefix code, or has DC symbols above 15.
    BadTable,
    /// Not all components in one scan, or not in the order of the frame.
    MultiScan,
    /// Bits that are no code of the table.
    BadCode,
    /// More than 64 coefficients in a block.
    BadRun,
    /// Another marker than the restart or EOI due.
    WrongMarker(u8),
    /// Data left over before a restart or EOI.
    ExtraData,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::NotJpeg => f.write_str("no start of image"),
            Doubt::Truncated => f.write_str("ends before the image does"),
            Doubt::NoMarker => f.write_str("data where a marker must be"),
            Doubt::Marker(m) => write!(f, "marker FF{m:02X} is unknown or out of place"),
            Doubt::Segment(m) => write!(f, "marker segment FF{m:02X} is malformed"),
            Doubt::Progressive => f.write_str("progressive"),
            Doubt::Process(m) => write!(f, "coding process FF{m:02X} is neither sequential nor progressive Huffman"),
            Doubt::Precision(bits) => write!(f, "{bits} bits per sample"),
            Doubt::Components(n) => write!(f, "{n} components"),
            Doubt::Dimensions => write!(f, "a side of 0 or more than {MAX_SIDE} pixels"),
            Doubt::Sampling => f.write_str("unusual sampling factors"),
            Doubt::Colour => f.write_str("colours other than YCbCr"),
            Doubt::Jfif => f.write_str("unknown JFIF version"),
            Doubt::Icc => f.write_str("broken ICC profile chunks"),
            Doubt::MissingTable => f.write_str("a table is missing"),
            Doubt::BadTable => f.write_str("invalid Huffman table"),
            Doubt::MultiScan => f.write_str("components in several scans or in another order"),
            Doubt::BadCode => f.write_str("invalid Huffman code"),
            Doubt::BadRun => f.write_str("more than 64 coefficients in a block"),
            Doubt::WrongMarker(m) => write!(f, "marker FF{m:02X} instead of the restart or end due"),
            Doubt::ExtraData => f.write_str("data left over behind the last block"),
        }
    }
}

impl std::error::Error for Doubt {}

/// The tables and buffers of a verification, for reuse: one per thread. What it answers never depends on what it saw
/// before; Huffman tables are only rebuilt where they differ.
pub struct Verifier {
    /// Of the components; those that share their tables share the first one's.
    tables: [BlockTable; 3],
    window: Window,
}

impl Default for Verifier {
    fn default() -> Self {
        Verifier::new()
    }
}

impl Verifier {
    /// About 90 KiB.
    pub fn new() -> Self {
        Verifier { tables: std::array::from_fn(|_| BlockTable::new()), window: Window::new() }
    }

    /// Reads all of `bytes` up to EOI. Allocates nothing but the thumbnail, of at most 4 times as many bytes.
    ///
    /// # Errors
    /// The first [`Doubt`].
    pub fn verify(&mut self, bytes: &[u8]) -> Result<Scan, Doubt> {
        let header = Header::read(bytes)?;
        let mut tables = [0; 3];
        for (i, c) in header.components().iter().enumerate() {
            let alike = header.frame[..i].iter().position(|other| (other.dc, other.ac) == (c.dc, c.ac));
            tables[i] = alike.unwrap_or(i);
            if alike.is_none() {
                let (Some(dc), Some(ac)) = (header.dc[c.dc], header.ac[c.ac]) else { return Err(Doubt::MissingTable) };
                self.tables[i].define(dc, ac)?;
            }
        }
        self.entropy(bytes, &header, tables)
    }

    /// The scan's entropy-coded segments (B.1.1.5), MCU by MCU, and the EOI behind them.
    fn entropy(&mut self, bytes: &[u8], header: &Header, tables: [usize; 3]) -> Result<Scan, Doubt> {
        let tables = tables.map(|i| &self.tables[i]);
        let window = &mut self.window;
        let (luma, chroma) = (header.frame[0], &header.frame[1..header.count]);
        let (h, v) = (luma.h as usize, luma.v as usize);
        let (thumb_width, thumb_height) = (header.width.div_ceil(8) as usize, header.height.div_ceil(8) as usize);
        // No block takes less than two bits, so the thumbnail is bounded by the file, not by what its header claims.
        if thumb_width * thumb_height > 4 * (bytes.len() - header.data) {
            return Err(Doubt::Truncated);
        }
        let (columns, rows) = (thumb_width.div_ceil(h), thumb_height.div_ceil(v));
        let mut thumb = vec![0; thumb_width * thumb_height];

        let mut restarts = 0;
        let mut left = header.restart_interval;
        let mut dc = 0i32;
        let mut bits = window.start(bytes, header.data);
        for row in 0..rows {
            for column in 0..columns {
                if header.restart_interval > 0 {
                    if left == 0 {
                        let at = window.finish(bytes, &bits, 0xD0 | restarts)?;
                        restarts = (restarts + 1) & 7;
                        left = header.restart_interval;
                        dc = 0;
                        bits = window.start(bytes, at);
                    }
                    left -= 1;
                }
                window.advance(bytes, &mut bits);
                let data = window.data();
                for y in row * v..row * v + v {
                    for x in column * h..column * h + h {
                        // libjpeg's predictor is an int that may wrap, its coefficient a short.
                        dc = dc.wrapping_add(tables[0].step_over::<true>(&mut bits, data)?);
                        // Blocks beyond the right and bottom edges are padding (A.2.4).
                        if x < thumb_width && y < thumb_height {
                            thumb[y * thumb_width + x] = mean(dc as i16, header.luma_quantum);
                        }
                    }
                }
                for (component, table) in chroma.iter().zip(&tables[1..]) {
                    for _ in 0..component.h * component.v {
                        table.step_over::<false>(&mut bits, data)?;
                    }
                }
            }
        }
        let end = window.finish(bytes, &bits, EOI)?;
        Ok(Scan {
            width: header.width,
            height: header.height,
            components: header.count as u8,
            sampling: (luma.h as u8, luma.v as u8),
            thumb_width: thumb_width as u32,
            thumb_height: thumb_height as u32,
            thumb,
            trailing: bytes.len() - end,
        })
    }
}

/// The one pixel of a block at 1/8 scale: libjpeg's `jpeg_idct_1x1`, whose range limit looks at 10 bits only.
fn mean(dc: i16, quantum: i16) -> u8 {
    let value = (i32::from(dc) * i32::from(quantum) + 4) >> 3;
    ((value << 22 >> 22) + 128).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests;
