//! The demo as a whole: what lies in the folder after [`write`].

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::damage::decode;
use super::plan::File;
use super::*;
use crate::sample::{Action, Format, Sha256};

const SMALL: Options = Options { images: 100, seed: 42, side: 32 };

fn demo(options: &Options) -> (TempDir, Drawn) {
    let dir = tempfile::tempdir().unwrap();
    let drawn = write(dir.path(), options).unwrap();
    (dir, drawn)
}

fn snapshot(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files.map(|file| (file.path().strip_prefix(dir).unwrap().to_owned(), fs::read(file.path()).unwrap())).collect()
}

/// Every file of the plan with its bytes.
fn contents(options: &Options) -> Vec<(File, Vec<u8>)> {
    let files = plan::files(options).unwrap();
    files.into_par_iter().map(|file| (file.clone(), encode::bytes(&file, options).unwrap())).collect()
}

#[test]
fn two_draws_of_the_same_options_have_the_same_bytes() {
    let ((one, drawn), (two, _)) = (demo(&SMALL), demo(&SMALL));
    let snapshot_one = snapshot(one.path());
    assert_eq!(snapshot_one, snapshot(two.path()));
    assert_eq!(snapshot_one.len(), drawn.files);
    assert_eq!(snapshot_one.values().map(|bytes| bytes.len() as u64).sum::<u64>(), drawn.bytes);
    let (other, _) = demo(&Options { seed: 43, ..SMALL });
    assert_ne!(snapshot_one, snapshot(other.path()));
}

#[test]
fn a_demo_of_a_hundred_images_shows_every_dirt() {
    let (_dir, drawn) = demo(&SMALL);
    assert_eq!(drawn.classes, ["circle", "cross", "square", "star", "triangle"]);
    assert_eq!(drawn.by_dirt.len(), Dirt::ALL.len());
    for (dirt, count) in &drawn.by_dirt {
        assert!(*count > 0 || (*dirt == Dirt::NonUtf8Name && !dirt::NON_UTF8), "{dirt}");
    }
    assert_eq!(drawn.by_dirt.iter().map(|(_, count)| count).sum::<usize>(), drawn.files);
}

#[test]
fn the_truth_lists_every_file_once() {
    let (dir, drawn) = demo(&SMALL);
    let text = fs::read_to_string(dir.path().join(TRUTH)).unwrap();
    let keys: HashSet<_> = text.lines().skip(1).map(|row| row.rsplitn(6, ',').last().unwrap()).collect();
    assert_eq!(keys.len(), drawn.files);
    for key in ["truth.csv", "demo.json", ".DS_Store", "circle/notes.txt"] {
        assert!(text.contains(&format!("\n{key},")), "{key}");
    }
    assert!(
        text.contains("/\"it's \"\"quoted\"\", really.jpg\",") || text.contains("it's \"\"quoted\"\", really.jpg\",")
    );
    if dirt::NON_UTF8 {
        assert!(text.contains("/caf%E9.jpg,"));
    }
}

#[test]
fn jpegs_decode_strictly_if_and_only_if_the_truth_says_so() {
    for (file, mut bytes) in contents(&Options { images: 200, ..SMALL }) {
        if file.dirt.real_format() != Format::Jpeg || file.dirt == Dirt::Cmyk {
            continue;
        }
        let damaged = matches!(file.dirt, Dirt::MissingEoi | Dirt::Truncated | Dirt::BitFlipped | Dirt::HeaderOnly);
        assert_eq!(decode(&bytes).is_err(), damaged, "{} {}", file.dirt, file.key);
        bytes.extend_from_slice(b"\xFF\xD9");
        assert_eq!(decode(&bytes).is_err(), damaged && file.dirt != Dirt::MissingEoi, "{} {}", file.dirt, file.key);
    }
}

#[test]
fn only_intended_copies_share_bytes() {
    let mut seen = HashSet::new();
    for (file, bytes) in contents(&SMALL) {
        let fresh = seen.insert(Sha256::of(&bytes));
        let copy = match file.dirt {
            Dirt::ExactDuplicate => true,
            Dirt::LabelConflict => file.class.unwrap() != file.shows.0,
            _ => false,
        };
        // An original sorts before its copy within its class, but not across classes.
        assert!(fresh != copy || file.dirt == Dirt::LabelConflict, "{} {}", file.dirt, file.key);
    }
    let conflicts = plan::files(&SMALL).unwrap().into_iter().filter(|file| file.dirt == Dirt::LabelConflict);
    let (right, wrong): (Vec<_>, Vec<_>) = conflicts.partition(|file| file.class == Some(file.shows.0));
    assert!(!right.is_empty() && right.len() == wrong.len());
}

#[test]
fn image_files_are_what_the_truth_says_they_are() {
    for (file, bytes) in contents(&SMALL) {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        let found = match file.dirt.real_format() {
            Format::Jpeg => starts(b"\xFF\xD8\xFF"),
            Format::Png => starts(b"\x89PNG\r\n\x1A\n"),
            Format::Gif => starts(b"GIF89a"),
            Format::Bmp => starts(b"BM"),
            Format::Tiff => starts(b"II*\0"),
            Format::Webp => starts(b"RIFF") && &bytes[8..12] == b"WEBP",
            Format::Avif => &bytes[4..12] == b"ftypavif",
            Format::Empty => bytes.is_empty(),
            _ => !bytes.is_empty(),
        };
        assert!(found, "{} {}", file.dirt, file.key);
        if file.dirt == Dirt::AnimatedWebp {
            let frames = bytes.windows(4).filter(|tag| *tag == b"ANMF").count();
            assert_eq!(frames, 3, "{}", file.key);
        }
    }
}

#[test]
fn a_demo_that_is_there_is_left_as_it_is_and_mended() {
    let (dir, drawn) = demo(&SMALL);
    let before = snapshot(dir.path());
    fs::write(dir.path().join("circle/notes.txt"), "scribble").unwrap();
    fs::remove_file(dir.path().join(TRUTH)).unwrap();
    assert_eq!(write(dir.path(), &SMALL).unwrap(), drawn);
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn an_interrupted_draw_is_finished_by_the_next_call() {
    let (dir, _) = demo(&SMALL);
    let whole = snapshot(dir.path());
    let marker = &whole[Path::new(MARKER)];
    for marker in [&marker[..], &marker[..20], b""] {
        fs::remove_file(dir.path().join(MARKER)).unwrap();
        fs::write(dir.path().join(PARTIAL), marker).unwrap();
        fs::remove_dir_all(dir.path().join("star")).unwrap();
        fs::write(dir.path().join("cross/cross_0001.jpg"), b"\xFF\xD8\xFF").unwrap();
        let drawn = write(dir.path(), &SMALL);
        assert_eq!(snapshot(dir.path()), whole, "{drawn:?}");
    }
}

#[test]
fn a_folder_with_anything_else_in_it_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let error = write(dir.path(), &SMALL).unwrap_err().to_string();
    assert!(error.contains("`thesis.tex` is not part of a demo: name an empty or a new folder"), "{error}");
    assert_eq!(snapshot(dir.path()).len(), 1);

    let (dir, _) = demo(&SMALL);
    fs::write(dir.path().join("star/mine.jpg"), "mine").unwrap();
    let before = snapshot(dir.path());
    let error = write(dir.path(), &SMALL).unwrap_err().to_string();
    assert!(error.contains("mine.jpg` is not part of a demo"), "{error}");
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_demo_of_other_options_is_refused_and_both_are_named() {
    let (dir, _) = demo(&SMALL);
    let error = write(dir.path(), &Options { seed: 7, ..SMALL }).unwrap_err().to_string();
    assert!(error.contains("holds a demo of 100 images, seed 42, side 32, not of 100 images, seed 7"), "{error}");
}

#[test]
fn options_out_of_range_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let few = write(dir.path(), &Options { images: Options::FEWEST - 1, ..SMALL }).unwrap_err().to_string();
    assert!(few.contains("ask for 80 or more"), "{few}");
    let tiny = write(dir.path(), &Options { side: 8, ..SMALL }).unwrap_err().to_string();
    assert!(tiny.contains("ask for 32 to 1024"), "{tiny}");
    assert!(snapshot(dir.path()).is_empty());
}

#[test]
fn about_one_file_in_twenty_is_to_be_quarantined() {
    for (images, range) in [(300, 0.03..0.06), (600, 0.04..0.045), (6000, 0.035..0.045)] {
        let files = plan::files(&Options { images, ..Options::default() }).unwrap();
        let bad = files.iter().filter(|file| file.dirt.expected().0 == Action::Quarantined).count();
        let rate = bad as f64 / images as f64;
        assert!(range.contains(&rate), "{images}: {rate}");
    }
}
