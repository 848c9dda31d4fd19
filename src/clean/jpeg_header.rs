//! The marker segments of a JPEG: what the header claims, and whether the scans that are there are complete.

use super::raster::Rejected;
use crate::sample::Reason;

/// What the markers before the first scan say (T.81 B.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Pixels, as stored (not turned upright).
    pub width: u32,
    /// Pixels, as stored.
    pub height: u32,
    /// 1 gray, 3 colour, 4 ink.
    pub components: u8,
    /// Bits a sample.
    pub precision: u8,
    /// EXIF orientation, 1 to 8; absent and invalid are 1.
    pub orientation: u8,
    /// The embedded profile.
    pub icc: Option<Vec<u8>>,
    /// Component identifiers, in the frame's order.
    pub ids: Vec<u8>,
}

impl Header {
    /// The mode, in Pillow's words.
    pub fn mode(&self) -> &'static str {
        match self.components {
            1 => "L",
            3 => "RGB",
            _ => "CMYK",
        }
    }
}

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const APP1: u8 = 0xE1;
const APP2: u8 = 0xE2;

/// A marker and its segment: `payload` is what follows the length, empty for markers without one.
struct Segment<'a> {
    marker: u8,
    payload: &'a [u8],
    /// Offset of the byte after the segment.
    end: usize,
}

/// Why there is no further segment.
enum NoSegment {
    /// The bytes end first.
    Ended,
    /// Its length is less than that of the length itself.
    BadLength(u8),
}

/// The segment that starts at or after `at`, past fill bytes and anything that is not a marker.
fn segment(bytes: &[u8], mut at: usize) -> Result<Segment<'_>, NoSegment> {
    let byte = |at: usize| bytes.get(at).copied().ok_or(NoSegment::Ended);
    loop {
        let rest = bytes.get(at..).unwrap_or(&[]);
        at += memchr::memchr(0xFF, rest).ok_or(NoSegment::Ended)?;
        let marker = byte(at + 1)?;
        match marker {
            0xFF => at += 1,
            0x00 => at += 2,
            SOI | EOI | 0x01 | 0xD0..=0xD7 => return Ok(Segment { marker, payload: &[], end: at + 2 }),
            _ => {
                let length = usize::from(u16::from_be_bytes([byte(at + 2)?, byte(at + 3)?]));
                if length < 2 {
                    return Err(NoSegment::BadLength(marker));
                }
                let end = at + 2 + length;
                let payload = bytes.get(at + 4..end).ok_or(NoSegment::Ended)?;
                return Ok(Segment { marker, payload, end });
            }
        }
    }
}

/// Whether a marker starts a frame: SOF0 to SOF15 less DHT, JPG and DAC.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
}

/// Parses up to the first scan.
///
/// # Errors
/// `Truncated` where the header ends too soon, `Corrupt` where it makes no sense.
pub fn parse(bytes: &[u8]) -> Result<Header, Rejected> {
    let corrupt = |why: &str| Rejected::new(Reason::Corrupt, why);
    let none = |why| match why {
        NoSegment::Ended => Rejected::new(Reason::Truncated, "the file ends within the JPEG header"),
        NoSegment::BadLength(marker) => {
            Rejected::new(Reason::Corrupt, format!("the JPEG's segment {marker:#04X} has no valid length"))
        }
    };
    let mut frame = None;
    let mut orientation = None;
    let mut icc = Vec::new();
    let mut at = 2;
    loop {
        let segment = segment(bytes, at).map_err(none)?;
        match segment.marker {
            SOS => break,
            EOI => return Err(corrupt("the JPEG ends before its first scan")),
            marker if is_frame(marker) => frame = Some(segment.payload),
            APP1 if segment.payload.starts_with(b"Exif\0\0") && orientation.is_none() => {
                orientation = Some(super::exif::orientation(&segment.payload[6..]));
            }
            APP2 if segment.payload.starts_with(b"ICC_PROFILE\0") && segment.payload.len() >= 14 => {
                icc.push((segment.payload[12], &segment.payload[14..]));
            }
            _ => {}
        }
        at = segment.end;
    }
    let frame = frame.ok_or_else(|| corrupt("the JPEG has no frame header"))?;
    if frame.len() < 6 || frame.len() < 6 + 3 * usize::from(frame[5]) {
        return Err(corrupt("the JPEG's frame header is too short"));
    }
    let (height, width) = (u16::from_be_bytes([frame[1], frame[2]]), u16::from_be_bytes([frame[3], frame[4]]));
    if width == 0 || height == 0 {
        return Err(corrupt("the JPEG's frame header says that a side is 0 pixels long"));
    }
    icc.sort_by_key(|(number, _)| *number);
    let icc: Vec<u8> = icc.into_iter().flat_map(|(_, chunk)| chunk.iter().copied()).collect();
    Ok(Header {
        width: width.into(),
        height: height.into(),
        components: frame[5],
        precision: frame[0],
        orientation: orientation.unwrap_or(1),
        icc: (!icc.is_empty()).then_some(icc),
        ids: frame[6..].chunks_exact(3).map(|component| component[0]).collect(),
    })
}

/// Which scans a file holds, and how it ends.
pub struct Structure {
    /// There is an end-of-image marker after the first scan.
    pub ends: bool,
    /// Bytes after that marker.
    pub trailing: usize,
    /// Per scan: component identifiers, first and last coefficient, and the bit down to which it is exact (T.81 G.1.1).
    scans: Vec<(Vec<u8>, u8, u8, u8)>,
}

impl Structure {
    /// Whether the scans together give every coefficient of every component exactly.
    pub fn complete(&self, header: &Header) -> bool {
        header.ids.iter().all(|id| {
            let mut exact = [false; 64];
            for (ids, first, last, low) in &self.scans {
                if ids.contains(id) && *low == 0 && *last < 64 {
                    exact[usize::from(*first)..=usize::from(*last)].fill(true);
                }
            }
            exact.iter().all(|&known| known)
        })
    }
}

/// Walks all markers, scans included.
pub fn structure(bytes: &[u8]) -> Structure {
    let mut structure = Structure { ends: false, trailing: 0, scans: Vec::new() };
    let mut at = 2;
    while let Ok(segment) = segment(bytes, at) {
        at = segment.end;
        match segment.marker {
            EOI => {
                structure.ends = true;
                structure.trailing = bytes.len() - at;
                break;
            }
            SOS => {
                let count = usize::from(segment.payload.first().copied().unwrap_or(0));
                let ids = segment.payload.iter().skip(1).step_by(2).take(count).copied().collect();
                if let Some(&[first, last, bits]) = segment.payload.get(1 + 2 * count..4 + 2 * count)
                    && first <= last
                {
                    structure.scans.push((ids, first, last, bits & 0x0F));
                }
            }
            _ => {}
        }
    }
    structure
}
