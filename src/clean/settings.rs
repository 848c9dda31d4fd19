//! `[clean]` of the pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;

/// How images are verified, repaired, re-encoded and resized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Clean {
    /// What becomes of an image whose real format is not the one that its extension claims.
    pub on_mismatch: OnMismatch,
    /// What re-encoded images become.
    pub format: OutputFormat,
    /// JPEG and lossy WebP quality, 1 to 100. WebP at 100 is lossless.
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
    /// Chroma subsampling of re-encoded JPEGs.
    pub subsampling: Subsampling,
    /// The filter that `resize` uses.
    pub filter: Filter,
    /// Scale images down (or to one size). Without it every image keeps its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// What becomes of an image of several frames.
    pub animated: OnAnimated,
    /// What an object may cost.
    pub limits: Limits,
    /// Share of the new or changed objects that may be quarantined; above it the run stops before the commit.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_quarantine_rate: f64,
}

impl Default for Clean {
    fn default() -> Self {
        Clean {
            on_mismatch: OnMismatch::default(),
            format: OutputFormat::default(),
            quality: 95,
            subsampling: Subsampling::default(),
            filter: Filter::default(),
            resize: None,
            animated: OnAnimated::default(),
            limits: Limits::default(),
            max_quarantine_rate: 0.05,
        }
    }
}

impl Clean {
    /// What cleaning one image depends on: all but the gate, which decides about a whole run.
    pub fn per_image(&self) -> Clean {
        Clean { max_quarantine_rate: 0.0, ..self.clone() }
    }
}

/// What becomes of an image whose real format is not the one that its extension claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// It is decoded and encoded as `format`.
    #[default]
    Reencode,
    /// Its bytes are kept where they are a plain image, and its path in the dataset gets the right extension.
    Rename,
    /// It is kept out as `mislabeled`.
    Quarantine,
}

/// What re-encoded images become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFormat {
    /// Baseline JPEG.
    #[default]
    Jpeg,
    /// WebP, lossless at quality 100.
    Webp,
    /// PNG, 8 bits.
    Png,
}

/// Chroma subsampling of a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Subsampling {
    /// Full colour resolution.
    #[default]
    #[serde(rename = "4:4:4")]
    S444,
    /// Half horizontally.
    #[serde(rename = "4:2:2")]
    S422,
    /// Half in both directions.
    #[serde(rename = "4:2:0")]
    S420,
}

/// A resampling filter; all of them average over the source pixels when scaling down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Mean of the covered pixels.
    Box,
    /// Triangle.
    Bilinear,
    /// Cubic, a = -0.5.
    CatmullRom,
    /// Cubic, B = C = 1/3.
    Mitchell,
    /// Windowed sinc, 3 lobes.
    #[default]
    Lanczos3,
}

/// The size that images are scaled to, aspect ratio kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Pixels of the shorter side.
    #[schemars(range(min = 1, max = 16384))]
    pub shorter_side: u32,
    /// Which images are scaled.
    #[serde(default)]
    pub when: ResizeWhen,
}

/// Which images are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeWhen {
    /// Only those whose shorter side is longer: nothing is scaled up.
    #[default]
    Larger,
    /// All whose shorter side is another.
    Always,
}

/// What becomes of an image of several frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnAnimated {
    /// Its first frame is taken.
    #[default]
    FirstFrame,
    /// It is kept out as `animated`.
    Quarantine,
}
