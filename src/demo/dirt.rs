//! The ways in which a file of the demo is dirty, and what the default `[clean]` settings make of each.

use std::fmt;

use crate::sample::{Action, Format, Reason};

/// How a file differs from a plain JPEG whose name tells the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dirt {
    /// Not at all.
    Clean,
    /// WebP, lossy or lossless, named `.jpg`.
    WebpAsJpg,
    /// PNG named `.jpg`.
    PngAsJpg,
    /// GIF named `.jpg`.
    GifAsJpg,
    /// BMP named `.jpg`.
    BmpAsJpg,
    /// TIFF named `.jpg`.
    TiffAsJpg,
    /// AVIF named `.jpg`.
    AvifAsJpg,
    /// A grayscale JPEG.
    Gray,
    /// A CMYK JPEG, ink stored inverted as Adobe does.
    Cmyk,
    /// A progressive JPEG.
    Progressive,
    /// Pixels stored turned or mirrored, put right by an EXIF orientation of 2 to 8.
    Orientation,
    /// The end-of-image marker is cut off; every pixel is there.
    MissingEoi,
    /// Cut at 60% of its bytes.
    Truncated,
    /// One bit of the entropy-coded data is flipped.
    BitFlipped,
    /// Only the JPEG's header is there.
    HeaderOnly,
    /// Bytes follow the end-of-image marker.
    TrailingBytes,
    /// PNG of 16 bits a sample.
    Png16,
    /// PNG with transparent corners.
    RgbaPng,
    /// PNG with a palette.
    PalettePng,
    /// GIF of three frames.
    AnimatedGif,
    /// WebP of three frames.
    AnimatedWebp,
    /// A server's error page named `.jpg`.
    HtmlPage,
    /// An object store's XML error named `.jpg`.
    S3Error,
    /// A git-lfs pointer named `.jpg`.
    LfsPointer,
    /// No bytes.
    Empty,
    /// A line of plain text named `.jpg`.
    Text,
    /// PDF named `.jpg`.
    Pdf,
    /// An SVG drawing.
    Svg,
    /// A GIF of 43 bytes that claims 65535 × 65535 pixels.
    Bomb,
    /// PNG under its right name.
    Png,
    /// WebP under its right name.
    Webp,
    /// A JPEG named `.JPG`.
    UpperCase,
    /// A JPEG whose name has no extension.
    NoExtension,
    /// A JPEG with spaces, quotes, emoji, a leading dash and the like in its name.
    OddName,
    /// A JPEG whose name is not UTF-8; only where the file system takes such names.
    NonUtf8Name,
    /// The bytes of another file of its class.
    ExactDuplicate,
    /// A clean file's picture, compressed more strongly.
    NearDuplicate,
    /// The bytes of another file that has another class; both have this dirt.
    LabelConflict,
    /// Not meant as an image: `notes.txt`, `.DS_Store`, the demo's own tables.
    NotAnImage,
}

/// How many files have a dirt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Share {
    /// What the others leave.
    Rest,
    /// So many of a thousand, but at least the second number.
    PerMille(usize, usize),
    /// So many, whatever the demo's size.
    Exactly(usize),
}

impl Dirt {
    /// Every dirt, in the order in which they are dealt.
    pub const ALL: [Dirt; 39] = [
        Dirt::Clean,
        Dirt::WebpAsJpg,
        Dirt::PngAsJpg,
        Dirt::GifAsJpg,
        Dirt::BmpAsJpg,
        Dirt::TiffAsJpg,
        Dirt::AvifAsJpg,
        Dirt::Gray,
        Dirt::Cmyk,
        Dirt::Progressive,
        Dirt::Orientation,
        Dirt::MissingEoi,
        Dirt::Truncated,
        Dirt::BitFlipped,
        Dirt::HeaderOnly,
        Dirt::TrailingBytes,
        Dirt::Png16,
        Dirt::RgbaPng,
        Dirt::PalettePng,
        Dirt::AnimatedGif,
        Dirt::AnimatedWebp,
        Dirt::HtmlPage,
        Dirt::S3Error,
        Dirt::LfsPointer,
        Dirt::Empty,
        Dirt::Text,
        Dirt::Pdf,
        Dirt::Svg,
        Dirt::Bomb,
        Dirt::Png,
        Dirt::Webp,
        Dirt::UpperCase,
        Dirt::NoExtension,
        Dirt::OddName,
        Dirt::NonUtf8Name,
        Dirt::ExactDuplicate,
        Dirt::NearDuplicate,
        Dirt::LabelConflict,
        Dirt::NotAnImage,
    ];

    /// The spelling in `truth.csv`.
    pub const fn as_str(self) -> &'static str {
        self.facts().0
    }

    /// What the content really is.
    pub const fn real_format(self) -> Format {
        self.facts().2
    }

    /// What a run with the default `[clean]` and `[dedupe]` makes of the file, and why if it is kept out.
    ///
    /// Of the files of one content under one class, the first by path is not a duplicate but `kept`.
    pub const fn expected(self) -> (Action, Option<Reason>) {
        match self.facts().3 {
            Ok(action) => (action, None),
            Err(reason) => (Action::Quarantined, Some(reason)),
        }
    }

    pub(super) const fn share(self) -> Share {
        self.facts().1
    }

    /// Spelling, frequency, real format, and the action or the reason for which it is quarantined.
    const fn facts(self) -> (&'static str, Share, Format, Result<Action, Reason>) {
        use Action::{Duplicate, Ignored, Kept, Reencoded, Repaired};
        use Share::{Exactly, PerMille, Rest};
        match self {
            Dirt::Clean => ("clean", Rest, Format::Jpeg, Ok(Kept)),
            Dirt::WebpAsJpg => ("webp_as_jpg", PerMille(150, 3), Format::Webp, Ok(Reencoded)),
            Dirt::PngAsJpg => ("png_as_jpg", PerMille(10, 1), Format::Png, Ok(Reencoded)),
            Dirt::GifAsJpg => ("gif_as_jpg", PerMille(5, 1), Format::Gif, Ok(Reencoded)),
            Dirt::BmpAsJpg => ("bmp_as_jpg", PerMille(5, 1), Format::Bmp, Ok(Reencoded)),
            Dirt::TiffAsJpg => ("tiff_as_jpg", PerMille(3, 1), Format::Tiff, Ok(Reencoded)),
            // One, because its bytes are always the same.
            Dirt::AvifAsJpg => ("avif_as_jpg", Exactly(1), Format::Avif, Ok(Reencoded)),
            Dirt::Gray => ("gray", PerMille(10, 1), Format::Jpeg, Ok(Kept)),
            Dirt::Cmyk => ("cmyk", PerMille(5, 1), Format::Jpeg, Ok(Reencoded)),
            Dirt::Progressive => ("progressive", PerMille(10, 1), Format::Jpeg, Ok(Kept)),
            Dirt::Orientation => ("orientation", PerMille(12, 7), Format::Jpeg, Ok(Reencoded)),
            Dirt::MissingEoi => ("missing_eoi", PerMille(7, 1), Format::Jpeg, Ok(Repaired)),
            Dirt::Truncated => ("truncated", PerMille(7, 1), Format::Jpeg, Err(Reason::Truncated)),
            Dirt::BitFlipped => ("bit_flipped", PerMille(7, 1), Format::Jpeg, Err(Reason::Corrupt)),
            Dirt::HeaderOnly => ("header_only", PerMille(3, 1), Format::Jpeg, Err(Reason::Truncated)),
            Dirt::TrailingBytes => ("trailing_bytes", PerMille(5, 1), Format::Jpeg, Ok(Kept)),
            Dirt::Png16 => ("png16", PerMille(3, 1), Format::Png, Ok(Reencoded)),
            Dirt::RgbaPng => ("rgba_png", PerMille(5, 1), Format::Png, Ok(Reencoded)),
            Dirt::PalettePng => ("palette_png", PerMille(3, 1), Format::Png, Ok(Reencoded)),
            Dirt::AnimatedGif => ("animated_gif", PerMille(3, 1), Format::Gif, Ok(Reencoded)),
            Dirt::AnimatedWebp => ("animated_webp", PerMille(3, 1), Format::Webp, Ok(Reencoded)),
            Dirt::HtmlPage => ("html_page", PerMille(5, 1), Format::Html, Err(Reason::ErrorPage)),
            Dirt::S3Error => ("s3_error", PerMille(2, 1), Format::Xml, Err(Reason::ErrorPage)),
            Dirt::LfsPointer => ("lfs_pointer", PerMille(2, 1), Format::LfsPointer, Err(Reason::LfsPointer)),
            Dirt::Empty => ("empty", PerMille(3, 1), Format::Empty, Err(Reason::Empty)),
            Dirt::Text => ("text", PerMille(2, 1), Format::Unknown, Err(Reason::Unknown)),
            Dirt::Pdf => ("pdf", PerMille(2, 1), Format::Pdf, Err(Reason::Unsupported)),
            Dirt::Svg => ("svg", PerMille(2, 1), Format::Svg, Err(Reason::Unsupported)),
            Dirt::Bomb => ("bomb", Exactly(1), Format::Gif, Err(Reason::TooManyPixels)),
            Dirt::Png => ("png", PerMille(10, 1), Format::Png, Ok(Kept)),
            Dirt::Webp => ("webp", PerMille(10, 1), Format::Webp, Ok(Kept)),
            Dirt::UpperCase => ("upper_case", PerMille(5, 1), Format::Jpeg, Ok(Kept)),
            Dirt::NoExtension => ("no_extension", PerMille(3, 1), Format::Jpeg, Ok(Kept)),
            Dirt::OddName => ("odd_name", Exactly(super::plan::ODD_NAMES.len()), Format::Jpeg, Ok(Kept)),
            Dirt::NonUtf8Name => ("non_utf8_name", Exactly(NON_UTF8 as usize), Format::Jpeg, Ok(Kept)),
            Dirt::ExactDuplicate => ("exact_duplicate", PerMille(7, 1), Format::Jpeg, Ok(Duplicate)),
            Dirt::NearDuplicate => ("near_duplicate", PerMille(10, 1), Format::Jpeg, Ok(Kept)),
            Dirt::LabelConflict => ("label_conflict", PerMille(7, 2), Format::Jpeg, Err(Reason::LabelConflict)),
            Dirt::NotAnImage => ("not_an_image", Exactly(0), Format::Unknown, Ok(Ignored)),
        }
    }
}

/// Whether file names need not be UTF-8; macOS refuses such names.
pub(super) const NON_UTF8: bool = cfg!(all(unix, not(target_os = "macos")));

impl fmt::Display for Dirt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dirt_is_listed_once_under_a_word_of_its_own() {
        let mut words: Vec<_> = Dirt::ALL.iter().map(|dirt| dirt.as_str()).collect();
        assert!(Dirt::ALL.is_sorted());
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Dirt::NotAnImage as usize + 1);
    }
}
