//! Huffman tables as lookups that step over several symbols at once (T.81 C, F.2.2).

use super::Doubt;
use super::window::Bits;

/// Bits that one lookup reads. With 12 the four lookups of luma and chroma fill a 32 KiB first-level cache.
const BITS: u32 = 12;
/// Bits that the lookup of DC values reads.
const DC_BITS: u32 = 9;
/// A lookup's entry is `advance << 6 | bits`: coefficients to step over, and bits to drop from the stream.
const ADVANCE: u32 = 6;
/// Advance of an end-of-block (F.1.2.2.1): no sum of runs within one lookup comes near it.
const EOB: u32 = 512;
/// Advance of an entry that cannot tell: its code is longer than `BITS`, or is none.
const UNKNOWN: u32 = 300;

/// A Huffman table as canonical code (C.2, F.2.2.3): what the lookups are built from, and their way out for long codes.
pub(super) struct Code {
    /// As in DHT: 16 counts, then symbols. Empty before the first table.
    spec: Vec<u8>,
    /// For each length, 16-bit left-aligned: where its codes end.
    limits: [u32; 17],
    /// For each length: index of its first symbol less its first code.
    offsets: [i32; 17],
}

impl Code {
    pub(super) fn new() -> Self {
        Code { spec: Vec::with_capacity(16 + 256), limits: [0; 17], offsets: [0; 17] }
    }

    /// Checks as libjpeg's `jpeg_make_d_derived_tbl` does: codes must fit their lengths, and none is all ones.
    pub(super) fn define(&mut self, spec: &[u8]) -> Result<(), Doubt> {
        self.spec.clear();
        let (mut code, mut index) = (0u32, 0i32);
        for length in 1..=16 {
            let count = u32::from(spec[length - 1]);
            self.offsets[length] = index - code as i32;
            code += count;
            index += count as i32;
            if code >= 1 << length && index > 0 {
                return Err(Doubt::BadTable);
            }
            self.limits[length] = code << (16 - length);
            code <<= 1;
        }
        self.spec.extend_from_slice(spec);
        Ok(())
    }

    /// Each symbol with its code and the code's length, shorter ones first, up to `width` bits.
    pub(super) fn symbols(&self, width: u32) -> impl Iterator<Item = (u8, u32, u32)> {
        // Before the first table there is none.
        let (counts, symbols) = self.spec.split_at_checked(16).unwrap_or((&[], &[]));
        let lengths = counts.iter().zip(1..=width).flat_map(|(&count, length)| (0..count).map(move |_| length));
        symbols
            .iter()
            .zip(lengths)
            .zip(0i32..)
            .map(|((&symbol, length), index)| (symbol, (index - self.offsets[length as usize]) as u32, length))
    }

    /// The symbol whose code comes next, and the code's length: F.16, one length at a time.
    fn next(&self, bits: &Bits) -> Result<(u8, u32), Doubt> {
        let ahead = (bits.buffer >> 48) as u32;
        for length in 1..=16 {
            if ahead < self.limits[length] {
                let index = (ahead >> (16 - length)) as i32 + self.offsets[length];
                return self.spec.get(16 + index as usize).map(|&s| (s, length as u32)).ok_or(Doubt::BadCode);
            }
        }
        Err(Doubt::BadCode)
    }
}

/// What one component's blocks are coded with (F.2.2.1, F.2.2.2), as lookups by the next bits of the stream.
pub(super) struct BlockTable {
    dc: Code,
    ac: Code,
    /// At the start of a block: steps over the DC difference and as many AC symbols as the bits show.
    first: Box<[u16; 1 << BITS]>,
    /// Within a block: steps over AC symbols.
    rest: Box<[u16; 1 << BITS]>,
    /// `rest` for fewer bits, the one for `n` bits at `2^n`: what the others are built from.
    shorter: Box<[u16; 1 << BITS]>,
    /// `size << 4 | code length` of the DC difference; 0 where the code is longer.
    differences: [u8; 1 << DC_BITS],
}

impl BlockTable {
    pub(super) fn new() -> Self {
        let [first, rest, shorter] = std::array::from_fn(|_| Box::new([0; 1 << BITS]));
        BlockTable { dc: Code::new(), ac: Code::new(), first, rest, shorter, differences: [0; 1 << DC_BITS] }
    }

    pub(super) fn define(&mut self, dc: &[u8], ac: &[u8]) -> Result<(), Doubt> {
        let (known_dc, known_ac) = (self.dc.spec == dc, self.ac.spec == ac);
        if known_dc && known_ac {
            return Ok(());
        }
        let defined = self.build(dc, ac, known_ac);
        if defined.is_err() {
            // Half-built tables must not be taken for known ones the next time.
            self.dc.spec.clear();
            self.ac.spec.clear();
        }
        defined
    }

    fn build(&mut self, dc: &[u8], ac: &[u8], known_ac: bool) -> Result<(), Doubt> {
        const UNSEEN: u16 = (UNKNOWN << ADVANCE) as u16;
        let of_ac = |symbol: u8| match (u32::from(symbol >> 4), u32::from(symbol & 15)) {
            (0, 0) => Some((EOB, 0)),
            // End-of-band runs are for progressive files.
            (1..15, 0) => None,
            (run, size) => Some((run + 1, size)),
        };
        self.dc.define(dc)?;
        if dc[16..].iter().any(|&size| size > 15) {
            return Err(Doubt::BadTable);
        }
        if !known_ac {
            self.ac.define(ac)?;
            for width in 0..BITS {
                let (done, this) = self.shorter.split_at_mut(1 << width);
                combine(&self.ac, of_ac, width, done, &mut this[..1 << width], 0);
            }
            combine(&self.ac, of_ac, BITS, &self.shorter[..], &mut self.rest[..], UNSEEN);
        }
        combine(&self.dc, |size| Some((1, size.into())), BITS, &self.shorter[..], &mut self.first[..], UNSEEN);
        self.differences.fill(0);
        for (size, code, length) in self.dc.symbols(DC_BITS) {
            let first = (code << (DC_BITS - length)) as usize;
            self.differences[first..first + (1 << (DC_BITS - length))].fill(size << 4 | length as u8);
        }
        Ok(())
    }

    /// Steps over a block. For luma, returns its DC difference; else 0.
    #[inline(always)]
    pub(super) fn step_over<const LUMA: bool>(&self, bits: &mut Bits, data: &[u8]) -> Result<i32, Doubt> {
        bits.refill(data)?;
        let difference = if LUMA { self.difference(bits)? } else { 0 };
        let entry = u32::from(self.first[(bits.buffer >> (64 - BITS)) as usize]);
        let mut k = entry >> ADVANCE;
        if k < 64 {
            bits.drop(entry & 63);
        } else if ends_block(k) {
            bits.drop(entry & 63);
            return Ok(difference);
        } else {
            let (size, length) = self.dc.next(bits)?;
            bits.drop(length + u32::from(size));
            bits.refill(data)?;
            k = 1;
        }
        loop {
            // A lookup takes at most 12 + 15 bits: two fit into a refill, of which the first may lie before the loop.
            for refill in [false, true] {
                if refill {
                    bits.refill(data)?;
                }
                let entry = u32::from(self.rest[(bits.buffer >> (64 - BITS)) as usize]);
                let next = k + (entry >> ADVANCE);
                if next < 64 {
                    bits.drop(entry & 63);
                    k = next;
                } else if ends_block(next) {
                    bits.drop(entry & 63);
                    return Ok(difference);
                } else {
                    // The code is long, or the block ends in the midst of the lookup's symbols.
                    bits.refill(data)?;
                    k = self.symbol(k, bits)?;
                    if k == 64 {
                        return Ok(difference);
                    }
                    bits.refill(data)?;
                }
            }
        }
    }

    /// The DC difference that comes next, left in place.
    #[inline(always)]
    fn difference(&self, bits: &Bits) -> Result<i32, Doubt> {
        let entry = self.differences[(bits.buffer >> (64 - DC_BITS)) as usize];
        let (size, length) =
            if entry != 0 { (u32::from(entry >> 4), u32::from(entry & 15)) } else { self.long_difference(bits)? };
        let value = (bits.buffer << length >> 1 >> (63 - size)) as i32;
        // EXTEND (F.12): a first bit of 0 means negative.
        let half = 1 << size >> 1;
        Ok(if value < half { value - (1 << size) + 1 } else { value })
    }

    #[cold]
    fn long_difference(&self, bits: &Bits) -> Result<(u32, u32), Doubt> {
        self.dc.next(bits).map(|(size, length)| (size.into(), length))
    }

    /// Steps over the one AC symbol at `k`; 64 is the end of the block.
    #[inline(never)]
    fn symbol(&self, k: u32, bits: &mut Bits) -> Result<u32, Doubt> {
        let (symbol, length) = self.ac.next(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        bits.drop(length + size);
        match (run, size) {
            (0, 0) => Ok(64),
            // libjpeg takes these for ends of block.
            (1..15, 0) => Err(Doubt::BadCode),
            _ if k + run > 63 => Err(Doubt::BadRun),
            _ => Ok(k + run + 1),
        }
    }
}

/// Whether the coefficients so far, with what a lookup adds, are 64, or fewer and an end of block.
#[inline(always)]
fn ends_block(k: u32) -> bool {
    k == 64 || (EOB..EOB + 64).contains(&k)
}

/// Writes the lookup for `width` bits to `table`, with `unseen` where these show no whole code. `step` gives a symbol's
/// advance and extra bits, `shorter` the AC lookups for fewer bits: behind each first symbol, the lookup is a copy of
/// the one for the bits that are left, with that symbol added.
fn combine(
    code: &Code,
    step: impl Fn(u8) -> Option<(u32, u32)>,
    width: u32,
    shorter: &[u16],
    table: &mut [u16],
    unseen: u16,
) {
    table.fill(unseen);
    for (symbol, code, length) in code.symbols(width) {
        let Some((advance, extra)) = step(symbol) else { continue };
        let first = (code << (width - length)) as usize;
        let entries = &mut table[first..first + (1 << (width - length))];
        let entry = (advance << ADVANCE | (length + extra)) as u16;
        let left = width.saturating_sub(length + extra);
        if advance == EOB || left < 2 {
            entries.fill(entry);
            continue;
        }
        let then = &shorter[1 << left..2 << left];
        for chunk in entries.chunks_exact_mut(1 << left) {
            for (to, &then) in chunk.iter_mut().zip(then) {
                *to = entry + then;
            }
        }
    }
}
