//! Names that a file system allows, links and pipes, very many files, and files that change while a run is at work.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use swinpipe::sample::Sha256;

use crate::place::{Place, Told, commented, jpeg, newest, sized};

/// Runs the program, which must end soon.
fn within(place: &Place, seconds: u64, args: &[&str]) -> Told {
    let mut child = place.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("`{}` did not end within {seconds} s", args.join(" "));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Told::of(child.wait_with_output().unwrap())
}

fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn in_dataset(row: &Value) -> bool {
    row["shard"].is_string()
}

#[test]
fn a_file_that_changed_since_its_scan_is_scanned_again() {
    let place = Place::with_classes(&[("cat", 200), ("dog", 20)]);
    (0..30).for_each(|i| place.write(format!("raw/dog/empty_{i}.jpg"), ""));
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(1, &["30 empty"]);
    let bytes = jpeg(70_000);
    place.write("raw/cat/cat_005.jpg", &bytes);
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "clean.max_quarantine_rate=0.2"]);
    // The other batches are not scanned again.
    told.says(0, &["more were done before"]);
    assert!(!told.err.contains("scan 0 images"), "{}", told.err);
    assert_eq!(place.row("cat/cat_005.jpg")["id"], Sha256::of(&bytes).to_string());
    place.swinpipe(["verify", "set"]).says(0, &["220 images"]);
}

#[test]
fn files_that_change_or_vanish_during_a_run_are_left_to_the_next() {
    let place = Place::new();
    // Large ones are resized, so staged; small ones are kept, so read again when they are written.
    let image = sized(0, 160, 120);
    (0..240).for_each(|i| place.write(format!("raw/dog/large_{i:03}.jpg"), commented(&image, i, 64)));
    (0..40).for_each(|i| place.write(format!("raw/cat/small_{i:02}.jpg"), jpeg(5000 + i)));
    place.pipeline("[clean]\nresize = { shorter_side = 100 }");
    let mut child = place.command().args(["run", "pipeline.toml", "-q"]).stdout(Stdio::null()).spawn().unwrap();
    let first_receipt = || {
        let entries = fs::read_dir(place.path("set/_runs/scan")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| path.extension() == Some(OsStr::new("json")))
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    while !first_receipt() && child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Held in the middle of its scan, the run cannot outpace what follows.
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).unwrap();
    let writing = place.path("set/data").exists();
    let large = |i: u32| (format!("dog/large_{i:03}.jpg"), commented(&image, 1000 + i, 64));
    let small = |i: u32| (format!("cat/small_{i:02}.jpg"), jpeg(6000 + i));
    let changed: Vec<(String, Vec<u8>)> = (0..30).map(large).chain((0..10).map(small)).collect();
    changed.iter().for_each(|(uri, bytes)| place.write(Path::new("raw").join(uri), bytes));
    (10..20).for_each(|i| fs::remove_file(place.path(format!("raw/cat/small_{i:02}.jpg"))).unwrap());
    kill_process(pid, Signal::CONT).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!writing, "the run was over its scan before it could be held");

    let rows = place.manifest();
    assert_eq!(rows.len(), 280, "one row an object");
    for i in 0..20 {
        let row = newest(&rows, &format!("cat/small_{i:02}.jpg"));
        assert_eq!((&row["action"], in_dataset(&row)), (&"deferred".into(), false), "{row}");
        assert!(row["detail"].is_string());
    }
    for i in 0..30 {
        let row = newest(&rows, &large(i).0);
        // Taken whole, as it was listed, or not at all.
        let whole = row["id"] == Sha256::of(&commented(&image, i, 64)).to_string() && in_dataset(&row);
        assert!(whole || row["action"] == "deferred", "{row}");
    }
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);

    assert_eq!(place.run()["version"], 1);
    let rows = place.manifest();
    for (uri, bytes) in &changed {
        let row = newest(&rows, uri);
        assert!(in_dataset(&row) && row["id"] == Sha256::of(bytes).to_string(), "{row}");
    }
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do", "version 1"]);
}

/// File names that people and their programs make, and the keys that they get.
fn odd_names() -> Vec<(OsString, String)> {
    let long = "x".repeat(246) + ".jpg";
    let plain =
        ["it's \"quoted\", really.jpg", "100%.jpg", "🎨 art.jpg", "-rf.jpg", " lead and trail .jpg", "back\\slash.jpg"];
    let more = ["a*b?[c]{d}.jpg", ".hidden.jpg", "ze\u{301}.jpg", "set@1.jpg", "#1;x=$HOME.jpg", &long];
    let same = plain.into_iter().chain(more).map(|name| (name.as_bytes(), name));
    let encoded: [(&[u8], &str); 5] = [
        (b"latin\xe9.jpg", "latin%E9.jpg"),
        (b"\xff\xfe.jpg", "%FF%FE.jpg"),
        (b"new\nline.jpg", "new%0Aline.jpg"),
        (b"tab\t.jpg", "tab%09.jpg"),
        (b"a%41b.jpg", "a%2541b.jpg"),
    ];
    same.chain(encoded).map(|(name, key)| (OsStr::from_bytes(name).to_owned(), format!("cat/{key}"))).collect()
}

/// A committed dataset of images with these names.
fn oddly_named() -> Place {
    let place = Place::with_classes(&[("cat", 5), ("dog", 20)]);
    for (i, (name, _)) in odd_names().iter().enumerate() {
        place.write(Path::new("raw/cat").join(name), jpeg(5000 + i as u32));
    }
    place.pipeline("");
    place.run();
    place
}

#[test]
fn any_file_name_is_taken_and_found_by_its_path() {
    let place = oddly_named();
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
    for (name, key) in odd_names() {
        assert_eq!(place.row(&key)["action"], "kept", "{key}");
        let path = Path::new("raw/cat").join(name).into_os_string();
        place
            .swinpipe([OsStr::new("why"), OsStr::new("set"), &path])
            .says(0, &[&key, "kept: It is kept byte for byte"]);
    }
    // A name with a line break does not break the line.
    let csv = place.swinpipe(["manifest", "set", "--format", "csv"]).out;
    assert_eq!(csv.lines().count(), 1 + place.manifest().len());
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
}

#[test]
fn any_object_is_found_by_the_key_that_the_manifest_shows() {
    let place = oddly_named();
    for (_, key) in odd_names() {
        place.swinpipe(["why", "set", &key]).says(0, &[&key, "kept: It is kept byte for byte"]);
    }
}

#[test]
fn folders_may_be_deep_and_not_utf_8() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    let deep = (0..80).map(|i| format!("level_{i}/")).collect::<String>() + "dog/deep.jpg";
    place.write(Path::new("raw").join(&deep), jpeg(7000));
    (0..10).for_each(|i| {
        place.write(Path::new(OsStr::from_bytes(b"raw/\xe9t\xe9")).join(format!("{i}.jpg")), jpeg(7100 + i))
    });
    place.pipeline("");
    assert_eq!(place.run()["classes"], serde_json::json!(["%E9t%E9", "cat", "dog"]));
    assert_eq!((&place.row(&deep)["action"], &place.row(&deep)["label"]), (&"kept".into(), &"dog".into()));
    assert_eq!(place.row("%E9t%E9/3.jpg")["action"], "kept");
    place.swinpipe(["why", "set", "deep.jpg"]).says(0, &[&deep]);
}

#[test]
fn a_hundred_thousand_files_in_one_folder_are_no_trouble() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    fs::create_dir(place.path("raw/many")).unwrap();
    let many = place.path("raw/many");
    (0..10).for_each(|i| fs::write(many.join(format!("{i:06}.txt")), "").unwrap());
    // Links are made faster than files.
    for i in 10..100_000 {
        fs::hard_link(many.join(format!("{:06}.txt", i % 10)), many.join(format!("{i:06}.txt"))).unwrap();
    }
    place.pipeline("");
    let summary = place.run();
    assert_eq!(summary["actions"], serde_json::json!({ "ignored": 100_000, "kept": 20 }));
    assert_eq!(summary["classes"], serde_json::json!(["cat", "dog"]));
}

#[test]
fn what_is_no_file_of_the_source_is_passed_over() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.pipeline("");
    place.write("outside/secret.jpg", jpeg(999));
    symlink("../../outside/secret.jpg", place.path("raw/cat/leaves.jpg")).unwrap();
    symlink("../../outside", place.path("raw/cat/leaves")).unwrap();
    symlink("nowhere.jpg", place.path("raw/cat/dangling.jpg")).unwrap();
    symlink(".", place.path("raw/loop")).unwrap();
    symlink("dog_003.jpg", place.path("raw/dog/stays.jpg")).unwrap();
    pipe(&place.path("raw/cat/pipe.jpg"));
    let told = within(&place, 60, &["run", "pipeline.toml"]);
    told.says(0, &["21 objects"]);
    for words in [
        "passed over cat/leaves.jpg: a symlink to a place outside the source",
        "passed over cat/leaves: a symlink to a place outside the source",
        "passed over cat/dangling.jpg: a symlink to nothing",
        "passed over loop: a symlink to itself or to a folder that contains it",
        "passed over cat/pipe.jpg: a FIFO, socket or device",
    ] {
        told.says(0, &[words]);
    }
    let rows = place.manifest();
    let uris: Vec<&str> = rows.iter().map(|row| row["uri"].as_str().unwrap()).collect();
    assert_eq!(uris.len(), 21, "{uris:?}");
    assert!(!uris.iter().any(|uri| uri.contains("leaves") || uri.contains("pipe") || uri.contains("loop")), "{uris:?}");
    assert_eq!(place.row("dog/stays.jpg")["duplicate_of"], "dog/dog_003.jpg");
}
