//! Cleaning: from an object's bytes to a verified image, kept byte for byte where it is good, and what was done to it.
//!
//! # What is kept
//!
//! An image is kept byte for byte only if a plain decode of these bytes, by any program, gives what a trainer wants: an
//! upright, single-frame, 8-bit gray or RGB image, under a name that does not lie about its format. Everything else that
//! is readable is decoded once, brought to that form and encoded again; what cannot be decoded without an error is refused
//! with a [`Reason`], and its bytes go to the quarantine.

pub mod settings;
pub mod limits;
pub mod raster;
pub mod jpeg_header;
pub mod jpeg_scan;
pub mod jpeg;
pub mod webp;
pub mod png;
pub mod gif;
pub mod bmff;
pub mod yuv;
pub mod avif;
pub mod ifd;
pub mod tiff;
pub mod others;
pub mod exif;
pub mod resize;
pub mod planes;
pub mod fingerprint;
pub mod encode;

use bytes::Bytes;

use crate::sample::{Action, Change, Facts, Format, Reason, Sha256};
use crate::sniff;
use fingerprint::{Gray, phash};
use jpeg_header::Header;
use planes::Planes;
use raster::Rejected;
pub use settings::{Clean, Filter, OnAnimated, OnMismatch, OutputFormat, Resize, ResizeWhen, Subsampling};

/// What cleaning found out about an object, whatever became of it. Unknown facts of a refused object are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// SHA-256 of the source bytes.
    pub id: Sha256,
    /// What the extension claims.
    pub claimed: Option<Format>,
    /// What the content is.
    pub format: Format,
    /// What became of the bytes.
    pub outcome: Outcome,
    /// What was done to them, in order.
    pub changes: Vec<Change>,
    /// The decoder's words, or what is worth knowing of a good image.
    pub detail: Option<String>,
    /// Facts of the stored image; `None` if it was refused.
    pub image: Option<Facts>,
}

/// What became of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The source's bytes are stored as they are.
    Source,
    /// These bytes are stored instead.
    Stored(Bytes),
    /// Kept out.
    Refused(Reason),
}

impl Cleaned {
    /// The action that the changes amount to.
    pub fn action(&self) -> Action {
        let changed = |change| self.changes.contains(&change);
        match self.outcome {
            Outcome::Refused(_) => Action::Quarantined,
            _ if self.changes.iter().any(|c| !matches!(c, Change::Eoi | Change::Rename | Change::Resize)) => {
                Action::Reencoded
            }
            _ if changed(Change::Eoi) => Action::Repaired,
            _ if changed(Change::Rename) => Action::Renamed,
            _ if changed(Change::Resize) => Action::Resized,
            _ => Action::Kept,
        }
    }
}

/// Verifies one object's bytes and brings them to the form that is stored.
///
/// A pure function of its arguments: the name only tells what is claimed, never what is decoded.
pub fn clean(uri: &str, bytes: &[u8], config: &Clean) -> Cleaned {
    let format = sniff::sniff(bytes);
    let mut cleaned = Cleaned {
        id: Sha256::of(bytes),
        claimed: sniff::claimed(uri),
        format,
        outcome: Outcome::Source,
        changes: Vec::new(),
        detail: None,
        image: None,
    };
    let done = match not_decodable(format) {
        // The format says it all.
        Some(reason) => Err(Rejected::new(reason, "")),
        None => image(bytes, config, &mut cleaned),
    };
    if let Err(Rejected { reason, detail }) = done {
        cleaned.outcome = Outcome::Refused(reason);
        cleaned.detail = Some(detail).filter(|detail| !detail.is_empty());
        cleaned.changes.clear();
        cleaned.image = None;
    }
    cleaned
}

/// Why content of this format is refused unread.
fn not_decodable(format: Format) -> Option<Reason> {
    match format {
        Format::Jpeg
        | Format::Webp
        | Format::Png
        | Format::Gif
        | Format::Bmp
        | Format::Tiff
        | Format::Avif
        | Format::Ico
        | Format::Pnm
        | Format::Qoi => None,
        Format::Heic | Format::Jxl | Format::Jp2 | Format::Psd | Format::Tga | Format::Svg | Format::Pdf => {
            Some(Reason::Unsupported)
        }
        Format::Html | Format::Xml => Some(Reason::ErrorPage),
        Format::LfsPointer => Some(Reason::LfsPointer),
        Format::Empty => Some(Reason::Empty),
        Format::Unknown => Some(Reason::Unknown),
    }
}

/// Cleans an image of a known format into `cleaned`.
fn image(bytes: &[u8], config: &Clean, cleaned: &mut Cleaned) -> Result<(), Rejected> {
    let lies = cleaned.claimed.is_some_and(|claimed| claimed != cleaned.format);
    if lies && config.on_mismatch == OnMismatch::Quarantine {
        let claimed = cleaned.claimed.map_or("", Format::as_str);
        return Err(Rejected::new(
            Reason::Mislabeled,
            format!("the name says {claimed}, the content is {}", cleaned.format),
        ));
    }
    let reencode = lies && config.on_mismatch == OnMismatch::Reencode;
    let mut raster = match cleaned.format {
        Format::Jpeg => {
            let header = jpeg::header(bytes, &config.limits)?;
            let size = resized(config, header.width, header.height)?;
            let plain = header.components != 4 && header.orientation == 1 && !reencode;
            if plain && size.is_none() {
                let verified = jpeg::verify(bytes, header)?;
                keep_jpeg(bytes.len(), verified, lies, cleaned);
                return Ok(());
            }
            if let Some(size) = size
                && config.format == OutputFormat::Jpeg
                && let Some((planes, note)) = jpeg::planes(bytes, &header)?
            {
                cleaned.detail = note;
                return scale_planes(header, planes, size, reencode, config, cleaned);
            }
            jpeg::pixels(bytes, &header)?
        }
        format => raster::decode(format, bytes, &config.limits)?,
    };
    if raster.frames > 1 && config.animated == OnAnimated::Quarantine {
        return Err(Rejected::new(Reason::Animated, format!("{} frames", raster.frames)));
    }
    cleaned.detail = raster.note.take();
    let frames = raster.frames;
    let orientation = raster.orientation;
    // The end marker is of no interest once the image is encoded anew.
    cleaned.changes = std::mem::take(&mut raster.changes);
    cleaned.changes.retain(|&change| change != Change::Eoi);
    if orientation != 1 {
        cleaned.changes.push(Change::Orientation);
        raster = resize::upright(raster);
    }
    if let Some(size) = resized(config, raster.width, raster.height)? {
        cleaned.changes.push(Change::Resize);
        raster = resize::scale(raster, size, config.filter)
            .map_err(|error| Rejected::new(Reason::Unsupported, error.to_string()))?;
    }
    if reencode && !cleaned.changes.contains(&Change::Format) {
        cleaned.changes.insert(0, Change::Format);
    }
    let mut stored = (cleaned.id, bytes.len(), cleaned.format);
    if !cleaned.changes.is_empty() {
        let encoded = encode::encode(&raster, config)?;
        stored = (Sha256::of(&encoded), encoded.len(), config.format.format());
        cleaned.outcome = Outcome::Stored(encoded.into());
    } else if lies {
        cleaned.changes.push(Change::Rename);
    }
    cleaned.image = Some(Facts {
        width: raster.width,
        height: raster.height,
        mode: raster.mode.into(),
        orientation,
        frames,
        phash: phash(&fingerprint::thumbnail(&raster)),
        sha256: stored.0,
        bytes: stored.1 as u64,
        format: stored.2,
    });
    Ok(())
}

/// Stores a colour JPEG as a smaller one.
fn scale_planes(
    header: Header,
    planes: Planes,
    size: (u32, u32),
    reencode: bool,
    config: &Clean,
    cleaned: &mut Cleaned,
) -> Result<(), Rejected> {
    let planes = planes
        .scale(size, config.filter, config.subsampling)
        .map_err(|error| Rejected::new(Reason::Unsupported, error.to_string()))?;
    let encoded = encode::encode_planes(&planes, header.icc.as_deref(), config)?;
    if let Some(misfit) = header.icc.as_deref().and_then(|icc| raster::icc_misfit(icc, 3)) {
        let note = cleaned.detail.take().map_or(String::new(), |note| note + "; ");
        cleaned.detail = Some(note + &misfit);
    }
    cleaned.changes = if reencode { vec![Change::Format, Change::Resize] } else { vec![Change::Resize] };
    let (size, thumbnail) = ((planes.width, planes.height), fingerprint::thumbnail(&planes.luma()));
    cleaned.image = Some(jpeg_facts(&header, size, &thumbnail, Sha256::of(&encoded), encoded.len()));
    cleaned.outcome = Outcome::Stored(encoded.into());
    Ok(())
}

/// Facts of a JPEG that was upright and still as it came.
fn jpeg_facts(header: &Header, size: (u32, u32), thumbnail: &Gray, sha256: Sha256, bytes: usize) -> Facts {
    Facts {
        width: size.0,
        height: size.1,
        mode: header.mode().into(),
        orientation: 1,
        frames: 1,
        phash: phash(thumbnail),
        sha256,
        bytes: bytes as u64,
        format: Format::Jpeg,
    }
}

/// The size that an image gets, or `None` if it keeps its own.
///
/// # Errors
/// `TooManyPixels` and `Unsupported` for a size that is out of bounds: a thin image scaled up is a very long one.
fn resized(config: &Clean, width: u32, height: u32) -> Result<Option<(u32, u32)>, Rejected> {
    let target = config.resize.as_ref().and_then(|resize| resize::target(resize, width, height));
    let Some((width, height)) = target else { return Ok(None) };
    let becomes = format!("would become {width} × {height} pixels");
    if !config.limits.allow(width, height) {
        let detail = format!("{becomes}, the limit is {}", config.limits.pixels);
        return Err(Rejected::new(Reason::TooManyPixels, detail));
    }
    let longest = config.format.longest_side();
    if width.max(height) > longest {
        let detail = format!("{becomes}, a side of {} ends at {longest}", config.format.format());
        return Err(Rejected::unsupported(detail));
    }
    Ok(target)
}

/// Stores a verified JPEG's own bytes.
fn keep_jpeg(length: usize, verified: jpeg::Verified, lies: bool, cleaned: &mut Cleaned) {
    let header = verified.header;
    let size = (header.width, header.height);
    let (sha256, bytes) = match &verified.mended {
        Some(mended) => (Sha256::of(mended), mended.len()),
        None => (cleaned.id, length),
    };
    cleaned.image = Some(jpeg_facts(&header, size, &verified.thumbnail, sha256, bytes));
    cleaned.detail = verified.note;
    if let Some(mended) = verified.mended {
        cleaned.changes.push(Change::Eoi);
        cleaned.outcome = Outcome::Stored(mended.into());
    }
    if lies {
        cleaned.changes.push(Change::Rename);
    }
}
