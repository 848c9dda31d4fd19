//! The pipeline file: one TOML document, its tables in the order in which data flows.
//!
//! The doc comment of every field is the field's description in `schemas/pipeline.schema.json`. Each table's struct
//! stands beside the component that it configures.

pub mod load;
pub mod event;
pub mod plan;
pub mod scan;
pub mod index;
pub mod layout;
pub mod write;
pub mod draft;
pub mod summary;
pub mod finish;
pub mod run;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clean::Clean;
use crate::dataset::DatasetConfig;
use crate::source::Source;
use crate::split::{Dedupe, Split};

/// A swinpipe pipeline: where images come from, how they are cleaned, deduplicated and split, and the dataset they become.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "swinpipe pipeline")]
pub struct Pipeline {
    /// The dataset's name: letters, digits, `-`, `_` and `.`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"))]
    pub name: String,
    /// Seed of every random choice: the same seed, objects and file give the same dataset.
    #[serde(default)]
    pub seed: u64,
    /// Where the images and their labels come from.
    pub source: Source,
    /// How images are verified, repaired, re-encoded and resized.
    #[serde(default)]
    pub clean: Clean,
    /// What becomes of duplicates.
    #[serde(default)]
    pub dedupe: Dedupe,
    /// How samples are divided into splits.
    #[serde(default)]
    pub split: Split,
    /// The dataset that is written.
    pub dataset: DatasetConfig,
}
