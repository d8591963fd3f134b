//! Doubles in JSON: numbers where JSON has them, the words `NaN`, `Infinity` and `-Infinity` where it has not.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A double that every JSON document can hold and give back bit for bit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct JsonFloat(pub(super) f64);

impl Serialize for JsonFloat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for JsonFloat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = JsonFloat;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<JsonFloat, E> {
                Ok(JsonFloat(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<JsonFloat, E> {
                Ok(JsonFloat(value as f64))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<JsonFloat, E> {
                Ok(JsonFloat(value as f64))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<JsonFloat, E> {
                match value {
                    "NaN" => Ok(JsonFloat(f64::NAN)),
                    "Infinity" => Ok(JsonFloat(f64::INFINITY)),
                    "-Infinity" => Ok(JsonFloat(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
                }
            }
        }

        deserializer.deserialize_any(Number)
    }
}
