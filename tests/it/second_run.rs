//! What a second run makes of objects that were touched, mended, or changed, and of another setting.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;
use swinpipe::pipeline::event::{Event, Watch};
use swinpipe::pipeline::load;
use swinpipe::pipeline::run::{self, Outcome};
use swinpipe::sample::Sha256;

use crate::place::{Place, jpeg, newest, sized};

fn touch(place: &Place, file: &str) {
    let file = fs::File::options().append(true).open(place.path(file)).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
}

fn committed() -> Place {
    let place = Place::with_classes(&[("cat", 15), ("dog", 15)]);
    place.write("raw/cat/broken.jpg", &jpeg(500)[..300]);
    place.pipeline("");
    place.run();
    place
}

#[test]
fn a_touched_file_makes_no_version_but_goes_along_with_the_next() {
    let place = committed();
    let before = place.row("cat/cat_003.jpg");
    for file in ["raw/cat/cat_003.jpg", "raw/cat/broken.jpg"] {
        touch(&place, file);
    }
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do", "nothing at the source is new or changed"]);
    place.write("raw/dog/new.jpg", jpeg(900));
    let summary = place.run();
    assert_eq!((&summary["objects"], &summary["touched"], &summary["unchanged"]), (&json!(1), &json!(2), &json!(29)));
    assert_eq!(summary["actions"], json!({ "kept": 1 }));
    let after = place.row("cat/cat_003.jpg");
    assert_ne!(before["etag"], after["etag"]);
    for column in ["id", "action", "split", "shard", "row", "label"] {
        assert_eq!(before[column], after[column], "{column}");
    }
    assert_eq!(place.manifest().len(), 32, "no object has two rows");
    // Nothing is left to look at again.
    let plan = place.swinpipe(["plan", "pipeline.toml", "--json"]).json();
    assert_eq!((&plan["new"], &plan["changed"], &plan["unchanged"]), (&json!(0), &json!(0), &json!(32)));
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed", "31 images"]);
}

#[test]
fn what_was_kept_out_and_is_mended_is_kept_out_no_longer() {
    let place = committed();
    place.write("raw/cat/broken.jpg", jpeg(500));
    assert_eq!(place.run()["actions"], json!({ "kept": 1 }));
    let rows = place.manifest();
    let of_object: Vec<_> = rows.iter().filter(|row| row["uri"] == "cat/broken.jpg").collect();
    assert_eq!(of_object.iter().map(|row| &row["action"]).collect::<Vec<_>>(), ["removed", "kept"]);
    assert!(of_object[0]["detail"].as_str().unwrap().starts_with("it was quarantined in version 0"));
    assert_eq!(place.swinpipe(["manifest", "set", "--action", "quarantined", "--json"]).json(), json!([]));
    let history = place.swinpipe(["why", "set", "cat/broken.jpg"]);
    history.says(0, &["quarantined:", "removed:", "kept:"]);
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
}

#[test]
fn a_sample_whose_file_changed_stays_beside_the_new_one() {
    let place = committed();
    let old = place.row("dog/dog_001.jpg");
    place.write("raw/dog/dog_001.jpg", jpeg(901));
    place.run();
    let rows: Vec<_> = place.manifest().into_iter().filter(|row| row["uri"] == "dog/dog_001.jpg").collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["shard"], &rows[0]["row"]), (&old["shard"], &old["row"]));
    assert_eq!(newest(&rows, "dog/dog_001.jpg")["version"], 1);
    place.swinpipe(["verify", "set"]).says(0, &["31 images"]);
}

#[test]
fn a_new_gate_is_no_other_cleaning_and_a_new_quality_is() {
    let place = committed();
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "clean.max_quarantine_rate=0.9"]);
    told.says(0, &["nothing to do"]);
    assert!(!told.err.contains("[clean]"), "{}", told.err);
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "clean.quality=80"]);
    told.says(0, &["warning: [clean] is not that of version 0: it applies to new and changed objects only"]);
}

#[test]
fn classes_and_seed_of_a_dataset_stay() {
    let place = committed();
    for (set, words) in [("source.classes=[\"dog\", \"cat\"]", "the classes cat, dog"), ("seed=8", "seed 7")] {
        let told = place.swinpipe(["run", "pipeline.toml", "--set", set]);
        told.says(2, &[&format!("was made with {words}, the file says"), "or name another dataset"]);
    }
}

#[test]
fn a_split_or_label_that_no_row_has_is_an_error() {
    let place = committed();
    let told = place.swinpipe(["manifest", "set", "--split", "vall"]);
    told.says(2, &["no row has the split `vall`: there are train, val, test"]);
    place.swinpipe(["manifest", "set", "--label", "cta"]).says(2, &["no row has the label `cta`: there are cat, dog"]);
}

/// Two runs at once: what the other one commits between this one's plan and its lock is not lost.
#[test]
fn what_another_run_commits_meanwhile_is_built_upon() {
    let place = committed();
    place.write("raw/dog/new.jpg", jpeg(900));
    let pipeline = || {
        let text = format!(
            "name = \"test\"\nseed = 7\n[source]\nurl = {:?}\n[dataset]\nurl = {:?}\n",
            place.path("raw"),
            place.path("set")
        );
        load::parse("pipeline.toml", &text, &[]).unwrap().pipeline
    };
    let stop = AtomicBool::new(false);
    let others = AtomicBool::new(true);
    let tell = |event: Event| {
        // The plan is made, the lock not yet taken.
        if matches!(event, Event::End) && others.swap(false, Ordering::Relaxed) {
            let outcome = run::run(pipeline(), None, &Watch::new(&|_| (), &stop)).unwrap();
            assert!(matches!(outcome, Outcome::Committed(summary) if summary.version == 1));
        }
    };
    let outcome = run::run(pipeline(), None, &Watch::new(&tell, &stop)).unwrap();
    assert!(matches!(outcome, Outcome::NothingToDo { version: 1, .. }), "{outcome:?}");
    place.swinpipe(["verify", "set"]).says(0, &["set version 1", "31 images", "everything is what was committed"]);
}

#[test]
fn a_committed_sample_stays_one_whatever_the_settings_say_of_its_file_later() {
    let place = committed();
    let (x, y) = (sized(70, 80, 64), jpeg(71));
    // Content that its name belies, so that another setting keeps it out.
    place.write("raw/cat/x.png", &x);
    place.run();
    place.write("raw/cat/x.png", &y);
    place.run();
    place.write("raw/cat/x.png", &x);
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "clean.on_mismatch=quarantine"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let newest = newest(&place.manifest(), "cat/x.png");
    assert_eq!((&newest["id"], &newest["action"]), (&json!(Sha256::of(&x).to_string()), &json!("reencoded")));
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed", "32 images"]);
    // It has the last word, so there is nothing more to do.
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
}

#[test]
fn a_label_conflict_ends_when_one_side_is_gone_or_agrees() {
    let twins = || {
        let place = committed();
        place.write("raw/cat/twin.jpg", jpeg(800));
        place.write("raw/dog/twin.jpg", jpeg(800));
        place
            .swinpipe(["run", "pipeline.toml", "--set", "clean.max_quarantine_rate=1.0"])
            .says(0, &["2 label_conflict"]);
        place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
        place
    };
    let kept = |place: &Place, uri: &str| {
        assert_eq!(newest(&place.manifest(), uri)["action"], "kept", "{uri}");
        place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
        place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
    };
    let place = twins();
    fs::remove_file(place.path("raw/dog/twin.jpg")).unwrap();
    place.run();
    kept(&place, "cat/twin.jpg");

    let place = twins();
    fs::rename(place.path("raw/dog/twin.jpg"), place.path("raw/cat/twin_2.jpg")).unwrap();
    place.run();
    assert_eq!(place.row("cat/twin_2.jpg")["duplicate_of"], "cat/twin.jpg");
    kept(&place, "cat/twin.jpg");

    let place = twins();
    place.pipeline("[dedupe]\nlabel_conflict = \"keep\"");
    place.run();
    kept(&place, "cat/twin.jpg");
    kept(&place, "dog/twin.jpg");
}

#[test]
fn labels_cannot_come_and_go() {
    let place = committed();
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "source.label={ from = \"none\" }"]);
    told.says(2, &["was made with labels, the file says no labels"]);
}

#[test]
fn a_dataset_without_its_log_is_not_taken_for_a_new_one() {
    let place = committed();
    let before = place.files("set/data");
    fs::remove_dir_all(place.path("set/_delta_log")).unwrap();
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["whose _delta_log is gone", "restore it from a copy"]);
    assert_eq!(place.files("set/data"), before);
}

#[test]
fn a_path_that_the_log_cannot_carry_is_refused() {
    let place = committed();
    for url in ["d%41s", "back\\slash"] {
        let told = place.swinpipe(["run", "pipeline.toml", "--set", &format!("dataset.url='{url}'")]);
        told.says(2, &["which the Delta log's URLs do not carry", "dataset.url"]);
    }
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "dataset.url='a b ü#?&'"]);
    told.says(0, &["is at version 0"]);
    place.swinpipe(["verify", "a b ü#?&"]).says(0, &["everything is what was committed"]);
}

#[test]
fn old_news_neither_fails_the_gate_nor_is_quarantined_again() {
    let place = Place::new();
    let rows: String = (0..20).map(|i| format!("{i}.jpg,{},train\n", if i % 2 == 0 { "cat" } else { "dog" })).collect();
    (0..21).for_each(|i| place.write(format!("raw/{i}.jpg"), jpeg(i)));
    place.write("labels.csv", format!("path,label,split\n{rows}20.jpg,cat,no way\n"));
    let label = "label = { from = \"table\", table = \"labels.csv\" }";
    place.pipeline_with(label, "[split]\nstrategy = \"column\"\n");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["1 no_split"]);
    place.write("raw/21.jpg", jpeg(21));
    place.write("labels.csv", format!("path,label,split\n{rows}20.jpg,cat,no way\n21.jpg,dog,train\n"));
    let summary = place.run();
    assert_eq!(summary["actions"], json!({ "kept": 1 }));
    assert_eq!(place.files("set/_quarantine").len(), 1);
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["nothing to do"]);
    // And once the split has a name, it is let in.
    place.write("labels.csv", format!("path,label,split\n{rows}20.jpg,cat,val\n21.jpg,dog,train\n"));
    assert_eq!(place.run()["actions"], json!({ "kept": 1 }));
    assert_eq!(newest(&place.manifest(), "20.jpg")["split"], "val");
}
