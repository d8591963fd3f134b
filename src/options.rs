//! `options jsonb` arguments: documented keys only.

use serde::de::DeserializeOwned;

use crate::error::{PgResult, invalid_parameter};
use crate::jsonb::JsonB;
use crate::tenancy;

/// Reads options into a struct that derives `Deserialize` with `#[serde(default, deny_unknown_fields)]`.
///
/// NULL means all defaults. An unknown key, a value of the wrong type or anything but an object is SQLSTATE 22023.
pub(crate) fn parse<T: DeserializeOwned + Default>(options: Option<JsonB>) -> PgResult<T> {
    let Some(JsonB(value)) = options else {
        return Ok(T::default());
    };
    if !value.is_object() {
        return Err(invalid_parameter("options must be a JSON object")
            .set_hint("For example: '{\"seed\": 7}'."));
    }
    serde_json::from_value(value)
        .map_err(|error| invalid_parameter(format!("invalid options: {error}")))
}

/// Reads an option that is a uuid.
pub(crate) fn uuid(name: &str, text: Option<&str>) -> PgResult<Option<pgrx::Uuid>> {
    text.map(|text| {
        tenancy::parse_uuid(text).ok_or_else(|| {
            invalid_parameter(format!("invalid options: {name} is no uuid: \"{text}\""))
        })
    })
    .transpose()
}

/// Reads an option that is a point in time; only a server text of one is accepted.
pub(crate) fn timestamp(
    name: &str,
    text: Option<&str>,
) -> PgResult<Option<pgrx::datum::TimestampWithTimeZone>> {
    text.map(|text| {
        text.parse().map_err(|_| {
            invalid_parameter(format!(
                "invalid options: {name} is no timestamp: \"{text}\""
            ))
            .set_hint("For example: \"2026-01-31 08:00+00\".")
        })
    })
    .transpose()
}
