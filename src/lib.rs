//! swinpipe turns a dirty pile of images into a versioned, leak-proof, training-ready dataset.
//!
//! The modules in the order in which data flows:
//!
//! | module | what it does |
//! |---|---|
//! | [`sample`] | the nouns: object, format, action, change, reason |
//! | [`store`] | a dataset's or a source's URL |
//! | [`source`] | listing: objects and their labels |
//! | [`sniff`] | the real format of bytes, from their content |
//! | [`clean`] | verify, repair, re-encode, resize, fingerprint |
//! | [`split`] | duplicates, splits, rank |
//! | [`shard`] | Parquet files of images |
//! | [`dataset`] | versions: manifest, card, atomic commit |
//! | [`pipeline`] | the file, the plan, the units, the run |
//! | [`demo`] | a small dirty dataset to try everything on |
//! | [`cli`] | one file per command |

pub mod sample;
pub mod store;
pub mod source;
pub mod sniff;
pub mod clean;
pub mod split;
pub mod shard;
pub mod dataset;
pub mod pipeline;
pub mod demo;
pub mod cli;
