//! What stands before the entropy-coded data, read strictly: marker segments, tables, frame and scan (T.81 B.2).

use super::Doubt;

/// libjpeg's `JPEG_MAX_DIMENSION`.
pub(super) const MAX_SIDE: u32 = 65500;
/// libjpeg's `D_MAX_BLOCKS_IN_MCU`, as in B.2.3.
const MAX_BLOCKS: u32 = 10;

pub(super) const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
pub(super) const DQT: u8 = 0xDB;
pub(super) const DHT: u8 = 0xC4;
pub(super) const DRI: u8 = 0xDD;
pub(super) const COM: u8 = 0xFE;

/// A component of the frame, with the tables that the scan header gives it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) h: u32,
    pub(super) v: u32,
    pub(super) quantisation: u8,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// All that stands before the entropy-coded data.
#[derive(Default)]
pub(super) struct Header<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Components in `frame`, 0 before the frame header.
    pub(super) count: usize,
    pub(super) frame: [Component; 3],
    /// Huffman tables as DHT spells them: 16 counts, then the symbols.
    pub(super) dc: [Option<&'a [u8]>; 4],
    pub(super) ac: [Option<&'a [u8]>; 4],
    /// DC quantiser of each table.
    quanta: [Option<u16>; 4],
    pub(super) luma_quantum: i16,
    /// MCUs; 0 for no restarts.
    pub(super) restart_interval: u32,
    jfif: bool,
    adobe: Option<u8>,
    /// Where the entropy-coded data starts.
    pub(super) data: usize,
}

impl<'a> Header<'a> {
    /// Every marker up to and with SOS (B.2.1).
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Doubt> {
        if !bytes.starts_with(&[0xFF, SOI]) {
            return Err(Doubt::NotJpeg);
        }
        let mut header = Header::default();
        let mut icc = Icc::default();
        let mut at = 2;
        loop {
            let (marker, next) = marker(bytes, at)?;
            if !matches!(marker, 0xC0..=0xCF | SOS | DQT | DRI | COM | 0xE0..=0xEF) {
                return Err(Doubt::Marker(marker));
            }
            let length = bytes.get(next..next + 2).ok_or(Doubt::Truncated)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let body = length.checked_sub(2).ok_or(Doubt::Segment(marker))?;
            let body = bytes.get(next + 2..).and_then(|rest| rest.get(..body)).ok_or(Doubt::Truncated)?;
            at = next + length;
            match marker {
                DHT => header.huffman(body)?,
                0xC0 | 0xC1 => header.frame(marker, body)?,
                0xC2 => return Err(Doubt::Progressive),
                0xC3..=0xCF => return Err(Doubt::Process(marker)),
                DQT => header.quantisation(body)?,
                DRI => {
                    let interval = <[u8; 2]>::try_from(body).map_err(|_| Doubt::Segment(DRI))?;
                    header.restart_interval = u32::from(u16::from_be_bytes(interval));
                }
                SOS => {
                    icc.complete()?;
                    header.scan(body)?;
                    header.data = at;
                    return Ok(header);
                }
                0xE0 if body.len() >= 14 && body.starts_with(b"JFIF\0") => {
                    if body[5] != 1 {
                        return Err(Doubt::Jfif);
                    }
                    header.jfif = true;
                }
                0xE2 if body.len() >= 14 && body.starts_with(b"ICC_PROFILE\0") => icc.chunk(body)?,
                0xEE if body.len() >= 12 && body.starts_with(b"Adobe") => header.adobe = Some(body[11]),
                _ => {}
            }
        }
    }

    pub(super) fn components(&self) -> &[Component] {
        &self.frame[..self.count]
    }

    /// DQT (B.2.4.1): only the DC quantiser matters. libjpeg takes any value, 0 included, but multiplies shorts.
    fn quantisation(&mut self, mut body: &[u8]) -> Result<(), Doubt> {
        while let Some((&pq_tq, rest)) = body.split_first() {
            let size = match pq_tq >> 4 {
                0 => 64,
                1 => 128,
                _ => return Err(Doubt::Segment(DQT)),
            };
            let slot = self.quanta.get_mut(usize::from(pq_tq & 15)).ok_or(Doubt::Segment(DQT))?;
            let (table, rest) = rest.split_at_checked(size).ok_or(Doubt::Segment(DQT))?;
            *slot = Some(if size == 64 { u16::from(table[0]) } else { u16::from_be_bytes([table[0], table[1]]) });
            body = rest;
        }
        Ok(())
    }

    /// DHT (B.2.4.2): tables are checked where they are used, as in libjpeg.
    fn huffman(&mut self, mut body: &'a [u8]) -> Result<(), Doubt> {
        while let Some((&tc_th, rest)) = body.split_first() {
            let class = match tc_th >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Doubt::Segment(DHT)),
            };
            let slot = class.get_mut(usize::from(tc_th & 15)).ok_or(Doubt::Segment(DHT))?;
            let counts = rest.get(..16).ok_or(Doubt::Segment(DHT))?;
            let symbols: usize = counts.iter().map(|&n| usize::from(n)).sum();
            if symbols > 256 {
                return Err(Doubt::BadTable);
            }
            let (table, rest) = rest.split_at_checked(16 + symbols).ok_or(Doubt::Segment(DHT))?;
            *slot = Some(table);
            body = rest;
        }
        Ok(())
    }

    /// SOF0 and SOF1 (B.2.2), which differ only in what they allow an encoder.
    fn frame(&mut self, marker: u8, body: &[u8]) -> Result<(), Doubt> {
        if self.count != 0 {
            return Err(Doubt::Marker(marker));
        }
        let &[precision, y1, y0, x1, x0, count, ref components @ ..] = body else {
            return Err(Doubt::Segment(marker));
        };
        if precision != 8 {
            return Err(Doubt::Precision(precision));
        }
        if count != 1 && count != 3 {
            return Err(Doubt::Components(count));
        }
        if components.len() != 3 * usize::from(count) {
            return Err(Doubt::Segment(marker));
        }
        self.width = u32::from(u16::from_be_bytes([x1, x0]));
        self.height = u32::from(u16::from_be_bytes([y1, y0]));
        // Height 0 means a DNL marker (B.2.5), which libjpeg refuses.
        if !(1..=MAX_SIDE).contains(&self.width) || !(1..=MAX_SIDE).contains(&self.height) {
            return Err(Doubt::Dimensions);
        }
        self.count = usize::from(count);
        for (component, c) in self.frame.iter_mut().zip(components.chunks_exact(3)) {
            let (h, v) = (u32::from(c[1] >> 4), u32::from(c[1] & 15));
            *component = Component { id: c[0], h, v, quantisation: c[2], dc: 0, ac: 0 };
        }
        if self.components().iter().any(|c| !(1..=4).contains(&c.h) || !(1..=4).contains(&c.v)) {
            return Err(Doubt::Sampling);
        }
        let luma = &mut self.frame[0];
        if count == 1 {
            // A scan of one component is not interleaved: an MCU is one block whatever the factors say (A.2.2).
            (luma.h, luma.v) = (1, 1);
        }
        let luma = *luma;
        // Where luma is not the densest, libjpeg's scaled decode upsamples it; factors that do not divide it fail.
        let fits = |c: &Component| luma.h.is_multiple_of(c.h) && luma.v.is_multiple_of(c.v);
        let blocks: u32 = self.components().iter().map(|c| c.h * c.v).sum();
        if blocks > MAX_BLOCKS || !self.components().iter().all(fits) {
            return Err(Doubt::Sampling);
        }
        Ok(())
    }

    /// SOS (B.2.3), and what can only be judged once all tables and markers are known.
    fn scan(&mut self, body: &[u8]) -> Result<(), Doubt> {
        if self.count == 0 {
            return Err(Doubt::Marker(SOS));
        }
        let Some((&count, rest)) = body.split_first() else { return Err(Doubt::Segment(SOS)) };
        if usize::from(count) != self.count {
            return Err(Doubt::MultiScan);
        }
        if rest.len() != 2 * self.count + 3 {
            return Err(Doubt::Segment(SOS));
        }
        let (selectors, parameters) = rest.split_at(2 * self.count);
        // Ss, Se, Ah and Al say nothing in sequential files, but libjpeg warns where they are not these.
        if parameters != [0, 63, 0] {
            return Err(Doubt::Segment(SOS));
        }
        for (component, s) in self.frame.iter_mut().zip(selectors.chunks_exact(2)) {
            if component.id != s[0] {
                return Err(Doubt::MultiScan);
            }
            (component.dc, component.ac) = (usize::from(s[1] >> 4), usize::from(s[1] & 15));
            if component.dc > 3 || component.ac > 3 {
                return Err(Doubt::MissingTable);
            }
        }
        let ids = self.frame.map(|c| c.id);
        if self.count == 3 {
            if ids[0] == ids[1] || ids[0] == ids[2] || ids[1] == ids[2] {
                return Err(Doubt::MultiScan);
            }
            // libjpeg's guess: JFIF means YCbCr, else Adobe's word counts, else the identifiers "RGB".
            let ycc = match (self.jfif, self.adobe) {
                (true, _) | (false, Some(1)) => true,
                (false, Some(_)) => false,
                (false, None) => ids != *b"RGB",
            };
            if !ycc {
                return Err(Doubt::Colour);
            }
        }
        for c in self.components() {
            if self.quanta.get(usize::from(c.quantisation)).copied().flatten().is_none() {
                return Err(Doubt::MissingTable);
            }
        }
        let luma = self.quanta[usize::from(self.frame[0].quantisation)].ok_or(Doubt::MissingTable)?;
        self.luma_quantum = i16::try_from(luma).map_err(|_| Doubt::Segment(DQT))?;
        Ok(())
    }
}

/// The chunks of an ICC profile in APP2: turbojpeg puts them together while it reads the header, and warns.
struct Icc {
    /// Chunks that each chunk says there are; 0 before the first.
    total: u8,
    seen: [bool; 256],
    chunks: usize,
    bytes: usize,
}

impl Default for Icc {
    fn default() -> Self {
        Icc { total: 0, seen: [false; 256], chunks: 0, bytes: 0 }
    }
}

impl Icc {
    fn chunk(&mut self, body: &[u8]) -> Result<(), Doubt> {
        let (number, total) = (body[12], body[13]);
        let seen = &mut self.seen[usize::from(number)];
        if number == 0 || number > total || *seen || (self.total != 0 && self.total != total) {
            return Err(Doubt::Icc);
        }
        *seen = true;
        self.total = total;
        self.chunks += 1;
        self.bytes += body.len() - 14;
        Ok(())
    }

    fn complete(&self) -> Result<(), Doubt> {
        let whole = self.chunks == usize::from(self.total) && self.bytes > 0;
        if self.total == 0 || whole { Ok(()) } else { Err(Doubt::Icc) }
    }
}

/// The marker at `at`, fill bytes allowed (B.1.1.2), and where its segment starts.
pub(super) fn marker(bytes: &[u8], at: usize) -> Result<(u8, usize), Doubt> {
    let rest = bytes.get(at..).unwrap_or(&[]);
    if rest.first().is_some_and(|&byte| byte != 0xFF) {
        return Err(Doubt::NoMarker);
    }
    let fill = rest.iter().position(|&byte| byte != 0xFF).ok_or(Doubt::Truncated)?;
    if rest[fill] == 0 { Err(Doubt::NoMarker) } else { Ok((rest[fill], at + fill + 1)) }
}
