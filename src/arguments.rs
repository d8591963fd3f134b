//! Arguments that SQL lets be NULL and a function does not.

use pgrx::Array;
use pgrx::datum::UnboxDatum;

use crate::error::{PgResult, invalid_parameter};

/// An argument that may not be NULL.
pub(crate) fn required<T>(name: &str, value: Option<T>) -> PgResult<T> {
    value.ok_or_else(|| invalid_parameter(format!("{name} must not be NULL")))
}

/// The elements of an array argument; neither it nor an element may be NULL. Arrays of several dimensions are read in
/// storage order.
pub(crate) fn elements<T>(name: &str, array: Option<Array<'_, T>>) -> PgResult<Vec<T>>
where
    T: for<'a> UnboxDatum<As<'a> = T> + 'static,
{
    required(name, array)?
        .into_iter()
        .map(|element| {
            element.ok_or_else(|| invalid_parameter(format!("{name} must not contain NULL")))
        })
        .collect()
}
