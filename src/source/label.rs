//! Labels: what an object's key, or a table, says that it shows.
//!
//! # Why
//! A label is never guessed. An object without one, or with two, is still an object: it goes on with that finding, and
//! is quarantined with its reason where the run decides about it.

use std::path::Path;

use regex::Regex;

use super::table::{Found, KeyTable, TableError};
use super::{LabelRule, key};
use crate::sample::Object;

/// The capture of a pattern that holds the label.
const CAPTURE: &str = "label";

/// A [`LabelRule`] ready to use: its pattern compiled, its table read.
#[derive(Debug)]
pub struct Labeler(Rule);

#[derive(Debug)]
enum Rule {
    Parent,
    Regex(Regex),
    Table(KeyTable),
    None,
}

/// What the rule says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labelling {
    /// The rule is [`LabelRule::None`]: objects have no labels.
    Unlabelled,
    /// The rule finds no label for this object.
    Missing,
    /// Its label: never empty, and without white space around it unless a folder's name has some.
    Label(String),
    /// Different labels from several rows of the table, sorted.
    Conflict(Vec<String>),
}

/// Why a label rule cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The pattern is no regular expression. The source shows the place.
    #[error("the pattern `{0}` of `source.label` is not a regular expression")]
    Pattern(String, #[source] Box<regex::Error>),
    /// The pattern captures no label.
    #[error(
        "the pattern `{pattern}` of `source.label` has no capture named `label`{}: put `(?<label>…)` around what names \
         the label",
        other_captures(names)
    )]
    NoCapture {
        /// The pattern.
        pattern: String,
        /// The captures that it has.
        names: Vec<String>,
    },
    /// The table cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
}

fn other_captures(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!(" (only {})", names.join(", ")) }
}

impl Labeler {
    /// Compiles the rule's pattern, or reads its table; a relative path is taken from the working directory.
    pub fn new(rule: &LabelRule) -> Result<Labeler, LabelError> {
        Ok(Labeler(match rule {
            LabelRule::Parent => Rule::Parent,
            LabelRule::Regex { pattern } => Rule::Regex(compile(pattern)?),
            LabelRule::Table { table, key, label, on } => {
                Rule::Table(KeyTable::load(Path::new(table), key, label, *on)?)
            }
            LabelRule::None => Rule::None,
        }))
    }

    /// The label of the object `uri`.
    pub fn label(&self, uri: &str) -> Labelling {
        match &self.0 {
            Rule::None => Labelling::Unlabelled,
            Rule::Parent => parent(uri).map_or(Labelling::Missing, Labelling::Label),
            Rule::Regex(pattern) => {
                let captured = pattern.captures(uri).and_then(|captures| captures.name(CAPTURE));
                match captured.map(|label| label.as_str().trim()) {
                    None | Some("") => Labelling::Missing,
                    Some(label) => Labelling::Label(label.to_owned()),
                }
            }
            Rule::Table(table) => match table.get(uri) {
                Found::Missing => Labelling::Missing,
                Found::Value(label) => Labelling::Label(label.to_owned()),
                Found::Conflict(labels) => Labelling::Conflict(labels.to_vec()),
            },
        }
    }

    /// The keys of the rule's table that name none of `objects`, sorted; none without a table.
    pub fn orphans(&self, objects: &[Object]) -> Vec<String> {
        match &self.0 {
            Rule::Table(table) => table.orphans(objects),
            Rule::Parent | Rule::Regex(_) | Rule::None => Vec::new(),
        }
    }
}

/// The pattern of a [`LabelRule::Regex`], compiled, and proven to capture a label. Reads no file.
pub fn compile(pattern: &str) -> Result<Regex, LabelError> {
    let regex = Regex::new(pattern).map_err(|e| LabelError::Pattern(pattern.to_owned(), Box::new(e)))?;
    let names: Vec<_> = regex.capture_names().flatten().map(str::to_owned).collect();
    if names.iter().any(|name| name == CAPTURE) {
        Ok(regex)
    } else {
        Err(LabelError::NoCapture { pattern: pattern.to_owned(), names })
    }
}

/// The name of the folder that `uri` lies in: as on disk, or as in the key where that cannot be shown.
fn parent(uri: &str) -> Option<String> {
    let (folders, _) = uri.rsplit_once('/')?;
    let name = folders.rsplit('/').next()?;
    let name = key::display_name(name).unwrap_or_else(|| name.to_owned());
    (!name.trim().is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::JoinOn;

    fn label(name: &str) -> Labelling {
        Labelling::Label(name.to_owned())
    }

    fn regex(pattern: &str) -> Result<Labeler, LabelError> {
        Labeler::new(&LabelRule::Regex { pattern: pattern.to_owned() })
    }

    #[test]
    fn a_parent_label_is_the_name_of_the_nearest_folder() {
        let labeler = Labeler::new(&LabelRule::Parent).unwrap();
        assert_eq!(labeler.label("cats/1.jpg"), label("cats"));
        assert_eq!(labeler.label("train/big cats/1.jpg"), label("big cats"));
        assert_eq!(labeler.label("100%2525 wool/1.jpg"), label("100%25 wool"));
        assert_eq!(labeler.label("caf%E9/1.jpg"), label("caf%E9"));
        for uri in ["1.jpg", "/1.jpg", "a//1.jpg", " /1.jpg", ""] {
            assert_eq!(labeler.label(uri), Labelling::Missing, "{uri}");
        }
        assert_eq!(labeler.orphans(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_regex_label_is_what_its_capture_holds() {
        let labeler = regex(r"(?:^|/)n\d+_(?<label>[^/.]*)?").unwrap();
        assert_eq!(labeler.label("x/n01440764_tench.JPEG"), label("tench"));
        assert_eq!(labeler.label("n01_ great white .jpg"), label("great white"));
        for uri in ["cats/1.jpg", "n01_.jpg", "n01_ .jpg"] {
            assert_eq!(labeler.label(uri), Labelling::Missing, "{uri}");
        }
        assert_eq!(regex("(?:(?<label>cat)|dog)").unwrap().label("dog.jpg"), Labelling::Missing);
    }

    #[test]
    fn a_pattern_that_cannot_label_says_why() {
        let message = |pattern: &str| regex(pattern).unwrap_err().to_string();
        assert_eq!(message("(cat"), "the pattern `(cat` of `source.label` is not a regular expression");
        assert_eq!(
            message("(?<class>cat)(?<id>.)"),
            "the pattern `(?<class>cat)(?<id>.)` of `source.label` has no capture named `label` (only `class`, `id`): \
             put `(?<label>…)` around what names the label"
        );
        assert!(message("(.*)/").contains("has no capture named `label`: put"));
    }

    #[test]
    fn a_table_label_is_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("labels.csv");
        std::fs::write(&table, "path,label\na.jpg, cat \nb.jpg,\nc.jpg,cat\nc.jpg,dog\nz.jpg,cat\n").unwrap();
        let table = table.to_str().unwrap().to_owned();
        let rule = LabelRule::Table { table, key: "path".to_owned(), label: "label".to_owned(), on: JoinOn::Path };
        let labeler = Labeler::new(&rule).unwrap();
        assert_eq!(labeler.label("a.jpg"), label("cat"));
        assert_eq!(labeler.label("b.jpg"), Labelling::Missing);
        assert_eq!(labeler.label("c.jpg"), Labelling::Conflict(vec!["cat".to_owned(), "dog".to_owned()]));
        assert_eq!(labeler.label("d.jpg"), Labelling::Missing);
        let objects = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"].map(|uri| Object {
            uri: uri.to_owned(),
            size: 0,
            etag: String::new(),
        });
        assert_eq!(labeler.orphans(&objects), ["z.jpg"]);
    }

    #[test]
    fn without_a_rule_nothing_has_a_label() {
        assert_eq!(Labeler::new(&LabelRule::None).unwrap().label("cats/1.jpg"), Labelling::Unlabelled);
    }
}
