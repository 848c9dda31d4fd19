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
    /// The coding process: the second byte of the frame's marker, 0xC0 (SOF0, baseline) to 0xCF (T.81 table B.1).
    pub process: u8,
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

    /// Whether coefficients come in several scans, band by band and bit by bit (SOF2 and its relatives).
    fn progressive(&self) -> bool {
        matches!(self.process, 0xC2 | 0xC6 | 0xCA | 0xCE)
    }

    /// Whether samples are predicted instead of transformed (SOF3 and its relatives).
    pub fn lossless(&self) -> bool {
        matches!(self.process, 0xC3 | 0xC7 | 0xCB | 0xCF)
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
            marker if is_frame(marker) => frame = Some((marker, segment.payload)),
            APP1 if segment.payload.starts_with(b"Exif\0\0") && orientation.is_none() => {
                orientation = Some(super::exif::orientation(&segment.payload[6..]));
            }
            APP2 if segment.payload.starts_with(b"ICC_PROFILE\0") && segment.payload.len() >= 14 => {
                icc.push((segment.payload[12], segment.payload[13], &segment.payload[14..]));
            }
            _ => {}
        }
        at = segment.end;
    }
    let (process, frame) = frame.ok_or_else(|| corrupt("the JPEG has no frame header"))?;
    if frame.len() < 6 || frame.len() < 6 + 3 * usize::from(frame[5]) {
        return Err(corrupt("the JPEG's frame header is too short"));
    }
    let (height, width) = (u16::from_be_bytes([frame[1], frame[2]]), u16::from_be_bytes([frame[3], frame[4]]));
    if width == 0 || height == 0 {
        return Err(corrupt("the JPEG's frame header says that a side is 0 pixels long"));
    }
    Ok(Header {
        width: width.into(),
        height: height.into(),
        components: frame[5],
        precision: frame[0],
        orientation: orientation.unwrap_or(1),
        icc: profile(icc),
        ids: frame[6..].chunks_exact(3).map(|component| component[0]).collect(),
        process,
    })
}

/// The profile whose chunks these are, each with its number and how many it says there are (ICC.1:2022, annex B.4);
/// `None` unless every number from 1 on is there once: a profile with a hole is worse than none.
fn profile(mut chunks: Vec<(u8, u8, &[u8])>) -> Option<Vec<u8>> {
    chunks.sort_by_key(|(number, ..)| *number);
    let total = chunks.first()?.1;
    let numbers = chunks.iter().map(|(number, of, _)| (*number, *of));
    if !numbers.eq((1..=total).map(|number| (number, total))) {
        return None;
    }
    let icc: Vec<u8> = chunks.iter().flat_map(|(.., chunk)| chunk.iter().copied()).collect();
    Some(icc).filter(|icc| !icc.is_empty())
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
    /// Whether every component has a scan of its mean values, without which nothing of it is there.
    pub fn begins_all(&self, header: &Header) -> bool {
        if !header.progressive() {
            return self.complete(header);
        }
        header.ids.iter().all(|id| self.scans.iter().any(|(ids, first, ..)| *first == 0 && ids.contains(id)))
    }

    /// Whether the scans together give every coefficient of every component exactly.
    ///
    /// A sequential scan gives all of a component, whatever it says about bands. Progressive ones must add up to all 64
    /// coefficients, down to the last bit: T.81 and libjpeg allow to stop before, but then nothing tells a thrifty file
    /// from a cut one to which somebody added an end marker, and no encoder in use writes the former. The one exception
    /// is chroma without any AC scan beside whole luma, which is how an image with flat colours may be saved; a file
    /// that was cut is only taken for one if it has an end marker and its luma was sent whole before any of its chroma.
    pub fn complete(&self, header: &Header) -> bool {
        let scans = |id: u8| self.scans.iter().filter(move |(ids, ..)| ids.contains(&id));
        if !header.progressive() {
            return header.ids.iter().all(|&id| scans(id).next().is_some());
        }
        header.ids.iter().enumerate().all(|(index, &id)| {
            let (mut sent, mut exact) = ([false; 64], [false; 64]);
            for (_, first, last, low) in scans(id) {
                // A band that cannot be sends nothing.
                for index in usize::from(*first)..(usize::from(*last) + 1).min(64) {
                    sent[index] = true;
                    exact[index] |= *low == 0;
                }
            }
            let flat_chroma = self.ends && header.components == 3 && index > 0 && !sent[1..].contains(&true);
            exact[0] && (flat_chroma || !exact.contains(&false))
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
                if let Some(&[first, last, bits]) = segment.payload.get(1 + 2 * count..4 + 2 * count) {
                    structure.scans.push((ids, first, last, bits & 0x0F));
                }
            }
            _ => {}
        }
    }
    structure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(process: u8, ids: &[u8]) -> Header {
        let components = ids.len() as u8;
        Header { width: 8, height: 8, components, precision: 8, orientation: 1, icc: None, ids: ids.to_vec(), process }
    }

    /// Component identifiers, first and last coefficient, lowest bit.
    type Sent<'a> = (&'a [u8], u8, u8, u8);

    fn complete(process: u8, ends: bool, scans: &[Sent<'_>]) -> bool {
        let scans = scans.iter().map(|&(ids, first, last, low)| (ids.to_vec(), first, last, low)).collect();
        Structure { ends, trailing: 0, scans }.complete(&header(process, &[1, 2, 3]))
    }

    #[test]
    fn sequential_scans_need_every_component_and_nothing_more() {
        for process in [0xC0, 0xC1] {
            assert!(complete(process, true, &[(&[1, 2, 3], 0, 63, 0)]));
            assert!(complete(process, true, &[(&[1], 0, 0, 0), (&[3], 63, 0, 1), (&[2], 0, 63, 0)]));
            assert!(!complete(process, true, &[(&[1], 0, 63, 0), (&[2], 0, 63, 0)]));
            assert!(!complete(process, true, &[]));
        }
        let structure = Structure { ends: true, trailing: 0, scans: vec![(vec![7, 7, 7], 0, 63, 0)] };
        assert!(structure.complete(&header(0xC0, &[7, 7, 7])));
    }

    #[test]
    fn progressive_scans_need_every_bit_of_every_band_but_for_flat_chroma() {
        let dc: Sent<'_> = (&[1, 2, 3], 0, 0, 0);
        let luma: Sent<'_> = (&[1], 1, 63, 0);
        let blue: Sent<'_> = (&[2], 1, 63, 0);
        let red: Sent<'_> = (&[3], 1, 63, 0);
        let progressive = |ends, scans: &[Sent<'_>]| complete(0xC2, ends, scans);
        assert!(progressive(true, &[dc, luma, blue, red]));
        assert!(progressive(true, &[dc, (&[1], 1, 5, 2), (&[1], 6, 63, 2), blue, red, (&[1], 1, 63, 1), luma]));
        assert!(!progressive(true, &[(&[1, 2, 3], 0, 0, 1), luma, blue, red]));
        assert!(!progressive(true, &[dc, (&[1], 1, 63, 1), blue, red]));
        assert!(!progressive(true, &[dc, (&[1], 1, 32, 0), blue, red]));
        assert!(!progressive(true, &[dc, blue, red]));
        assert!(!progressive(true, &[dc, luma, blue, (&[3], 1, 8, 0)]));
        assert!(progressive(true, &[dc, luma]));
        assert!(!progressive(false, &[dc, luma]));
    }

    #[test]
    fn a_profile_is_joined_by_number_and_dropped_if_a_number_is_wrong() {
        let (one, two): (&[u8], &[u8]) = (b"one", b"two");
        assert_eq!(profile(vec![(2, 2, two), (1, 2, one)]).as_deref(), Some(b"onetwo".as_slice()));
        for wrong in [
            vec![(1, 2, one)],
            vec![(2, 2, two)],
            vec![(1, 2, one), (1, 2, two)],
            vec![(1, 2, one), (2, 3, two)],
            vec![(0, 2, one), (1, 2, two)],
            vec![(1, 1, one), (2, 1, two)],
            vec![(0, 0, one)],
            vec![],
        ] {
            assert_eq!(profile(wrong.clone()), None, "{wrong:?}");
        }
    }
}
