//! The columns of a shard and of a quarantine file.
//!
//! # Why just so
//!
//! Hugging Face turns `image` into a decoded picture and `label` into a class only if the `huggingface` metadata stands in
//! the Arrow schema and among the file's key-values, the struct's children are nullable `binary` and `string` in this
//! order, and the label is a nullable `int64`. Any deviation silently yields plain columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde_json::json;

/// Key of the Hugging Face metadata.
pub const HUGGINGFACE: &str = "huggingface";

/// The children of the `image` column.
pub fn image_fields() -> Fields {
    Fields::from(vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)])
}

/// The columns of a shard, without file metadata.
pub fn columns() -> Vec<Field> {
    vec![
        Field::new("image", DataType::Struct(image_fields()), true),
        Field::new("label", DataType::Int64, true),
        Field::new("split", DataType::Utf8, true),
        Field::new("id", DataType::Utf8, true),
        Field::new("image_sha256", DataType::Utf8, true),
        Field::new("cluster", DataType::Utf8, true),
        Field::new("group", DataType::Utf8, true),
        Field::new("fold", DataType::Int64, true),
        Field::new("width", DataType::Int32, true),
        Field::new("height", DataType::Int32, true),
        Field::new("copy", DataType::Int32, true),
        Field::new("augment", DataType::Utf8, true),
    ]
}

/// What each column of a shard means, in the order of [`columns`].
pub const MEANINGS: [(&str, &str); 12] = [
    ("image", "The encoded image and the path it came from, relative to the source, its extension telling the truth."),
    ("label", "Code of the class: its index in the dataset's class list; null in a dataset without labels."),
    ("split", "Name of the split; the same for every row of a file."),
    ("id", "SHA-256 of the source bytes, in hexadecimal digits: the sample's identity."),
    ("image_sha256", "SHA-256 of `image.bytes`."),
    ("cluster", "Near duplicates share one; equal to `id` until near duplicates are searched for."),
    ("group", "What must not be divided between splits, such as a patient; null without groups."),
    ("fold", "Fold of a k-fold split, from 0; null without folds."),
    ("width", "Pixels, of the stored image."),
    ("height", "Pixels, of the stored image."),
    ("copy", "0 for the original; augmented copies, which are not made yet, count from 1."),
    ("augment", "Parameters of an augmented copy, as JSON; null for the original."),
];

/// The Arrow schema of a shard, with Hugging Face's features. `classes` is empty in a dataset without labels.
pub fn shard(classes: &[String]) -> Arc<Schema> {
    let mut features = json!({ "image": { "_type": "Image" } });
    if !classes.is_empty() {
        features["label"] = json!({ "names": classes, "_type": "ClassLabel" });
    }
    let info = json!({ "info": { "features": features } }).to_string();
    Arc::new(Schema::new_with_metadata(columns(), HashMap::from([(HUGGINGFACE.to_owned(), info)])))
}

/// The Arrow schema of a quarantine file.
pub fn quarantine() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("uri", DataType::Utf8, false),
        Field::new("id", DataType::Utf8, true),
        Field::new("label", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("detail", DataType::Utf8, true),
        Field::new("size", DataType::Int64, false),
        Field::new("bytes", DataType::Binary, true),
    ]))
}

/// How every file is written: zstd and dictionaries for the small columns, none of either for encoded images, whose bytes
/// do not compress; one image a page, so that the page index finds a single image.
pub fn properties(schema: &Schema) -> WriterProperties {
    let level = ZstdLevel::try_new(3).expect("3 is a level of zstd");
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("swinpipe ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Page);
    for column in ["image.bytes", "bytes"] {
        builder = plain(builder, ColumnPath::from(column.split('.').map(str::to_owned).collect::<Vec<_>>()));
    }
    if let Some(info) = schema.metadata.get(HUGGINGFACE) {
        builder = builder.set_key_value_metadata(Some(vec![KeyValue::new(HUGGINGFACE.to_owned(), info.clone())]));
    }
    builder.build()
}

fn plain(builder: WriterPropertiesBuilder, column: ColumnPath) -> WriterPropertiesBuilder {
    builder
        .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(column.clone(), false)
        .set_column_statistics_enabled(column.clone(), EnabledStatistics::None)
        .set_column_data_page_row_count_limit(column, 1)
}
