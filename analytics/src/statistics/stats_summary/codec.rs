//! The binary and the text form of a summary, both read through one validation.

use serde::{Deserialize, Serialize};

use super::weights::Weights;
use super::{LARGEST_COUNT, StatsSummary, greater, two_sum};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};
use crate::statistics::json_float::JsonFloat;

impl StatsSummary {
    /// Whether the fields can belong to one multiset of doubles.
    fn check(self) -> Result<Self, &'static str> {
        if self.n == 0 {
            return if self == Self::default() {
                Ok(self)
            } else {
                Err("an empty summary has fields that are not empty")
            };
        }
        if self.n > LARGEST_COUNT {
            return Err("n is larger than 2^53");
        }
        if let Some(weights) = self.weights {
            weights.check(self.n)?;
        }
        let canonical = |value: f64| {
            if value.is_nan() {
                f64::NAN
            } else {
                value + 0.0
            }
        };
        if [self.min, self.max]
            .iter()
            .any(|&bound| bound.to_bits() != canonical(bound).to_bits())
        {
            return Err("min or max is a negative zero or an unusual NaN");
        }
        if greater(self.min, self.max).to_bits() != self.max.to_bits() {
            return Err("min is larger than max");
        }
        if !(self.min.is_finite() && self.max.is_finite()) {
            let sum = if self.max.is_nan() {
                f64::NAN
            } else {
                self.min + self.max
            };
            let mut expected = self;
            expected.spoil(if sum.is_finite() { f64::NAN } else { sum });
            return if expected.bits() == self.bits() {
                Ok(self)
            } else {
                Err("sum or moments do not fit a NaN or infinite value")
            };
        }
        let fields = [self.sum, self.sum_low, self.m2, self.m3, self.m4];
        if fields.iter().any(|field| !field.is_finite()) {
            return Err("sum or moments are not finite although all values are");
        }
        if two_sum(self.sum, self.sum_low) != (self.sum, self.sum_low) {
            return Err("sum_low does not complete sum");
        }
        let weight = self.weights_of().sum;
        let mean = self.sum / weight;
        // Products with small weights may fall below the smallest double.
        let underflow = if self.weights.is_some() { 1e-240 } else { 0.0 };
        let slack = 1e-9 * self.min.abs().max(self.max.abs()) + underflow;
        if mean < self.min - slack || mean > self.max + slack {
            return Err("the mean lies outside min and max");
        }
        if self.m2 < 0.0 || self.m4 < 0.0 {
            return Err("an even moment is negative");
        }
        if self.n == 1 && (self.min != self.max || self.m2 + self.m4 + self.m3.abs() > 0.0) {
            return Err("a single value has no spread");
        }
        // Popoviciu: the variance is at most a quarter of the squared range.
        let range = self.max - self.min;
        if self.m2.sqrt() > weight.sqrt() * (range * (0.5 + 1e-6) + underflow) {
            return Err("m2 is too large for min and max");
        }
        Ok(self)
    }

    /// The fields of layout version 1.
    fn bits(&self) -> [u64; 8] {
        [
            self.n,
            self.sum.to_bits(),
            self.sum_low.to_bits(),
            self.m2.to_bits(),
            self.m3.to_bits(),
            self.m4.to_bits(),
            self.min.to_bits(),
            self.max.to_bits(),
        ]
    }
}

/// Layout version 1: n as u64; sum, sum_low, m2, m3, m4, min, max as doubles. 66 bytes. Layout version 2, for weighted
/// values alone, appends weight_sum, weight_sum_low, weight_squares, weight_pairs as doubles. 98 bytes.
impl Codec for StatsSummary {
    const TYPE_NAME: &'static str = "stats_summary";
    const MAGIC: u8 = 0x51;
    const VERSION: u8 = 2;

    fn version(&self) -> u8 {
        if self.weights.is_some() { 2 } else { 1 }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for field in self.bits() {
            out.extend_from_slice(&field.to_le_bytes());
        }
        if let Some(weights) = self.weights {
            for field in [weights.sum, weights.sum_low, weights.squares, weights.pairs] {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
    }

    fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, CodecError> {
        let mut summary = Self {
            n: reader.u64()?,
            sum: reader.f64()?,
            sum_low: reader.f64()?,
            m2: reader.f64()?,
            m3: reader.f64()?,
            m4: reader.f64()?,
            min: reader.f64()?,
            max: reader.f64()?,
            weights: None,
        };
        if version > 1 {
            summary.weights = Some(Weights {
                sum: reader.f64()?,
                sum_low: reader.f64()?,
                squares: reader.f64()?,
                pairs: reader.f64()?,
            });
        }
        summary.check().map_err(|reason| reader.invalid(reason))
    }
}

/// The keys of the text form; those of the weights are there in version 2 and only there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u8,
    n: u64,
    sum: JsonFloat,
    sum_low: JsonFloat,
    m2: JsonFloat,
    m3: JsonFloat,
    m4: JsonFloat,
    min: JsonFloat,
    max: JsonFloat,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_sum: Option<JsonFloat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_sum_low: Option<JsonFloat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_squares: Option<JsonFloat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_pairs: Option<JsonFloat>,
}

impl Text {
    /// The weights that the keys say; an error where some are missing or not expected.
    fn weights(&self) -> Result<Option<Weights>, &'static str> {
        let fields = (
            self.weight_sum,
            self.weight_sum_low,
            self.weight_squares,
            self.weight_pairs,
        );
        match (self.version, fields) {
            (1, (None, None, None, None)) => Ok(None),
            (2, (Some(sum), Some(sum_low), Some(squares), Some(pairs))) => Ok(Some(Weights {
                sum: sum.0,
                sum_low: sum_low.0,
                squares: squares.0,
                pairs: pairs.0,
            })),
            _ => Err("the keys of the weights belong to version 2, all four of them"),
        }
    }
}

impl TextForm for StatsSummary {
    fn to_text(&self) -> String {
        let weight = |field: fn(&Weights) -> f64| self.weights.as_ref().map(field).map(JsonFloat);
        let text = Text {
            version: self.version(),
            n: self.n,
            sum: JsonFloat(self.sum),
            sum_low: JsonFloat(self.sum_low),
            m2: JsonFloat(self.m2),
            m3: JsonFloat(self.m3),
            m4: JsonFloat(self.m4),
            min: JsonFloat(self.min),
            max: JsonFloat(self.max),
            weight_sum: weight(|weights| weights.sum),
            weight_sum_low: weight(|weights| weights.sum_low),
            weight_squares: weight(|weights| weights.squares),
            weight_pairs: weight(|weights| weights.pairs),
        };
        // A struct of numbers and strings always has a JSON form.
        serde_json::to_string(&text).unwrap_or_default()
    }

    fn from_text(text: &str) -> Result<Self, TextError> {
        let text: Text = serde_json::from_str(text).map_err(|error| TextError::Json {
            type_name: Self::TYPE_NAME,
            reason: error.to_string(),
        })?;
        if text.version == 0 || text.version > Self::VERSION {
            return Err(TextError::Content(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: Self::VERSION,
                found: text.version,
            }));
        }
        let invalid = |reason: &str| {
            TextError::Content(CodecError::Invalid {
                type_name: Self::TYPE_NAME,
                reason: reason.to_owned(),
            })
        };
        let summary = Self {
            n: text.n,
            sum: text.sum.0,
            sum_low: text.sum_low.0,
            m2: text.m2.0,
            m3: text.m3.0,
            m4: text.m4.0,
            min: text.min.0,
            max: text.max.0,
            weights: text.weights().map_err(invalid)?,
        };
        summary.check().map_err(invalid)
    }
}
