//! `swinpipe schema`: JSON schemas for editors and other programs.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::Done;
use super::terminal::Terminal;
use crate::dataset::manifest;
use crate::pipeline::load;
use crate::shard;

#[derive(clap::Args)]
pub struct Args {
    /// Of what.
    #[arg(value_enum, default_value_t = What::Pipeline)]
    what: What,
}

/// What has a schema.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// A pipeline file.
    Pipeline,
    /// A row of a shard.
    Shard,
    /// A row of the manifest.
    Manifest,
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    terminal.print(&text(args.what))?;
    Ok(Done::Well)
}

/// The schema, as it stands in `schemas/`.
pub fn text(what: What) -> String {
    let value = match what {
        What::Pipeline => return load::schema_text(),
        What::Shard => rows("A row of a shard", &shard::schema::columns(), &shard::schema::MEANINGS),
        What::Manifest => {
            let fields: Vec<_> = manifest::schema().fields().iter().map(|field| field.as_ref().clone()).collect();
            rows("A row of the split manifest", &fields, &manifest::COLUMNS)
        }
    };
    serde_json::to_string_pretty(&value).expect("a JSON value has string keys") + "\n"
}

fn rows(title: &str, fields: &[arrow::datatypes::Field], meanings: &[(&str, &str)]) -> Value {
    let mut properties = serde_json::Map::new();
    for (field, (_, meaning)) in fields.iter().zip(meanings) {
        let mut property = json!({ "description": meaning, "type": kind(field.data_type()) });
        if field.is_nullable() {
            property["type"] = json!([property["type"], "null"]);
        }
        if let Some(words) = words(field.name()) {
            property["enum"] = words;
        }
        property["arrow"] = json!(field.data_type().to_string());
        properties.insert(field.name().clone(), property);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "required": fields.iter().map(|field| field.name()).collect::<Vec<_>>(),
        "properties": properties,
        "additionalProperties": false,
    })
}

fn kind(data_type: &arrow::datatypes::DataType) -> &'static str {
    use arrow::datatypes::DataType;
    match data_type {
        DataType::Utf8 => "string",
        DataType::List(_) => "array",
        DataType::Struct(_) => "object",
        _ => "integer",
    }
}

/// The closed lists of the manifest's columns.
fn words(column: &str) -> Option<Value> {
    use crate::sample::{Action, Format, Reason};
    let nullable = |words: Vec<&'static str>| {
        let words: Vec<Value> = words.into_iter().map(Value::from).chain([Value::Null]).collect();
        Some(Value::from(words))
    };
    match column {
        "action" => Some(json!(Action::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>())),
        "reason" => nullable(Reason::ALL.iter().map(|word| word.as_str()).collect()),
        "declared_format" | "real_format" => nullable(Format::ALL.iter().map(|word| word.as_str()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares `schemas/` with what the code says; `SWINPIPE_BLESS=1 cargo test` writes it anew.
    #[test]
    fn the_schemas_in_the_repository_are_those_of_the_code() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        for (what, name) in [(What::Pipeline, "pipeline"), (What::Shard, "shard"), (What::Manifest, "manifest")] {
            let path = folder.join(format!("{name}.schema.json"));
            if std::env::var_os("SWINPIPE_BLESS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, text(what)).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == text(what),
                "schemas/{name}.schema.json is out of date: SWINPIPE_BLESS=1 cargo test schemas"
            );
        }
    }
}
