//! Folders that cannot be read or written, are full, or hold something else: told in words, with what to do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, Told, commented, jpeg, newest, sized};

/// The user and group that root's tests of permissions run as.
const NOBODY: u32 = 65534;

/// Runs the program as somebody whom permissions stop; `None`, with a word about it, where that cannot be done.
fn unprivileged(place: &Place, args: &[&str]) -> Option<Told> {
    let mut command = place.command();
    command.args(args);
    if rustix::process::geteuid().is_root() {
        // The scratch folder is its owner's alone.
        allow(&place.path("."), 0o755);
        command.uid(NOBODY).gid(NOBODY);
    }
    match command.output() {
        Ok(output) => Some(Told::of(output)),
        Err(error) => {
            eprintln!("skipped: the program cannot be run without root's rights: {error}");
            None
        }
    }
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// An empty folder that [`unprivileged`] may write to.
fn give_folder(place: &Place, folder: &str) {
    fs::create_dir(place.path(folder)).unwrap();
    allow(&place.path(folder), 0o777);
}

#[test]
fn a_folder_that_cannot_be_listed_stops_the_run_unless_it_is_left_out() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10), ("emu", 10)]);
    place.pipeline("");
    give_folder(&place, "set");
    allow(&place.path("raw/dog"), 0o000);
    if let Some(told) = unprivileged(&place, &["run", "pipeline.toml"]) {
        told.says(2, &["raw/dog` cannot be listed", "exclude = [\"dog/**\"]", "Permission denied"]);
        let told = unprivileged(&place, &["run", "pipeline.toml", "--set", "source.exclude=[\"dog/**\"]"]).unwrap();
        told.says(0, &["20 objects", "cat  emu"]);
        allow(&place.path("raw"), 0o000);
        let told = unprivileged(&place, &["run", "pipeline.toml"]).unwrap();
        allow(&place.path("raw"), 0o755);
        told.says(2, &["the source folder", "cannot be read", "give this user permission"]);
    }
    allow(&place.path("raw/dog"), 0o755);
}

#[test]
fn a_file_that_cannot_be_read_is_quarantined_and_taken_once_it_can() {
    let place = Place::with_classes(&[("cat", 15), ("dog", 15)]);
    place.pipeline("");
    give_folder(&place, "set");
    let secret = place.path("raw/dog/dog_001.jpg");
    allow(&secret, 0o000);
    let strict = ["run", "pipeline.toml", "--set", "clean.max_quarantine_rate=0"];
    let stopped = unprivileged(&place, &strict);
    let told = unprivileged(&place, &["run", "pipeline.toml"]);
    allow(&secret, 0o644);
    let (Some(stopped), Some(told)) = (stopped, told) else { return };
    stopped.says(1, &["1 unreadable"]);
    told.says(0, &["1 unreadable"]);
    let row = place.row("dog/dog_001.jpg");
    assert_eq!((&row["action"], &row["reason"]), (&"quarantined".into(), &"unreadable".into()));
    // Nothing of the file changed but that it can be read.
    unprivileged(&place, &["run", "pipeline.toml"]).unwrap().says(0, &["set is at version 1"]);
    assert_eq!(newest(&place.manifest(), "dog/dog_001.jpg")["action"], "kept");
    unprivileged(&place, &["run", "pipeline.toml"]).unwrap().says(0, &["nothing to do"]);
}

#[test]
fn a_dataset_below_a_file_is_refused_for_what_it_is() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    place.write("notes.txt", "mine");
    for url in ["notes.txt", "notes.txt/set", "notes.txt/deep/set"] {
        let told = place.swinpipe(["run", "pipeline.toml", "--set", &format!("dataset.url={url}")]);
        told.says(2, &["notes.txt", "dataset.url"]);
        assert!(!told.err.contains("is not empty"), "a file is not a folder that is full: {}", told.err);
        assert!(told.err.contains("a file"), "{}", told.err);
    }
    assert_eq!(fs::read_to_string(place.path("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_dataset_that_cannot_be_written_to_is_told_before_anything_is_scanned() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    fs::create_dir_all(place.path("locked/set")).unwrap();
    allow(&place.path("locked/set"), 0o555);
    allow(&place.path("locked"), 0o555);
    for url in ["locked/set", "locked/other"] {
        let set = format!("dataset.url={url}");
        let Some(told) = unprivileged(&place, &["run", "pipeline.toml", "--set", &set]) else { break };
        told.says(2, &[url, "Permission denied", "not writable"]);
        assert!(!told.err.contains("scan"), "{}", told.err);
        let told = unprivileged(&place, &["check", "pipeline.toml", "--set", &set]).unwrap();
        told.says(2, &["PROBLEM", "cannot write to", "change its permissions or dataset.url"]);
    }
    allow(&place.path("locked"), 0o755);
    allow(&place.path("locked/set"), 0o755);
}

#[test]
fn an_error_repeats_nothing() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    symlink("nowhere/at all", place.path("set")).unwrap();
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(2, &["set"]);
    assert_eq!(told.err.matches("os error").count(), 1, "{}", told.err);
}

/// A small disk; `None`, with a word about it, where none can be mounted.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path, size: &str) -> Option<Disk> {
        let options = format!("size={size}");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        match output {
            Ok(output) if output.status.success() => Some(Disk(folder.to_owned())),
            Ok(output) => {
                eprintln!("skipped: no small disk can be mounted: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                eprintln!("skipped: no small disk can be mounted: {error}");
                None
            }
        }
    }

    fn enlarge(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_the_next_run_goes_on_when_there_is_room() {
    let place = Place::new();
    let image = jpeg(0);
    for i in 0..80 {
        place.write(format!("raw/{}/{i}.jpg", if i % 2 == 0 { "cat" } else { "dog" }), commented(&image, i, 30_000));
    }
    place.pipeline("");
    fs::create_dir(place.path("set")).unwrap();
    let Some(disk) = Disk::mount(&place.path("set"), "1m") else { return };
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(2, &["the disk is full: free some space and run again, finished work is kept"]);
    assert_eq!(told.err.matches("No space left on device").count(), 1, "{}", told.err);
    place.swinpipe(["inspect", "set"]).says(2, &["there is no dataset"]);
    let left = place.files("set/data").into_iter().filter(|(path, _)| path.contains('#')).count();
    assert_eq!(left, 0, "unfinished files take room");
    disk.enlarge("64m");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["done by an earlier run", "set is at version 0"]);
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed", "80 images"]);
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
}

#[test]
fn staging_that_fills_the_disk_is_resumed_as_well() {
    let place = Place::new();
    let image = sized(0, 160, 120);
    for i in 0..120 {
        place.write(format!("raw/{}/{i}.jpg", if i % 2 == 0 { "cat" } else { "dog" }), commented(&image, i, 64));
    }
    place.pipeline("[clean]\nresize = { shorter_side = 110 }");
    fs::create_dir(place.path("set")).unwrap();
    let Some(disk) = Disk::mount(&place.path("set"), "256k") else { return };
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["the disk is full: free some space and run again"]);
    place.swinpipe(["inspect", "set"]).says(2, &["there is no dataset"]);
    disk.enlarge("64m");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["set is at version 0"]);
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed", "120 images"]);
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    place.write("set/notes.txt", "mine");
    let before = place.files("set");
    let words = ["is not empty and not a swinpipe dataset", "`notes.txt`", "dataset.url"];
    for command in ["run", "plan", "check"] {
        place.swinpipe([command, "pipeline.toml"]).says(2, &words);
    }
    assert_eq!(place.files("set"), before);
}

const FOREIGN_TABLE: &str = concat!(
    r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
    "\n",
    r#"{"metaData":{"id":"5fba94ed-9794-4965-ba6e-6ee3c0d22af9","format":{"provider":"parquet","options":{}},"#,
    r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,"#,
    r#"\"metadata\":{}}]}","partitionColumns":[],"configuration":{},"createdTime":1587968585495}}"#,
    "\n",
);

#[test]
fn a_delta_table_of_somebody_else_is_left_alone() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    place.write("set/_delta_log/00000000000000000000.json", FOREIGN_TABLE);
    let before = place.files("set");
    let words = ["holds a Delta table that swinpipe did not write"];
    place.swinpipe(["run", "pipeline.toml"]).says(2, &words);
    place.swinpipe(["check", "pipeline.toml"]).says(2, &words);
    place.swinpipe(["inspect", "set"]).says(2, &words);
    assert_eq!(place.files("set"), before);
}

#[test]
fn a_damaged_log_is_told_in_a_few_lines() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    place.run();
    place.write("set/_delta_log/00000000000000000000.json", "no JSON");
    for args in [["run", "pipeline.toml"], ["inspect", "set"]] {
        let output = place.command().args(args).env("RUST_BACKTRACE", "1").output().unwrap();
        let told = Told::of(output);
        told.says(2, &["cannot read the Delta log"]);
        assert!(told.err.lines().count() <= 3, "{}", told.err);
    }
}

#[test]
fn a_dataset_inside_its_source_is_refused() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    let run = |url: &str| place.swinpipe(["run", "pipeline.toml", "--set", &format!("dataset.url={url}")]);
    run("raw/set").says(2, &["lies inside the source folder", "put the dataset beside the source folder"]);
    run("raw/../raw/cat").says(2, &["lies inside the source folder"]);
    run("raw").says(2, &["is the source folder itself"]);
    run(".").says(2, &["contains the source folder"]);
    assert_eq!(place.files("raw").len(), 10);
}

#[test]
fn a_dataset_inside_its_source_by_way_of_a_link_is_refused() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 5)]);
    place.pipeline("");
    symlink("raw", place.path("link")).unwrap();
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "dataset.url=link/set"]);
    told.says(2, &["lie one inside the other, by way of a link", "source folder", "dataset.url"]);
    assert_eq!(place.files("raw").len(), 10, "nothing is written into the source");
}

#[test]
fn another_seed_on_an_existing_dataset_is_refused() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.pipeline("");
    place.run();
    let before = place.files("set");
    place.write("raw/cat/new.jpg", jpeg(900));
    for command in ["run", "plan"] {
        let told = place.swinpipe([command, "pipeline.toml", "--set", "seed=8"]);
        told.says(2, &["was made with seed 7, the file says seed 8", "committed samples keep their split"]);
    }
    assert_eq!(place.files("set"), before);
}

#[test]
fn a_version_that_is_no_number_or_does_not_exist_is_told() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.pipeline("");
    place.run();
    for name in ["set@", "set@x", "set@-1", "set@1.5", "set@99999999999999999999999"] {
        place.swinpipe(["inspect", name]).says(2, &[name, "after `@` comes a version number, such as `set@0`"]);
    }
    for command in ["inspect", "manifest", "verify"] {
        place.swinpipe([command, "set@1"]).says(2, &["has no version 1", "its newest is 0"]);
    }
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "dataset.url=set@0"]);
    told.says(2, &["ends in a version", "leave the version out"]);
}

#[test]
fn where_there_is_no_dataset_every_command_says_so() {
    let place = Place::with_classes(&[("cat", 2)]);
    fs::create_dir(place.path("empty")).unwrap();
    place.write("file", "");
    for name in ["nothing", "empty", "file", "raw", "."] {
        for args in [vec!["inspect", name], vec!["manifest", name], vec!["verify", name], vec!["why", name, "a.jpg"]] {
            place.swinpipe(args).says(2, &["there is no dataset at"]);
        }
    }
    assert!(!place.path("nothing").exists());
}
