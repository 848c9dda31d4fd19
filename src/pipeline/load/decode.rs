//! serde over the document: structs from values, errors with the place of the value.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::document::{Key, Node, Value};
use super::problem::Problem;
use super::text::Place;
use super::words::join;

/// What serde refused, and where.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    place: Option<Place>,
}

impl Failure {
    fn at(mut self, place: &Place) -> Failure {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    /// The failure as a problem of the document `root`.
    pub fn into_problem(self, root: &Node) -> Problem {
        let Some(place) = self.place else { return Problem::error(self.message) };
        match path_of(root, &place, "") {
            Some(path) => Problem::error(format!("`{path}`: {}", self.message)).key(path).at(&place),
            None => Problem::error(self.message).at(&place),
        }
    }

    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// The path of the value at `place`.
fn path_of(node: &Node, place: &Place, path: &str) -> Option<String> {
    match &node.value {
        Value::Table(entries) => entries.iter().find_map(|(key, child)| {
            let path = join(path, &key.name);
            if child.place.is(place) { Some(path) } else { path_of(child, place, &path) }
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, child)| {
            let path = format!("{path}[{index}]");
            if child.place.is(place) { Some(path) } else { path_of(child, place, &path) }
        }),
        _ => None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Failure {
        Failure { message: message.to_string(), place: None }
    }
}

/// `node` as a `T`.
pub(super) fn decode<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Failure> {
    T::deserialize(node).map_err(|failure| failure.at(&node.place))
}

/// The entries of a table for serde. A type that fails after it has read its value, as a size does, fails here.
struct Entries<'de> {
    rest: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let name: StrDeserializer<'_, Failure> = key.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|failure| failure.at(&key.place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let value = self.value.take().ok_or_else(|| Failure::custom("a value was read before its key"))?;
        seed.deserialize(value).map_err(|failure| failure.at(&value.place))
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let item = self.0.next();
        item.map(|item| seed.deserialize(item).map_err(|failure| failure.at(&item.place))).transpose()
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.value {
            Value::Table(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
            Value::Array(items) => visitor.visit_seq(Items(items.iter())),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(integer) => visitor.visit_i64(*integer),
            Value::Float(float) => visitor.visit_f64(*float),
            Value::Boolean(boolean) => visitor.visit_bool(*boolean),
            Value::Datetime => Err(Failure::invalid_type(Unexpected::Other("a date"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Table(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries { rest: entries.iter(), value: None }))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
