//! Reads a flat JSON object value by value, without building it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::samples::Scalar;
use crate::error::{PgResult, internal};

/// Calls `visit` with each member that is a number, a text or a boolean; the rest is missing.
pub(super) fn read_object(
    text: &str,
    visit: impl FnMut(&str, Scalar<'_>) -> PgResult<()>,
) -> PgResult<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut members = Members {
        visit,
        failure: None,
    };
    let read = deserializer.deserialize_map(&mut members);
    if let Some(failure) = members.failure {
        return Err(failure);
    }
    read.map_err(|error| internal(format!("features: {error}")))
}

struct Members<F> {
    visit: F,
    failure: Option<pgrx::pg_sys::panic::ErrorReport>,
}

impl<'de, F: FnMut(&str, Scalar<'_>) -> PgResult<()>> Visitor<'de> for &mut Members<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = members.next_key()? {
            let value = members.next_value_seed(Value)?;
            let scalar = match &value {
                Owned::Number(number) => Scalar::Number(*number),
                Owned::Text(text) => Scalar::Category(text),
                Owned::Missing => continue,
            };
            // The first failure is kept; the rest of the object is only skipped over.
            if self.failure.is_none()
                && let Err(failure) = (self.visit)(&name, scalar)
            {
                self.failure = Some(failure);
            }
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

enum Owned<'de> {
    Number(f64),
    Text(Cow<'de, str>),
    Missing,
}

struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Owned<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Owned<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Owned<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Owned<'de>, E> {
        Ok(Owned::Text(Cow::Borrowed(if value {
            "true"
        } else {
            "false"
        })))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Owned<'de>, E> {
        Ok(Owned::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Owned<'de>, E> {
        Ok(Owned::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Owned<'de>, E> {
        Ok(Owned::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Owned<'de>, E> {
        Ok(Owned::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Owned<'de>, E> {
        Ok(Owned::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Owned<'de>, E> {
        Ok(Owned::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Owned<'de>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Owned::Missing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Owned<'de>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Owned::Missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_booleans_are_values() {
        let mut found = Vec::new();
        let text = r#"{"a": 1, "b": -2.5, "c": "x\ny", "d": true, "e": null, "f": [1, {"g": 2}], "h": {"i": 3}, "j\u00e9": 12345678901234567890123}"#;
        read_object(text, |name, value| {
            found.push((
                name.to_owned(),
                match value {
                    Scalar::Number(number) => number.to_string(),
                    Scalar::Category(text) => text.to_owned(),
                },
            ));
            Ok(())
        })
        .unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(
            found,
            [
                ("a", "1"),
                ("b", "-2.5"),
                ("c", "x\ny"),
                ("d", "true"),
                ("jé", "12345678901234568000000")
            ]
        );
    }
}
