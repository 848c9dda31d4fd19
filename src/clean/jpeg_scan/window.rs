//! The entropy-coded data as a stream of bits (T.81 F.1.2.3, F.2.2.5).

use super::Doubt;
use super::header::marker;

/// Bytes of entropy-coded data held at a time, byte stuffing removed.
const WINDOW: usize = 8 << 10;
/// More bytes than one MCU can take: 10 blocks of 64 coefficients of 31 bits each, and what the reader holds ahead.
const MCU_BYTES: usize = 2560;
/// Zero bytes behind the last data, so that reading ahead stays in bounds and an overrun is noticed.
const PAD: usize = 16;

/// Part of an entropy-coded segment with the zero bytes behind FF taken out (F.1.2.3), so that the decoder need not
/// look for them. It slides over the segment.
pub(super) struct Window {
    bytes: Box<[u8; WINDOW + PAD]>,
    /// Bytes of data in `bytes`; `PAD` zeros follow.
    length: usize,
    /// Where in the file the next data is.
    source: usize,
    /// A marker or the end of the file is at `source`.
    ended: bool,
}

impl Window {
    pub(super) fn new() -> Self {
        Window { bytes: Box::new([0; WINDOW + PAD]), length: 0, source: 0, ended: false }
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[..self.length + PAD]
    }

    /// A segment that starts at `at`.
    pub(super) fn start(&mut self, file: &[u8], at: usize) -> Bits {
        (self.length, self.source, self.ended) = (0, at, false);
        self.fill(file);
        Bits { buffer: 0, count: 0, next: 0 }
    }

    /// Sees to it that the next MCU is in the window, or all that there is.
    #[inline(always)]
    pub(super) fn advance(&mut self, file: &[u8], bits: &mut Bits) {
        if bits.next + MCU_BYTES > self.length && !self.ended {
            self.slide(file, bits);
        }
    }

    #[cold]
    fn slide(&mut self, file: &[u8], bits: &mut Bits) {
        self.bytes.copy_within(bits.next..self.length, 0);
        self.length -= bits.next;
        bits.next = 0;
        self.fill(file);
    }

    fn fill(&mut self, file: &[u8]) {
        let (mut length, mut source) = (self.length, self.source);
        while length + 16 <= WINDOW {
            let rest = file.get(source..).unwrap_or(&[]);
            let plain = if let Some(chunk) = rest.first_chunk::<16>() {
                self.bytes[length..length + 16].copy_from_slice(chunk);
                let full = full_bytes(u128::from_le_bytes(*chunk));
                if full == 0 {
                    length += 16;
                    source += 16;
                    continue;
                }
                full.trailing_zeros() as usize / 8
            } else {
                let plain = rest.iter().position(|&byte| byte == 0xFF).unwrap_or(rest.len());
                self.bytes[length..length + plain].copy_from_slice(&rest[..plain]);
                plain
            };
            length += plain;
            source += plain;
            if file.get(source + 1) != Some(&0) {
                self.ended = true;
                break;
            }
            self.bytes[length] = 0xFF;
            length += 1;
            source += 2;
        }
        self.bytes[length..length + PAD].fill(0);
        (self.length, self.source) = (length, source);
    }

    /// Ends a segment: nothing may be left but padding bits (F.1.2.3), and `due` must follow. Returns where behind
    /// it the file goes on.
    pub(super) fn finish(&mut self, file: &[u8], bits: &Bits, due: u8) -> Result<usize, Doubt> {
        let left = (self.length + bits.count as usize / 8).checked_sub(bits.next).ok_or(Doubt::Truncated)?;
        if left > 0 || !self.ended {
            return Err(Doubt::ExtraData);
        }
        let (found, at) = marker(file, self.source)?;
        if found == due { Ok(at) } else { Err(Doubt::WrongMarker(found)) }
    }
}

/// The high bit of every byte of `word` that is FF: adding 1 to seven set bits carries into it, and it was set.
#[inline(always)]
fn full_bytes(word: u128) -> u128 {
    const ONES: u128 = u128::MAX / 0xFF;
    ((word & (ONES * 0x7F)) + ONES) & word & (ONES * 0x80)
}

/// The next bits of the stream, the first one highest in `buffer`.
#[derive(Clone, Copy)]
pub(super) struct Bits {
    pub(super) buffer: u64,
    /// Bits of `buffer` that count; those below are either zero or what `refill` will find there again.
    count: u32,
    /// Where in the window the next byte is.
    next: usize,
}

impl Bits {
    /// At least 56 bits, so that a DC code with its bits or two AC lookups need no check.
    #[inline(always)]
    pub(super) fn refill(&mut self, data: &[u8]) -> Result<(), Doubt> {
        let Some(chunk) = data.get(self.next..).and_then(|rest| rest.first_chunk()) else {
            return Err(Doubt::Truncated);
        };
        self.buffer |= u64::from_be_bytes(*chunk) >> self.count;
        self.next += (63 - self.count) as usize / 8;
        self.count |= 56;
        Ok(())
    }

    #[inline(always)]
    pub(super) fn drop(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }
}
