//! Bad input gets one clear message and loses nothing.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::place::{Place, jpeg};

/// A place whose pipeline is `text`.
fn with_file(text: &str) -> Place {
    let place = Place::with_classes(&[("cat", 3), ("dog", 3)]);
    place.write("pipeline.toml", text);
    place
}

#[test]
fn a_missing_source_is_named() {
    let place = Place::new();
    place.pipeline("");
    fs::remove_dir(place.path("raw")).unwrap();
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["raw"]);
    place.swinpipe(["check", "pipeline.toml"]).says(2, &["raw", "PROBLEM"]);
    assert!(!place.path("set").exists());
}

#[test]
fn an_empty_source_is_an_error_that_tells_what_was_left_out() {
    let place = Place::new();
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["holds no file", "the folder is empty"]);
    place.write("raw/cat/a.jpg", jpeg(1));
    place.pipeline_with("include = [\"*.png\"]", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["holds no file", "1 files are left out by source.include"]);
}

#[test]
fn labels_that_are_asked_for_and_not_found_stop_the_run() {
    let place = Place::new();
    place.write("raw/a.jpg", jpeg(1));
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["has a label", "a folder per class", "from = \"none\""]);
    place.pipeline_with("label = { from = \"regex\", pattern = \"^(?<label>x+)/\" }", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["has a label", "matches source.label.pattern"]);
    place.write("labels.csv", "path,label\nelsewhere.jpg,cat\n");
    place.pipeline_with("label = { from = \"table\", table = \"labels.csv\" }", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["has a label", "labels.csv"]);
    assert!(!place.path("set").exists());
}

#[test]
fn one_class_is_a_warning() {
    let place = Place::with_classes(&[("cat", 12)]);
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["there is only one class, `cat`"]);
}

#[test]
fn every_problem_of_the_file_is_told_at_once_with_its_place() {
    let place = with_file(
        "name = \"x\"\n[source]\nurl = \"raw\"\n[clean]\nqualty = 90\nformat = \"jpg\"\n\
         [split]\nratios = { train = 0.8, val = 0.1 }\n[dataset]\nurl = \"set\"\nshard_size = true\n",
    );
    let pieces = [
        "pipeline.toml:5:1",
        "did you mean `quality`?",
        "pipeline.toml:6:10",
        "pipeline.toml:8:10",
        "sum to 0.9",
        "pipeline.toml:11:14",
        "found a boolean",
        "4 problems",
        "^",
    ];
    for command in ["check", "run", "plan"] {
        place.swinpipe([command, "pipeline.toml"]).says(2, &pieces);
    }
    let json = place.swinpipe(["check", "pipeline.toml", "--json"]).json();
    assert_eq!(json.as_array().unwrap().len(), 4);
}

#[test]
fn a_missing_file_and_a_malformed_override_are_told() {
    let place = Place::with_classes(&[("cat", 3), ("dog", 3)]);
    place.pipeline("");
    place.swinpipe(["run", "nothing.toml"]).says(2, &["nothing.toml"]);
    place.swinpipe(["run", "pipeline.toml", "--set", "seed"]).says(2, &["seed", "="]);
    place.swinpipe(["run", "pipeline.toml", "--set", "split.seed=3"]).says(2, &["unknown key `seed`"]);
}

#[test]
fn a_dataset_url_that_holds_something_else_is_left_alone() {
    let place = Place::with_classes(&[("cat", 3), ("dog", 3)]);
    place.write("set/thesis.txt", "ten years of work");
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["not a swinpipe dataset", "thesis.txt", "dataset.url"]);
    assert_eq!(place.files("set").len(), 1);
    let log = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n\
               {\"metaData\":{\"id\":\"1\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\
               \"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[],\
               \"configuration\":{}}}\n";
    fs::remove_file(place.path("set/thesis.txt")).unwrap();
    place.write("set/_delta_log/00000000000000000000.json", log);
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["did not write"]);
    assert_eq!(place.files("set").len(), 1);
}

#[test]
fn a_dataset_that_cannot_be_written_is_an_error() {
    let place = Place::with_classes(&[("cat", 3), ("dog", 3)]);
    place.write("file", "");
    place.write("pipeline.toml", "name = \"x\"\n[source]\nurl = \"raw\"\n[dataset]\nurl = \"file/below\"\n");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["file/below"]);
}

#[test]
fn above_the_quarantine_rate_the_run_stops_before_the_commit() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    for i in 0..5 {
        place.write(format!("raw/cat/broken_{i}.jpg"), &jpeg(i)[..300]);
    }
    place.pipeline("");
    place
        .swinpipe(["run", "pipeline.toml"])
        .says(1, &["5 of 25 new objects (20.0%)", "max_quarantine_rate = 0.05", "5 truncated", "refused.csv", "--set"]);
    let refused = place.files("set/_runs").into_iter().find(|(path, _)| path.ends_with("refused.csv")).unwrap();
    assert_eq!(String::from_utf8(refused.1).unwrap().lines().count(), 6);
    place.swinpipe(["inspect", "set"]).says(2, &["there is no dataset"]);
    place.swinpipe(["run", "pipeline.toml", "--set", "clean.max_quarantine_rate=0.25"]).says(0, &["version 0"]);
}

#[test]
fn not_one_good_image_is_an_error() {
    let place = Place::new();
    place.write("raw/cat/empty.jpg", "");
    place.pipeline("[clean]\nmax_quarantine_rate = 1");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["not one of 1 objects", "1 empty", "nothing is committed"]);
}

#[test]
fn any_file_name_is_taken_and_found_again() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    let long = "x".repeat(200) + ".jpg";
    let names: [&[u8]; 7] = [
        b"caf\xe9.jpg",
        b"a\nb.jpg",
        b"100%25.jpg",
        "quote\"'`.jpg".as_bytes(),
        "\u{1f431} katze.jpg".as_bytes(),
        b"-rf.jpg",
        long.as_bytes(),
    ];
    for (at, name) in names.iter().enumerate() {
        fs::write(place.path("raw/cat").join(std::ffi::OsStr::from_bytes(name)), jpeg(4000 + at as u32)).unwrap();
    }
    place.pipeline("");
    let summary = place.run();
    assert_eq!(summary["actions"]["kept"], 17);
    for uri in ["cat/caf%E9.jpg", "cat/a%0Ab.jpg", "cat/100%2525.jpg", "cat/\u{1f431} katze.jpg", "cat/-rf.jpg"] {
        assert_eq!(place.row(uri)["action"], "kept");
    }
    let name = std::ffi::OsStr::from_bytes(b"cat/caf\xe9.jpg");
    let told = place.command().arg("why").arg("set").arg(name).output().unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains("cat/caf%E9.jpg"));
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
}

#[test]
fn links_that_leave_the_source_are_not_followed_and_pipes_not_opened() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    place.write("outside/secret.jpg", jpeg(1));
    symlink(place.path("outside"), place.path("raw/cat/out")).unwrap();
    symlink("nowhere.jpg", place.path("raw/cat/dangling.jpg")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(place.path("raw/cat/pipe.jpg")).status().unwrap();
    assert!(made.success());
    place.pipeline("");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(0, &["passed over cat/out", "passed over cat/dangling.jpg", "passed over cat/pipe.jpg"]);
    assert_eq!(place.manifest().len(), 12);
}

#[test]
fn a_hundred_thousand_files_in_one_folder_are_no_burden() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    for i in 0..100_000 {
        fs::write(place.path(format!("raw/cat/{i}.txt")), "").unwrap();
    }
    place.pipeline("");
    let summary = place.run();
    assert_eq!((&summary["actions"]["ignored"], &summary["actions"]["kept"]), (&100_000.into(), &12.into()));
}

#[test]
fn a_full_disk_is_told_and_the_next_run_finishes() {
    let place = Place::with_classes(&[("cat", 200), ("dog", 200)]);
    fs::create_dir(place.path("set")).unwrap();
    let mount = |options: &str| {
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place.path("set"));
        command.output().is_ok_and(|output| output.status.success())
    };
    if !mount("size=300k") {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    place.pipeline("");
    let full = place.swinpipe(["run", "pipeline.toml"]);
    let none = place.swinpipe(["inspect", "set"]);
    let enlarged = mount("remount,size=64m");
    let again = place.swinpipe(["run", "pipeline.toml"]);
    let unmounted = std::process::Command::new("umount").arg(place.path("set")).status().unwrap();
    full.says(2, &["the disk is full", "run again"]);
    none.says(2, &["there is no dataset"]);
    assert!(enlarged && unmounted.success());
    again.says(0, &["version 0"]);
}

#[test]
fn what_would_move_samples_is_refused() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    place.pipeline("");
    place.run();
    place.swinpipe(["run", "pipeline.toml", "--set", "seed=8"]).says(2, &["seed 7", "seed 8", "never move"]);
}

#[test]
fn other_stores_and_nonsense_names_are_refused_plainly() {
    let place = Place::with_classes(&[("cat", 3), ("dog", 3)]);
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml", "--set", "source.url=s3://bucket/x"]).says(2, &["s3", "local"]);
    place.swinpipe(["inspect", "set@latest"]).says(2, &["after `@` comes a version number"]);
    place.swinpipe(["inspect", "set"]).says(2, &["there is no dataset"]);
    place.swinpipe(["run", "pipeline.toml", "--set", "dataset.url=raw/set"]).says(2, &["raw"]);
}
