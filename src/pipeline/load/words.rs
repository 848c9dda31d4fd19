//! Keys, values and schemas in words.

use serde_json::Value as Json;

use super::document::{Node, Value};

/// Characters of a value that a message repeats.
const LONGEST_QUOTE: usize = 40;

/// `path` and one key more, quoted where TOML asks for it.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The table at `path`: `[clean]`, or the top level.
pub(super) fn table_name(path: &str) -> String {
    if path.is_empty() { "the top level".to_owned() } else { format!("[{path}]") }
}

/// Where a key of the table at `path` is: `in [clean]`, or `at the top level`.
pub(super) fn inside(path: &str) -> String {
    if path.is_empty() { "at the top level".to_owned() } else { format!("in {}", table_name(path)) }
}

/// What a value is: `the string "jpg"`, `an array`.
pub(super) fn found(node: &Node) -> String {
    match &node.value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
            "an array of tables".to_owned()
        }
        Value::Array(_) => "an array".to_owned(),
        Value::Text(text) => format!("the string {}", quoted(text)),
        Value::Integer(integer) => format!("the number {integer}"),
        Value::Float(float) => format!("the number {float:?}"),
        Value::Boolean(_) => "a boolean".to_owned(),
        Value::Datetime => "a date".to_owned(),
    }
}

/// `text` in quotes, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

/// `a, b or c`
pub(super) fn either<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", rest.join(", "), last.as_ref())
        }
    }
}

/// The candidate that `word` is most likely a slip for, if any is close; of equals the first.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    let length = word.chars().count();
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        let cut_short = length >= 4 && candidate.starts_with(&word);
        if cut_short { 1 } else { strsim::damerau_levenshtein(&word, &candidate) }
    };
    let distances = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    let close = distances.filter(|(distance, _)| *distance < length && *distance <= 1.max(length / 3));
    close.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The names of the types that `schema` allows; TOML has no null.
pub(super) fn types(schema: &Json) -> Vec<&str> {
    let types = match &schema["type"] {
        Json::String(one) => vec![one.as_str()],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    types.into_iter().filter(|name| *name != "null").collect()
}

/// The values of a closed set of strings: `enum`, or `oneOf` of constants.
pub(super) fn choices(schema: &Json) -> Option<Vec<&str>> {
    if let Some(constant) = schema["const"].as_str() {
        return Some(vec![constant]);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Json::as_str).collect();
    }
    let variants: Option<Vec<Vec<&str>>> = schema["oneOf"].as_array()?.iter().map(choices).collect();
    Some(variants?.concat())
}

/// The values in quotes.
pub(super) fn in_quotes(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| format!("{value:?}")).collect()
}

/// What `schema` wants: `a whole number from 1 to 100`, `a size in bytes, such as "64MiB"`.
pub(super) fn wanted(schema: &Json) -> String {
    if let Some(choices) = choices(schema) {
        return either(&in_quotes(&choices));
    }
    let types = types(schema);
    let ([one] | [one, ..]) = types.as_slice() else { return "a table".to_owned() };
    if types.len() > 1
        && let Some(description) = schema["description"].as_str()
    {
        return clause(description);
    }
    match *one {
        "integer" => format!("a whole number{}", range(schema)),
        "number" => format!("a number{}", range(schema)),
        "boolean" => "true or false".to_owned(),
        "array" if types_of_items(schema) == ["string"] => "an array of strings".to_owned(),
        "array" => "an array".to_owned(),
        "string" => "a string".to_owned(),
        _ => "a table".to_owned(),
    }
}

fn types_of_items(schema: &Json) -> Vec<&str> {
    types(&schema["items"])
}

fn range(schema: &Json) -> String {
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    }
}

/// A description as part of a sentence: without its final stop, its first letter small.
pub(super) fn clause(description: &str) -> String {
    let text = description.trim().trim_end_matches('.').replace('\n', " ");
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // Not an acronym such as JPEG.
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(chars).collect(),
        _ => text,
    }
}
