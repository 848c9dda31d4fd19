//! Limits that are checked on an image's header, before anything is allocated for its pixels.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// What an object may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most pixels of one image, from its header; above it: quarantined with its bytes as `too_many_pixels`.
    pub pixels: PixelCount,
    /// Most bytes of one file; above it: quarantined by reference, unread, as `too_many_bytes`.
    pub bytes: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { pixels: PixelCount(100_000_000), bytes: ByteSize(64 << 20) }
    }
}

impl Limits {
    /// Whether `width` × `height` pixels are within the limit.
    pub fn allow(&self, width: u32, height: u32) -> bool {
        u64::from(width) * u64::from(height) <= self.pixels.0
    }
}

/// A number of bytes: `256MiB`, `1.5GB`, `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A number of pixels: `100M`, `40k`, `1048576`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelCount(pub u64);

/// A quantity that is not a number with a known unit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {what}")]
pub struct BadQuantity {
    text: String,
    what: &'static str,
}

/// Splits `text` into a number and a unit of `units` and multiplies them; `None` if it is neither or overflows.
fn quantity(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let number: f64 = text[..at].replace('_', "").parse().ok()?;
    let unit = text[at..].trim();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let value = number * factor;
    (value.is_finite() && value >= 1.0 && value < (1u64 << 53) as f64).then_some(value as u64)
}

const BYTE_UNITS: &[(&str, f64)] = &[
    ("", 1.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1048576.0),
    ("GiB", 1073741824.0),
    ("TiB", 1099511627776.0),
];
const PIXEL_UNITS: &[(&str, f64)] = &[("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)];

impl FromStr for ByteSize {
    type Err = BadQuantity;

    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        let what = "a size in bytes, such as \"64MiB\", \"1.5GB\" or \"4096\"";
        quantity(text, BYTE_UNITS).map(ByteSize).ok_or_else(|| BadQuantity { text: text.to_owned(), what })
    }
}

impl FromStr for PixelCount {
    type Err = BadQuantity;

    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        let what = "a number of pixels, such as \"100M\", \"40k\" or \"1048576\"";
        quantity(text, PIXEL_UNITS).map(PixelCount).ok_or_else(|| BadQuantity { text: text.to_owned(), what })
    }
}

/// The largest of `units` that divides `value` evenly, as the file would spell it.
fn spelled(value: u64, units: &[(&str, f64)]) -> String {
    let whole = |factor: f64| factor >= 1.0 && value.is_multiple_of(factor as u64);
    let (unit, factor) =
        units.iter().filter(|(_, f)| whole(*f)).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(&("", 1.0));
    format!("{}{unit}", value / *factor as u64)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spelled(self.0, BYTE_UNITS))
    }
}

impl fmt::Display for PixelCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spelled(self.0, PIXEL_UNITS))
    }
}

/// Serde and schema of a quantity: a string with a unit, or a plain whole number.
macro_rules! quantity_in_files {
    ($name:ident, $pattern:literal, $description:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                #[serde(untagged)]
                enum Either {
                    Number(u64),
                    Text(String),
                }
                let text = match Either::deserialize(deserializer)? {
                    Either::Number(number) => number.to_string(),
                    Either::Text(text) => text,
                };
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $description,
                    "type": ["string", "integer"],
                    "pattern": $pattern,
                    "minimum": 1,
                })
            }
        }
    };
}

quantity_in_files!(
    ByteSize,
    r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*(([kKmMgGtT][iI]?)?[bB])?\s*$",
    "A size in bytes, such as \"64MiB\", \"1.5GB\" or 4096."
);
quantity_in_files!(
    PixelCount,
    r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*[kKmMgG]?\s*$",
    "A number of pixels, such as \"100M\", \"40k\" or 1048576."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood_and_spelled_back() {
        for (text, bytes) in [("64MiB", 64 << 20), ("1.5GB", 1_500_000_000), ("4096", 4096), ("10 kB", 10_000)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        assert_eq!(ByteSize(256 << 20).to_string(), "256MiB");
        assert_eq!("100M".parse(), Ok(PixelCount(100_000_000)));
        assert_eq!(PixelCount(100_000_000).to_string(), "100M");
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for text in ["", "64 furlongs", "-1", "0", "1e99GB", "9999999999TiB"] {
            let error = text.parse::<ByteSize>().expect_err(text);
            assert!(error.to_string().contains("such as"), "{error}");
        }
    }

    #[test]
    fn an_image_over_the_limit_is_refused_without_overflow() {
        let limits = Limits { pixels: PixelCount(100), ..Limits::default() };
        assert!(limits.allow(10, 10));
        assert!(!limits.allow(10, 11));
        assert!(!limits.allow(u32::MAX, u32::MAX));
    }
}
