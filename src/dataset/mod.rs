//! The dataset: a Delta Lake table of shards with a manifest, a quarantine, a card, and versions.

pub mod version;
pub mod manifest;
pub mod commit;
pub mod describe;
pub mod card;
pub mod croissant;
pub mod verify;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clean::limits::ByteSize;

/// The dataset that is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// A local folder: a path, absolute or relative to the working directory, or a `file://` URL.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Bound of a write unit's largest shard file.
    #[serde(default = "shard_size")]
    pub shard_size: ByteSize,
    /// Size of a shard's row groups, the unit of shuffling and caching of streaming readers.
    #[serde(default = "row_group_size")]
    pub row_group_size: ByteSize,
}

fn shard_size() -> ByteSize {
    ByteSize(256 << 20)
}

fn row_group_size() -> ByteSize {
    ByteSize(16 << 20)
}
