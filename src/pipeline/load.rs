//! Loading a pipeline file: every problem in it is found at once and shown where it stands.
//!
//! ```text
//! text ─► document (keys and values with their places) ─► `--set` overrides ─► structure ─► meaning ─► Pipeline
//! ```
//!
//! # Why not serde alone
//!
//! serde stops at the first error. Here the JSON schema that schemars derives from [`Pipeline`] is walked beside the
//! document, so editors, `swinpipe schema` and `check` refuse the same keys with the same ranges, and a new field needs
//! no second description. What the schema cannot say (shares sum to 1, an option that has no effect beside another)
//! is checked afterwards, table by table, for those tables whose structure is right.

mod decode;
mod document;
mod idle;
mod local;
mod meaning;
mod overrides;
mod problem;
mod structure;
mod text;
mod words;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::Pipeline;
pub use problem::{Problem, Problems, Severity, render};
use text::Text;

/// A pipeline file is a page of text; what is longer is another file given by mistake. Bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// A pipeline without problems.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The pipeline, overrides applied and defaults filled in.
    pub pipeline: Pipeline,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

/// Reads the pipeline file at `path`, applies `overrides` (each `KEY=VALUE`) and checks the result.
///
/// No file but `path` is opened: whether folders, tables and credentials exist is not asked here.
pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    match read(path) {
        Ok(text) => parse(&name, &text, overrides),
        Err(problem) => Err(Problems::new(&name, vec![*problem])),
    }
}

/// [`load`] of a `text` that is named `name` in its problems.
pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Loaded, Problems> {
    let failed = |problems| Err(Problems::new(name, problems));
    let source = Arc::new(Text::file(name, text));
    let mut root = match document::parse(&source) {
        Ok(root) => root,
        Err(problem) => return failed(vec![*problem]),
    };
    let mut problems = overrides::apply(&mut root, overrides);
    problems.extend(structure::check(&root, &schema()));
    problems.extend(meaning::check(&root, &problems));
    problem::in_file_order(&mut problems);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return failed(problems);
    }
    match decode::decode(&root) {
        Ok(pipeline) => Ok(Loaded { pipeline, warnings: problems }),
        Err(failure) => {
            problems.push(failure.into_problem(&root));
            failed(problems)
        }
    }
}

/// The text of the file at `path`.
fn read(path: &Path) -> Result<String, Box<Problem>> {
    let shown = path.display();
    let cannot = |error: std::io::Error| {
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        Box::new(Problem::error(format!("cannot read {shown}: {reason}")).help(neighbours(path)))
    };
    if path.is_dir() {
        let message = format!("{shown} is a folder, not a pipeline file");
        return Err(Box::new(Problem::error(message).help(format!("name a file in it: `ls {shown}`"))));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > LONGEST_FILE {
        let message = format!("{shown} is longer than 1 MiB: this is not a pipeline file");
        return Err(Box::new(Problem::error(message)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let message = format!("{shown} is not UTF-8 text: byte 0x{:02x} at offset {at}, line {line}", bytes[at]);
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let help = if utf16 { "it looks like UTF-16; save it as UTF-8" } else { "save the file as UTF-8" };
        Box::new(Problem::error(message).help(help))
    })
}

/// What to try instead of a file that is not there.
fn neighbours(path: &Path) -> String {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    match words::closest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", path.with_file_name(name).display()),
        None => "`ls pipelines` shows the shipped ones".to_owned(),
    }
}

/// The JSON schema of [`Pipeline`], draft 2020-12.
pub fn schema() -> serde_json::Value {
    let schema = schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Pipeline>();
    // Its own order of keywords, description first, is that of serialization alone.
    serde_json::to_value(schema).expect("a JSON schema is JSON")
}

/// [`schema`] as `schemas/pipeline.schema.json` holds it.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}
