//! Listing: which objects there are, and what they are labelled.

pub mod folder;
pub mod key;
pub mod label;
pub mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the images and their labels come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A local folder: a path, absolute or relative to the working directory, or a `file://` URL.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Globs of the keys to take; `**` crosses folders. Matched against the key relative to `url`.
    #[serde(default = "everything")]
    pub include: Vec<String>,
    /// Globs of the keys to leave out, stronger than `include`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Where an object's label comes from.
    #[serde(default)]
    pub label: LabelRule,
    /// The class names in the order of their codes; empty: sorted by name at the first version and append-only after.
    /// An object with another label is quarantined as `unknown_class`.
    #[serde(default)]
    pub classes: Vec<String>,
}

fn everything() -> Vec<String> {
    vec!["**/*".to_owned()]
}

/// Where an object's label comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LabelRule {
    /// The name of the folder that the object lies in.
    #[default]
    Parent,
    /// The capture named `label` of a regular expression over the key.
    Regex {
        /// A regular expression (syntax of the Rust `regex` crate) with a capture named `label`.
        pattern: String,
    },
    /// A column of a CSV or Parquet table.
    Table {
        /// Path of the table; its extension, `.csv`, `.tsv` or `.parquet`, tells its format.
        table: String,
        /// The column that names the object.
        #[serde(default = "key_column")]
        key: String,
        /// The column that holds the label.
        #[serde(default = "label_column")]
        label: String,
        /// What the key column holds.
        #[serde(default)]
        on: JoinOn,
    },
    /// No labels: the dataset's `label` column is null.
    None,
}

pub(crate) fn key_column() -> String {
    "path".to_owned()
}

fn label_column() -> String {
    "label".to_owned()
}

/// What the key column of a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JoinOn {
    /// The object's path relative to the source; backslashes and a leading `./` are understood.
    #[default]
    Path,
    /// The file name without folders and without its last extension.
    Stem,
}
