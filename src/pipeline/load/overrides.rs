//! `--set KEY=VALUE`: values of the command line that replace values of the file.

use std::sync::Arc;

use toml_edit::{Document, Item};

use super::document::{Key, Node, Value, node, syntax};
use super::problem::Problem;
use super::text::{Place, Text};

const FORM: &str = "the form is KEY=VALUE, such as `--set clean.quality=90` or `--set source.url=data/raw`";

/// Applies `overrides` to `root` in their order; returns what is wrong with their form.
pub(super) fn apply(root: &mut Node, overrides: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, raw) in overrides.iter().enumerate() {
        match read(&Arc::new(Text::set(index, raw))) {
            Ok((keys, value)) => put(root, &keys, value),
            Err(problem) => problems.push(*problem),
        }
    }
    problems
}

/// The keys and the value of one override.
fn read(text: &Arc<Text>) -> Result<(Vec<Key>, Node), Box<Problem>> {
    let raw = text.raw.as_str();
    let place = |span: std::ops::Range<usize>| Place { text: Arc::clone(text), span };
    let Some(equals) = equals_sign(raw) else {
        let problem = Problem::error(format!("`--set {raw}` has no `=`")).at(&place(0..raw.len()));
        return Err(Box::new(problem.label("a key without a value").help(FORM)));
    };
    // The key alone, so that a fault of it is not taken for one of the value.
    let key = format!("{}=0", &raw[..equals]);
    let whole = place(0..raw.len());
    let keys = Document::parse(key.as_str()).ok().filter(|key| one_value(key.as_item()));
    let keys = keys.and_then(|key| chain(node(text, key.as_item(), &whole)));
    let no_key = || Problem::error(format!("`--set {raw}` does not begin with a key")).at(&place(0..equals));
    let (keys, _) = keys.ok_or_else(|| Box::new(no_key().label("this is not a dotted key").help(FORM)))?;

    let value = raw[equals + 1..].trim();
    let start = raw.len() - raw[equals + 1..].trim_start().len();
    let parsed = Document::parse(raw);
    if let Ok(document) = &parsed
        && one_value(document.as_item())
        && let Some((keys, value)) = chain(node(text, document.as_item(), &whole))
    {
        return Ok((keys, value));
    }
    match parsed {
        Err(error) if value.starts_with(['"', '\'', '[', '{']) => Err(Box::new(syntax(text, &error))),
        _ => {
            let place = place(start..start + value.len());
            Ok((keys, Node { value: Value::Text(value.to_owned()), place }))
        }
    }
}

/// The first `=` that is not inside quotes.
fn equals_sign(raw: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in raw.char_indices() {
        match quote {
            Some(q) if c == q && !escaped => quote = None,
            Some(q) => escaped = q == '"' && c == '\\' && !escaped,
            None if c == '=' => return Some(at),
            None if c == '"' || c == '\'' => (quote, escaped) = (Some(c), false),
            None => {}
        }
    }
    None
}

/// Whether `root` is one dotted key and one value: not two lines, not a `[table]`.
fn one_value(root: &Item) -> bool {
    let mut item = root;
    let mut depth = 0;
    while let Item::Table(table) = item {
        let mut entries = table.iter();
        match (entries.next(), entries.next()) {
            (Some((_, child)), None) if depth == 0 || table.is_dotted() => item = child,
            _ => return false,
        }
        depth += 1;
    }
    item.is_value() && depth > 0
}

/// The keys from `root` down to its only value that is not a dotted table.
fn chain(root: Node) -> Option<(Vec<Key>, Node)> {
    let (mut keys, mut node) = (Vec::new(), root);
    loop {
        // A dotted table stands at its key; an inline table at its braces.
        let dotted = keys.last().is_none_or(|key: &Key| key.place.is(&node.place));
        match node.value {
            Value::Table(mut entries) if dotted => {
                let (key, child) = entries.pop().filter(|_| entries.is_empty())?;
                keys.push(key);
                node = child;
            }
            _ => return Some((keys, node)),
        }
    }
}

/// Puts `value` at `keys`, replacing what is there and creating the tables on the way.
fn put(root: &mut Node, keys: &[Key], value: Node) {
    let Some((key, rest)) = keys.split_first() else {
        *root = value;
        return;
    };
    if !matches!(root.value, Value::Table(_)) {
        *root = Node { value: Value::Table(Vec::new()), place: key.place.clone() };
    }
    let Value::Table(entries) = &mut root.value else { return };
    let at = entries.iter().position(|(k, _)| k.name == key.name).unwrap_or_else(|| {
        entries.push((key.clone(), Node { value: Value::Table(Vec::new()), place: key.place.clone() }));
        entries.len() - 1
    });
    let (own, child) = &mut entries[at];
    if rest.is_empty() {
        own.clone_from(key);
    }
    put(child, rest, value);
}
