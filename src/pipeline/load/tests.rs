//! What a user sees of a pipeline file with problems.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::clean::limits::ByteSize;
use crate::source::LabelRule;

/// A pipeline without problems.
const GOOD: &str = r#"name = "demo"

[source]
url = "data/demo"

[clean]
quality = 90

[split]
ratios = { train = 0.8, val = 0.2 }

[dataset]
url = "data/out"
"#;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/ingest.toml")
}

fn problems(text: &str, set: &[&str]) -> Problems {
    let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
    parse("x.toml", text, &set).expect_err("the pipeline has problems")
}

/// The problems of `text`, one line each.
fn lines(text: &str) -> Vec<String> {
    problems(text, &[]).iter().map(Problem::to_line).collect()
}

/// The problems of [`GOOD`] with `overrides`, one line each.
fn set(overrides: &[&str]) -> Vec<String> {
    problems(GOOD, overrides).iter().map(Problem::to_line).collect()
}

/// The only problem of [`GOOD`] with `from` replaced by `to`.
fn edited(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let lines = lines(&GOOD.replace(from, to));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

/// What the only problem of `text` underlines.
fn underlined(text: &str) -> String {
    let problems = problems(text, &[]);
    assert_eq!(problems.iter().count(), 1, "{problems}");
    let span = problems.iter().next().and_then(Problem::span).expect("a place");
    text[span].to_owned()
}

#[test]
fn a_good_file_is_loaded_with_its_defaults() {
    let loaded = parse("x.toml", GOOD, &[]).unwrap();
    assert_eq!(loaded.pipeline.clean.quality, 90);
    assert_eq!(loaded.pipeline.dataset.shard_size, ByteSize(256 << 20));
    assert_eq!(loaded.pipeline.source.label, LabelRule::Parent);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_shipped_example_is_loaded() {
    let loaded = load(&shipped(), &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.pipeline.name, "demo");
}

#[test]
fn one_slip_does_not_hide_what_another_table_means() {
    let text = GOOD.replace("quality", "qualty").replace("val = 0.2", "val = 0.1");
    assert_eq!(lines(&text).len(), 2, "{:?}", lines(&text));
}

#[test]
fn the_ratios_keep_the_order_of_the_file() {
    let loaded = parse("x.toml", &GOOD.replace("train = 0.8, val = 0.2", "val = 0.2, train = 0.8"), &[]).unwrap();
    let names: Vec<&str> = loaded.pipeline.split.ratios.0.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["val", "train"]);
}

#[test]
fn an_unknown_key_is_shown_with_the_one_that_was_meant() {
    assert_eq!(edited("quality", "qualty"), "x.toml:7:1: unknown key `qualty` in [clean]; did you mean `quality`?");
    assert_eq!(
        edited("quality", "colour"),
        "x.toml:7:1: unknown key `colour` in [clean]; the keys of [clean] are `on_mismatch`, `format`, `quality`, \
         `subsampling`, `filter`, `resize`, `animated`, `limits`, `max_quarantine_rate`"
    );
}

#[test]
fn a_key_of_another_table_is_sent_there() {
    assert_eq!(
        edited("[split]", "[split]\nquality = 3"),
        "x.toml:10:1: unknown key `quality` in [split]; `quality` belongs to [clean]"
    );
    assert_eq!(
        edited("[split]", "[split]\nseed = 3"),
        "x.toml:10:1: unknown key `seed` in [split]; `seed` belongs to the top of the file, before the first table"
    );
    assert_eq!(
        edited("[split]", "[split]\nsharrd_size = 3"),
        "x.toml:10:1: unknown key `sharrd_size` in [split]; did you mean `shard_size` of [dataset]?"
    );
}

#[test]
fn an_unknown_table_is_shown_with_the_one_that_was_meant() {
    assert_eq!(edited("[clean]", "[cleann]"), "x.toml:6:2: unknown table [cleann]; did you mean [clean]?");
}

#[test]
fn a_missing_key_is_reported_at_its_table_and_a_missing_table_at_the_end() {
    assert_eq!(
        edited("url = \"data/out\"", ""),
        "x.toml:12:1: missing key `url` in [dataset]; add `url = \"…\"`: a local folder: a path, absolute or relative to \
         the working directory, or a `file://` URL"
    );
    assert_eq!(
        edited("[dataset]\nurl = \"data/out\"\n", ""),
        "x.toml:10:36: missing table [dataset]; add a table [dataset] with `url`: the dataset that is written"
    );
    assert_eq!(underlined(&GOOD.replace("url = \"data/out\"", "")), "[dataset]");
}

#[test]
fn a_missing_key_of_the_top_is_reported_at_the_first_line() {
    assert_eq!(
        edited("name = \"demo\"\n", ""),
        "x.toml:1:1: missing key `name` at the top level; add `name = \"…\"` above the first table: the dataset's name: \
         letters, digits, `-`, `_` and `.`"
    );
}

#[test]
fn a_slip_in_a_required_key_is_one_problem() {
    assert_eq!(
        edited("url = \"data/demo\"", "ulr = \"data/demo\""),
        "x.toml:4:1: unknown key `ulr` in [source]; did you mean `url`?"
    );
    assert_eq!(
        edited("quality = 90", "resize = { short_side = 96 }"),
        "x.toml:7:12: unknown key `short_side` in [clean.resize]; did you mean `shorter_side`?"
    );
    assert_eq!(
        edited("[clean]", "label = { form = \"parent\" }\n[clean]"),
        "x.toml:6:11: unknown key `form` in [source.label]; did you mean `from`? \
         from is \"parent\", \"regex\", \"table\" or \"none\""
    );
    assert_eq!(
        edited("[dataset]", "[datset]"),
        "x.toml:12:2: unknown table [datset]; did you mean [dataset]?",
        "and no missing table"
    );
}

#[test]
fn a_value_in_place_of_a_table_is_shown_in_one() {
    assert!(edited("quality = 90", "resize = 256").ends_with("; write resize = { shorter_side = 256 }"));
    let ratios = edited("{ train = 0.8, val = 0.2 }", "[0.8, 0.2]");
    assert!(ratios.ends_with("; write ratios = { train = 0.8, val = 0.1, test = 0.1 }"), "{ratios}");
    let table = edited("[split]", "[split]\ntable = \"splits.csv\"");
    assert!(table.ends_with("; write table = { path = \"splits.csv\" }"), "{table}");
}

#[test]
fn a_percentage_is_shown_as_a_share() {
    let lines = lines(&GOOD.replace("train = 0.8, val = 0.2", "train = 80, val = 20"));
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].ends_with("found the number 80; a share, not percent: 0.8"), "{}", lines[0]);
    assert!(edited("quality = 90", "max_quarantine_rate = 7.5").ends_with("; a share, not percent: 0.075"));
}

#[test]
fn a_wrong_type_says_what_is_wanted_and_what_was_found() {
    let sized = |value: &str| edited("url = \"data/out\"", &format!("url = \"data/out\"\nshard_size = {value}"));
    assert_eq!(
        sized("true"),
        "x.toml:14:14: `dataset.shard_size` wants a size in bytes, such as \"64MiB\", \"1.5GB\" or 4096; found a boolean; \
         bound of a write unit's largest shard file"
    );
    assert!(sized("\"lots\"").contains("wants a size in bytes"), "{}", sized("\"lots\""));
    assert_eq!(
        edited("quality = 90", "quality = \"90\""),
        "x.toml:7:11: `clean.quality` wants a whole number from 1 to 100; found the string \"90\"; write it without quotes: 90"
    );
    assert_eq!(
        edited("\"demo\"", "2024"),
        "x.toml:1:8: `name` wants a string; found the number 2024; write it in quotes: \"2024\""
    );
    assert!(
        edited("url = \"data/demo\"", "url = \"data/demo\"\ninclude = \"*.jpg\"").ends_with("in brackets: [\"*.jpg\"]")
    );
    assert!(
        edited("[clean]\nquality = 90", "[[clean]]\nquality = 90")
            .contains("`clean` wants a table; found an array of tables")
    );
    assert!(edited("quality = 90", "quality = 1979-05-27").contains("found a date"));
}

#[test]
fn an_unknown_value_is_shown_with_the_allowed_ones() {
    assert_eq!(
        edited("quality = 90", "format = \"jpg\""),
        "x.toml:7:10: unknown value \"jpg\" of `clean.format`; did you mean \"jpeg\"? the values are \"jpeg\", \"webp\", \"png\""
    );
    assert!(edited("quality = 90", "format = 3").contains("`clean.format` wants a string; found the number 3"));
}

#[test]
fn a_number_out_of_range_says_the_range() {
    assert!(edited("quality = 90", "quality = 0").contains("wants a whole number from 1 to 100; found the number 0"));
    assert!(edited("quality = 90", "max_quarantine_rate = nan").contains("from 0 to 1; found the number NaN"));
    assert!(edited("val = 0.2", "val = nan").contains("`split.ratios.val` wants a number from 0 to 1"));
    assert!(
        edited("name", "seed = -1\nname").contains("`seed` wants a whole number of at least 0; found the number -1")
    );
}

#[test]
fn a_name_of_a_wrong_form_says_the_form() {
    let line = edited("\"demo\"", "\"my set!\"");
    assert!(line.starts_with("x.toml:1:8: `name` cannot be \"my set!\"; letters, digits, `-`, `_` and `.`"), "{line}");
    let line = edited("val = 0.2", "\"a b\" = 0.2");
    assert!(line.contains("\"a b\" cannot be a name in [split.ratios]; letters, digits, `-` and `_`"), "{line}");
    assert!(edited("{ train = 0.8, val = 0.2 }", "{}").contains("`split.ratios` must not be empty"));
    assert!(edited("\"data/demo\"", "\"\"").contains("`source.url` must not be empty"));
}

#[test]
fn a_label_rule_is_judged_by_its_from() {
    let label = |rule: &str| edited("url = \"data/demo\"", &format!("url = \"data/demo\"\nlabel = {rule}"));
    assert_eq!(
        label("{ from = \"regexp\", pattern = \"x\" }"),
        "x.toml:5:18: unknown value \"regexp\" of `source.label.from`; did you mean \"regex\"? \
         the values are \"parent\", \"regex\", \"table\", \"none\""
    );
    assert!(label("{ from = \"regex\" }").contains("missing key `pattern` in [source.label]"));
    assert_eq!(
        label("{ from = \"parent\", pattern = \"x\" }"),
        "x.toml:5:28: unknown key `pattern` in [source.label]; `pattern` belongs to from = \"regex\""
    );
    assert!(label("{ pattern = \"x\" }").contains("missing key `from` in [source.label]"));
    assert!(label("\"none\"").ends_with("write label = { from = \"none\" }"));
    assert!(label("{ from = \"regex\", pattern = '(' }").contains("is not a regular expression: unclosed group"));
    assert!(label("{ from = \"regex\", pattern = 'a(b)' }").contains("has no capture named `label`"));
    assert!(label("{ from = \"table\", table = \"l.xlsx\" }").contains("the extension is .csv, .tsv or .parquet"));
    assert!(label("{ from = \"table\", table = \"s3://b/l.csv\" }").contains("reads local tables only"));
    assert!(
        label("{ from = \"table\", table = \"l.csv\", key = \"\" }").contains("`source.label.key` must not be empty")
    );
}

#[test]
fn shares_must_sum_to_one() {
    assert_eq!(
        edited("val = 0.2", "val = 0.1"),
        "x.toml:10:10: split.ratios sum to 0.9 (train 0.8 + val 0.1): shares must sum to 1"
    );
    assert!(edited("train = 0.8, val = 0.2", "train = 0").contains("sum to 0 (train 0)"));
    assert!(parse("x.toml", &GOOD.replace("train = 0.8, val = 0.2", "a = 0.1, b = 0.2, c = 0.7"), &[]).is_ok());
}

#[test]
fn an_empty_share_is_a_warning() {
    let loaded = parse("x.toml", &GOOD.replace("train = 0.8", "train = 0.8, test = 0"), &[]).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(Problem::to_line).collect();
    assert_eq!(warnings, ["x.toml:10:32: warning: the split `test` stays empty; remove it, or give it a share"]);
}

#[test]
fn an_option_without_effect_is_refused() {
    let clean = |text: &str| edited("quality = 90", text);
    assert_eq!(
        clean("format = \"png\"\nquality = 90"),
        "x.toml:8:1: `clean.quality` has no effect with format = \"png\"; remove it: PNG is lossless"
    );
    assert!(clean("format = \"webp\"\nsubsampling = \"4:4:4\"").contains("`clean.subsampling` has no effect"));
    assert!(clean("filter = \"box\"").contains("`clean.filter` has no effect without `clean.resize`"));
    assert!(edited("[split]", "[split]\ncolumn = \"fold\"").contains("`split.column` has no effect without strategy"));
    assert!(edited("[split]", "[split]\ntable = { path = \"a.csv\" }").contains("`split.table` has no effect"));
    assert!(
        edited("[split]", "[split]\nstrategy = \"column\"\ntable = { path = \"a.csv\" }")
            .contains("`split.ratios` has no effect with strategy = \"column\"")
    );
    assert!(
        edited("[clean]", "label = { from = \"none\" }\nclasses = [\"a\"]\n[clean]")
            .contains("`source.classes` has no effect")
    );
}

#[test]
fn a_split_by_column_needs_a_table() {
    let ratios = "ratios = { train = 0.8, val = 0.2 }";
    assert!(edited(ratios, "strategy = \"column\"").contains("strategy = \"column\" has no table to look into"));
    let labelled = GOOD
        .replace(ratios, "strategy = \"column\"")
        .replace("url = \"data/demo\"", "url = \"data/demo\"\nlabel = { from = \"table\", table = \"labels.csv\" }");
    assert!(parse("x.toml", &labelled, &[]).is_ok());
}

#[test]
fn classes_have_names_and_stand_once() {
    let classes = |list: &str| edited("[clean]", &format!("classes = {list}\n[clean]"));
    assert_eq!(classes("[\"a\", \"b\", \"a\"]"), "x.toml:6:22: class \"a\" is listed twice");
    assert_eq!(classes("[\"a\", \"\"]"), "x.toml:6:17: `source.classes[1]` is empty");
}

#[test]
fn globs_must_compile_and_take_something() {
    let source = |text: &str| edited("[clean]", &format!("{text}\n[clean]"));
    assert!(source("include = [\"**/*\", \"a[\"]").starts_with("x.toml:6:20: `source.include[1]` is not a glob: "));
    assert!(source("exclude = [\"{a\"]").contains("`source.exclude[0]` is not a glob"));
    assert!(source("include = []").contains("`source.include` takes no object"));
}

#[test]
fn only_local_folders_are_read_in_this_version() {
    let url = |url: &str| edited("\"data/demo\"", &format!("{url:?}"));
    assert!(url("s3://bucket/x").contains("`source.url` is s3://: this version reads local folders only"));
    assert!(url("ftp://x").contains("unknown scheme ftp://"));
    assert!(url("file://host/x").contains("is not a URL of a local folder"));
    assert!(url("file:x").contains("is not a URL"));
    assert!(url("~/x").contains("`~`, which is not expanded"));
    assert!(url(" ").contains("must not be blank"));
    assert!(parse("x.toml", &GOOD.replace("data/demo", "file:///data/demo"), &[]).is_ok());
    assert!(edited("data/out", "gs://bucket/x").contains("`dataset.url` is gs://"));
    assert!(edited("data/out", "data/out@3").contains("`dataset.url` ends in a version"));
}

#[test]
fn a_dataset_must_lie_beside_its_source() {
    assert!(edited("data/out", "data/x/../demo/").contains("`dataset.url` is the source folder itself"));
    assert!(edited("data/out", "./data/demo/out").contains("lies inside the source folder"));
    assert!(edited("data/out", "data").contains("contains the source folder"));
    let here = std::env::current_dir().unwrap();
    assert!(edited("data/out", &format!("file://{}/data/demo", here.display())).contains("the source folder itself"));
    assert!(parse("x.toml", &GOOD.replace("data/out", "data/demo-dataset"), &[]).is_ok());
}

#[test]
fn a_shard_holds_a_row_group() {
    let line = edited("url = \"data/out\"", "url = \"data/out\"\nshard_size = \"1MiB\"");
    assert!(
        line.starts_with("x.toml:14:14: `dataset.shard_size` (1MiB) is smaller than `dataset.row_group_size` (16MiB)")
    );
}

#[test]
fn what_only_serde_refuses_is_shown_at_its_value_and_all_of_it() {
    let text = GOOD
        .replace("url = \"data/out\"", "url = \"data/out\"\nshard_size = \"0MiB\"\nrow_group_size = \"9999999TiB\"");
    assert_eq!(
        lines(&text),
        [
            "x.toml:14:14: `dataset.shard_size`: `0MiB` is not a size in bytes, such as \"64MiB\", \"1.5GB\" or \"4096\"",
            "x.toml:15:18: `dataset.row_group_size`: `9999999TiB` is not a size in bytes, such as \"64MiB\", \"1.5GB\" or \"4096\"",
        ]
    );
}

#[test]
fn all_problems_of_a_file_are_reported_in_its_order() {
    let text = r#"name = "my set"
colour = "red"
[source]
url = "s3://bucket/x"
classes = ["a", "a"]
[clean]
qualty = 3
format = "jpg"
[split]
ratios = { train = 0.5, val = 0.1 }
[dataset]
shard_size = true
"#;
    let keys: Vec<String> = problems(text, &[]).iter().filter_map(|problem| problem.key.clone()).collect();
    let expected =
        ["name", "colour", "source.url", "source.classes[1]", "clean.qualty", "clean.format", "split.ratios"];
    assert_eq!(keys[..7], expected);
    assert_eq!(keys[7..], ["dataset.url", "dataset.shard_size"]);
    assert!(problems(text, &[]).to_string().ends_with("9 problems in x.toml"));
}

#[test]
fn a_syntax_error_is_one_problem_with_its_place() {
    assert_eq!(edited("quality = 90", "quality = "), "x.toml:7:11: not valid TOML: a value is missing");
    assert_eq!(edited("\"demo\"", "demo"), "x.toml:1:8: not valid TOML: `demo` is not a value");
    assert_eq!(edited("[split]", "quality = 3\n[split]"), "x.toml:9:1: not valid TOML: `quality` is set twice");
    assert!(edited("[split]", "[split").contains("x.toml:9:7: not valid TOML: unclosed table"));
}

#[test]
fn quotes_and_backslashes_that_toml_takes_otherwise_are_explained() {
    for name in ["“demo”", "‘demo’", "\"demo”"] {
        let line = edited("\"demo\"", name);
        assert!(line.ends_with("; write straight quotes: \"…\""), "{line}");
    }
    for url in ["C:\\Users", "C:\\ab", "\\w+"] {
        let line = edited("data/demo", url);
        assert!(line.ends_with("; in '…' a backslash is itself"), "{line}");
    }
}

#[test]
fn an_empty_file_says_where_to_look() {
    for text in ["", "\n \n", "\u{feff}"] {
        assert!(lines(text)[0].starts_with("x.toml is empty; `swinpipe schema`"), "{text:?}");
    }
    assert_eq!(lines("# nothing\n").len(), 3, "name, source and dataset are missing");
}

#[test]
fn an_override_replaces_and_creates() {
    let set = [
        "clean.quality=80",
        "source.url = other/place",
        "source.label.from=none",
        "dedupe.label_conflict='keep'",
        "split.ratios.\"val\"=0.1",
        "split.ratios.test=0.1",
        "clean.resize={ shorter_side = 64 }",
    ];
    let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
    let pipeline = parse("x.toml", GOOD, &set).unwrap_or_else(|problems| panic!("{problems}")).pipeline;
    assert_eq!(pipeline.clean.quality, 80);
    assert_eq!(pipeline.source.url, "other/place");
    assert_eq!(pipeline.source.label, LabelRule::None);
    assert_eq!(pipeline.split.ratios.0.len(), 3);
    assert_eq!(pipeline.clean.resize.map(|resize| resize.shorter_side), Some(64));
}

#[test]
fn the_last_of_two_overrides_of_a_key_holds() {
    let set = ["seed=1".to_owned(), "seed=2".to_owned()];
    assert_eq!(parse("x.toml", GOOD, &set).unwrap().pipeline.seed, 2);
}

#[test]
fn a_problem_with_an_override_points_into_the_override() {
    assert_eq!(
        set(&["clean.qualty=3"]),
        ["--set clean.qualty=3: unknown key `qualty` in [clean]; did you mean `quality`?"]
    );
    let problems = problems(GOOD, &["seed=1", "split.ratios.val=true"]);
    let json = problems.to_json();
    assert_eq!(json[0]["source"], "--set");
    assert_eq!(json[0]["set"], "split.ratios.val=true");
    assert_eq!((&json[0]["line"], &json[0]["column"]), (&1.into(), &18.into()));
    assert!(problems.render(false).contains("[--set:1:18]"), "{}", problems.render(false));
    assert!(set(&["name.x=1"])[0].contains("`name` wants a string; found a table"));
    assert!(set(&["source.url=\ts3://b/x y"])[0].contains("reads local folders only"));
}

#[test]
fn a_malformed_override_is_a_problem() {
    assert!(set(&["clean.quality"])[0].contains("has no `=`; the form is KEY=VALUE"));
    assert!(set(&["=3"])[0].contains("does not begin with a key"));
    assert!(set(&["a b=3"])[0].contains("does not begin with a key"));
    assert!(set(&["[clean]\nquality=3"])[0].contains("does not begin with a key"));
    assert!(set(&["source.classes=[\"a\""])[0].contains("not valid TOML"));
    assert!(set(&["seed=1\nname=\"x\""])[0].contains("`seed` wants a whole number of at least 0; found the string"));
    assert!(set(&["seed="])[0].contains("found the string \"\""));
}

/// The line of a rendering with the carets, without the gutter.
fn carets(text: &str) -> (String, String) {
    let rendering = problems(text, &[]).render(false);
    let lines: Vec<&str> = rendering.lines().collect();
    let at = lines.iter().position(|line| line.contains('^') && line.contains(':')).expect(&rendering);
    let strip = |line: &str| line.chars().skip_while(|c| !"|:".contains(*c)).skip(2).collect();
    (strip(lines[at - 1]), strip(lines[at]))
}

/// What stands above the carets.
fn above(text: &str) -> String {
    let (line, carets) = carets(text);
    let under = |c: char| c == '^';
    let start = carets.chars().position(under).unwrap();
    let length = carets.chars().skip(start).take_while(|c| under(*c)).count();
    line.chars().skip(start).take(length).collect()
}

#[test]
fn the_caret_stands_under_the_key_or_the_value() {
    assert_eq!(above(&GOOD.replace("quality", "qualty")), "qualty");
    assert_eq!(above(&GOOD.replace("90", "1000")), "1000");
    let accents = GOOD.replace("quality = 90", "limits = { pixels = \"é\", \"ünï\" = 3 }");
    assert!(problems(&accents, &[]).iter().any(|p| p.line_column() == Some((7, 26))));
    assert_eq!(
        above(&GOOD.replace("ratios = { train = 0.8, val = 0.2 }", "ratios = { \"é\" = 0.8, val = 2222 }")),
        "\"é\""
    );
    let tabs = GOOD.replace("quality = 90", "\tquality\t=\t1000");
    assert_eq!(above(&tabs), "1000");
    assert!(lines(&tabs)[0].starts_with("x.toml:7:12: "));
}

#[test]
fn the_caret_stands_after_the_last_character_of_a_file_without_a_final_line_end() {
    let rendering = problems("name = \"d\"", &[]).render(false);
    assert!(
        rendering.contains(" 1 | name = \"d\"\n   :           ^\n   :           `-- `source` is required\n"),
        "{rendering}"
    );
}

#[test]
fn line_ends_of_windows_change_nothing() {
    let text = GOOD.replace("quality", "qualty").replace('\n', "\r\n");
    assert_eq!(lines(&text), lines(&GOOD.replace("quality", "qualty")));
    assert_eq!(above(&text), "qualty");
    assert_eq!(lines(&format!("\u{feff}{text}")), lines(&text));
    let marked = format!("\u{feff}{}", GOOD.replace("name = ", "nam = "));
    assert!(lines(&marked)[0].starts_with("x.toml:1:1: unknown key `nam`"), "{:?}", lines(&marked));
}

#[test]
fn inline_tables_dotted_keys_and_sections_are_the_same_tables() {
    for (text, place) in [
        ("[clean.limits]\npixel = 3", "pixel"),
        ("[clean]\nlimits = { pixel = 3 }", "pixel"),
        ("[clean]\nlimits.pixel = 3", "pixel"),
        ("[clean]\nlimits.\"pixel\" = 3", "\"pixel\""),
    ] {
        let text = GOOD.replace("[clean]\nquality = 90", text);
        let line = lines(&text).remove(0);
        assert!(line.ends_with("unknown key `pixel` in [clean.limits]; did you mean `pixels`?"), "{line}");
        assert_eq!(underlined(&text), place);
    }
    assert!(edited("[split]", "[[augment]]\ntype = \"HorizontalFlip\"\n[split]").contains("unknown key `augment`"));
}

#[test]
fn a_rendering_says_file_line_column_and_draws_a_caret_with_and_without_colour() {
    let problems = problems(&GOOD.replace("quality", "qualty"), &[]);
    let plain = "  error: unknown key `qualty` in [clean]\n   \
                 ,-[x.toml:7:1]\n 6 | [clean]\n 7 | qualty = 90\n   : ^^^^^^\n   :    `-- unknown\n 8 | \n   `----\n  \
                 help: did you mean `quality`?\n\n1 problem in x.toml\n";
    assert_eq!(problems.render(false), plain);
    let fancy = problems.render(true);
    assert!(fancy.contains("\u{1b}[") && fancy.contains("╭─") && fancy.contains("x.toml:7:1"), "{fancy}");
}

#[test]
fn a_rendering_shows_no_control_characters_of_the_file() {
    for text in ["a = \"\u{1b}[31m\"", "\"\\u001b[31m\" = 1", "# \u{9b}31m\nb = 3", "a = 1 \r b"] {
        let problems = problems(text, &[]);
        let shown = format!("{}{problems}", problems.render(false));
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}

#[test]
fn a_problem_is_an_object_for_machines() {
    let problems = problems(&GOOD.replace("quality", "qualty"), &[]);
    let expected = serde_json::json!([{
        "severity": "error", "message": "unknown key `qualty` in [clean]", "key": "clean.qualty", "source": "x.toml",
        "set": null, "line": 7, "column": 1, "span": [51, 57], "label": "unknown", "help": "did you mean `quality`?",
    }]);
    assert_eq!(problems.to_json(), expected);
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let failed = |path: &Path| load(path, &[]).unwrap_err().iter().next().unwrap().to_line();
    let line = failed(Path::new("pipelines/x.toml"));
    assert_eq!(line, "cannot read pipelines/x.toml: No such file or directory; `ls pipelines` shows the shipped ones");
    fs::write(folder.path().join("ingest.toml"), GOOD).unwrap();
    assert!(failed(&folder.path().join("ingst.toml")).ends_with("/ingest.toml?"));
    assert!(failed(folder.path()).contains("is a folder, not a pipeline file; name a file in it: `ls "));
    fs::write(folder.path().join("latin1.toml"), b"name = 'x'\n# \xe9\n").unwrap();
    assert!(failed(&folder.path().join("latin1.toml")).contains("is not UTF-8 text: byte 0xe9 at offset 13, line 2"));
    fs::write(folder.path().join("long.toml"), vec![b'#'; 2 << 20]).unwrap();
    assert!(failed(&folder.path().join("long.toml")).contains("is longer than 1 MiB"));
}

#[test]
fn the_schema_is_one_text_with_a_final_line_end() {
    let text = schema_text();
    assert_eq!(text, schema_text());
    assert!(text.starts_with("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"title\""));
    assert!(text.ends_with("}\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*|[\\[\\]{}=.,\"'#\\n\\r\\ta-z0-9é]{0,60}", set in "[\\[\\]{}=.,\"'#\\n\\ta-zé0-9]{0,20}") {
        if let Err(problems) = parse("x.toml", &text, &[set]) {
            problems.render(false);
            problems.render(true);
            problems.to_json();
        }
    }

    #[test]
    fn a_good_file_with_one_line_spoilt_never_panics(line in 0usize..14, text in "[\\[\\]{}=.,\"'# a-zé0-9]{0,20}", set in "(split|clean|source)?\\.?[a-z]{0,6}=[\\[\\]{}=.,\"'a-z0-9 ]{0,9}") {
        let mut lines: Vec<&str> = GOOD.lines().collect();
        let at = line.min(lines.len() - 1);
        lines[at] = &text;
        if let Err(problems) = parse("x.toml", &lines.join("\r\n"), &[set]) {
            problems.render(false);
        }
    }
}
