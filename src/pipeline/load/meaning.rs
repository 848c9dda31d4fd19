//! Meaning: what the schema cannot say about a table or about two of them.
//!
//! Each table is judged if its own structure is right, so that one slip in `[clean]` does not hide that the shares of
//! `[split]` do not sum to 1.

use std::collections::BTreeMap;
use std::path::Path;

use globset::GlobBuilder;
use regex::Regex;
use serde::Deserialize;

use super::decode::decode;
use super::document::{Node, Value};
use super::idle::{self, Idle};
use super::local::{folder, scheme};
use super::problem::{Problem, Severity};
use super::text::Place;
use super::words::{either, join, quoted};
use crate::clean::Clean;
use crate::dataset::DatasetConfig;
use crate::source::{LabelRule, Source};
use crate::split::{Split, Strategy};

/// How far from 1 the sum of the shares may be.
const SHARES_TOLERANCE: f64 = 1e-9;

/// Extensions of the tables that can be read.
const TABLES: [&str; 3] = ["csv", "tsv", "parquet"];

/// The problems of the tables of `root` that none of `known` concerns.
pub(super) fn check(root: &Node, known: &[Problem]) -> Vec<Problem> {
    let mut check = Check { root, problems: Vec::new() };
    let source: Option<Source> = check.table("source", known);
    let clean: Option<Clean> = check.table("clean", known);
    let split: Option<Split> = check.table("split", known);
    let dataset: Option<DatasetConfig> = check.table("dataset", known);

    if let Some(source) = &source {
        check.source(source);
        check.idle(idle::source(source));
    }
    if let Some(clean) = &clean {
        check.idle(idle::clean(clean));
    }
    if let Some(split) = &split {
        check.split(split);
        check.idle(idle::split(split));
    }
    if let Some(dataset) = &dataset {
        check.dataset(dataset);
    }
    if let (Some(source), Some(split)) = (&source, &split) {
        check.split_column(source, split);
    }
    if let (Some(source), Some(dataset)) = (&source, &dataset) {
        check.folders(source, dataset);
    }
    check.problems
}

struct Check<'a> {
    root: &'a Node,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// The table `name`, or its defaults, unless it has a problem, now or among `known`.
    fn table<T: for<'de> Deserialize<'de>>(&mut self, name: &str, known: &[Problem]) -> Option<T> {
        let prefix = format!("{name}.");
        let concerned = |key: &String| key == name || key.starts_with(&prefix);
        if known.iter().any(|p| p.severity == Severity::Error && p.key.as_ref().is_some_and(concerned)) {
            return None;
        }
        let Some((_, table)) = self.root.get(name) else {
            // That a table is missing which must be there was told with the structure.
            return decode(&Node { value: Value::Table(Vec::new()), place: self.root.place.clone() }).ok();
        };
        let mut table = table.clone();
        let mut whole = true;
        // A refused value is taken out, so that the next one is found as well.
        loop {
            match decode(&table) {
                Ok(decoded) => return whole.then_some(decoded),
                Err(failure) => {
                    whole = false;
                    let refused = failure.place().cloned();
                    self.problems.push(failure.into_problem(self.root).label("not allowed here"));
                    if !refused.is_some_and(|place| remove(&mut table, &place)) {
                        return None;
                    }
                }
            }
        }
    }

    /// A problem with the value at `path`; of a value that is not in the file, at the place of its table.
    fn at(&self, path: &[&str], message: String, label: &str) -> Problem {
        let problem = Problem::error(message).key(key(path));
        let place = (1..=path.len()).rev().find_map(|n| self.root.find(&path[..n])).map(|(_, node)| &node.place);
        problem.at(place.unwrap_or(&self.root.place)).label(label)
    }

    fn is_set(&self, path: &[&str]) -> bool {
        self.root.find(path).is_some()
    }

    /// Options that are in the file although they change nothing.
    fn idle(&mut self, idle: Vec<Idle>) {
        for Idle { path, because, help } in idle {
            if let Some((own, _)) = self.root.find(&path) {
                let problem = Problem::error(format!("`{}` has no effect {because}", key(&path))).key(key(&path));
                self.problems.push(problem.at(&own.place).label("no effect").help(help));
            }
        }
    }

    fn source(&mut self, source: &Source) {
        self.url(&["source", "url"], &source.url);
        for (name, globs) in [("include", &source.include), ("exclude", &source.exclude)] {
            for (index, glob) in globs.iter().enumerate() {
                if let Err(error) = GlobBuilder::new(glob).literal_separator(true).build() {
                    let message = format!("`source.{name}[{index}]` is not a glob: {}", error.kind());
                    let problem = self.item(&["source", name], index, message, "not a glob");
                    self.problems.push(problem.help("`*` is any part of a name, `**` any folders, `{jpg,png}` either"));
                }
            }
        }
        if source.include.is_empty() {
            let problem = self.at(&["source", "include"], "`source.include` takes no object".to_owned(), "empty");
            self.problems.push(problem.help("remove it, or write include = [\"**/*\"]"));
        }
        self.label(&source.label);
        self.classes(&source.classes);
    }

    fn label(&mut self, label: &LabelRule) {
        match label {
            LabelRule::Parent | LabelRule::None => {}
            LabelRule::Regex { pattern } => {
                let path = ["source", "label", "pattern"];
                let problem = match Regex::new(pattern) {
                    Err(error) => {
                        let reason = error.to_string();
                        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                        let message = format!("`{}` is not a regular expression: {reason}", key(&path));
                        self.at(&path, message, "not a regular expression").help("in '…' a backslash is itself")
                    }
                    Ok(regex) if regex.capture_names().flatten().all(|name| name != "label") => {
                        let message = format!("`{}` has no capture named `label`", key(&path));
                        self.at(&path, message, "no `(?<label>…)`").help("such as '^(?<label>[^/]+)/'")
                    }
                    Ok(_) => return,
                };
                self.problems.push(problem);
            }
            LabelRule::Table { table, key, label, .. } => {
                self.table_path(&["source", "label", "table"], table);
                self.column(&["source", "label", "key"], key);
                self.column(&["source", "label", "label"], label);
            }
        }
    }

    fn classes(&mut self, classes: &[String]) {
        let mut first = BTreeMap::new();
        for (index, class) in classes.iter().enumerate() {
            let (message, label) = if class.is_empty() {
                (format!("`source.classes[{index}]` is empty"), "a class needs a name")
            } else if let Some(first) = first.insert(class, index) {
                (
                    format!("class {} is listed twice", quoted(class)),
                    match index - first {
                        1 => "the same as the one before",
                        _ => "the second time",
                    },
                )
            } else {
                continue;
            };
            let problem = self.item(&["source", "classes"], index, message, label);
            self.problems.push(problem);
        }
    }

    fn split(&mut self, split: &Split) {
        if split.strategy != Strategy::Column {
            return self.shares(&split.ratios.0);
        }
        self.column(&["split", "column"], &split.column);
        if let Some(table) = &split.table {
            self.table_path(&["split", "table", "path"], &table.path);
            self.column(&["split", "table", "key"], &table.key);
        }
    }

    fn shares(&mut self, shares: &[(String, f64)]) {
        let path = ["split", "ratios"];
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        if (sum - 1.0).abs() > SHARES_TOLERANCE {
            let terms: Vec<String> = shares.iter().map(|(name, share)| format!("{name} {share}")).collect();
            let shown = format!("{sum:.9}");
            let shown = shown.trim_end_matches('0').trim_end_matches('.');
            let message = format!("split.ratios sum to {shown} ({}): shares must sum to 1", terms.join(" + "));
            let problem = self.at(&path, message, &format!("the sum is {shown}"));
            self.problems.push(problem);
            return;
        }
        for (name, _) in shares.iter().filter(|(_, share)| *share == 0.0) {
            let path = ["split", "ratios", name];
            let mut warning = self.at(&path, format!("the split `{name}` stays empty"), "no samples");
            warning.severity = Severity::Warning;
            self.problems.push(warning.help("remove it, or give it a share"));
        }
    }

    /// A split by column needs a table to look into.
    fn split_column(&mut self, source: &Source, split: &Split) {
        let labelled_by_table = matches!(source.label, LabelRule::Table { .. });
        if split.strategy == Strategy::Column && split.table.is_none() && !labelled_by_table {
            let message = "strategy = \"column\" has no table to look into".to_owned();
            let problem = self.at(&["split", "strategy"], message, "a column of which table?");
            self.problems.push(problem.help(
                "add table = { path = \"splits.csv\" } to [split], or take the labels from a table: \
                 label = { from = \"table\", table = \"labels.csv\" }",
            ));
        }
    }

    fn dataset(&mut self, dataset: &DatasetConfig) {
        let path = ["dataset", "url"];
        self.url(&path, &dataset.url);
        let version = dataset.url.rsplit_once('@').map(|(_, version)| version);
        if version.is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit())) {
            let message = format!("`dataset.url` ends in a version: {}", quoted(&dataset.url));
            let problem = self.at(&path, message, "`URL@version` names a version to read");
            self.problems.push(problem.help("leave the version out: a run writes the next one"));
        }
        if dataset.shard_size < dataset.row_group_size {
            let (shard, group) = (dataset.shard_size, dataset.row_group_size);
            let name = if self.is_set(&["dataset", "shard_size"]) { "shard_size" } else { "row_group_size" };
            let message = format!("`dataset.shard_size` ({shard}) is smaller than `dataset.row_group_size` ({group})");
            let problem = self.at(&["dataset", name], message, "a shard holds whole row groups");
            self.problems.push(problem.help("make shard_size at least row_group_size"));
        }
    }

    /// The dataset must not be listed as its own source.
    fn folders(&mut self, source: &Source, dataset: &DatasetConfig) {
        let (Some(from), Some(to)) = (folder(&source.url), folder(&dataset.url)) else { return };
        let what = if to == from {
            "is the source folder itself"
        } else if to.starts_with(&from) {
            "lies inside the source folder"
        } else if from.starts_with(&to) {
            "contains the source folder"
        } else {
            return;
        };
        let message = format!("`dataset.url` {what}: the dataset would ingest itself");
        let problem = self.at(&["dataset", "url"], message, &format!("source.url is {}", quoted(&source.url)));
        self.problems.push(problem.help("put the dataset beside the source folder"));
    }

    /// A local folder, as a path or a `file://` URL.
    fn url(&mut self, path: &[&str], url: &str) {
        let name = key(path);
        let refused = |message: String, label: &str, help: &str| self.at(path, message, label).help(help);
        let local = "give a path such as data/raw, or file:///data/raw";
        let problem = match scheme(url) {
            Some("file") if folder(url).is_none() => {
                let message = format!("`{name}` is not a URL of a local folder: {}", quoted(url));
                refused(message, "not a local folder", "write file:///data/raw, with three slashes")
            }
            Some("file") => return,
            Some(known @ ("s3" | "s3a" | "gs" | "gcs" | "az" | "abfs" | "abfss" | "http" | "https" | "hf")) => refused(
                format!("`{name}` is {known}://: this version reads local folders only"),
                "not a local folder",
                &format!("copy the objects to a local folder first; {local}"),
            ),
            Some(unknown) => refused(
                format!("`{name}` has the unknown scheme {}://", unknown.escape_debug()),
                "unknown scheme",
                local,
            ),
            None if url.starts_with("file:") => {
                refused(format!("`{name}` is not a URL: {}", quoted(url)), "`file:` without `//`", local)
            }
            None if url.starts_with('~') => {
                let message = format!("`{name}` begins with `~`, which is not expanded here");
                refused(message, "taken literally", "write the whole path")
            }
            None if url.trim().is_empty() => refused(format!("`{name}` must not be blank"), "blank", local),
            None => return,
        };
        self.problems.push(problem);
    }

    /// The path of a CSV or Parquet table.
    fn table_path(&mut self, path: &[&str], table: &str) {
        let name = key(path);
        let extension = Path::new(table).extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let problem = if scheme(table).is_some() {
            let message = format!("`{name}` is a URL: this version reads local tables only");
            self.at(path, message, "not a path").help("give a path such as data/labels.csv")
        } else if !extension.is_some_and(|e| TABLES.contains(&e.as_str())) {
            let message = format!("`{name}` is not a table that can be read: {}", quoted(table));
            self.at(path, message, "unknown extension")
                .help(format!("the extension is {}", either(&TABLES.map(dotted))))
        } else {
            return;
        };
        self.problems.push(problem);
    }

    fn column(&mut self, path: &[&str], column: &str) {
        if column.is_empty() {
            let problem = self.at(path, format!("`{}` must not be empty", key(path)), "a column needs a name");
            self.problems.push(problem);
        }
    }

    /// A problem with the `index`-th item of the array at `path`.
    fn item(&self, path: &[&str], index: usize, message: String, label: &str) -> Problem {
        let problem = self.at(path, message, label).key(format!("{}[{index}]", key(path)));
        let item = self.root.find(path).and_then(|(_, node)| match &node.value {
            Value::Array(items) => items.get(index),
            _ => None,
        });
        match item {
            Some(item) => problem.at(&item.place),
            None => problem,
        }
    }
}

/// `path` as it is written in a file.
fn key(path: &[&str]) -> String {
    path.iter().fold(String::new(), |path, key| join(&path, key))
}

fn dotted(extension: &str) -> String {
    format!(".{extension}")
}

/// Takes the entry whose value stands at `place` out of `node`; whether it was there.
fn remove(node: &mut Node, place: &Place) -> bool {
    match &mut node.value {
        Value::Table(entries) => {
            let before = entries.len();
            entries.retain(|(_, child)| !child.place.is(place));
            entries.len() < before || entries.iter_mut().any(|(_, child)| remove(child, place))
        }
        Value::Array(items) => items.iter_mut().any(|child| remove(child, place)),
        _ => false,
    }
}
