//! The nouns: what an object of the source is, what it may become, and why.
//!
//! An **object** is a file of the source. A **sample** is an image of the dataset. Every object of a listing ends in
//! exactly one [`Action`]; what was done to its bytes on the way is a list of [`Change`]s, and what was wrong with it is
//! a [`Reason`] from a closed set, so that a quarantine can be counted, audited and queried.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A file of the source, as the listing saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Key under the source URL, `/`-separated, valid UTF-8 (see [`crate::source::key`] for names that are not).
    pub uri: String,
    /// Size in bytes.
    pub size: u64,
    /// Changes whenever the object's content may have changed.
    pub etag: String,
}

/// A SHA-256 digest: of source bytes it is a sample's identity, of stored bytes its checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Sha256(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A string that is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest: 64 hexadecimal digits wanted")]
pub struct NotADigest(String);

impl FromStr for Sha256 {
    type Err = NotADigest;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || NotADigest(s.to_owned());
        if s.len() != 64 || !s.is_ascii() {
            return Err(bad());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(s.as_bytes().chunks_exact(2)) {
            let digit = |c: u8| (c as char).to_digit(16).ok_or_else(bad);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Sha256(digest))
    }
}

/// Serde by `Display` and `FromStr`: files hold the spelling that people read.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(Sha256);

/// Declares a closed enum with a fixed spelling per variant, whose doc comments are also its printed meaning.
macro_rules! closed_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $variant),+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The spelling used in files and output.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// One line for people.
            pub fn meaning(self) -> &'static str {
                match self { $($name::$variant => concat!($($doc),+).trim_start()),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(s: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|v| v.as_str() == s)
                    .ok_or_else(|| UnknownWord { what: stringify!($name), word: s.to_owned() })
            }
        }

        serde_as_text!($name);
    };
}

/// A word in a file that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is not a known {what}: was this file written by a newer swinpipe?")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
}

closed_enum! {
    /// What became of an object, in order of precedence: the first that applies is shown.
    Action {
        /// It changed or vanished during the run and is left to the next one.
        Deferred = "deferred",
        /// It is kept out of the dataset, with its bytes and a reason.
        Quarantined = "quarantined",
        /// Its bytes are those of an earlier sample, which stands for it.
        Duplicate = "duplicate",
        /// It would put one sample into two splits and is kept out.
        SplitConflict = "split_conflict",
        /// It is not an image, by name and by content.
        Ignored = "ignored",
        /// It is no longer what it was here: its content or label changed, or it was taken out.
        Removed = "removed",
        /// It was decoded and encoded again.
        Reencoded = "reencoded",
        /// It was mended without loss.
        Repaired = "repaired",
        /// Its bytes are kept under a name that tells the truth.
        Renamed = "renamed",
        /// It was scaled and encoded again.
        Resized = "resized",
        /// It is kept byte for byte.
        Kept = "kept",
    }
}

impl Action {
    /// Whether an object with this action is a row of a shard.
    pub const fn in_dataset(self) -> bool {
        matches!(self, Action::Reencoded | Action::Repaired | Action::Renamed | Action::Resized | Action::Kept)
    }

    /// Whether an object with this action is a row of the quarantine.
    pub const fn in_quarantine(self) -> bool {
        matches!(self, Action::Quarantined | Action::SplitConflict)
    }
}

closed_enum! {
    /// What was done to an image's bytes or name, in the order in which it is done.
    Change {
        /// Decoded from a format that is not the one its name claims.
        Format = "format",
        /// The end-of-image marker that was missing is added; every pixel was there.
        Eoi = "eoi",
        /// CMYK or YCCK ink became RGB.
        Cmyk = "cmyk",
        /// Samples of more than 8 bits were scaled to 8.
        Depth = "depth",
        /// A palette or 1-bit image became RGB or gray.
        Palette = "palette",
        /// Transparent pixels were composited on white.
        Alpha = "alpha",
        /// The first frame of several was taken.
        FirstFrame = "first_frame",
        /// The EXIF orientation was applied to the pixels and its tag dropped.
        Orientation = "orientation",
        /// Scaled to the wanted size.
        Resize = "resize",
        /// The path's extension was corrected.
        Rename = "rename",
    }
}

closed_enum! {
    /// Why an object is kept out of the dataset.
    Reason {
        /// The file has no bytes.
        Empty = "empty",
        /// The file ends before its image does.
        Truncated = "truncated",
        /// The image's data is damaged: a strict decoder reports errors.
        Corrupt = "corrupt",
        /// The image claims more pixels than `clean.limits.pixels`.
        TooManyPixels = "too_many_pixels",
        /// The file is larger than `clean.limits.bytes`; it is listed by reference, its bytes stay at the source.
        TooManyBytes = "too_many_bytes",
        /// An image, or what looks like one, in a format that swinpipe does not decode.
        Unsupported = "unsupported",
        /// An HTML or XML page, usually an error page saved as an image.
        ErrorPage = "error_page",
        /// A git-lfs pointer: the image itself was never fetched.
        LfsPointer = "lfs_pointer",
        /// The content is none of the known formats.
        Unknown = "unknown",
        /// The name claims another format and `clean.on_mismatch` is `quarantine`.
        Mislabeled = "mislabeled",
        /// Several frames and `clean.animated` is `quarantine`.
        Animated = "animated",
        /// No label was found for it.
        NoLabel = "no_label",
        /// Its label is not one of `source.classes`.
        UnknownClass = "unknown_class",
        /// Identical bytes, or several rows of the label table for one object, carry different labels.
        LabelConflict = "label_conflict",
        /// The split table or column names no split for it.
        NoSplit = "no_split",
        /// Its split is contradicted by another row of the same image.
        SplitConflict = "split_conflict",
        /// The file could not be read.
        Unreadable = "unreadable",
    }
}

impl Reason {
    /// Whether it comes from the assignment: from labels, splits and other objects, not from the object's own bytes.
    pub const fn is_assigned(self) -> bool {
        use Reason::{LabelConflict, NoLabel, NoSplit, SplitConflict, UnknownClass};
        matches!(self, NoLabel | UnknownClass | LabelConflict | NoSplit | SplitConflict)
    }
}

closed_enum! {
    /// What a file's content really is, or what its name claims.
    Format {
        /// JPEG (ITU-T T.81).
        Jpeg = "jpeg",
        /// WebP.
        Webp = "webp",
        /// PNG, APNG included.
        Png = "png",
        /// GIF.
        Gif = "gif",
        /// Windows bitmap.
        Bmp = "bmp",
        /// TIFF.
        Tiff = "tiff",
        /// AVIF.
        Avif = "avif",
        /// HEIC and HEIF; recognised, not decoded.
        Heic = "heic",
        /// JPEG XL; recognised, not decoded.
        Jxl = "jxl",
        /// Windows icon or cursor.
        Ico = "ico",
        /// Netpbm: PBM, PGM, PPM, PAM.
        Pnm = "pnm",
        /// QOI.
        Qoi = "qoi",
        /// JPEG 2000; recognised, not decoded.
        Jp2 = "jp2",
        /// Photoshop; recognised, not decoded.
        Psd = "psd",
        /// Truevision TGA; known by name only (it has no signature), not decoded.
        Tga = "tga",
        /// SVG; recognised, not decoded.
        Svg = "svg",
        /// PDF; recognised, not decoded.
        Pdf = "pdf",
        /// An HTML page.
        Html = "html",
        /// An XML document that is not SVG.
        Xml = "xml",
        /// A git-lfs pointer file.
        LfsPointer = "lfs_pointer",
        /// No bytes at all.
        Empty = "empty",
        /// None of the above.
        Unknown = "unknown",
    }
}

impl Format {
    /// Whether this is an image format, decodable here or not.
    pub const fn is_image(self) -> bool {
        !matches!(self, Format::Pdf | Format::Html | Format::Xml | Format::LfsPointer | Format::Empty | Format::Unknown)
    }
}

/// Facts of a stored image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Pixels, as stored.
    pub width: u32,
    /// Pixels, as stored.
    pub height: u32,
    /// The source's mode in Pillow's words, such as `RGB`, `L`, `CMYK`.
    pub mode: Cow<'static, str>,
    /// The source's EXIF orientation, 1 to 8.
    pub orientation: u8,
    /// The source's frames.
    pub frames: u32,
    /// Perceptual hash of the stored image, see [`crate::clean::fingerprint`].
    pub phash: u64,
    /// Digest of the stored bytes.
    pub sha256: Sha256,
    /// Size of the stored bytes.
    pub bytes: u64,
    /// Format of the stored bytes.
    pub format: Format,
}

/// An object as the scan found it: a row of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    /// The object.
    #[serde(flatten)]
    pub object: Object,
    /// SHA-256 of the source bytes; `None` if it was not read whole.
    pub id: Option<Sha256>,
    /// What the extension claims.
    pub claimed: Option<Format>,
    /// What the content is; `None` if it was not read.
    pub format: Option<Format>,
    /// What the scan made of it; duplicates and splits are not known yet.
    pub action: Action,
    /// What was done to its bytes or name.
    pub changes: Vec<Change>,
    /// Why it is refused.
    pub reason: Option<Reason>,
    /// More about it.
    pub detail: Option<String>,
    /// The image, if it is good.
    pub image: Option<Facts>,
    /// Offset of the stored bytes in the batch's segment; `None` if the source's own bytes are stored.
    pub staged: Option<u64>,
}

/// A pseudo-random number that is a function of its arguments alone: the first 8 bytes, big-endian, of
/// SHA-256(`purpose` ‖ 0 ‖ `seed` as 8 bytes, little-endian ‖ each part followed by 0).
pub fn rank(purpose: &str, seed: u64, parts: &[&[u8]]) -> u64 {
    use sha2::Digest;
    let mut digest = sha2::Sha256::new();
    digest.update(purpose);
    digest.update([0]);
    digest.update(seed.to_le_bytes());
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    let digest = digest.finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}
