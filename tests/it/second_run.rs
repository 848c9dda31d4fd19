//! What a second run makes of objects that were touched, mended, or changed, and of another setting.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::place::{Place, jpeg, newest};

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
