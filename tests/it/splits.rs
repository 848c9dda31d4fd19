//! Splits: exact shares, for good, and never one image in two of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::place::{Place, jpeg};

/// Quarantined objects are wanted here.
const ANY_RATE: &str = "[clean]\nmax_quarantine_rate = 1.0\n";

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or("-").to_owned()
}

/// The split of every sample, by its key.
fn splits(place: &Place) -> BTreeMap<String, String> {
    let rows = place.manifest();
    rows.iter().filter(|row| row["split"].is_string()).map(|row| (text(row, "uri"), text(row, "split"))).collect()
}

/// Samples of a class in train, val and test.
fn counts(place: &Place, class: &str) -> [usize; 3] {
    let rows = place.manifest();
    ["train", "val", "test"]
        .map(|split| rows.iter().filter(|row| row["label"] == class && row["split"] == split).count())
}

#[track_caller]
fn assert_kept_out(place: &Place, uri: &str, action: &str, reason: &str) {
    let row = place.row(uri);
    assert_eq!((text(&row, "action"), text(&row, "reason")), (action.to_owned(), reason.to_owned()), "{row:#}");
    assert!(row["split"].is_null() && row["shard"].is_null(), "{row:#}");
}

#[test]
fn every_class_is_divided_exactly() {
    let place = Place::with_classes(&[("cat", 100), ("dog", 50), ("emu", 10)]);
    place.pipeline("[split]\nratios = { train = 0.8, val = 0.1, test = 0.1 }");
    let summary = place.run();
    assert_eq!(summary["warnings"], json!([]));
    assert_eq!(counts(&place, "cat"), [80, 10, 10]);
    assert_eq!(counts(&place, "dog"), [40, 5, 5]);
    assert_eq!(counts(&place, "emu"), [8, 1, 1]);
    // What is written lies where the manifest says.
    for row in place.manifest() {
        assert!(text(&row, "shard").starts_with(&format!("data/{}/", text(&row, "split"))), "{row:#}");
    }
}

#[test]
fn a_class_too_small_for_every_split_is_warned_about_and_trained_on() {
    let place = Place::with_classes(&[("cat", 40), ("rat", 2)]);
    place.pipeline("");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(0, &["too few samples for every split: rat (2 in all) has none in"]);
    let [train, val, test] = counts(&place, "rat");
    assert!(train >= 1 && train + val + test == 2);
    assert_eq!(counts(&place, "cat"), [32, 4, 4]);
}

#[test]
fn new_samples_fill_the_shares_and_none_moves() {
    let place = Place::with_classes(&[("cat", 50), ("dog", 10)]);
    place.pipeline("");
    place.run();
    assert_eq!((counts(&place, "cat"), counts(&place, "dog")), ([40, 5, 5], [8, 1, 1]));
    let before = splits(&place);
    (0..50).for_each(|i| place.write(format!("raw/cat/more_{i}.jpg"), jpeg(5000 + i)));
    (0..3).for_each(|i| place.write(format!("raw/dog/more_{i}.jpg"), jpeg(6000 + i)));
    place.run();
    assert_eq!(counts(&place, "cat"), [80, 10, 10]);
    let dogs = counts(&place, "dog");
    assert_eq!((dogs.iter().sum::<usize>(), dogs[0] >= 10), (13, true), "{dogs:?}");
    let after = splits(&place);
    assert!(before.iter().all(|(uri, split)| after[uri] == *split));
}

#[test]
fn other_shares_are_for_new_samples_only() {
    let place = Place::with_classes(&[("cat", 20), ("dog", 20)]);
    place.pipeline("");
    place.run();
    let before = splits(&place);
    (0..20).for_each(|i| place.write(format!("raw/cat/more_{i}.jpg"), jpeg(5000 + i)));
    let shares = "split.ratios={ train = 0.5, val = 0.5 }";
    let told = place.swinpipe(["run", "pipeline.toml", "--set", shares]);
    told.says(0, &["they apply to new samples only, and no sample moves", "set is at version 1"]);
    let after = splits(&place);
    assert!(before.iter().all(|(uri, split)| after[uri] == *split));
    assert_eq!(after.len(), 60);
}

#[test]
fn by_hash_a_split_depends_on_no_other_sample() {
    let write = |place: &Place, numbers: std::ops::Range<u32>| {
        numbers.for_each(|i| place.write(format!("raw/{}/{i}.jpg", if i % 3 == 0 { "cat" } else { "dog" }), jpeg(i)));
        place.pipeline("[split]\nstrategy = \"hash\"\nratios = { train = 0.5, val = 0.3, test = 0.2 }");
        place.run();
        splits(place)
    };
    let growing = Place::new();
    let first = write(&growing, 0..60);
    let grown = write(&growing, 60..120);
    let all_at_once = write(&Place::new(), 0..120);
    let others = write(&Place::new(), 40..90);
    assert_eq!((first.len(), grown.len(), others.len()), (60, 120, 50));
    assert_eq!(grown, all_at_once);
    assert!(first.iter().chain(&others).all(|(uri, split)| all_at_once[uri] == *split));
    for (split, share) in [("train", 60.0), ("val", 36.0), ("test", 24.0)] {
        let count = all_at_once.values().filter(|other| *other == split).count() as f64;
        assert!((count - share).abs() < 20.0, "{split}: {count}");
    }
}

/// Images `0.jpg` to `<count - 1>.jpg`, labelled and divided by one table.
fn with_table(count: u32, rows: &str) -> Place {
    let place = Place::new();
    (0..count).for_each(|i| place.write(format!("raw/{i}.jpg"), jpeg(i)));
    place.write("labels.csv", format!("path,label,part\n{rows}"));
    let more = format!("{ANY_RATE}\n[split]\nstrategy = \"column\"\ncolumn = \"part\"");
    place.pipeline_with("label = { from = \"table\", table = \"labels.csv\" }", &more);
    place
}

#[test]
fn a_column_of_the_label_table_names_the_split() {
    let place = with_table(
        8,
        "0.jpg,cat,train\n1.jpg,cat,val\n2.jpg,cat,test\n3.jpg,dog,train\n4.jpg,dog,\n5.jpg,dog,train\n5.jpg,dog,val\n\
         6.jpg,dog,extra\n7.jpg,dog,../up\n",
    );
    let summary = place.run();
    let found: Vec<(String, String)> = splits(&place).into_iter().collect();
    let wanted = [("0.jpg", "train"), ("1.jpg", "val"), ("2.jpg", "test"), ("3.jpg", "train"), ("6.jpg", "extra")];
    assert_eq!(found, wanted.map(|(uri, split)| (uri.to_owned(), split.to_owned())));
    assert_kept_out(&place, "4.jpg", "quarantined", "no_split");
    assert_kept_out(&place, "5.jpg", "split_conflict", "split_conflict");
    assert_eq!(place.row("5.jpg")["detail"], "the split table says `train` and `val`");
    assert_kept_out(&place, "7.jpg", "quarantined", "no_split");
    let names: Vec<&str> =
        summary["splits"].as_array().unwrap().iter().map(|split| split["split"].as_str().unwrap()).collect();
    assert_eq!(names, ["train", "val", "test", "extra"], "the usual ones in their usual order");
    place.swinpipe(["verify", "set"]).says(0, &["5 images"]);
}

#[test]
fn the_summary_tells_each_reason_beside_its_own_action() {
    let place = with_table(4, "0.jpg,cat,train\n1.jpg,cat,train\n1.jpg,cat,val\n2.jpg,dog,train\n3.jpg,dog,\n");
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(0, &["1 no_split", "Its split is contradicted by another row of the same image"]);
    let line = |action: &str| told.out.lines().find(|line| line.trim_start().starts_with(action)).unwrap();
    assert!(!line("split_conflict").contains("no_split"), "{}", told.out);
    assert!(!line("quarantined").contains("split_conflict"), "{}", told.out);
}

#[test]
fn a_table_of_its_own_may_name_the_split() {
    let place = Place::with_classes(&[("cat", 6), ("dog", 6)]);
    let rows: String = (0..6)
        .map(|i| {
            let split = ["train", "train", "train", "train", "val", "test"][i];
            format!("cat_{i:03}\t{split}\ndog_{i:03}.jpg\t{split}\n")
        })
        .collect();
    place.write("splits.tsv", format!("image\tfold\n{rows}ghost\tval\n"));
    let table = "table = { path = \"splits.tsv\", key = \"image\", on = \"stem\" }";
    place.pipeline(&format!("[split]\nstrategy = \"column\"\ncolumn = \"fold\"\n{table}"));
    let summary = place.run();
    let warnings = summary["warnings"].to_string();
    assert!(warnings.contains("1 key of the split table matches no object: ghost"), "{warnings}");
    assert_eq!((counts(&place, "cat"), counts(&place, "dog")), ([4, 1, 1], [4, 1, 1]));
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "split.column=flod"]);
    told.says(2, &["has no column `flod`", "did you mean `fold`?"]);
    let told = place.swinpipe(["run", "pipeline.toml", "--set", "split.table.path=other.csv"]);
    told.says(2, &["the table `other.csv` does not exist"]);
}

#[test]
fn a_copy_that_the_table_puts_into_another_split_is_dropped_as_a_leak() {
    let place = with_table(
        6,
        "0.jpg,cat,train\n1.jpg,cat,val\n2.jpg,cat,train\n3.jpg,dog,train\n4.jpg,dog,val\n5.jpg,dog,train\n\
         copy.jpg,cat,val\nsame.jpg,cat,val\n",
    );
    place.write("raw/copy.jpg", jpeg(0));
    place.write("raw/same.jpg", jpeg(1));
    let summary = place.run();
    let warnings = summary["warnings"].to_string();
    assert!(
        warnings.contains("the split table leaks: 1 duplicates lie in another split than their sample"),
        "{warnings}"
    );
    let row = place.row("copy.jpg");
    assert_eq!((text(&row, "action"), text(&row, "duplicate_of")), ("duplicate".to_owned(), "0.jpg".to_owned()));
    assert_eq!(row["detail"], "the split table puts this copy into `val`, its sample is in `train`");
    assert!(place.row("same.jpg")["detail"].is_null());
    assert_eq!(place.row("0.jpg")["split"], "train");
}

#[test]
fn one_image_under_two_labels_and_two_splits_is_kept_out() {
    let rows = "0.jpg,cat,train\n1.jpg,cat,val\n2.jpg,dog,train\n3.jpg,dog,val\nagain.jpg,dog,val\n";
    let place = with_table(4, rows);
    place.write("raw/again.jpg", jpeg(0));
    let keep = ["run", "pipeline.toml", "-q", "--set", "dedupe.label_conflict=keep"];
    place.swinpipe(keep).says(0, &[]);
    for uri in ["0.jpg", "again.jpg"] {
        assert_kept_out(&place, uri, "split_conflict", "split_conflict");
        assert_eq!(place.row(uri)["detail"], "the same bytes are put into `train` and `val`");
    }
    // What is placed stays where it is; the newcomer yields.
    place.write("raw/late.jpg", jpeg(2));
    place.write("labels.csv", format!("path,label,part\n{rows}late.jpg,cat,val\n"));
    place.swinpipe(keep).says(0, &[]);
    assert_kept_out(&place, "late.jpg", "split_conflict", "split_conflict");
    assert_eq!(place.row("2.jpg")["split"], "train");
}

#[test]
fn the_rows_of_one_image_stay_in_one_split() {
    for strategy in ["stratified", "hash"] {
        let place = Place::with_classes(&[("cat", 30), ("dog", 30)]);
        for i in 0..30 {
            place.write(format!("raw/cat/both_{i}.jpg"), jpeg(5000 + i));
            place.write(format!("raw/dog/both_{i}.jpg"), jpeg(5000 + i));
        }
        let ratios = "ratios = { train = 0.5, val = 0.5 }";
        place.pipeline(&format!("[dedupe]\nlabel_conflict = \"keep\"\n\n[split]\nstrategy = \"{strategy}\"\n{ratios}"));
        assert_eq!(place.run()["actions"], json!({ "kept": 120 }), "{strategy}");
        let splits = splits(&place);
        let of = |i: u32| (&splits[&format!("cat/both_{i}.jpg")], &splits[&format!("dog/both_{i}.jpg")]);
        assert!((0..30).all(|i| of(i).0 == of(i).1), "{strategy}");
        assert!((0..30).any(|i| of(i).0 == "train") && (0..30).any(|i| of(i).0 == "val"), "{strategy}");
    }
}

/// The splits of the same images, written in this order.
fn splits_of(order: impl Iterator<Item = u32>, more: &str, seed: &str) -> BTreeMap<String, String> {
    let place = Place::new();
    order.for_each(|i| place.write(format!("raw/{}/{i:03}.jpg", if i % 3 == 0 { "cat" } else { "dog" }), jpeg(i)));
    place.pipeline(more);
    let told = place.swinpipe(["run", "pipeline.toml", "-q", "--set", &format!("seed={seed}")]);
    assert_eq!(told.code, 0, "{}", told.err);
    splits(&place)
}

#[test]
fn the_order_in_which_files_came_is_no_matter_and_the_seed_is() {
    for more in ["", "[split]\nstrategy = \"hash\""] {
        let forward = splits_of(0..90, more, "7");
        assert_eq!(forward, splits_of((0..90).rev(), more, "7"));
        let other_seed = splits_of(0..90, more, "8");
        assert_eq!(forward.len(), other_seed.len());
        assert_ne!(forward, other_seed);
    }
}

#[test]
fn a_name_is_no_matter_for_the_split_either() {
    let named = |prefix: &str| {
        let place = Place::new();
        (0..60).for_each(|i| place.write(format!("raw/cat/{prefix}{i:03}.jpg"), jpeg(i)));
        (60..90).for_each(|i| place.write(format!("raw/dog/{prefix}{i:03}.jpg"), jpeg(i)));
        place.pipeline("");
        place.run();
        let rows = place.manifest();
        rows.iter().map(|row| (text(row, "id"), text(row, "split"))).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(named("a_"), named("z_"));
}

#[test]
fn one_split_alone_takes_everything() {
    let place = Place::with_classes(&[("cat", 5), ("dog", 3)]);
    place.pipeline("[split]\nratios = { train = 1.0 }");
    let summary = place.run();
    assert_eq!(summary["splits"], json!([{ "split": "train", "samples": 8, "classes": { "cat": 5, "dog": 3 } }]));
    assert_eq!(summary["warnings"], json!([]));
    assert!(place.files("set/data").iter().all(|(path, _)| path.starts_with("train/")));
    place.swinpipe(["verify", "set"]).says(0, &["8 images"]);
}

#[test]
fn an_image_in_two_splits_is_let_in_once_the_table_is_mended() {
    let rows = "0.jpg,cat,train\n1.jpg,dog,train\n2.jpg,cat,val\n3.jpg,dog,val\n";
    let place = with_table(4, &format!("{rows}3.jpg,dog,train\n"));
    place.run();
    assert_kept_out(&place, "3.jpg", "split_conflict", "split_conflict");
    place.write("labels.csv", format!("path,label,part\n{rows}"));
    assert_eq!(place.run()["outcome"], "committed");
    assert_eq!(splits(&place)["3.jpg"], "val");
}

#[test]
fn what_stands_for_a_duplicate_is_in_the_dataset() {
    // The first of the copies by key has no split, the second has one.
    let place = with_table(3, "0.jpg,cat,train\n1.jpg,dog,train\n2.jpg,dog,val\nx.jpg,cat,\ny.jpg,cat,val\n");
    place.write("raw/x.jpg", jpeg(50));
    place.write("raw/y.jpg", jpeg(50));
    place.run();
    let rows = place.manifest();
    for duplicate in rows.iter().filter(|row| row["action"] == "duplicate") {
        let sample = rows.iter().find(|row| row["uri"] == duplicate["duplicate_of"]).unwrap();
        assert!(sample["split"].is_string(), "{sample:#} stands for {duplicate:#}");
    }
}

#[test]
fn a_sample_that_the_table_moves_later_stays_and_is_not_called_a_duplicate() {
    let rows = "0.jpg,cat,train\n1.jpg,dog,train\n2.jpg,cat,val\n3.jpg,dog,val\n";
    let place = with_table(4, rows);
    place.run();
    let before = splits(&place);
    place.write("labels.csv", format!("path,label,part\n{}", rows.replace("0.jpg,cat,train", "0.jpg,cat,val")));
    let told = place.swinpipe(["run", "pipeline.toml"]);
    told.says(0, &["warning:"]);
    assert_eq!(splits(&place), before);
    assert!(!told.err.contains("duplicate"), "{}", told.err);
}

#[test]
fn a_class_whose_images_are_all_shared_is_told_where_it_lacks() {
    let place = Place::with_classes(&[("cat", 20)]);
    // An image under two labels counts for the first of them, so nothing sees to the second one's shares.
    (0..2).for_each(|i| place.write(format!("raw/dog/{i}.jpg"), jpeg(i)));
    (0..2).for_each(|i| place.write(format!("raw/cat/shared_{i}.jpg"), jpeg(i)));
    place.pipeline("[dedupe]\nlabel_conflict = \"keep\"");
    place.swinpipe(["run", "pipeline.toml"]).says(0, &["too few samples for every split: dog (2 in all) has none in"]);
}
