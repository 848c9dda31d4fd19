//! The document: a TOML file's keys and values, each with the place it came from.
//!
//! # Why not toml_edit's own tree
//!
//! A `--set` override brings values of another text into the tree, and toml_edit's spans do not say of which text.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Item, TableLike, Value as TomlValue};

use super::problem::Problem;
use super::text::{Place, Text};

/// A key where it is written.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub name: String,
    pub place: Place,
}

/// A value where it is written; of a table with a header, the header.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Table(Vec<(Key, Node)>),
    Array(Vec<Node>),
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime,
}

impl Node {
    /// The entries of a table; none of another value.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn get(&self, key: &str) -> Option<&(Key, Node)> {
        self.entries().iter().find(|(k, _)| k.name == key)
    }

    /// What lies at the end of `path`.
    pub fn find(&self, path: &[&str]) -> Option<&(Key, Node)> {
        let (last, tables) = path.split_last()?;
        tables.iter().try_fold(self, |node, key| node.get(key).map(|(_, child)| child))?.get(last)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Parses a whole `text`; TOML stops at the first syntax error.
pub(super) fn parse(text: &Arc<Text>) -> Result<Node, Box<Problem>> {
    let end = text.end();
    if text.raw.trim_start_matches('\u{feff}').trim().is_empty() {
        let help = "`swinpipe schema` describes the file; pipelines/ingest.toml is an example";
        return Err(Box::new(Problem::error(format!("{} is empty", text.name)).help(help)));
    }
    let document = toml_edit::Document::parse(text.raw.as_str()).map_err(|error| Box::new(syntax(text, &error)))?;
    let mut root = table(text, document.as_table(), &end);
    root.place = end;
    Ok(root)
}

/// What toml_edit says against `text`.
pub(super) fn syntax(text: &Arc<Text>, error: &toml_edit::TomlError) -> Problem {
    let end = text.raw.len();
    let span = error.span().map_or(end..end, |span| span.start.min(end)..span.end.min(end));
    let there = text.raw.get(span.clone()).unwrap_or_default();
    let (what, label) = match error.message() {
        "duplicate key" => (format!("`{there}` is set twice"), "the second time"),
        message if message.starts_with("string values must be quoted") && there.is_empty() => {
            ("a value is missing".to_owned(), "a value belongs here")
        }
        message if message.starts_with("string values must be quoted") => {
            (format!("`{there}` is not a value"), "text belongs in quotes")
        }
        message => (message.to_owned(), "here"),
    };
    let before = text.raw.get(..span.start).unwrap_or_default();
    let help = quotes(before, there, error.message());
    let problem = Problem::error(format!("not valid TOML: {what}")).at(&Place { text: Arc::clone(text), span });
    let problem = problem.label(label);
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// What to do about quotes that TOML does not know, and about backslashes in those that it knows.
fn quotes(before: &str, there: &str, message: &str) -> Option<&'static str> {
    const CURLY: [char; 5] = ['“', '”', '„', '‘', '’'];
    if there.contains(CURLY) || before.ends_with(CURLY) {
        return Some("write straight quotes: \"…\"");
    }
    let escape = ["escape", "unicode"].iter().any(|word| message.contains(*word));
    escape.then_some("in '…' a backslash is itself")
}

fn table(text: &Arc<Text>, table: &dyn TableLike, place: &Place) -> Node {
    let entries = table.iter().map(|(name, item)| {
        let span = table.key(name).and_then(toml_edit::Key::span);
        let place = at(text, span, place);
        (Key { name: name.to_owned(), place: place.clone() }, node(text, item, &place))
    });
    Node { value: Value::Table(entries.collect()), place: place.clone() }
}

/// `item`, which stands at `outer` if it does not know better.
pub(super) fn node(text: &Arc<Text>, item: &Item, outer: &Place) -> Node {
    let place = at(text, item.span(), outer);
    if let Some(entries) = item.as_table_like() {
        return table(text, entries, &place);
    }
    let value = match item {
        Item::ArrayOfTables(tables) => {
            Value::Array(tables.iter().map(|t| table(text, t, &at(text, t.span(), &place))).collect())
        }
        Item::Value(value) => scalar(text, value, &place),
        Item::None | Item::Table(_) => Value::Table(Vec::new()),
    };
    Node { value, place }
}

fn scalar(text: &Arc<Text>, value: &TomlValue, place: &Place) -> Value {
    match value {
        TomlValue::String(string) => Value::Text(string.value().clone()),
        TomlValue::Integer(integer) => Value::Integer(*integer.value()),
        TomlValue::Float(float) => Value::Float(*float.value()),
        TomlValue::Boolean(boolean) => Value::Boolean(*boolean.value()),
        TomlValue::Datetime(_) => Value::Datetime,
        TomlValue::Array(items) => {
            let items = items.iter().map(|item| node(text, &Item::Value(item.clone()), place));
            Value::Array(items.collect())
        }
        TomlValue::InlineTable(entries) => table(text, entries, place).value,
    }
}

fn at(text: &Arc<Text>, span: Option<Range<usize>>, outer: &Place) -> Place {
    span.map_or_else(|| outer.clone(), |span| Place { text: Arc::clone(text), span })
}
