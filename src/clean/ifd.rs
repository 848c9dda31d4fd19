//! The directories of a TIFF: what must be known before its decoder starts, and how many pages there are.

use std::collections::HashSet;

use super::raster::Rejected;

/// The directories of a file, read for what must be known before the decoder starts and what it does not tell.
pub(super) struct Container<'a> {
    bytes: &'a [u8],
    pub(super) big_endian: bool,
    /// BigTIFF: 64-bit offsets and counts.
    big: bool,
}

/// Tags of a directory.
#[derive(Default)]
pub(super) struct FirstPage {
    pub(super) size: Option<(u64, u64)>,
    pub(super) compression: Option<u64>,
    /// The value and where in the file it is.
    pub(super) photometric: Option<(u64, usize)>,
    /// How bits lie in a byte; 2 is lowest first.
    pub(super) fill_order: Option<u64>,
    /// It says that it is a smaller copy of another page, or the file that it is a digital negative (DNG).
    pub(super) preview: bool,
}

impl<'a> Container<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Rejected> {
        let header = bytes.get(..8).ok_or_else(|| Rejected::truncated("the file ends inside its header"))?;
        let (big_endian, big) = match header {
            [b'I', b'I', 42, 0, ..] => (false, false),
            [b'M', b'M', 0, 42, ..] => (true, false),
            [b'I', b'I', 43, 0, ..] => (false, true),
            [b'M', b'M', 0, 43, ..] => (true, true),
            _ => return Err(Rejected::corrupt("the TIFF header is damaged")),
        };
        Ok(Container { bytes, big_endian, big })
    }

    /// The unsigned number of `len` bytes at `at`.
    fn number(&self, at: usize, len: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(len)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// Where the first directory is.
    fn first_offset(&self) -> Option<usize> {
        let offset = if self.big { self.number(8, 8) } else { self.number(4, 4) };
        offset.and_then(|offset| usize::try_from(offset).ok())
    }

    /// Where the entries of the directory at `offset` are, how many, and how long one is.
    fn entries(&self, offset: usize) -> Option<(usize, usize, usize)> {
        let (count_len, entry_len) = if self.big { (8, 20) } else { (2, 12) };
        let count = usize::try_from(self.number(offset, count_len)?).ok()?;
        (count <= self.bytes.len() / entry_len).then_some((offset + count_len, count, entry_len))
    }

    pub(super) fn first_page(&self) -> Result<FirstPage, Rejected> {
        let cut = || Rejected::truncated("the file ends before its directory");
        let (start, count, entry_len) = self.first_offset().and_then(|at| self.entries(at)).ok_or_else(cut)?;
        let mut page = FirstPage::default();
        let (mut width, mut height) = (None, None);
        for entry in (0..count).map(|index| start + index * entry_len) {
            let tag = self.number(entry, 2).ok_or_else(cut)?;
            let value_at = entry + if self.big { 12 } else { 8 };
            let value = match self.number(entry + 2, 2) {
                Some(1) => self.number(value_at, 1),
                Some(3) => self.number(value_at, 2),
                Some(4) => self.number(value_at, 4),
                Some(16) if self.big => self.number(value_at, 8),
                _ => None,
            };
            match tag {
                // NewSubfileType, bit 0: a reduced-resolution version (TIFF 6.0, section 8).
                254 => page.preview |= value.is_some_and(|value| value & 1 == 1),
                256 => width = value,
                257 => height = value,
                259 => page.compression = value,
                262 if self.number(entry + 2, 2) == Some(3) => page.photometric = value.map(|value| (value, value_at)),
                266 => page.fill_order = value,
                // DNGVersion.
                50706 => page.preview = true,
                _ => {}
            }
        }
        page.size = width.zip(height);
        Ok(page)
    }

    /// Directories in the chain from the first; it ends where it returns to one that was seen.
    pub(super) fn count_pages(&self) -> Result<u32, Rejected> {
        let cut = || Rejected::truncated("the file ends before its last page");
        let mut seen = HashSet::new();
        let mut next = self.first_offset();
        while let Some(offset) = next.filter(|&offset| offset != 0) {
            let (start, count, entry_len) = self.entries(offset).ok_or_else(cut)?;
            if !seen.insert(offset) {
                break;
            }
            let link = self.number(start + count * entry_len, if self.big { 8 } else { 4 });
            next = Some(link.and_then(|offset| usize::try_from(offset).ok()).ok_or_else(cut)?);
        }
        Ok(seen.len() as u32)
    }
}
