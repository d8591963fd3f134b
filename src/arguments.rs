//! Arguments that SQL lets be NULL and a function does not.

use crate::error::{PgResult, invalid_parameter};

/// An argument that may not be NULL.
pub(crate) fn required<T>(name: &str, value: Option<T>) -> PgResult<T> {
    value.ok_or_else(|| invalid_parameter(format!("{name} must not be NULL")))
}
