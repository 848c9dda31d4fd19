//! The boxes of an AVIF file (ISO/IEC 14496-12 and 23008-12) that `avif-parse` does not report: how the picture is
//! turned, its colour description, its frames.

use aom_decode::color::Range;

use super::raster::Rejected;

/// What the primary item's properties say beside its size (ISO/IEC 23008-12, 6.5).
#[derive(Debug, Default)]
pub(super) struct Properties {
    /// Rotation anticlockwise in quarter turns.
    rotation: u8,
    /// Mirror axis after the rotation: 0 swaps top and bottom, 1 left and right.
    mirror: Option<u8>,
    pub(super) icc: Option<Vec<u8>>,
    /// Matrix coefficients and range.
    pub(super) cicp: Option<(u16, Range)>,
}

impl Properties {
    /// Reads the body of a `meta` box. What is not as expected is left to the parser to refuse.
    pub(super) fn of(meta: &[u8]) -> Result<Properties, Rejected> {
        let meta = boxes(meta)?;
        let (Some(pitm), Some(iprp)) = (find(&meta, b"pitm"), find(&meta, b"iprp")) else {
            return Ok(Properties::default());
        };
        let iprp = boxes(iprp)?;
        let (Some(ipco), Some(ipma)) = (find(&iprp, b"ipco"), find(&iprp, b"ipma")) else {
            return Ok(Properties::default());
        };
        let shared = boxes(ipco)?;
        let mut found = Properties::default();
        // Each image has its size as one (ISO/IEC 23008-12, 6.5.3.1); without them it might be shown unturned.
        let damaged = || Rejected::corrupt("the AVIF's image has no properties");
        for index in associations(ipma, primary_item(pitm)).ok_or_else(damaged)? {
            let Some((kind, body)) = index.checked_sub(1).and_then(|index| shared.get(index)) else { continue };
            match (kind, body) {
                (b"irot", [angle, ..]) => found.rotation = angle & 3,
                (b"imir", [axis, ..]) => found.mirror = Some(axis & 1),
                (b"colr", [b'p' | b'r', b'r' | b'I', b'o' | b'C', b'f' | b'C', icc @ ..]) => {
                    found.icc = Some(icc.to_vec())
                }
                (b"colr", [b'n', b'c', b'l', b'x', _, _, _, _, high, low, full, ..]) => {
                    let range = if full & 0x80 == 0 { Range::Limited } else { Range::Full };
                    found.cicp = Some((u16::from_be_bytes([*high, *low]), range));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The EXIF orientation that turns the picture upright as the transforms do: first the rotation, then the mirror.
    pub(super) fn orientation(&self) -> u8 {
        const OF: [[u8; 3]; 4] = [[1, 4, 2], [8, 5, 7], [3, 2, 4], [6, 7, 5]];
        OF[usize::from(self.rotation)][self.mirror.map_or(0, |axis| usize::from(axis) + 1)]
    }
}

/// The item id in a `pitm` box, 16 or 32 bits by its version.
fn primary_item(pitm: &[u8]) -> u32 {
    match pitm {
        [0, _, _, _, a, b, ..] => u32::from(u16::from_be_bytes([*a, *b])),
        [_, _, _, _, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

/// The one-based indices of the properties that an `ipma` box associates with `item`; `None` if it
/// names the item nowhere or is cut short.
fn associations(mut ipma: &[u8], item: u32) -> Option<Vec<usize>> {
    fn take(bytes: &mut &[u8], n: usize) -> Option<u32> {
        let (number, rest) = bytes.split_at_checked(n)?;
        *bytes = rest;
        Some(number.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }
    let (version, flags) = (take(&mut ipma, 1)?, take(&mut ipma, 3)?);
    for _ in 0..take(&mut ipma, 4)? {
        let id = take(&mut ipma, if version == 0 { 2 } else { 4 })?;
        let count = take(&mut ipma, 1)?;
        let wide = flags & 1 == 1;
        let indices = (0..count)
            .map(|_| {
                take(&mut ipma, if wide { 2 } else { 1 }).map(|index| index as usize & if wide { 0x7FFF } else { 0x7F })
            })
            .collect::<Option<Vec<_>>>()?;
        if id == item {
            return Some(indices);
        }
    }
    None
}

/// Frames of the track that has most, 1 where `moov` has none.
///
/// # Errors
/// Boxes that do not fit into each other.
pub(super) fn samples_of_longest_track(moov: &[u8]) -> Result<u32, Rejected> {
    let mut most = 1;
    for (kind, trak) in boxes(moov)? {
        if &kind == b"trak" {
            most = most.max(samples(trak)?);
        }
    }
    Ok(most)
}

/// Frames of a track, 0 where it does not say.
fn samples(trak: &[u8]) -> Result<u32, Rejected> {
    let mut inside = trak;
    for name in [b"mdia", b"minf", b"stbl", b"stsz"] {
        match find(&boxes(inside)?, name) {
            Some(body) => inside = body,
            None => return Ok(0),
        }
    }
    Ok(inside.get(8..12).map_or(0, |count| u32::from_be_bytes([count[0], count[1], count[2], count[3]])))
}

/// A box's kind and body.
pub(super) type Box<'a> = ([u8; 4], &'a [u8]);

/// The boxes of `bytes` with their bodies (ISO/IEC 14496-12, 4.2).
pub(super) fn boxes(mut bytes: &[u8]) -> Result<Vec<Box<'_>>, Rejected> {
    let mut list = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *header;
        let (head, size) = match (u32::from_be_bytes([a, b, c, d]), rest.first_chunk()) {
            (0, _) => (8, bytes.len() as u64),
            (1, Some(&size)) => (16, u64::from_be_bytes(size)),
            (size, _) => (8, u64::from(size)),
        };
        if size < head {
            return Err(Rejected::corrupt("a box is shorter than its header"));
        }
        let body = usize::try_from(size).ok().and_then(|size| bytes.split_at_checked(size));
        let Some((body, rest)) = body else { return Err(Rejected::truncated("the file ends inside a box")) };
        list.push((kind, &body[head as usize..]));
        bytes = rest;
    }
    if !bytes.is_empty() {
        return Err(Rejected::truncated("the file ends inside a box"));
    }
    Ok(list)
}

/// The body of the first box of a kind.
pub(super) fn find<'a>(boxes: &[Box<'a>], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes.iter().find(|(name, _)| name == kind).map(|(_, body)| *body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_and_mirror_compose_to_the_eight_orientations() {
        let of = |rotation, mirror| Properties { rotation, mirror, ..Properties::default() }.orientation();
        let all = [0, 1, 2, 3].map(|r| [of(r, None), of(r, Some(0)), of(r, Some(1))]);
        assert_eq!(all, [[1, 4, 2], [8, 5, 7], [3, 2, 4], [6, 7, 5]]);
    }
}
