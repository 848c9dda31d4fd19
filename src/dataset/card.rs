//! The dataset card: `README.md` with the front matter that Hugging Face reads and a page for people.
//!
//! # Why the front matter says so much
//!
//! Without `configs`, Hugging Face takes every file under `data/`, also those that only an older version needs; the
//! explicit list pins the card's version. `dataset_info` gives the schema before anything is downloaded. Its features
//! must be the Parquet columns, all of them and with their types: `load_dataset` casts to them and fails on a column
//! that one side lacks. It also counts the rows and fails when `num_examples` is not their number.

use std::fmt::Write;

use super::version::FORMAT;
use crate::shard::schema::MEANINGS;

/// Classes listed by name in the page's table; a longer list is summed up in one row, so that the page stays readable.
const LISTED_CLASSES: usize = 100;

/// Hugging Face's `dtype` of the columns in [`EXTRAS`], which are Arrow's names of their types.
const DTYPES: [&str; 10] =
    ["string", "string", "string", "string", "string", "int64", "int32", "int32", "int32", "string"];

/// The flat columns beside `image` and `label`, in file order: name, `dtype`, meaning.
pub(super) const EXTRAS: [(&str, &str, &str); 10] = {
    let mut extras = [("", "", ""); 10];
    let mut at = 0;
    while at < extras.len() {
        let (name, meaning) = MEANINGS[at + 2];
        extras[at] = (name, DTYPES[at], meaning);
        at += 1;
    }
    extras
};

/// Rows per class; class `None` is unlabelled.
pub type ClassCounts = Vec<(Option<usize>, u64)>;

/// What the card and Croissant say about one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The pipeline's name.
    pub name: String,
    /// The Delta version.
    pub version: u64,
    /// Id of the run that wrote it.
    pub run: String,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Whether `label` is a class; if not, the column is null throughout.
    pub labelled: bool,
    /// The version's shards.
    pub files: Vec<File>,
    /// Rows per class of each split, in split order.
    pub counts: Vec<(String, ClassCounts)>,
    /// Objects per action over the whole manifest: word, count, meaning.
    pub actions: Vec<(String, u64, String)>,
    /// Quarantined objects per reason: word, count, meaning.
    pub reasons: Vec<(String, u64, String)>,
    /// Paths of the manifest's parts.
    pub manifest_parts: Vec<String>,
    /// Paths of the quarantine's files.
    pub quarantine: Vec<String>,
    /// The pipeline's seed.
    pub seed: u64,
    /// The split strategy's word.
    pub strategy: String,
    /// The swinpipe that wrote the version.
    pub swinpipe_version: String,
}

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// `data/<split>/….parquet`
    pub path: String,
    /// The split of all its rows.
    pub split: String,
    /// Number of rows, copies included.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// Digest of the file, in hexadecimal.
    pub sha256: String,
}

/// `README.md` of one version.
pub fn readme(facts: &Facts) -> String {
    let sections = [summary(facts), contents(facts), cleaning(facts), loading(facts), columns(facts), rules(facts)];
    format!("{}\n{}", front_matter(facts), sections.join("\n"))
}

/// The YAML block at the head of the card, fences included.
fn front_matter(facts: &Facts) -> String {
    let names = hugging_face_splits(facts.counts.iter().map(|(split, _)| split.as_str()));
    let files_of = |split: &str| -> Vec<&File> { facts.files.iter().filter(|file| file.split == split).collect() };
    let splits: Vec<(String, Vec<&File>)> = (names.into_iter().zip(&facts.counts))
        .map(|(name, (split, _))| (name, files_of(split)))
        .filter(|(_, files)| !files.is_empty())
        .collect();
    let mut y = String::from("---\n");
    if !splits.is_empty() {
        y += "configs:\n- config_name: default\n  data_files:\n";
        for (split, files) in &splits {
            line(&mut y, format_args!("  - split: {}\n    path:", yaml(split)));
            files.iter().for_each(|f| line(&mut y, format_args!("    - {}", yaml(&f.path))));
        }
    }
    y += "dataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: label\n";
    if facts.labelled {
        y += "    dtype:\n      class_label:\n        names:\n";
        let names = facts.classes.iter().enumerate();
        names.for_each(|(code, name)| line(&mut y, format_args!("          '{code}': {}", yaml(name))));
    } else {
        y += "    dtype: int64\n";
    }
    for (name, dtype, _) in EXTRAS {
        line(&mut y, format_args!("  - name: {name}\n    dtype: {dtype}"));
    }
    if !splits.is_empty() {
        y += "  splits:\n";
        for (split, files) in &splits {
            let (bytes, rows) = files.iter().fold((0, 0), |(bytes, rows), f| (bytes + f.bytes, rows + f.rows));
            line(&mut y, format_args!("  - name: {}\n    num_bytes: {bytes}\n    num_examples: {rows}", yaml(split)));
        }
        let total = total_bytes(facts);
        line(&mut y, format_args!("  download_size: {total}\n  dataset_size: {total}"));
    }
    line(&mut y, format_args!("pretty_name: {}", yaml(&facts.name)));
    if facts.labelled {
        y += "task_categories:\n- image-classification\n";
    }
    y + "tags:\n- swinpipe\n---\n"
}

/// What the version is, in one paragraph.
pub(super) fn paragraph(facts: &Facts) -> String {
    let classes = match facts.classes.len() {
        _ if !facts.labelled => "without labels".to_owned(),
        1 => "of one class".to_owned(),
        n => format!("of {} classes", thousands(n as u64)),
    };
    let rows = facts.files.iter().map(|f| f.rows).sum();
    let (images, files) = (counted(rows, "image"), counted(facts.files.len() as u64, "Parquet file"));
    let splits: Vec<String> =
        facts.counts.iter().map(|(split, counts)| format!("{split} {}", thousands(sum(counts)))).collect();
    format!(
        "{images} {classes} in {files} of together {} ({}). Version {}, written by swinpipe {} in run {}.",
        size(total_bytes(facts)),
        if splits.is_empty() { "no split".to_owned() } else { splits.join(", ") },
        facts.version,
        facts.swinpipe_version,
        facts.run
    )
}

fn summary(facts: &Facts) -> String {
    format!("# {}\n\n{}\n", markdown(&facts.name), markdown(&paragraph(facts)))
}

/// The table of splits and classes.
fn contents(facts: &Facts) -> String {
    let of = |class: Option<usize>| -> Vec<u64> {
        let rows = |counts: &[(Option<usize>, u64)]| counts.iter().filter(|c| c.0 == class).map(|c| c.1).sum();
        facts.counts.iter().map(|(_, counts)| rows(counts)).collect()
    };
    let add = |a: Vec<u64>, b: Vec<u64>| a.iter().zip(b).map(|(a, b)| a + b).collect();
    let listed = facts.classes.len().min(LISTED_CLASSES);
    let rest = (listed..facts.classes.len()).map(|c| of(Some(c))).reduce(add);
    let unlabelled = Some(of(None)).filter(|counts| counts.iter().any(|&n| n > 0));

    let mut rows: Vec<(String, Vec<u64>)> =
        (facts.classes[..listed].iter().enumerate()).map(|(c, name)| (markdown(name), of(Some(c)))).collect();
    rows.extend(rest.map(|counts| (format!("*{} more classes*", facts.classes.len() - listed), counts)));
    rows.extend(unlabelled.map(|counts| ("*without a label*".to_owned(), counts)));
    if rows.len() > 1 {
        rows.push(("**all**".to_owned(), facts.counts.iter().map(|(_, counts)| sum(counts)).collect()));
    }

    let mut head = String::from("| class |");
    facts.counts.iter().for_each(|(split, _)| head += &format!(" {} |", markdown(split)));
    let mut page = format!("## What is in it\n\n{head} all |\n|---|{}---:|\n", "---:|".repeat(facts.counts.len()));
    for (name, counts) in rows {
        let cells: String = counts.iter().map(|&n| format!(" {} |", thousands(n))).collect();
        line(&mut page, format_args!("| {name} |{cells} {} |", thousands(counts.iter().sum())));
    }
    page
}

/// What became of the source's objects.
fn cleaning(facts: &Facts) -> String {
    let mut page = String::from("## What was cleaned\n\nEvery object of the source ends in exactly one action.\n\n");
    page += &words("action", &facts.actions);
    if !facts.reasons.is_empty() {
        page += "\nWhat is kept out has a reason. Nothing was deleted at the source.\n\n";
        page += &words("reason", &facts.reasons);
    }
    page += "\nThe manifest has a row for each object: what it claimed to be and what it was, what was done to it and \
             why, and which row of which shard it became. Where it has several rows for one (uri, id, label), the \
             newest holds.\n\n";
    page += &paths("Manifest", &facts.manifest_parts);
    if !facts.quarantine.is_empty() {
        page += "\n";
        page += &paths("Quarantine, with bytes and reasons", &facts.quarantine);
    }
    page
}

/// How each reader opens the version. The folder has a name here because `load_dataset(".")` fails in `datasets` 5.2.
fn loading(facts: &Facts) -> String {
    let version = facts.version;
    format!(
        r#"## How to load it

Each of these reads version {version}.

```python
folder = "path/to/this/folder"
```

```python
from datasets import load_dataset
dataset = load_dataset(folder)  # images are decoded as they are asked for
```

```python
import polars as pl
images = pl.scan_delta(folder, version={version})
```

```python
import duckdb
from deltalake import DeltaTable
files = DeltaTable(folder, version={version}).file_uris()
duckdb.sql("SELECT split, label, count(*) FROM read_parquet($files) GROUP BY ALL", params={{"files": files}})
```

```python
import pyarrow.dataset as ds
from deltalake import DeltaTable
images = ds.dataset(DeltaTable(folder, version={version}).file_uris())
```

A plain glob such as `data/*/*.parquet` reads the same once no older version is kept beside this one.
"#
    )
}

fn columns(facts: &Facts) -> String {
    let names = match facts.labelled {
        true => "The list stands in this file's head.",
        false => "This dataset has no labels.",
    };
    let [(image, about_image), (label, about_label), ..] = MEANINGS;
    let mut page = String::from("## Columns\n\n| column | type | meaning |\n|---|---|---|\n");
    line(&mut page, format_args!("| `{image}` | struct of `bytes`, `path` | {about_image} |"));
    line(&mut page, format_args!("| `{label}` | int64 | {about_label} {names} |"));
    for (name, dtype, meaning) in EXTRAS {
        line(&mut page, format_args!("| `{name}` | {dtype} | {meaning} |"));
    }
    page
}

fn rules(facts: &Facts) -> String {
    format!(
        "## Rules\n\n\
         - An image's `id` is the sha256 of its source bytes, so it survives another encoder and another size.\n\
         - A row is (`id`, `label`, `copy`). All rows of one `id` are in one split.\n\
         - Splits: strategy `{}`, seed {}. Where chance decides, it is a hash of seed and `id`, never the order of a \
           listing. No image changes its split in a later version.\n\
         - Rows lie in hashed order: any part of a file is a fair sample of it.\n\
         - A version is a Delta Lake commit; readers see the version before it or this one, nothing between.\n\
         - Format version {FORMAT}.\n",
        facts.strategy, facts.seed
    )
}

/// A table of words with count and meaning; the meanings are the program's own Markdown.
fn words(title: &str, words: &[(String, u64, String)]) -> String {
    let mut table = format!("| {title} | objects | meaning |\n|---|---:|---|\n");
    for (word, count, meaning) in words {
        line(&mut table, format_args!("| `{word}` | {} | {} |", thousands(*count), meaning));
    }
    table
}

/// A titled list of paths.
fn paths(title: &str, paths: &[String]) -> String {
    let items: Vec<String> = paths.iter().map(|p| format!("`{p}`")).collect();
    format!("{title}: {}\n", items.join(", "))
}

/// The names that Hugging Face knows the splits by: `[A-Za-z0-9_]+`, and `validation` for `val`. Of splits that would
/// have one name, the second in order is called `…_2`.
fn hugging_face_splits<'a>(splits: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for split in splits {
        let plain = match split {
            "val" => "validation".to_owned(),
            other => other.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_"),
        };
        let mut name = plain.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        names.push(name);
    }
    names
}

/// A YAML double-quoted scalar: always a string, whatever is in it.
///
/// Escaped is what YAML 1.2 (5.1, 5.7) does not call printable, and the line breaks, which a quoted scalar would fold.
fn yaml(text: &str) -> String {
    let mut scalar = String::from('"');
    for c in text.chars() {
        match c {
            '"' => scalar += "\\\"",
            '\\' => scalar += "\\\\",
            '\n' => scalar += "\\n",
            '\t' => scalar += "\\t",
            '\0'..' ' | '\u{7f}'..='\u{9f}' => scalar += &format!("\\x{:02x}", c as u32),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                scalar += &format!("\\u{:04x}", c as u32);
            }
            c => scalar.push(c),
        }
    }
    scalar + "\""
}

/// Text that Markdown shows as it is, on one line and within a table's cell.
fn markdown(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let in_word = |i: usize| chars.get(i).is_some_and(|c| c.is_alphanumeric());
    let mut page = String::new();
    for (i, &c) in chars.iter().enumerate() {
        match c {
            // Within a word an underscore means nothing, and `a_b` reads better than `a\_b`.
            '_' if i > 0 && in_word(i - 1) && in_word(i + 1) => page.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '#' => page.extend(['\\', c]),
            '\u{2028}' | '\u{2029}' => page.push(' '),
            c if c.is_control() => page.push(' '),
            c => page.push(c),
        }
    }
    page
}

/// Appends a line.
fn line(page: &mut String, text: std::fmt::Arguments) {
    writeln!(page, "{text}").expect("a String takes any text");
}

fn sum(counts: &[(Option<usize>, u64)]) -> u64 {
    counts.iter().map(|c| c.1).sum()
}

fn total_bytes(facts: &Facts) -> u64 {
    facts.files.iter().map(|f| f.bytes).sum()
}

/// `1 image`, `2,000 images`.
fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// `1234567` as `1,234,567`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that leaves a whole part.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let unit = (0..UNITS.len()).rev().find(|&u| bytes >= 1 << (10 * u)).unwrap_or(0);
    match unit {
        0 => format!("{bytes} bytes"),
        _ => format!("{:.1} {}", bytes as f64 / (1u64 << (10 * unit)) as f64, UNITS[unit]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two splits, two classes, one of them with a hostile name.
    pub(in super::super) fn facts() -> Facts {
        let file = |split: &str, rows| File {
            path: format!("data/{split}/r1-0-0.parquet"),
            split: split.to_owned(),
            rows,
            bytes: 1536,
            sha256: "ab".repeat(32),
        };
        Facts {
            name: "pets".to_owned(),
            version: 3,
            run: "r1".to_owned(),
            classes: vec!["cat".to_owned(), "no: \"|\"\n".to_owned()],
            labelled: true,
            files: vec![file("train", 1200), file("val", 7)],
            counts: vec![
                ("train".to_owned(), vec![(Some(0), 1000), (Some(1), 200)]),
                ("val".to_owned(), vec![(Some(0), 7)]),
            ],
            actions: vec![("kept".to_owned(), 1207, "It is kept byte for byte.".to_owned())],
            reasons: vec![("empty".to_owned(), 2, "The file has no bytes.".to_owned())],
            manifest_parts: vec!["_manifest/3-r1.parquet".to_owned()],
            quarantine: vec!["_quarantine/r1-0.parquet".to_owned()],
            seed: 42,
            strategy: "stratified".to_owned(),
            swinpipe_version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn a_yaml_scalar_is_a_string_whatever_is_in_it() {
        for word in ["yes", "null", "42", "1e3", "~", "", "- x", "{a: b}", "#", "' '", "ünï"] {
            assert_eq!(yaml(word), format!("\"{word}\""));
        }
        assert_eq!(yaml("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(yaml("\n---\r\t\0\u{7f}\u{85}"), r#""\n---\x0d\t\x00\x7f\x85""#);
        assert_eq!(yaml("\u{2028}\u{feff}\u{ffff}\u{1f408}"), "\"\\u2028\\ufeff\\uffff\u{1f408}\"");
    }

    #[test]
    fn a_markdown_cell_stays_one_cell() {
        assert_eq!(markdown("a|b\nc"), r"a\|b c");
        assert_eq!(markdown("<b> & `x` \\"), r"\<b\> \& \`x\` \\");
        assert_eq!(markdown("golden_retriever _x_"), r"golden_retriever \_x\_");
    }

    #[test]
    fn the_front_matter_lists_files_by_split_and_val_is_called_validation() {
        let yaml = front_matter(&facts());
        assert!(yaml.starts_with("---\nconfigs:\n- config_name: default\n  data_files:\n  - split: \"train\"\n"));
        assert!(yaml.contains("  - split: \"validation\"\n    path:\n    - \"data/val/r1-0-0.parquet\"\n"));
        assert!(yaml.contains("  - name: \"validation\"\n    num_bytes: 1536\n    num_examples: 7\n"));
        assert!(yaml.contains("          '1': \"no: \\\"|\\\"\\n\"\n"));
        assert!(yaml.ends_with("task_categories:\n- image-classification\ntags:\n- swinpipe\n---\n"));
    }

    #[test]
    fn splits_of_one_hugging_face_name_are_told_apart() {
        let names = |splits: &[&str]| hugging_face_splits(splits.iter().copied());
        assert_eq!(names(&["train", "val", "test"]), ["train", "validation", "test"]);
        assert_eq!(names(&["val", "validation"]), ["validation", "validation_2"]);
        assert_eq!(names(&["validation", "val"]), ["validation", "validation_2"]);
        assert_eq!(names(&["a-b", "a_b", "a_b_2", "a_b"]), ["a_b", "a_b_2", "a_b_2_2", "a_b_3"]);
        let mut facts = facts();
        facts.files[0].split = "validation".to_owned();
        facts.counts[0].0 = "validation".to_owned();
        let yaml = front_matter(&facts);
        for name in ["validation", "validation_2"] {
            assert!(yaml.contains(&format!("  - split: \"{name}\"\n")), "{yaml}");
        }
    }

    #[test]
    fn the_columns_are_those_of_the_shards() {
        use arrow::datatypes::DataType;
        let dtype = |data_type: &DataType| match data_type {
            DataType::Utf8 => "string",
            DataType::Int64 => "int64",
            DataType::Int32 => "int32",
            other => panic!("no dtype for {other}"),
        };
        let columns = crate::shard::schema::columns();
        let names = columns.iter().map(|column| column.name().as_str());
        assert!(names.eq(MEANINGS.iter().map(|(name, _)| *name)));
        assert!(columns[2..].iter().map(|column| dtype(column.data_type())).eq(DTYPES));
    }

    #[test]
    fn a_key_in_a_meaning_is_shown_as_code() {
        let mut facts = facts();
        facts.reasons[0].2 = "Above `clean.limits.pixels`.".to_owned();
        assert!(readme(&facts).contains("| Above `clean.limits.pixels`. |"));
    }

    #[test]
    fn without_labels_the_label_column_is_an_integer_and_no_task_is_named() {
        let mut facts = facts();
        (facts.labelled, facts.classes) = (false, Vec::new());
        facts.counts = vec![("train".to_owned(), vec![(None, 1200)]), ("val".to_owned(), vec![(None, 7)])];
        let page = readme(&facts);
        assert!(page.contains("  - name: label\n    dtype: int64\n"));
        assert!(!page.contains("class_label") && !page.contains("task_categories"));
        assert!(page.contains("| *without a label* | 1,200 | 7 | 1,207 |"));
    }

    #[test]
    fn a_version_without_rows_has_a_card_too() {
        let mut facts = facts();
        (facts.files, facts.counts) = (Vec::new(), Vec::new());
        let page = readme(&facts);
        assert!(!page.contains("configs:") && !page.contains("splits:\n"));
        assert!(page.contains("0 images of 2 classes in 0 Parquet files"));
    }

    #[test]
    fn the_page_counts_rows_per_class_and_split() {
        let page = readme(&facts());
        assert!(page.contains(
            "# pets\n\n1,207 images of 2 classes in 2 Parquet files of together 3.0 KiB (train 1,200, val 7)."
        ));
        assert!(page.contains("| class | train | val | all |\n|---|---:|---:|---:|\n| cat | 1,000 | 7 | 1,007 |\n"));
        assert!(page.contains("| no: \"\\|\"  | 200 | 0 | 200 |\n| **all** | 1,200 | 7 | 1,207 |\n"));
        assert!(page.contains("| `empty` | 2 | The file has no bytes. |"));
        assert!(page.contains("`_manifest/3-r1.parquet`") && page.contains("`_quarantine/r1-0.parquet`"));
    }

    #[test]
    fn a_long_list_of_classes_is_summed_up() {
        let mut facts = facts();
        facts.classes = (0..LISTED_CLASSES + 5).map(|i| format!("c{i}")).collect();
        facts.counts = vec![("train".to_owned(), (0..facts.classes.len()).map(|c| (Some(c), 2)).collect())];
        let page = readme(&facts);
        assert!(page.contains("| *5 more classes* | 10 | 10 |\n| **all** | 210 | 210 |"));
        assert!(page.contains(&format!("'{}': \"c{0}\"", LISTED_CLASSES + 4)));
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(thousands).each_ref().map(|s| &**s)
        );
        assert_eq!(
            ["0 bytes", "1023 bytes", "1.5 KiB", "2.0 TiB"],
            [0, 1023, 1536, 2 << 40].map(size).each_ref().map(|s| &**s)
        );
    }
}
