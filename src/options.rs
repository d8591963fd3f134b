//! `options jsonb` arguments: documented keys only.

use pgrx::JsonB;
use serde::de::DeserializeOwned;

use crate::error::{PgResult, invalid_parameter};

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
