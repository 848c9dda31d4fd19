//! `croissant.json`: the version as [Croissant 1.1](http://mlcommons.org/croissant/1.1), JSON-LD that dataset search
//! engines index and `mlcroissant` loads.
//!
//! # Why it is written so
//!
//! - The specification's appendix spells schema.org `http:`; mlcroissant 1.1 accepts only `https:`, as do the
//!   published examples.
//! - Parquet's registered media type is `application/vnd.apache.parquet`; mlcroissant reads `application/x-parquet`
//!   only. `encodingFormat` may be a list, so both stand there.
//! - `FileSet.includes` lists the version's files one by one: a glob would also take those of older versions.
//! - `split` is read from its column and refers to the enumeration of splits, by which a tool knows that it is one. The
//!   price is that mlcroissant joins in memory instead of streaming.
//! - Licence, citation, creator and date of publication are not known here and are left out. mlcroissant warns about
//!   three of them; whoever publishes the dataset adds them.

use serde_json::{Map, Value, json};

use crate::dataset::card::{EXTRAS, Facts, File, paragraph};

/// Parquet's media types, see the module's page.
const PARQUET: [&str; 2] = ["application/vnd.apache.parquet", "application/x-parquet"];

/// Terms of the Croissant vocabulary that the context abbreviates: the specification's appendix 1 and what
/// mlcroissant adds.
const TERMS: [&str; 34] = [
    "annotation",
    "arrayShape",
    "citeAs",
    "column",
    "containedIn",
    "equivalentProperty",
    "excludes",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "readLines",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "sdVersion",
    "separator",
    "source",
    "subField",
    "transform",
    "unArchive",
];

/// `croissant.json` of one version.
pub fn croissant(facts: &Facts) -> Value {
    let mut record_sets = vec![splits(facts)];
    if facts.labelled && !facts.classes.is_empty() {
        record_sets.push(classes(facts));
    }
    record_sets.push(samples(facts));
    let mut distribution: Vec<Value> = facts.files.iter().map(file_object).collect();
    distribution.push(file_set(facts));
    json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "name": facts.name,
        "description": paragraph(facts),
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "version": format!("{}.0.0", facts.version),
        "keywords": ["images", "swinpipe"],
        "distribution": distribution,
        "recordSet": record_sets,
    })
}

fn context() -> Value {
    let mut context = json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "name": { "@container": "@language" },
        "description": { "@container": "@language" },
        "data": { "@id": "cr:data", "@type": "@json" },
        "dataType": { "@id": "cr:dataType", "@type": "@vocab" },
        "examples": { "@id": "cr:examples", "@type": "@json" },
    });
    for term in TERMS {
        context[term] = format!("cr:{term}").into();
    }
    context
}

fn file_object(file: &File) -> Value {
    json!({
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path.rsplit('/').next(),
        "contentUrl": file.path,
        "contentSize": format!("{} B", file.bytes),
        "encodingFormat": PARQUET,
        "sha256": file.sha256,
    })
}

fn file_set(facts: &Facts) -> Value {
    let paths: Vec<&str> = facts.files.iter().map(|f| f.path.as_str()).collect();
    json!({
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "The version's Parquet files.",
        "encodingFormat": PARQUET,
        "includes": paths,
    })
}

/// The enumeration of splits; `url` says what a name means.
fn splits(facts: &Facts) -> Value {
    let meaning = |split: &str| match split {
        "train" => "cr:TrainingSplit",
        "val" => "cr:ValidationSplit",
        "test" => "cr:TestSplit",
        _ => "cr:Split",
    };
    let data: Vec<Value> =
        (facts.counts.iter()).map(|(split, _)| json!({ "splits/name": split, "splits/url": meaning(split) })).collect();
    json!({
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits.",
        "dataType": ["sc:Enumeration", "cr:Split"],
        "key": { "@id": "splits/name" },
        "field": [inline("splits", "name", "sc:Text"), inline("splits", "url", "sc:URL")],
        "data": data,
    })
}

/// The enumeration of classes: code and name.
fn classes(facts: &Facts) -> Value {
    let names = facts.classes.iter().enumerate();
    let data: Vec<Value> = names.map(|(code, name)| json!({ "classes/label": code, "classes/name": name })).collect();
    json!({
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The classes: the code that stands in the column `label`, and its name.",
        "dataType": "sc:Enumeration",
        "key": { "@id": "classes/label" },
        "field": [inline("classes", "label", "sc:Integer"), inline("classes", "name", "sc:Text")],
        "data": data,
    })
}

/// A field whose values stand in the document.
fn inline(set: &str, name: &str, data_type: &str) -> Value {
    json!({ "@type": "cr:Field", "@id": format!("{set}/{name}"), "name": name, "dataType": data_type })
}

/// The rows of the shards.
fn samples(facts: &Facts) -> Value {
    let mut image = column("image", json!("sc:ImageObject"), "The image.");
    image["source"]["transform"] = json!({ "jsonPath": "bytes" });
    let mut label = column("label", json!(["sc:Integer", "cr:Label"]), "The class's code.");
    if facts.labelled && !facts.classes.is_empty() {
        label["references"] = json!({ "field": { "@id": "classes/label" } });
    }
    let mut fields = vec![image, label];
    for (name, dtype, meaning) in EXTRAS {
        let data_type = if dtype == "string" { "sc:Text" } else { "sc:Integer" };
        let mut field = column(name, json!(data_type), meaning);
        if name == "split" {
            field["references"] = json!({ "field": { "@id": "splits/name" } });
        }
        fields.push(field);
    }
    json!({
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record per image.",
        "key": [{ "@id": "samples/id" }, { "@id": "samples/label" }, { "@id": "samples/copy" }],
        "field": fields,
    })
}

/// A field that is a column of the shards.
fn column(name: &str, data_type: Value, description: &str) -> Value {
    let mut field = Map::new();
    field.insert("@type".to_owned(), "cr:Field".into());
    field.insert("@id".to_owned(), format!("samples/{name}").into());
    field.insert("name".to_owned(), name.into());
    field.insert("description".to_owned(), description.into());
    field.insert("dataType".to_owned(), data_type);
    field.insert("source".to_owned(), json!({ "fileSet": { "@id": "shards" }, "extract": { "column": name } }));
    field.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::card::tests::facts;

    #[test]
    fn every_shard_is_a_file_object_with_its_checksum() {
        let document = croissant(&facts());
        let first = &document["distribution"][0];
        assert_eq!(first["contentUrl"], "data/train/r1-0-0.parquet");
        assert_eq!(first["sha256"], "ab".repeat(32));
        assert_eq!(first["contentSize"], "1536 B");
        assert_eq!(
            document["distribution"][2]["includes"],
            json!(["data/train/r1-0-0.parquet", "data/val/r1-0-0.parquet"])
        );
    }

    #[test]
    fn the_samples_have_every_column_in_file_order() {
        let document = croissant(&facts());
        let fields = document["recordSet"][2]["field"].as_array().unwrap();
        let names: Vec<&str> = fields.iter().map(|f| f["name"].as_str().unwrap()).collect();
        assert_eq!(names[..4], ["image", "label", "split", "id"]);
        assert_eq!(names.len(), 2 + EXTRAS.len());
        assert_eq!(fields[0]["source"]["transform"]["jsonPath"], "bytes");
    }

    #[test]
    fn a_class_name_may_hold_anything() {
        let document = croissant(&facts());
        assert_eq!(document["recordSet"][1]["data"][1]["classes/name"], "no: \"|\"\n");
    }

    #[test]
    fn nothing_refers_to_classes_that_are_not_there() {
        let mut facts = facts();
        (facts.labelled, facts.classes) = (false, Vec::new());
        let text = croissant(&facts).to_string();
        assert!(!text.contains("classes/"), "{text}");
    }

    #[test]
    fn every_term_used_is_in_the_context() {
        fn keys(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| {
                    found.push(key.clone());
                    keys(value, found);
                }),
                Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
                _ => {}
            }
        }
        let mut document = croissant(&facts());
        let context = document["@context"].take();
        let schema_org =
            ["version", "keywords", "distribution", "contentUrl", "contentSize", "encodingFormat", "sha256"];
        let mut used = Vec::new();
        keys(&document, &mut used);
        for key in used.iter().filter(|k| !k.starts_with('@') && !k.contains('/')) {
            assert!(context.get(key).is_some() || schema_org.contains(&key.as_str()), "{key}");
        }
    }
}
