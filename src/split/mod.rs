//! Assignment: duplicates, splits and the rank of every sample, a pure function of the index, the previous version and
//! the seed.

pub mod duplicates;
pub mod stratified;
pub mod column;
pub mod assign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::JoinOn;

/// What becomes of duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dedupe {
    /// Identical source bytes under one label.
    pub exact: Exact,
    /// Identical source bytes under two labels.
    pub label_conflict: OnLabelConflict,
}

/// What becomes of objects with identical bytes and the same label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exact {
    /// The first by key is kept, the others are listed as its duplicates.
    #[default]
    Drop,
}

/// What becomes of objects with identical bytes and different labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnLabelConflict {
    /// All of them are quarantined as `label_conflict`.
    #[default]
    Quarantine,
    /// One row per label is kept; all of them are in the same split.
    Keep,
}

/// How samples are divided into splits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// How a sample's split is chosen.
    pub strategy: Strategy,
    /// Each split's share of the samples; the shares sum to 1. Not used by `column`.
    pub ratios: Ratios,
    /// With `column`: the table's column that names the split.
    pub column: String,
    /// With `column`: the table that names the splits. Without it, `column` is looked up in the label table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<SplitTable>,
}

impl Default for Split {
    fn default() -> Self {
        Split {
            strategy: Strategy::default(),
            ratios: Ratios(vec![("train".to_owned(), 0.8), ("val".to_owned(), 0.1), ("test".to_owned(), 0.1)]),
            column: "split".to_owned(),
            table: None,
        }
    }
}

/// How a sample's split is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Exact quotas per class, filled by the rank of hash(seed, id).
    #[default]
    Stratified,
    /// By hash(seed, id) alone: a sample's split depends on no other sample.
    Hash,
    /// From a table.
    Column,
}

impl Strategy {
    /// The file's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Strategy::Stratified => "stratified",
            Strategy::Hash => "hash",
            Strategy::Column => "column",
        }
    }
}

/// A table that names each object's split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitTable {
    /// Path of the table; its extension, `.csv`, `.tsv` or `.parquet`, tells its format.
    pub path: String,
    /// The column that names the object.
    #[serde(default = "crate::source::key_column")]
    pub key: String,
    /// What the key column holds.
    #[serde(default)]
    pub on: JoinOn,
}

/// Each split's share, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratios(pub Vec<(String, f64)>);

impl Serialize for Ratios {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, share)| (name, share)))
    }
}

impl<'de> Deserialize<'de> for Ratios {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Ratios;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a table of split names and their shares")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ratios, A::Error> {
                let mut shares = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    shares.push(entry);
                }
                Ok(Ratios(shares))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl JsonSchema for Ratios {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ratios".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" },
            "additionalProperties": { "type": "number", "minimum": 0.0, "maximum": 1.0 },
        })
    }
}
