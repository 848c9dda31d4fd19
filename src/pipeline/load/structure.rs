//! Structure: the document walked beside the JSON schema.
//!
//! A required key that is there with a slip in its name is one problem, the unknown key, and not a missing one as well.

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::document::{Key, Node, Value};
use super::problem::Problem;
use super::words::{
    choices, clause, closest, either, found, in_quotes, inside, join, quoted, table_name, types, wanted,
};

/// Everything in which `root` is not what `schema` describes.
pub(super) fn check(root: &Node, schema: &Json) -> Vec<Problem> {
    let mut tables = Vec::new();
    list_tables(schema, schema, "", &mut tables);
    let mut walk = Walk { schema, tables, problems: Vec::new() };
    walk.value(root, schema, "", schema["description"].as_str());
    walk.problems
}

/// A table that the schema describes: its path, and its keys.
type Table<'a> = (String, Vec<&'a str>);

struct Walk<'a> {
    schema: &'a Json,
    tables: Vec<Table<'a>>,
    problems: Vec<Problem>,
}

/// `schema` with references followed and "or null" removed.
fn resolve<'a>(root: &'a Json, mut schema: &'a Json) -> &'a Json {
    // A schema of ours nests its references a few deep; the bound is for one that refers to itself.
    for _ in 0..32 {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            schema = &root["$defs"][name];
        } else if let Some(some) = schema["anyOf"].as_array().and_then(|any| any.iter().find(|s| s["type"] != "null")) {
            schema = some;
        } else {
            break;
        }
    }
    schema
}

fn list_tables<'a>(root: &'a Json, schema: &'a Json, path: &str, tables: &mut Vec<Table<'a>>) {
    let schema = resolve(root, schema);
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        list_tables(root, variant, path, tables);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    tables.push((path.to_owned(), properties.keys().map(String::as_str).collect()));
    for (key, property) in properties {
        list_tables(root, property, &join(path, key), tables);
    }
}

/// The key whose constant tells the variants of a `oneOf` apart.
fn tag_of(variants: &[Json]) -> Option<&str> {
    let first = variants.first()?["properties"].as_object()?;
    let tag = |key: &str| variants.iter().all(|variant| variant["properties"][key]["const"].is_string());
    first.keys().map(String::as_str).find(|key| tag(key))
}

fn kind(node: &Node) -> &'static str {
    match node.value {
        Value::Table(_) => "object",
        Value::Array(_) => "array",
        Value::Text(_) => "string",
        Value::Integer(_) => "integer",
        Value::Float(_) => "number",
        Value::Boolean(_) => "boolean",
        Value::Datetime => "date",
    }
}

fn is_one_of(kind: &str, types: &[&str]) -> bool {
    types.contains(&kind) || (kind == "integer" && types.contains(&"number"))
}

/// Whether `text` has the form `pattern`. The patterns are the schema's own; a test compiles them all.
fn matches(pattern: &Json, text: &str) -> bool {
    let pattern = pattern.as_str().map(Regex::new);
    pattern.is_none_or(|pattern| pattern.is_ok_and(|pattern| pattern.is_match(text)))
}

impl<'a> Walk<'a> {
    /// Checks `node`, which stands at `path` and is described by `schema`; `about` describes the key.
    fn value(&mut self, node: &Node, schema: &'a Json, path: &str, about: Option<&str>) {
        let schema = resolve(self.schema, schema);
        if let Some(choices) = choices(schema) {
            return self.choice(node, &choices, path);
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            return self.variant(node, variants, path);
        }
        let types = types(schema);
        let kind = kind(node);
        if !types.is_empty() && !is_one_of(kind, &types) {
            return self.wants(node, schema, path, about);
        }
        match &node.value {
            Value::Table(entries) => self.table(node, entries, schema, path, None),
            Value::Array(items) => {
                if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
                    self.problem(node, path, format!("`{path}` must not be empty"), "an entry is missing", about);
                }
                for (index, item) in items.iter().enumerate() {
                    self.value(item, &schema["items"], &format!("{path}[{index}]"), about);
                }
            }
            Value::Text(text) => self.text(node, text, schema, path, about),
            Value::Integer(integer) => self.number(node, *integer as f64, schema, path, about),
            Value::Float(float) => self.number(node, *float, schema, path, about),
            Value::Boolean(_) | Value::Datetime => {}
        }
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Json, path: &str, about: Option<&str>) {
        let least = schema["minLength"].as_u64().unwrap_or(0);
        if (text.chars().count() as u64) < least {
            let label =
                if least == 1 { "empty".to_owned() } else { format!("at least {least} characters belong here") };
            self.problem(node, path, format!("`{path}` must not be empty"), &label, about);
        } else if !matches(&schema["pattern"], text) {
            if types(schema).len() > 1 {
                return self.wants(node, schema, path, about);
            }
            let help = form(&schema["pattern"]).or(about);
            self.problem(node, path, format!("`{path}` cannot be {}", quoted(text)), "not allowed here", help);
        }
    }

    fn number(&mut self, node: &Node, number: f64, schema: &Json, path: &str, about: Option<&str>) {
        let below = schema["minimum"].as_f64().is_some_and(|least| number < least);
        let above = schema["maximum"].as_f64().is_some_and(|most| number > most);
        if below || above || !number.is_finite() {
            self.wants(node, schema, path, about);
        }
    }

    fn choice(&mut self, node: &Node, choices: &[&str], path: &str) {
        let allowed = match choices {
            [only] => format!("the only value is {only:?}"),
            _ => format!("the values are {}", in_quotes(choices).join(", ")),
        };
        let (message, label, near) = match node.text() {
            Some(text) if choices.contains(&text) => return,
            Some(text) => {
                let near = closest(text, choices.iter().copied());
                (format!("unknown value {} of `{path}`", quoted(text)), "not one of its values", near)
            }
            None => (format!("`{path}` wants a string; found {}", found(node)), "wrong type", None),
        };
        let help = near.map_or_else(|| allowed.clone(), |near| format!("did you mean {near:?}? {allowed}"));
        self.problem(node, path, message, label, Some(&help));
    }

    /// A table whose tag says which of `variants` it is.
    fn variant(&mut self, node: &Node, variants: &'a [Json], path: &str) {
        let Some(tag) = tag_of(variants) else { return };
        let tags: Vec<&str> = variants.iter().filter_map(|v| v["properties"][tag]["const"].as_str()).collect();
        let Value::Table(entries) = &node.value else {
            let named = node.text().and_then(|text| tags.iter().find(|name| **name == text));
            let example = named.or(tags.first()).copied().unwrap_or_default();
            let help = format!("write {} = {{ {tag} = {example:?} }}", last_key(path));
            let message = format!("`{path}` wants a table; found {}", found(node));
            return self.problem(node, path, message, "wrong type", Some(&help));
        };
        let Some((_, value)) = node.get(tag) else {
            let help = format!("{tag} is {}", either(&in_quotes(&tags)));
            if let Some((slip, _)) = slip(entries, tag, &keys_of(variants)) {
                let message = format!("unknown key `{}` {}", join("", &slip.name), inside(path));
                let problem = Problem::error(message).key(join(path, &slip.name)).at(&slip.place).label("unknown");
                self.problems.push(problem.help(format!("did you mean `{tag}`? {help}")));
                return;
            }
            let message = format!("missing key `{tag}` {}", inside(path));
            return self.problem(node, &join(path, tag), message, &format!("`{tag}` is required"), Some(&help));
        };
        let chosen = value.text().and_then(|text| variants.iter().find(|v| v["properties"][tag]["const"] == text));
        match chosen {
            Some(chosen) => self.table(node, entries, chosen, path, Some((tag, variants))),
            None => self.choice(value, &tags, &join(path, tag)),
        }
    }

    /// The entries of a table; `tagged` names the tag and the variants of which `schema` is one.
    fn table(
        &mut self,
        node: &Node,
        entries: &[(Key, Node)],
        schema: &'a Json,
        path: &str,
        tagged: Option<(&str, &[Json])>,
    ) {
        let none = Map::new();
        let properties = schema["properties"].as_object();
        for (key, child) in entries {
            let inner = join(path, &key.name);
            let pattern = &schema["propertyNames"]["pattern"];
            if !matches(pattern, &key.name) {
                let message = format!("{} cannot be a name in {}", quoted(&key.name), table_name(path));
                let problem = Problem::error(message).key(&inner).at(&key.place).label("not allowed here");
                self.problems.push(problem.help(form(pattern).unwrap_or_default()));
            }
            match (properties.and_then(|known| known.get(&key.name)), &schema["additionalProperties"]) {
                (Some(property), _) => {
                    let about = property["description"].as_str();
                    self.value(child, property, &inner, about);
                }
                (None, Json::Bool(false)) => {
                    let problem = self.unknown(key, child, properties.unwrap_or(&none), path, tagged);
                    self.problems.push(problem);
                }
                (None, any @ Json::Object(_)) => self.value(child, any, &inner, None),
                (None, _) => {}
            }
        }
        if schema["minProperties"].as_u64().is_some_and(|least| (entries.len() as u64) < least) {
            self.problem(node, path, format!("`{path}` must not be empty"), "an entry is missing", None);
        }
        let known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        for key in required(schema) {
            if node.get(key).is_none() && slip(entries, key, &known).is_none() {
                let problem = self.missing(node, key, &schema["properties"][key], path);
                self.problems.push(problem);
            }
        }
    }

    fn missing(&self, node: &Node, key: &str, property: &Json, path: &str) -> Problem {
        let schema = resolve(self.schema, property);
        let about = property["description"].as_str().map(|text| format!(": {}", clause(text))).unwrap_or_default();
        let (message, add) = if schema["properties"].is_object() {
            let inside: Vec<String> = required(schema).map(|key| format!("`{key}`")).collect();
            let table = table_name(&join(path, key));
            let with = if inside.is_empty() { String::new() } else { format!(" with {}", inside.join(", ")) };
            (format!("missing table {table}"), format!("add a table {table}{with}{about}"))
        } else {
            let value = if types(schema).contains(&"string") { "\"…\"" } else { "…" };
            let place = if path.is_empty() { " above the first table" } else { "" };
            (format!("missing key `{key}` {}", inside(path)), format!("add `{key} = {value}`{place}{about}"))
        };
        // A key of the top level cannot stand at the end, behind a table.
        let at_the_start = path.is_empty() && !schema["properties"].is_object();
        let place = if at_the_start { node.place.text.start() } else { node.place.clone() };
        Problem::error(message).key(join(path, key)).at(&place).label(format!("`{key}` is required")).help(add)
    }

    fn unknown(
        &self,
        key: &Key,
        child: &Node,
        known: &Map<String, Json>,
        path: &str,
        tagged: Option<(&str, &[Json])>,
    ) -> Problem {
        let name = key.name.as_str();
        let inner = join(path, name);
        let is_table = matches!(child.value, Value::Table(_));
        let shown = |key: &str| match known.get(key).map(|property| resolve(self.schema, property)) {
            Some(property) if is_table && property["properties"].is_object() => table_name(&join(path, key)),
            _ => format!("`{key}`"),
        };
        let message = if is_table {
            format!("unknown table {}", table_name(&inner))
        } else {
            format!("unknown key `{}` {}", join("", name), inside(path))
        };
        let other_variant = tagged.and_then(|(tag, variants)| {
            let has = |variant: &&Json| variant["properties"].get(name).is_some();
            variants.iter().find(has).and_then(|variant| Some((tag, variant["properties"][tag]["const"].as_str()?)))
        });
        let near = closest(name, known.keys().map(String::as_str));
        let homes: Vec<String> = self.tables.iter().filter(|(_, keys)| keys.contains(&name)).map(home).collect();
        let help = match (near, other_variant, homes.as_slice()) {
            (_, Some((tag, variant)), _) => format!("`{name}` belongs to {tag} = {variant:?}"),
            (Some(near), None, []) => format!("did you mean {}?", shown(near)),
            (Some(near), None, homes) => {
                format!("did you mean {}? (`{name}` belongs to {})", shown(near), either(homes))
            }
            (None, None, []) => self.elsewhere(name).unwrap_or_else(|| {
                let keys: Vec<String> = known.keys().map(|key| format!("`{key}`")).collect();
                format!("the keys of {} are {}", table_name(path), keys.join(", "))
            }),
            (None, None, homes) => format!("`{name}` belongs to {}", either(homes)),
        };
        Problem::error(message).key(&inner).at(&key.place).label("unknown").help(help)
    }

    /// A key of another table that `name` is close to.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let near = closest(name, self.tables.iter().flat_map(|(_, keys)| keys.iter().copied()))?;
        let table = self.tables.iter().find(|(_, keys)| keys.contains(&near))?;
        Some(format!("did you mean `{near}` of {}?", home(table)))
    }

    fn wants(&mut self, node: &Node, schema: &Json, path: &str, about: Option<&str>) {
        let types = types(schema);
        let rewritten = match &node.value {
            Value::Text(text) if types.iter().any(|name| ["integer", "number", "boolean"].contains(name)) => {
                let bare = text.parse::<f64>().is_ok_and(f64::is_finite) || text == "true" || text == "false";
                bare.then(|| format!("write it without quotes: {text}"))
            }
            Value::Integer(integer) if types == ["string"] => Some(format!("write it in quotes: \"{integer}\"")),
            Value::Float(float) if types == ["string"] => Some(format!("write it in quotes: \"{float:?}\"")),
            Value::Boolean(boolean) if types == ["string"] => Some(format!("write it in quotes: \"{boolean}\"")),
            Value::Float(float) if types == ["integer"] && float.fract() == 0.0 && float.abs() < 1e15 => {
                Some(format!("write it without a fraction: {float:.0}"))
            }
            Value::Integer(integer) if types == ["number"] => percent(*integer as f64, schema),
            Value::Float(float) if types == ["number"] => percent(*float, schema),
            Value::Text(text) if types == ["array"] => Some(format!("write it in brackets: [{}]", quoted(text))),
            _ if types == ["object"] => self.as_table(node, schema, last_key(path)),
            _ => None,
        };
        let help = rewritten.or(about.map(str::to_owned));
        let message = format!("`{path}` wants {}; found {}", wanted(schema), found(node));
        let label = if is_one_of(kind(node), &types) { "not allowed here" } else { "wrong type" };
        self.problem(node, path, message, label, help.as_deref());
    }

    /// How the table `key`, which `schema` describes, is written; with `node` as its only required value, if that fits.
    fn as_table(&self, node: &Node, schema: &Json, key: &str) -> Option<String> {
        if schema["propertyNames"].is_object() {
            return Some(format!("write {key} = {{ train = 0.8, val = 0.1, test = 0.1 }}"));
        }
        let mut required = required(schema);
        let (Some(only), None) = (required.next(), required.next()) else { return None };
        let fits = is_one_of(kind(node), &types(resolve(self.schema, &schema["properties"][only])));
        let value = match &node.value {
            Value::Integer(integer) if fits => integer.to_string(),
            Value::Text(text) if fits => format!("{text:?}"),
            _ => return None,
        };
        Some(format!("write {key} = {{ {only} = {value} }}"))
    }

    fn problem(&mut self, node: &Node, path: &str, message: String, label: &str, help: Option<&str>) {
        let problem = Problem::error(message).key(path).at(&node.place).label(label);
        self.problems.push(match help {
            Some(help) => problem.help(clause(help)),
            None => problem,
        });
    }
}

/// The forms of names, in words. A test finds every pattern of the schema that people are told here.
const FORMS: [(&str, &str); 2] = [
    (
        "^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        "letters, digits, `-`, `_` and `.`; begins with a letter or digit; at most 96 characters",
    ),
    (
        "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        "letters, digits, `-` and `_`; begins with a letter or digit; at most 64 characters",
    ),
];

/// What `pattern` asks for, in words.
fn form(pattern: &Json) -> Option<&'static str> {
    FORMS.iter().find(|(form, _)| pattern == form).map(|(_, words)| *words)
}

/// The keys that `schema` requires.
fn required(schema: &Json) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str)
}

/// All keys of `variants`.
fn keys_of(variants: &[Json]) -> Vec<&str> {
    let keys = variants.iter().filter_map(|variant| variant["properties"].as_object());
    keys.flatten().map(|(key, _)| key.as_str()).collect()
}

/// The entry, none of the `known`, that is most likely `wanted` with a slip in its name.
fn slip<'n>(entries: &'n [(Key, Node)], wanted: &str, known: &[&str]) -> Option<&'n (Key, Node)> {
    let is_slip = |name: &str| !known.contains(&name) && closest(name, known.iter().copied()) == Some(wanted);
    entries.iter().find(|(key, _)| is_slip(&key.name))
}

/// What to write instead of a percentage where `schema` wants a share.
fn percent(number: f64, schema: &Json) -> Option<String> {
    let is_share = schema["minimum"].as_f64() == Some(0.0) && schema["maximum"].as_f64() == Some(1.0);
    (is_share && number > 1.0 && number <= 100.0).then(|| format!("a share, not percent: {}", number / 100.0))
}

fn home((path, _): &Table) -> String {
    if path.is_empty() { "the top of the file, before the first table".to_owned() } else { table_name(path) }
}

/// `label` of `source.label`.
fn last_key(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every keyword of `schema` and of what is inside it.
    fn keywords(schema: &Json, into: &mut Vec<String>) {
        let Some(object) = schema.as_object() else { return };
        for (keyword, value) in object {
            into.push(keyword.clone());
            match keyword.as_str() {
                "properties" | "$defs" => value.as_object().into_iter().flatten().for_each(|(_, s)| keywords(s, into)),
                "oneOf" | "anyOf" => value.as_array().into_iter().flatten().for_each(|s| keywords(s, into)),
                "items" | "additionalProperties" | "propertyNames" => keywords(value, into),
                _ => {}
            }
        }
    }

    #[test]
    fn every_keyword_of_the_schema_is_one_that_the_walk_knows() {
        let known = "$schema title description default format type properties additionalProperties required $defs $ref \
                     enum const oneOf anyOf minimum maximum minLength pattern propertyNames items minItems minProperties";
        let mut found = Vec::new();
        keywords(&super::super::schema(), &mut found);
        found.retain(|keyword| !known.split_whitespace().any(|known| known == keyword));
        assert!(found.is_empty(), "the walk would pass over {found:?}");
    }

    #[test]
    fn every_choice_of_variants_has_a_tag_and_every_pattern_compiles_and_has_words() {
        fn visit(schema: &Json) {
            if let Some(pattern) = schema["pattern"].as_str() {
                Regex::new(pattern).unwrap();
                // What takes a string or a number is told by its description.
                assert!(types(schema).len() > 1 || form(&schema["pattern"]).is_some(), "{pattern}");
            }
            if let Some(variants) = schema["oneOf"].as_array() {
                assert!(choices(schema).is_some() || tag_of(variants).is_some(), "{schema}");
            }
            match schema {
                Json::Object(object) => object.values().for_each(visit),
                Json::Array(items) => items.iter().for_each(visit),
                _ => {}
            }
        }
        visit(&super::super::schema());
    }
}
