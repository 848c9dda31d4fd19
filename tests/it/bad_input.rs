//! What is wrong with the file, the source or the images is told in words, with what to do, and loses nothing.

use std::fs;

use crate::place::{Place, jpeg};

/// The list of what was refused, that a run without a version leaves.
fn refused(place: &Place) -> String {
    let lists: Vec<(String, Vec<u8>)> =
        place.files("set/_runs").into_iter().filter(|(path, _)| path.ends_with("refused.csv")).collect();
    assert_eq!(lists.len(), 1);
    String::from_utf8(lists[0].1.clone()).unwrap()
}

#[test]
fn a_source_that_does_not_exist_is_named() {
    let place = Place::new();
    place.pipeline("");
    fs::remove_dir(place.path("raw")).unwrap();
    for command in ["run", "plan", "check"] {
        place.swinpipe([command, "pipeline.toml"]).says(2, &["raw` does not exist", "source.url"]);
    }
    assert!(!place.path("set").exists());
}

#[test]
fn a_source_that_is_a_file_is_no_source() {
    let place = Place::new();
    place.pipeline("");
    fs::remove_dir(place.path("raw")).unwrap();
    place.write("raw", jpeg(1));
    place
        .swinpipe(["run", "pipeline.toml"])
        .says(2, &["raw` is not a folder", "give the folder that holds the images"]);
}

#[test]
fn an_empty_source_and_globs_that_leave_out_everything_are_told_apart() {
    let place = Place::new();
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["holds no file", "the folder is empty", "check source.url"]);
    place.write("raw/cat/a.jpg", jpeg(1));
    place.write("raw/cat/b.jpg", jpeg(2));
    place.pipeline_with("include = [\"**/*.png\"]", "");
    let words = ["2 files are left out by source.include and source.exclude"];
    place.swinpipe(["run", "pipeline.toml"]).says(2, &words);
    place.pipeline_with("exclude = [\"cat/**\"]", "");
    place.swinpipe(["plan", "pipeline.toml"]).says(2, &words);
    assert!(!place.path("set").exists());
}

#[test]
fn labels_that_no_object_has_stop_the_run() {
    let place = Place::new();
    (0..4).for_each(|i| place.write(format!("raw/{i}.jpg"), jpeg(i)));
    place.pipeline("");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(2, &["no object of", "has a label", "lie in no folder of their own", "label = { from = \"none\" }"]);
    place.write("labels.csv", "path,label\nelsewhere/0.jpg,cat\n");
    place.pipeline_with("label = { from = \"table\", table = \"labels.csv\" }", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["no `path` of labels.csv names one of them", "source.url"]);
    place.pipeline_with("label = { from = \"regex\", pattern = '^(?<label>cat|dog)_' }", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["none of their keys matches", "`^(?<label>cat|dog)_`"]);
    assert!(!place.path("set").exists());
}

#[test]
fn one_class_alone_is_warned_about() {
    let place = Place::with_classes(&[("cat", 20)]);
    place.pipeline("");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["warning: there is only one class, `cat`", "is at version 0"]);
}

#[test]
fn a_file_is_refused_at_the_place_that_is_wrong() {
    let place = Place::with_classes(&[("cat", 2)]);
    place.pipeline("[split]\nratios = { train = 0.8, val = 0.1 }");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(
        2,
        &["split.ratios sum to 0.9 (train 0.8 + val 0.1): shares must sum to 1", "pipeline.toml:12:10", "^^^"],
    );
    place.pipeline_with("exlude = [\"*.tmp\"]", "");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(2, &["unknown key `exlude` in [source]", "pipeline.toml:6:1", "^^^^^^", "did you mean `exclude`?"]);
    place.pipeline("[clean]\nquality = \"high\"");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(
        2,
        &["`clean.quality` wants a whole number", "found the string \"high\"", "pipeline.toml:12:11", "^^^^^^"],
    );
    place.write("pipeline.toml", "name = \"test\nseed = 7\n");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["pipeline.toml:1:", "^"]);
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let place = Place::with_classes(&[("cat", 2)]);
    let text = "name = \"test\"\nseed = \"seven\"\n\n[source]\nurl = \"raw\"\nexlude = [\"*.tmp\"]\n\n\
                [clean]\nquality = 950\n\n\
                [split]\nratios = { train = 0.8, val = 0.1 }\n\n[dataset]\nurl = \"set\"\nshard_size = 256\n";
    place.write("pipeline.toml", text);
    let places = ["toml:2:8", "toml:6:1", "toml:9:11", "toml:12:10", "toml:16:14"];
    for command in ["run", "plan", "check"] {
        let told = place.swinpipe([command, "pipeline.toml"]);
        told.says(2, &places);
        told.says(2, &["5 problems in pipeline.toml", "from 1 to 100", "did you mean `exclude`?"]);
        assert!(told.err.matches('^').count() > 20, "{}", told.err);
    }
    let told = place.swinpipe(["run", "pipeline.toml", "--json"]);
    let lines: Vec<u64> = told.json().as_array().unwrap().iter().map(|p| p["line"].as_u64().unwrap()).collect();
    assert_eq!((told.code, lines), (2, vec![2, 6, 9, 12, 16]));
}

#[test]
fn a_pipeline_file_that_is_not_there_is_guessed() {
    let place = Place::with_classes(&[("cat", 2)]);
    place.pipeline("");
    place.swinpipe(["run", "piplin.toml"]).says(2, &["cannot read piplin.toml", "did you mean pipeline.toml?"]);
    place.swinpipe(["run", "raw"]).says(2, &["raw is a folder, not a pipeline file"]);
    place.write("image.toml", jpeg(1));
    place.swinpipe(["run", "image.toml"]).says(2, &["image.toml is not UTF-8 text"]);
}

#[test]
fn an_override_needs_a_key_and_a_value() {
    let place = Place::with_classes(&[("cat", 2)]);
    place.pipeline("");
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "split.ratios"]);
    told.says(2, &["`--set split.ratios` has no `=`", "--set:1:1", "the form is KEY=VALUE"]);
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "clean.qality=90"]);
    told.says(2, &["unknown key `qality`", "did you mean `quality`?"]);
}

#[test]
fn remote_urls_are_refused_plainly() {
    let place = Place::with_classes(&[("cat", 2)]);
    place.pipeline("");
    let told =
        place.swinpipe(["run", "pipeline.toml", "--set", "source.url=s3://b/x", "--set", "dataset.url=gs://b/y"]);
    told.says(
        2,
        &["`source.url` is s3://: this version reads local folders only", "copy the objects to a local folder"],
    );
    told.says(2, &["`dataset.url` is gs://", "2 problems"]);
    place.swinpipe(["inspect", "s3://b/set"]).says(2, &["`s3://b/set`: this version works on local folders"]);
}

#[test]
fn too_many_bad_images_stop_the_run_before_its_commit() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.write("raw/cat/empty.jpg", "");
    place.write("raw/dog/page.jpg", "<html><body>404 Not Found</body></html>");
    place.pipeline("");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(1, &["2 of 22 new or changed objects (9.1%) would be quarantined", "clean.max_quarantine_rate = 0.05"]);
    told.says(1, &["1 empty, 1 error_page", "nothing is committed", "refused.csv lists them all"]);
    told.says(1, &["--set clean.max_quarantine_rate=0.10"]);
    let list = refused(&place);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "uri,action,reason,detail,label"));
    assert!(lines[1].starts_with("\"cat/empty.jpg\",\"quarantined\",\"empty\""), "{list}");
    assert!(lines[2].starts_with("\"dog/page.jpg\",\"quarantined\",\"error_page\""), "{list}");
    place.swinpipe(["inspect", "set"]).says(2, &["there is no dataset"]);
    assert!(!place.path("set/_delta_log").exists() && !place.path("set/data").exists());
    let told = place.swinpipe(["run", "pipeline.toml", "--json", "-q"]);
    let facts = &told.json()["facts"];
    assert!(told.code == 1 && told.json()["error"].as_str().unwrap().contains("would be quarantined"));
    assert_eq!((&facts["outcome"], &facts["gate"]["quarantined"]), (&"gate failed".into(), &2.into()));
    // The advice is good.
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "clean.max_quarantine_rate=0.10"]);
    told.says(0, &["22 images, all done by an earlier run", "set is at version 0"]);
}

#[test]
fn without_one_good_image_there_is_no_version() {
    let place = Place::new();
    place.write("raw/cat/empty.jpg", "");
    place.write("raw/dog/cut.jpg", &jpeg(1)[..200]);
    place.pipeline("[clean]\nmax_quarantine_rate = 1.0");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(2, &["not one of 2 objects can become a sample", "1 empty", "1 truncated", "nothing is committed"]);
    assert_eq!(refused(&place).lines().count(), 3);
    fs::remove_dir_all(place.path("raw")).unwrap();
    place.write("raw/cat/notes.txt", "nothing to see");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(2, &["not one of 1 objects can become a sample (all are ignored)"]);
    place.swinpipe(["inspect", "set"]).says(2, &["there is no dataset"]);
}
