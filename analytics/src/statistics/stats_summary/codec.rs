//! The binary and the text form of a summary, both read through one validation.

use serde::{Deserialize, Serialize};

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
        let n = self.n as f64;
        let mean = self.sum / n;
        let slack = 1e-9 * self.min.abs().max(self.max.abs());
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
        if self.m2.sqrt() > n.sqrt() * range * (0.5 + 1e-6) {
            return Err("m2 is too large for min and max");
        }
        Ok(self)
    }

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

/// Layout version 1: n as u64; sum, sum_low, m2, m3, m4, min, max as doubles. 66 bytes.
impl Codec for StatsSummary {
    const TYPE_NAME: &'static str = "stats_summary";
    const MAGIC: u8 = 0x51;
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        for field in self.bits() {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>, _version: u8) -> Result<Self, CodecError> {
        let summary = Self {
            n: reader.u64()?,
            sum: reader.f64()?,
            sum_low: reader.f64()?,
            m2: reader.f64()?,
            m3: reader.f64()?,
            m4: reader.f64()?,
            min: reader.f64()?,
            max: reader.f64()?,
        };
        summary.check().map_err(|reason| reader.invalid(reason))
    }
}

/// The keys of the text form.
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
}

impl TextForm for StatsSummary {
    fn to_text(&self) -> String {
        let text = Text {
            version: Self::VERSION,
            n: self.n,
            sum: JsonFloat(self.sum),
            sum_low: JsonFloat(self.sum_low),
            m2: JsonFloat(self.m2),
            m3: JsonFloat(self.m3),
            m4: JsonFloat(self.m4),
            min: JsonFloat(self.min),
            max: JsonFloat(self.max),
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
        let summary = Self {
            n: text.n,
            sum: text.sum.0,
            sum_low: text.sum_low.0,
            m2: text.m2.0,
            m3: text.m3.0,
            m4: text.m4.0,
            min: text.min.0,
            max: text.max.0,
        };
        summary.check().map_err(|reason| {
            TextError::Content(CodecError::Invalid {
                type_name: Self::TYPE_NAME,
                reason: reason.to_owned(),
            })
        })
    }
}
