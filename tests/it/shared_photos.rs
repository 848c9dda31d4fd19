//! Real photos and hostile files, where they are at hand (`../shared/data`), against what an independent decoder says of
//! them. Disagreements are listed here, each with its reason; any other one fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::place::Place;

/// The folder of real data, or `None` with a message.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder.canonicalize().unwrap());
    }
    eprintln!("skipped: ../shared/data is not at hand");
    None
}

/// A truth file: by path, each column by name. Its cells hold quotes, but no line breaks.
fn truth(path: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let cells = |line: &str| {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    let mut lines = text.lines();
    let names = cells(lines.next().unwrap());
    let row = |line: &str| {
        let row: BTreeMap<String, String> = names.iter().cloned().zip(cells(line)).collect();
        (row["path"].clone(), row)
    };
    lines.map(row).collect()
}

/// The manifest of an ingest of `source`, by name on disk.
fn ingested(source: &Path, label: &str) -> BTreeMap<String, Value> {
    let place = Place::new();
    let text = format!(
        "name = \"photos\"\n[source]\nurl = {source:?}\nlabel = {{ from = \"{label}\" }}\n\
         [clean]\nmax_quarantine_rate = 1\n[dataset]\nurl = \"set\"\n"
    );
    place.write("pipeline.toml", text);
    place.run();
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
    let path = |row: &Value| {
        let key = swinpipe::source::key::to_path(row["uri"].as_str().unwrap()).unwrap();
        key.to_string_lossy().into_owned()
    };
    place.manifest().into_iter().map(|row| (path(&row), row)).collect()
}

/// What the default settings make of each kind of dirt.
fn wanted(dirt: &str) -> &'static [(&'static str, &'static str)] {
    match dirt {
        "clean" | "ext_none" | "ext_upper" | "gray" | "odd_name" | "trailing_garbage" => &[("kept", "")],
        "dup_same_class" => &[("duplicate", "")],
        "label_conflict" => &[("quarantined", "label_conflict")],
        "html_page" | "s3_error_xml" => &[("quarantined", "error_page")],
        "lfs_pointer" => &[("quarantined", "lfs_pointer")],
        "zero_byte" => &[("quarantined", "empty")],
        "truncated_tail" | "header_only" => &[("quarantined", "truncated")],
        // Some flips leave a stream that every decoder reads without a complaint.
        "bitflip" => &[("quarantined", "corrupt"), ("kept", "")],
        _ => &[("reencoded", "")],
    }
}

#[test]
fn every_kind_of_dirt_is_handled() {
    let Some(data) = data() else { return };
    let found = ingested(&data.join("dirty"), "parent");
    let truth = truth(&data.join("dirty.truth.csv"));
    assert_eq!(found.len(), truth.len());
    let mut wrong = Vec::new();
    for (path, row) in &truth {
        let entry = &found[path];
        let told = (entry["action"].as_str().unwrap(), entry["reason"].as_str().unwrap_or(""));
        if !wanted(&row["dirt"]).contains(&told) {
            wrong.push(format!("{path}: {} became {told:?}: {}", row["dirt"], entry["detail"]));
        }
        let real = row["real_format"].to_lowercase();
        if !real.is_empty() && entry["real_format"] != real.as_str() {
            wrong.push(format!("{path}: {real} was taken for {}", entry["real_format"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the independent decoder reads and we refuse, and why.
const STRICTER: &[(&str, &str)] = &[
    // JPEG data inside of TIFF, whose decoder would fill what is missing.
    (
        "image-rs/tests/regression/tiff/clusterfuzz-testcase-minimized-fuzzer_script_tiff-5026894169374720.tif",
        "unsupported",
    ),
    // A comment segment shorter than its own length.
    ("wuffs/test/data/artificial-jpeg/hippopotamus-bad-comment-length.jpeg", "corrupt"),
    // The checksum of the pixels does not match.
    ("zune/crates/zune-png/tests/png_suite/xcsn0g01.png", "corrupt"),
    // libjpeg-turbo warns of damaged data.
    ("zune/fuzz-corpus/jpeg/re.jpg", "corrupt"),
    ("zune/fuzz-corpus/jpeg/small-img.jpg", "corrupt"),
];

#[test]
fn strange_and_hostile_files_are_read_or_refused_as_an_independent_decoder_does() {
    let Some(data) = data() else { return };
    let found = ingested(&data.join("odd"), "none");
    let stricter: BTreeMap<&str, &str> = STRICTER.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, row) in &truth(&data.join("odd.truth.csv")) {
        let entry = &found[path];
        let refused = entry["action"] == "quarantined";
        match (row["loads"] == "1", refused, stricter.get(path.as_str())) {
            (true, true, Some(reason)) if entry["reason"] == *reason => {}
            (true, false, None) => {
                // Turned upright, sides may be swapped.
                let told = BTreeSet::from([row["width"].clone(), row["height"].clone()]);
                let ours = BTreeSet::from([entry["width"].to_string(), entry["height"].to_string()]);
                if told != ours || entry["frames"].as_u64() != row["frames"].parse().ok() {
                    wrong.push(format!("{path}: {row:?}\n    became {entry}"));
                }
            }
            (false, true, None) => {}
            _ => wrong.push(format!("{path}: loads = {}, became {entry}", row["loads"])),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn images_with_the_same_bytes_in_two_classes_are_found_in_published_data() {
    let Some(data) = data() else { return };
    let source = data.join("flowers");
    let found = ingested(&source, "parent");
    // By hand: group the files by their bytes.
    let mut copies: BTreeMap<Vec<u8>, Vec<&String>> = BTreeMap::new();
    for path in found.keys().filter(|path| !path.ends_with(".DS_Store")) {
        copies.entry(std::fs::read(source.join(path)).unwrap()).or_default().push(path);
    }
    for paths in copies.values().filter(|paths| paths.len() > 1) {
        let class = |path: &str| path.split('/').next().unwrap().to_owned();
        let classes: BTreeSet<String> = paths.iter().map(|path| class(path)).collect();
        for (at, path) in paths.iter().enumerate() {
            let wanted = match (classes.len(), at) {
                (2.., _) => "quarantined",
                (_, 0) => "kept",
                _ => "duplicate",
            };
            assert_eq!(found[*path]["action"], wanted, "{path}");
        }
    }
    let singles = copies.values().filter(|paths| paths.len() == 1).count();
    let kept = found.values().filter(|row| row["action"] == "kept").count();
    assert!(kept >= singles && kept < found.len());
}
