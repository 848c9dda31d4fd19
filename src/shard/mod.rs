//! Shards: Parquet files of images that Hugging Face `datasets`, DuckDB, Polars, pyarrow and Spark read as they are.

pub mod schema;
pub mod writer;
