//! The binary and the text form of a regression summary, both read through one validation.

use serde::{Deserialize, Serialize};

use super::{DoubleDouble, LARGEST_COUNT, RegressionSummary, UNKNOWN, canonical};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};
use crate::statistics::json_float::JsonFloat;

impl RegressionSummary {
    /// Whether the fields can belong to one multiset of points.
    fn check(self) -> Result<Self, &'static str> {
        if self.n == 0 {
            return if self.bits() == Self::default().bits() {
                Ok(self)
            } else {
                Err("an empty summary has fields that are not empty")
            };
        }
        if self.n > LARGEST_COUNT {
            return Err("n is larger than 2^53");
        }
        let x_known = self.x.high.is_finite();
        let y_known = self.y.high.is_finite();
        for (sum, is_known) in [(self.x, x_known), (self.y, y_known)] {
            let valid = if is_known {
                sum.is_canonical()
            } else {
                same(sum, DoubleDouble::new(canonical(sum.high)))
            };
            if !valid {
                return Err("the low part of a sum does not complete it");
            }
        }
        for (moment, is_known) in [
            (self.xx, x_known),
            (self.xy, x_known && y_known),
            (self.yy, y_known),
        ] {
            if is_known && !moment.is_finite() {
                return Err("a moment is not finite although all values are");
            }
            if is_known && !moment.is_canonical() {
                return Err("the low part of a moment does not complete it");
            }
            if !is_known && !same(moment, UNKNOWN) {
                return Err("a moment does not fit a NaN or infinite value");
            }
            if self.n == 1 && is_known && !same(moment, DoubleDouble::default()) {
                return Err("a single point has no spread");
            }
        }
        if self.xx.high < 0.0 || self.yy.high < 0.0 {
            return Err("a sum of squares is negative");
        }
        // Cauchy and Schwarz. Squares may have fallen below the smallest double where products did not.
        let root = |squares: DoubleDouble| (squares.high + 1e-300).sqrt() * (1.0 + 1e-9);
        if self.xy.high.abs() > root(self.xx) * root(self.yy) {
            return Err("xy is too large for xx and yy");
        }
        Ok(self)
    }

    fn fields(&self) -> [f64; 10] {
        [self.x, self.y, self.xx, self.xy, self.yy]
            .map(|pair| [pair.high, pair.low])
            .as_flattened()
            .try_into()
            .unwrap_or_default()
    }

    fn bits(&self) -> (u64, [u64; 10]) {
        (self.n, self.fields().map(f64::to_bits))
    }

    fn from_fields(n: u64, fields: [f64; 10]) -> Self {
        let [x, x_low, y, y_low, xx, xx_low, xy, xy_low, yy, yy_low] = fields;
        let pair = |high, low| DoubleDouble { high, low };
        Self {
            n,
            x: pair(x, x_low),
            y: pair(y, y_low),
            xx: pair(xx, xx_low),
            xy: pair(xy, xy_low),
            yy: pair(yy, yy_low),
        }
    }
}

/// Bit for bit.
fn same(left: DoubleDouble, right: DoubleDouble) -> bool {
    left.high.to_bits() == right.high.to_bits() && left.low.to_bits() == right.low.to_bits()
}

/// Layout version 1: n as u64; sum_x, sum_y, xx, xy, yy as two doubles each, high before low. 90 bytes.
impl Codec for RegressionSummary {
    const TYPE_NAME: &'static str = "regression_summary";
    const MAGIC: u8 = 0x53;
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.n.to_le_bytes());
        for field in self.fields() {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>, _version: u8) -> Result<Self, CodecError> {
        let n = reader.u64()?;
        let mut fields = [0.0; 10];
        for field in &mut fields {
            *field = reader.f64()?;
        }
        Self::from_fields(n, fields)
            .check()
            .map_err(|reason| reader.invalid(reason))
    }
}

/// The keys of the text form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u8,
    n: u64,
    sum_x: JsonFloat,
    sum_x_low: JsonFloat,
    sum_y: JsonFloat,
    sum_y_low: JsonFloat,
    xx: JsonFloat,
    xx_low: JsonFloat,
    xy: JsonFloat,
    xy_low: JsonFloat,
    yy: JsonFloat,
    yy_low: JsonFloat,
}

impl TextForm for RegressionSummary {
    fn to_text(&self) -> String {
        let text = Text {
            version: Self::VERSION,
            n: self.n,
            sum_x: JsonFloat(self.x.high),
            sum_x_low: JsonFloat(self.x.low),
            sum_y: JsonFloat(self.y.high),
            sum_y_low: JsonFloat(self.y.low),
            xx: JsonFloat(self.xx.high),
            xx_low: JsonFloat(self.xx.low),
            xy: JsonFloat(self.xy.high),
            xy_low: JsonFloat(self.xy.low),
            yy: JsonFloat(self.yy.high),
            yy_low: JsonFloat(self.yy.low),
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
        let fields = [
            text.sum_x,
            text.sum_x_low,
            text.sum_y,
            text.sum_y_low,
            text.xx,
            text.xx_low,
            text.xy,
            text.xy_low,
            text.yy,
            text.yy_low,
        ];
        Self::from_fields(text.n, fields.map(|field| field.0))
            .check()
            .map_err(|reason| {
                TextError::Content(CodecError::Invalid {
                    type_name: Self::TYPE_NAME,
                    reason: reason.to_owned(),
                })
            })
    }
}
