//! Where labels come from, what becomes of objects without one, and which code a class gets.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use crate::place::{Place, jpeg};

/// Every quarantined object is wanted here.
const ANY_RATE: &str = "[clean]\nmax_quarantine_rate = 1.0";

/// Images at these keys, no two alike.
fn with_images(keys: &[&str]) -> Place {
    let place = Place::new();
    keys.iter().zip(0..).for_each(|(key, seed)| place.write(format!("raw/{key}"), jpeg(seed)));
    place
}

/// What the newest manifest says of an object: its action, reason and label.
fn told(place: &Place, uri: &str) -> (String, String, String) {
    let row = place.row(uri);
    let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
    (text("action"), text("reason"), text("label"))
}

#[track_caller]
fn assert_told(place: &Place, uri: &str, [action, reason, label]: [&str; 3]) {
    assert_eq!(told(place, uri), (action.to_owned(), reason.to_owned(), label.to_owned()), "{uri}");
}

/// The label column of every row of the shards, by the image's path.
fn codes(place: &Place) -> BTreeMap<String, Option<i64>> {
    let mut codes = BTreeMap::new();
    for (_, bytes) in place.files("set/data") {
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            let paths = batch.column_by_name("image").unwrap().as_struct().column_by_name("path").unwrap().clone();
            let labels = batch.column_by_name("label").unwrap().as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let path = paths.as_string::<i32>().value(row).to_owned();
                codes.insert(path, labels.is_valid(row).then(|| labels.value(row)));
            }
        }
    }
    codes
}

#[test]
fn the_innermost_folder_names_the_label() {
    let place = with_images(&["2024/a/cat/1.jpg", "2025/cat/2.jpg", "cat/3.jpg", "cat/tabby dog/4.jpg", "5.jpg"]);
    place.pipeline(ANY_RATE);
    assert_eq!(place.run()["classes"], json!(["cat", "tabby dog"]));
    for uri in ["2024/a/cat/1.jpg", "2025/cat/2.jpg", "cat/3.jpg"] {
        assert_told(&place, uri, ["kept", "-", "cat"]);
    }
    assert_told(&place, "cat/tabby dog/4.jpg", ["kept", "-", "tabby dog"]);
    assert_told(&place, "5.jpg", ["quarantined", "no_label", "-"]);
}

#[test]
fn a_capture_of_the_key_names_the_label() {
    let place = with_images(&["all/cat.1.jpg", "all/cat.2.jpg", "all/dog.1.jpg", "all/dog.2.jpg", "all/IMG_0001.jpg"]);
    place.pipeline_with("label = { from = \"regex\", pattern = '/(?<label>[a-z]+)\\.\\d+\\.jpg$' }", ANY_RATE);
    assert_eq!(place.run()["classes"], json!(["cat", "dog"]));
    assert_told(&place, "all/cat.2.jpg", ["kept", "-", "cat"]);
    assert_told(&place, "all/dog.1.jpg", ["kept", "-", "dog"]);
    assert_told(&place, "all/IMG_0001.jpg", ["quarantined", "no_label", "-"]);
}

#[test]
fn a_pattern_that_captures_no_label_is_refused() {
    let place = with_images(&["cat/1.jpg"]);
    place.pipeline_with("label = { from = \"regex\", pattern = '^(?<class>[a-z]+)/' }", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["has no capture named `label`", "(?<label>"]);
    place.pipeline_with("label = { from = \"regex\", pattern = '^(?<label>[a-z+/' }", "");
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["is not a regular expression"]);
}

#[test]
fn without_labels_the_column_is_null() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10)]);
    place.write("raw/flat.jpg", jpeg(5000));
    place.pipeline_with("label = { from = \"none\" }", "");
    let summary = place.run();
    assert_eq!((&summary["classes"], &summary["actions"]), (&json!([]), &json!({ "kept": 21 })));
    assert_eq!(summary["warnings"], json!([]));
    assert!(place.manifest().iter().all(|row| row["label"].is_null() && row["split"].is_string()));
    let codes = codes(&place);
    assert!(codes.len() == 21 && codes.values().all(Option::is_none), "{codes:?}");
    place.swinpipe(["inspect", "set"]).says(0, &["21 samples"]);
    place.swinpipe(["verify", "set"]).says(0, &["everything is what was committed"]);
}

#[test]
fn a_table_from_windows_names_the_same_files() {
    let keys = ["cats/a.jpg", "cats/b.jpg", "cats/c.jpg", "cats/d e.jpg", "dogs/a.jpg", "dogs/b.jpg"];
    let place = with_images(&keys);
    let rows = [
        "cats\\a.jpg,cat",
        "./cats/b.jpg,cat",
        "cats//c.jpg,cat",
        " cats/d e.jpg , cat ",
        ".\\dogs\\a.jpg,dog",
        "\"dogs/b.jpg\",\"dog\"",
    ];
    place.write("labels.csv", format!("\u{feff}path,label\r\n{}\r\n", rows.join("\r\n")));
    place.pipeline_with("label = { from = \"table\", table = \"labels.csv\" }", "");
    let summary = place.run();
    assert_eq!((&summary["classes"], &summary["actions"]), (&json!(["cat", "dog"]), &json!({ "kept": 6 })));
    for key in keys {
        assert_told(&place, key, ["kept", "-", if key.starts_with("cats") { "cat" } else { "dog" }]);
    }
}

#[test]
fn a_table_may_name_files_by_their_stem() {
    let place = with_images(&["x/scan.001.jpg", "y/scan.002.jpg", "z/n3.jpg", "n4.jpg"]);
    let rows =
        "subject,image_id,diagnosis\ns1,scan.001,benign\ns2,scan.002,malign\ns3,n3,benign\ns4,other/n4.jpg,malign\n";
    place.write("meta.csv", rows);
    let label = "{ from = \"table\", table = \"meta.csv\", key = \"image_id\", label = \"diagnosis\", on = \"stem\" }";
    place.pipeline_with(&format!("label = {label}"), "");
    assert_eq!(place.run()["classes"], json!(["benign", "malign"]));
    assert_told(&place, "x/scan.001.jpg", ["kept", "-", "benign"]);
    assert_told(&place, "y/scan.002.jpg", ["kept", "-", "malign"]);
    assert_told(&place, "z/n3.jpg", ["kept", "-", "benign"]);
    assert_told(&place, "n4.jpg", ["kept", "-", "malign"]);
}

#[test]
fn a_table_may_be_separated_by_tabs() {
    let place = with_images(&["a, b.jpg", "c.jpg", "d.jpg"]);
    place.write("labels.tsv", "path\tlabel\na, b.jpg\tcat, tabby\nc.jpg\t007\nd.jpg\t007\n");
    place.pipeline_with("label = { from = \"table\", table = \"labels.tsv\" }", "");
    assert_eq!(place.run()["classes"], json!(["007", "cat, tabby"]));
    assert_told(&place, "a, b.jpg", ["kept", "-", "cat, tabby"]);
}

#[test]
fn a_table_may_be_parquet() {
    let place = with_images(&["a.jpg", "b.jpg", "c.jpg"]);
    let column = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let batch = RecordBatch::try_from_iter([
        ("extra", column(vec![None, None, None])),
        ("file", column(vec![Some("a.jpg"), Some("b.jpg"), Some("c.jpg")])),
        ("class", column(vec![Some("cat"), Some("dog"), None])),
    ])
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(place.path("labels.parquet")).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let label = "{ from = \"table\", table = \"labels.parquet\", key = \"file\", label = \"class\" }";
    place.pipeline_with(&format!("label = {label}"), ANY_RATE);
    assert_eq!(place.run()["classes"], json!(["cat", "dog"]));
    assert_told(&place, "b.jpg", ["kept", "-", "dog"]);
    assert_told(&place, "c.jpg", ["quarantined", "no_label", "-"]);
}

#[test]
fn a_table_that_is_missing_or_lacks_a_column_is_told() {
    let place = with_images(&["a.jpg"]);
    let refused = |label: &str, words: &[&str]| {
        place.pipeline_with(&format!("label = {{ from = \"table\", {label} }}"), "");
        place.swinpipe(["run", "pipeline.toml"]).says(2, words);
    };
    refused("table = \"labels.csv\"", &["the table `labels.csv` does not exist"]);
    place.write("labels.csv", "path,labels\na.jpg,cat\n");
    refused("table = \"labels.csv\"", &["has no column `label`", "did you mean `labels`?", "`path`, `labels`"]);
    place.write("labels.csv", "path,label\n");
    refused("table = \"labels.csv\"", &["has no row"]);
    place.write("labels.csv", jpeg(1));
    refused("table = \"labels.csv\"", &["the table `labels.csv`"]);
    refused("table = \"labels.xlsx\"", &["unknown extension", ".parquet"]);
    assert!(!place.path("set").exists());
}

#[test]
fn rows_without_an_object_and_objects_without_a_row_are_told() {
    let place = with_images(&["a.jpg", "b.jpg", "c.jpg", "d.jpg", "new.jpg", "blank.jpg"]);
    place.write(
        "labels.csv",
        "path,label\na.jpg,cat\nb.jpg,cat\nc.jpg,dog\nd.jpg,dog\nA.JPG,cat\ngone.jpg,dog\nblank.jpg,\n",
    );
    place.pipeline_with("label = { from = \"table\", table = \"labels.csv\" }", ANY_RATE);
    place.swinpipe(["plan", "pipeline.toml"]).says(0, &["2 keys of the label table match no object: A.JPG, gone.jpg"]);
    let summary = place.run();
    let warnings = summary["warnings"].to_string();
    assert!(warnings.contains("2 keys of the label table match no object: A.JPG, gone.jpg"), "{warnings}");
    assert_eq!(summary["reasons"], json!({ "no_label": 2 }));
    assert_told(&place, "new.jpg", ["quarantined", "no_label", "-"]);
    assert_told(&place, "blank.jpg", ["quarantined", "no_label", "-"]);
    // A row for it makes it a sample, though the file itself is as it was.
    place.write("labels.csv", "path,label\na.jpg,cat\nb.jpg,cat\nc.jpg,dog\nd.jpg,dog\nnew.jpg,dog\n");
    assert_eq!(place.run()["objects"], 1);
    let rows = place.manifest();
    let newest = rows.iter().rfind(|row| row["uri"] == "new.jpg").unwrap();
    assert_eq!((&newest["action"], &newest["label"]), (&json!("kept"), &json!("dog")));
}

#[test]
fn rows_that_contradict_each_other_are_a_label_conflict() {
    let place = with_images(&["a.jpg", "b.jpg", "both.jpg", "twice.jpg"]);
    place.write(
        "labels.csv",
        "path,label\na.jpg,cat\nb.jpg,dog\nboth.jpg,dog\ntwice.jpg,dog\nboth.jpg,cat\n./twice.jpg,dog\n",
    );
    place.pipeline_with("label = { from = \"table\", table = \"labels.csv\" }", ANY_RATE);
    place.run();
    assert_told(&place, "both.jpg", ["quarantined", "label_conflict", "-"]);
    assert_eq!(place.row("both.jpg")["detail"], "the label table says `cat` and `dog`");
    assert_told(&place, "twice.jpg", ["kept", "-", "dog"]);
}

#[test]
fn classes_of_the_file_have_its_order_and_no_others_are_taken() {
    let place = Place::with_classes(&[("cat", 10), ("dog", 10), ("emu", 2)]);
    place.pipeline_with("classes = [\"zebra\", \"dog\", \"cat\"]", ANY_RATE);
    assert_eq!(place.run()["classes"], json!(["zebra", "dog", "cat"]));
    assert_told(&place, "emu/emu_001.jpg", ["quarantined", "unknown_class", "emu"]);
    assert_eq!(place.row("emu/emu_001.jpg")["detail"], "`emu` is not among source.classes");
    let codes = codes(&place);
    assert_eq!(codes.len(), 20);
    assert!(codes.iter().all(|(path, code)| *code == Some(if path.starts_with("dog/") { 1 } else { 2 })), "{codes:?}");
    // Once committed, a code is for good.
    place.pipeline_with("classes = [\"cat\", \"dog\", \"zebra\"]", ANY_RATE);
    place.swinpipe(["run", "pipeline.toml"]).says(2, &["the classes zebra, dog, cat", "the file says cat, dog, zebra"]);
}

#[test]
fn other_classes_are_sorted_and_later_ones_appended() {
    let place = Place::with_classes(&[("dog", 10), ("cat", 10), ("Ant", 10)]);
    place.pipeline("");
    assert_eq!(place.run()["classes"], json!(["Ant", "cat", "dog"]));
    (0..10).for_each(|i| place.write(format!("raw/bee/{i}.jpg"), jpeg(7000 + i)));
    assert_eq!(place.run()["classes"], json!(["Ant", "cat", "dog", "bee"]));
    let codes = codes(&place);
    for (path, code) in [("Ant/Ant_003.jpg", 0), ("cat/cat_003.jpg", 1), ("dog/dog_003.jpg", 2), ("bee/3.jpg", 3)] {
        assert_eq!(codes[path], Some(code), "{path}");
    }
}

#[test]
fn a_class_added_to_the_file_lets_in_what_was_kept_out_for_it() {
    let place = with_images(&["cat/a.jpg", "dog/b.jpg", "emu/c.jpg"]);
    place.pipeline_with("classes = [\"dog\", \"cat\"]", ANY_RATE);
    place.run();
    assert_told(&place, "emu/c.jpg", ["quarantined", "unknown_class", "emu"]);
    place.pipeline_with("classes = [\"dog\", \"cat\", \"emu\"]", ANY_RATE);
    let summary = place.run();
    assert_eq!((&summary["outcome"], &summary["objects"]), (&json!("committed"), &json!(1)));
    assert_eq!(summary["classes"], json!(["dog", "cat", "emu"]));
    let rows = place.manifest();
    let newest = rows.iter().rfind(|row| row["uri"] == "emu/c.jpg").unwrap();
    assert_eq!((&newest["action"], &newest["label"]), (&json!("kept"), &json!("emu")));
}
