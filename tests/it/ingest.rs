//! From a folder to a version: what becomes of objects, what a second run does.

use std::collections::BTreeSet;
use std::fs;

use crate::place::{Place, jpeg, sized};

#[test]
fn good_files_are_kept_and_every_object_is_accounted_for() {
    let place = Place::with_classes(&[("cat", 20), ("dog", 10)]);
    place.write("raw/.DS_Store", b"\0\0\0\x01Bud1");
    place.write("raw/notes.txt", "not an image");
    place.pipeline("");
    let summary = place.run();
    assert_eq!(summary["outcome"], "committed");
    assert_eq!(summary["version"], 0);
    assert_eq!(summary["actions"], serde_json::json!({ "ignored": 2, "kept": 30 }));
    assert_eq!(summary["classes"], serde_json::json!(["cat", "dog"]));
    let rows = place.manifest();
    assert_eq!(rows.len(), 32);
    let uris: BTreeSet<&str> = rows.iter().map(|row| row["uri"].as_str().unwrap()).collect();
    assert_eq!(uris.len(), 32, "one row an object");
    assert_eq!(place.row("cat/cat_003.jpg")["action"], "kept");
}

#[test]
fn what_is_written_verifies_and_what_is_damaged_does_not() {
    let place = Place::with_classes(&[("cat", 12), ("dog", 12)]);
    place.pipeline("");
    place.run();
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed", "24 images"]);
    let shard =
        place.files("set/data").into_iter().map(|(path, _)| path).find(|path| path.starts_with("train")).unwrap();
    let path = place.path("set/data").join(shard);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    place.swinpipe(["verify", "set"]).says(1, &["SHA-256 is not the committed one"]);
    fs::remove_file(&path).unwrap();
    place.swinpipe(["verify", "set"]).says(1, &["No such file"]);
}

#[test]
fn verify_writes_a_lost_card_again() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    place.pipeline("");
    place.run();
    let card = fs::read(place.path("set/README.md")).unwrap();
    fs::remove_file(place.path("set/README.md")).unwrap();
    fs::remove_file(place.path("set/croissant.json")).unwrap();
    place.swinpipe(["verify", "set"]).says(0, &["written again"]);
    assert_eq!(fs::read(place.path("set/README.md")).unwrap(), card);
}

#[test]
fn a_second_run_on_unchanged_input_makes_no_version() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    place.write("raw/cat/broken.jpg", &jpeg(1)[..300]);
    place.pipeline("[clean]\nmax_quarantine_rate = 0.5");
    place.run();
    let before = place.files("set");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do", "version 0"]);
    assert_eq!(place.files("set"), before);
    // A touched file with the same bytes is no news either.
    let bytes = fs::read(place.path("raw/cat/cat_000.jpg")).unwrap();
    fs::remove_file(place.path("raw/cat/cat_000.jpg")).unwrap();
    place.write("raw/cat/cat_000.jpg", bytes);
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do", "version 0"]);
}

#[test]
fn new_objects_become_a_new_version_and_no_sample_moves() {
    let place = Place::with_classes(&[("cat", 20), ("dog", 20)]);
    place.pipeline("");
    place.run();
    let split_of = |place: &Place| -> Vec<(String, String)> {
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
        place.manifest().iter().map(|row| (text(row, "uri"), text(row, "split"))).collect()
    };
    let before = split_of(&place);
    for i in 0..20 {
        place.write(format!("raw/emu/emu_{i}.jpg"), jpeg(9000 + i));
    }
    let summary = place.run();
    assert_eq!((&summary["version"], &summary["objects"], &summary["unchanged"]), (&1.into(), &20.into(), &40.into()));
    assert_eq!(summary["classes"], serde_json::json!(["cat", "dog", "emu"]));
    let after = split_of(&place);
    assert_eq!(after.len(), 60);
    assert!(before.iter().all(|row| after.contains(row)));
    place.swinpipe(["verify", "set"]).says(0, &["60 images"]);
    place.swinpipe(["verify", "set@0"]).says(0, &["40 images"]);
    place.swinpipe(["inspect", "set@7"]).says(2, &["no version 7", "its newest is 1"]);
}

#[test]
fn shards_do_not_depend_on_the_listing_or_the_threads() {
    let bytes_of = |threads: &str, reversed: bool| {
        let place = Place::new();
        let mut order: Vec<u32> = (0..40).collect();
        if reversed {
            order.reverse();
        }
        for i in order {
            place.write(format!("raw/{}/{i:03}.jpg", if i % 3 == 0 { "cat" } else { "dog" }), jpeg(i));
        }
        place.write("raw/dog/mislabeled.png", jpeg(777));
        place.pipeline("[clean]\nmax_quarantine_rate = 0.5");
        let output = place.command().args(["run", "pipeline.toml", "-q"]).env("RAYON_NUM_THREADS", threads).output();
        assert!(output.unwrap().status.success());
        place.files("set/data").into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    // Etags differ between the folders, so the names of the files do; what is in them does not.
    let mut one = bytes_of("1", false);
    let mut other = bytes_of("4", true);
    one.sort();
    other.sort();
    assert!(one == other);
}

#[test]
fn shards_do_not_depend_on_the_vector_instructions_of_libjpeg_turbo() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    place.write("raw/cat/mislabeled.png", jpeg(300));
    place.pipeline("[clean]\nresize = { shorter_side = 48 }");
    let bytes_of = |off: bool| {
        let mut command = place.command();
        if off {
            command.env("JSIMD_FORCENONE", "1");
        }
        assert!(command.args(["run", "pipeline.toml", "-q"]).output().unwrap().status.success());
        let files = place.files("set/data");
        fs::remove_dir_all(place.path("set")).unwrap();
        files
    };
    assert!(bytes_of(false) == bytes_of(true));
}

#[test]
fn mislabeled_images_are_reencoded_renamed_or_quarantined_as_the_file_says() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.write("raw/cat/really_jpeg.png", jpeg(500));
    for (policy, action) in [("reencode", "reencoded"), ("rename", "renamed"), ("quarantine", "quarantined")] {
        place.pipeline(&format!("[clean]\nmax_quarantine_rate = 0.5\non_mismatch = \"{policy}\""));
        place.run();
        let row = place.row("cat/really_jpeg.png");
        assert_eq!(
            (&row["action"], &row["declared_format"], &row["real_format"]),
            (&action.into(), &"png".into(), &"jpeg".into())
        );
        if action == "quarantined" {
            assert_eq!(row["reason"], "mislabeled");
        }
        fs::remove_dir_all(place.path("set")).unwrap();
    }
}

#[test]
fn resizing_scales_down_and_leaves_small_images_alone() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.write("raw/cat/large.jpg", sized(600, 300, 200));
    place.pipeline("[clean]\nresize = { shorter_side = 100 }");
    place.run();
    let row = place.row("cat/large.jpg");
    assert_eq!((&row["action"], &row["width"], &row["height"]), (&"resized".into(), &150.into(), &100.into()));
    assert_eq!(place.row("cat/cat_000.jpg")["action"], "kept");
}

#[test]
fn duplicates_are_dropped_and_label_conflicts_quarantined() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.write("raw/cat/again.jpg", jpeg(3));
    place.write("raw/cat/both.jpg", jpeg(800));
    place.write("raw/dog/both.jpg", jpeg(800));
    place.pipeline("[clean]\nmax_quarantine_rate = 0.5");
    place.run();
    let row = place.row("cat/cat_003.jpg");
    assert_eq!((&row["action"], &row["duplicate_of"]), (&"duplicate".into(), &"cat/again.jpg".into()));
    for uri in ["cat/both.jpg", "dog/both.jpg"] {
        let row = place.row(uri);
        assert_eq!((&row["action"], &row["reason"]), (&"quarantined".into(), &"label_conflict".into()));
    }
    fs::remove_dir_all(place.path("set")).unwrap();
    place.pipeline("[dedupe]\nlabel_conflict = \"keep\"");
    place.run();
    let (cat, dog) = (place.row("cat/both.jpg"), place.row("dog/both.jpg"));
    assert_eq!((&cat["action"], &dog["action"]), (&"kept".into(), &"kept".into()));
    assert_eq!(cat["split"], dog["split"], "rows of one image stay together");
}

#[test]
fn a_sample_run_leaves_the_dataset_alone() {
    let place = Place::with_classes(&[("cat", 30), ("dog", 30)]);
    place.pipeline("");
    let told = place.swinpipe(["run", "pipeline.toml", "--limit", "12", "--json", "-q"]);
    assert_eq!(told.json()["objects"], 12, "{}", told.err);
    assert!(!place.path("set").exists());
    place.swinpipe(["inspect", "set-sample"]).says(0, &["12 samples"]);
}

#[test]
fn plan_counts_and_writes_nothing() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    let told = place.swinpipe(["plan", "pipeline.toml", "--json"]);
    let counts = told.json();
    assert_eq!(
        (&counts["objects"], &counts["new"], &counts["base_version"]),
        (&10.into(), &10.into(), &serde_json::Value::Null)
    );
    let bytes: u64 = place.files("raw").iter().map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!(counts["bytes"], bytes);
    assert!(!place.path("set").exists());
    place.swinpipe(["plan", "pipeline.toml"]).says(0, &["nothing was written", "10"]);
}

#[test]
fn values_of_the_file_can_be_overridden() {
    let place = Place::with_classes(&[("cat", 50), ("dog", 50)]);
    place.pipeline("");
    let set = ["run", "pipeline.toml", "--json", "-q", "--set", "split.ratios={ train = 0.5, val = 0.5 }"];
    let summary = place.swinpipe(set).json();
    let samples = |at: usize| summary["splits"][at]["classes"]["cat"].as_u64().unwrap();
    assert_eq!((samples(0), samples(1)), (25, 25));
}

#[test]
fn why_tells_the_history_and_helps_with_typing_errors() {
    let place = Place::with_classes(&[("cat", 8), ("dog", 8)]);
    place.write("raw/cat/cut.jpg", &jpeg(1)[..400]);
    place.pipeline("[clean]\nmax_quarantine_rate = 0.5");
    place.run();
    place.swinpipe(["why", "set", "cat/cat_001.jpg"]).says(0, &["kept: It is kept byte for byte", "stored", "row"]);
    place.swinpipe(["why", "set", "raw/cat/cut.jpg"]).says(0, &["reason", "truncated"]);
    place.swinpipe(["why", "set", "cut.jpg"]).says(0, &["cat/cut.jpg"]);
    place.swinpipe(["why", "set", "cat/cat_01.jpg"]).says(2, &["did you mean `cat/cat_001.jpg`?"]);
}

#[test]
fn the_manifest_can_be_filtered_and_printed_for_machines() {
    let place = Place::with_classes(&[("cat", 8), ("dog", 8)]);
    place.write("raw/cat/empty.jpg", "");
    place.pipeline("[clean]\nmax_quarantine_rate = 0.5");
    place.run();
    let told = place.swinpipe(["manifest", "set", "--action", "quarantined", "--json"]);
    assert_eq!(told.json().as_array().unwrap().len(), 1);
    let told = place.swinpipe(["manifest", "set", "--label", "dog", "--format", "csv"]);
    assert_eq!(told.out.lines().count(), 9, "{}", told.out);
    assert!(told.out.starts_with("uri,etag,size,id,"));
    place.swinpipe(["manifest", "set", "--reason", "nonsense"]).says(2, &["truncated", "lfs_pointer"]);
}
