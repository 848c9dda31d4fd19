//! Which file of the demo has which name, class and dirt: a pure function of the options.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Options;
use super::dice::Dice;
use super::dirt::{Dirt, Share};
use super::shape::Shape;

/// Share of each of [`Shape::ALL`] in hundredths: out of balance, as real classes are.
const CLASS_SHARES: [usize; 5] = [26, 22, 20, 18, 14];

/// Names that break careless tools. The last is in decomposed Unicode (NFD).
pub(super) const ODD_NAMES: [&str; 8] = [
    "two  words (final).jpg",
    "größe_ñ_図形.jpg",
    "it's \"quoted\", really.jpg",
    "🎨🖌️ art.jpg",
    "-rf.jpg",
    "100%.jpg",
    "a&b=c#1?.jpg",
    "cafe\u{301}.jpg",
];

/// What the only AVIF shows; every other picture has a number from 1 on.
const AVIF: (Shape, u64) = (Shape::Star, 0);

/// A file to be written.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// The path under the demo's folder as text, `/`-separated; bytes that are not UTF-8 are percent-encoded.
    pub key: String,
    /// The path under the demo's folder.
    pub path: PathBuf,
    /// The folder it lies in; none for the files at the top.
    pub class: Option<Shape>,
    pub dirt: Dirt,
    /// How many files of this dirt come before it.
    pub nth: usize,
    /// The picture that it shows: class and number.
    pub shows: (Shape, u64),
}

/// How many of `images` files have each dirt, in the order of [`Dirt::ALL`]; `None` if they are too few for all.
pub(super) fn counts(images: usize) -> Option<Vec<(Dirt, usize)>> {
    let count = |dirt: Dirt| match dirt.share() {
        Share::Rest => 0,
        Share::PerMille(share, least) => ((images * share + 500) / 1000).max(least),
        Share::Exactly(count) => count,
    };
    let mut counts: Vec<_> = Dirt::ALL.iter().map(|dirt| (*dirt, count(*dirt))).collect();
    for (dirt, count) in &mut counts {
        if *dirt == Dirt::LabelConflict {
            *count += *count % 2;
        }
    }
    let dirty: usize = counts.iter().map(|(_, count)| count).sum();
    let copies = counts.iter().filter(|(dirt, _)| copies_a_clean_one(*dirt)).map(|(_, count)| count).sum();
    counts[0].1 = images.checked_sub(dirty).filter(|clean| *clean >= copies && images >= Options::FEWEST)?;
    Some(counts)
}

fn copies_a_clean_one(dirt: Dirt) -> bool {
    matches!(dirt, Dirt::ExactDuplicate | Dirt::NearDuplicate)
}

/// The files of the class folders, `notes.txt` and `.DS_Store`, in the order of their keys; `None` if `images` are too few.
///
/// The `images` slots are cut into classes; dirt is dealt to the slots in random order, so that every class gets its share.
pub(super) fn files(options: &Options) -> Option<Vec<File>> {
    let counts = counts(options.images)?;
    let mut dealt: Vec<_> = slots(options.images);
    dealt.sort_by_cached_key(|slot| Dice::new(&[options.seed, slot.0 as u64, slot.1, 0xDEA1]).bits());

    let hands = counts.iter().flat_map(|(dirt, count)| (0..*count).map(move |nth| (*dirt, nth)));
    let mut files: Vec<File> = Vec::with_capacity(options.images + 2);
    for ((dirt, nth), slot) in hands.zip(&dealt) {
        let file = match dirt {
            // The clean files come first, so the n-th of them is at `nth`: no two copies share an original.
            Dirt::ExactDuplicate => copy_of(&files[nth], dirt, nth, "_copy"),
            Dirt::NearDuplicate => copy_of(&files[counts[0].1 - 1 - nth], dirt, nth, "_web"),
            Dirt::LabelConflict if nth % 2 == 1 => conflicting(&files[files.len() - 1], nth, *slot),
            Dirt::AvifAsJpg => in_class("star_0000.jpg".into(), AVIF.0, dirt, nth, AVIF),
            _ => in_class(name(dirt, nth, *slot), slot.0, dirt, nth, *slot),
        };
        files.push(file);
    }
    let first = (Shape::ALL[0], 0);
    let mut notes = in_class("notes.txt".into(), first.0, Dirt::NotAnImage, 0, first);
    files.push(notes.clone());
    (notes.key, notes.path, notes.class) = (".DS_Store".to_owned(), ".DS_Store".into(), None);
    files.push(File { nth: 1, ..notes });
    files.sort_by(|a, b| a.key.cmp(&b.key));
    Some(files)
}

/// The class and number of each slot.
fn slots(images: usize) -> Vec<(Shape, u64)> {
    let mut slots = Vec::with_capacity(images);
    let mut share = 0;
    for (shape, hundredths) in Shape::ALL.into_iter().zip(CLASS_SHARES) {
        share += hundredths;
        let upto = images * share / 100;
        slots.extend((1..=(upto - slots.len()) as u64).map(|number| (shape, number)));
    }
    slots
}

fn in_class(name: OsString, class: Shape, dirt: Dirt, nth: usize, shows: (Shape, u64)) -> File {
    let key = format!("{}/{}", class.as_str(), percent_encoded(&name));
    File { key, path: PathBuf::from(class.as_str()).join(name), class: Some(class), dirt, nth, shows }
}

/// A file beside `original` that shows the same picture. Its name sorts behind the original's.
fn copy_of(original: &File, dirt: Dirt, nth: usize, suffix: &str) -> File {
    let (class, number) = original.shows;
    in_class(format!("{}_{number:04}{suffix}.jpg", class.as_str()).into(), class, dirt, nth, original.shows)
}

/// The bytes of `other` under another class.
fn conflicting(other: &File, nth: usize, slot: (Shape, u64)) -> File {
    let (shape, _) = other.shows;
    let class = if slot.0 == shape { Shape::ALL[(shape as usize + 1) % Shape::ALL.len()] } else { slot.0 };
    let name = format!("{}_from_{}_{:04}.jpg", class.as_str(), shape.as_str(), other.shows.1);
    in_class(name.into(), class, Dirt::LabelConflict, nth, other.shows)
}

fn name(dirt: Dirt, nth: usize, (shape, number): (Shape, u64)) -> OsString {
    let extension = match dirt {
        Dirt::OddName => return ODD_NAMES[nth].into(),
        Dirt::NonUtf8Name => return non_utf8_name(),
        Dirt::NoExtension => "",
        Dirt::UpperCase => ".JPG",
        Dirt::Png16 | Dirt::RgbaPng | Dirt::PalettePng | Dirt::Png => ".png",
        Dirt::AnimatedGif | Dirt::Bomb => ".gif",
        Dirt::AnimatedWebp | Dirt::Webp => ".webp",
        Dirt::Svg => ".svg",
        _ => ".jpg",
    };
    format!("{}_{number:04}{extension}", shape.as_str()).into()
}

/// `café.jpg` in Latin-1.
#[cfg(unix)]
fn non_utf8_name() -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(b"caf\xE9.jpg".to_vec())
}

#[cfg(not(unix))]
fn non_utf8_name() -> OsString {
    "caf.jpg".into()
}

/// `name` as it is if it is UTF-8, else with every byte that is not percent-encoded.
fn percent_encoded(name: &OsString) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::super::dirt::NON_UTF8;
    use super::*;

    #[test]
    fn a_demo_of_six_hundred_has_the_documented_shares() {
        let files = files(&Options::default()).unwrap();
        let count = |dirt| files.iter().filter(|file| file.dirt == dirt).count();
        assert_eq!(files.len(), 602);
        assert_eq!(count(Dirt::WebpAsJpg), 90);
        assert_eq!(count(Dirt::Orientation), 7);
        assert!((380..400).contains(&count(Dirt::Clean)), "{}", count(Dirt::Clean));
        for dirt in Dirt::ALL.into_iter().filter(|dirt| !matches!(dirt, Dirt::Clean | Dirt::WebpAsJpg)) {
            assert!((usize::from(NON_UTF8)..=8).contains(&count(dirt)), "{dirt}: {}", count(dirt));
        }
        let mut classes = HashMap::<_, usize>::new();
        files.iter().filter_map(|file| file.class).for_each(|class| *classes.entry(class).or_default() += 1);
        for (shape, hundredths) in Shape::ALL.into_iter().zip(CLASS_SHARES) {
            assert!(classes[&shape].abs_diff(6 * hundredths) <= 6, "{shape:?}: {}", classes[&shape]);
        }
    }

    #[test]
    fn the_fewest_images_hold_every_dirt_and_clean_ones_too() {
        let counts_of_fewest = counts(Options::FEWEST).unwrap();
        assert!(counts_of_fewest[0].1 > 10);
        assert!(counts(Options::FEWEST - 1).is_none());
    }

    #[test]
    fn no_two_files_have_one_name_even_where_case_does_not_count() {
        for images in [Options::FEWEST, 81, 150, 600, 5000] {
            let files = files(&Options { images, ..Options::default() }).unwrap();
            let names: HashSet<_> = files.iter().map(|file| file.key.to_lowercase()).collect();
            assert_eq!(names.len(), files.len());
            assert!(files.is_sorted_by(|a, b| a.key < b.key));
        }
    }

    #[test]
    fn copies_sort_behind_their_originals() {
        let files = files(&Options::default()).unwrap();
        for copy in files.iter().filter(|file| copies_a_clean_one(file.dirt)) {
            let original = files.iter().find(|file| file.shows == copy.shows).unwrap();
            assert_eq!(original.dirt, Dirt::Clean);
            assert!(original.key < copy.key && original.class == copy.class);
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_percent_encoded_and_others_are_left_alone() {
        assert_eq!(percent_encoded(&"100% größe.jpg".into()), "100% größe.jpg");
        if NON_UTF8 {
            assert_eq!(percent_encoded(&non_utf8_name()), "caf%E9.jpg");
        }
    }
}
