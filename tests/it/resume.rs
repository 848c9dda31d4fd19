//! Runs that end before their time: killed, interrupted, or while another is at work.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::{Place, Told, sized};

/// Enough images for a run to be killed in the middle of it.
fn large() -> Place {
    let place = Place::new();
    for i in 0..200 {
        place.write(format!("raw/{}/{i:03}.jpg", if i % 3 == 0 { "cat" } else { "dog" }), sized(i, 400, 300));
    }
    place.write("raw/dog/mislabeled.png", sized(999, 400, 300));
    place.pipeline("[clean]\nresize = { shorter_side = 200 }");
    place
}

#[test]
fn killed_at_any_moment_the_next_run_finishes_the_same_dataset() {
    let place = large();
    let started = Instant::now();
    place.run();
    let whole = started.elapsed();
    let undisturbed = place.files("set/data");
    fs::remove_dir_all(place.path("set")).unwrap();
    let mut killed = 0;
    let mut resumed = false;
    for tenths in [1, 2, 3, 4, 5, 6, 8] {
        let mut child = place
            .command()
            .args(["run", "pipeline.toml", "-q"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * tenths / 10);
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        // A reader sees no version, or the whole version.
        let told = place.swinpipe(["verify", "set"]);
        assert!(told.code == 0 || told.err.contains("there is no dataset"), "{}{}", told.out, told.err);
        let told = place.swinpipe(["run", "pipeline.toml"]);
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        resumed |= told.err.contains("were done before");
        assert!(place.files("set/data") == undisturbed, "after {tenths} tenths");
        place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
        fs::remove_dir_all(place.path("set")).unwrap();
    }
    assert!(killed >= 3, "the kills came too late: {killed}");
    assert!(resumed, "no run found finished work");
}

#[test]
fn ctrl_c_ends_a_run_cleanly_and_the_next_goes_on() {
    let place = large();
    let child =
        place.command().args(["run", "pipeline.toml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // As soon as something is scanned.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !place.path("set/_runs/scan").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    Told::of(child.wait_with_output().unwrap()).says(130, &["run the same command again"]);
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["is at version 0"]);
}

#[test]
fn two_runs_at_once_on_one_dataset_the_second_stops() {
    let place = large();
    let mut child = place.command().args(["run", "pipeline.toml", "-q"]).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !place.path("set/_runs/lock").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["another run is working on", "wait for it to end"]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_a_dead_run_left_is_cleared_by_the_next_commit() {
    let place = large();
    place.write("set/_runs/lock", "");
    place.write("set/data/train/0123456789ab-0-00000.parquet", "left by a dead run");
    place.write("set/data/train/0123456789ab-0-00001.parquet#1", "half of one");
    place.write("set/_runs/scan/0123.bin#1", "half of one");
    place.write("set/data/train/mine.parquet", "somebody's own");
    place.run();
    assert!(!place.path("set/data/train/0123456789ab-0-00000.parquet").exists());
    assert!(!place.path("set/data/train/0123456789ab-0-00001.parquet#1").exists());
    assert!(place.path("set/data/train/mine.parquet").exists(), "what is not ours is left alone");
    let left: Vec<String> = place.files("set/_runs").into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, ["lock"]);
}
