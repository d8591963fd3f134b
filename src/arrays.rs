//! Array arguments: one policy for NULL elements and dimensions.
//!
//! A NULL element is SQLSTATE 22004, more than one dimension 2202E; subscripts that do not start at 1 are accepted. NaN
//! and infinities are passed on: what they mean is the method's business.

use pgrx::array::RawArray;
use pgrx::datum::{Array, UnboxDatum};
use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;

use crate::error::{PgResult, with_code};

/// The elements of a one-dimensional array without NULLs; `argument` names it in messages.
pub(crate) fn values<T>(array: Array<'_, T>, argument: &str) -> PgResult<Vec<T>>
where
    T: for<'a> UnboxDatum<As<'a> = T> + 'static,
{
    let values = flattened(&array, argument)?;
    one_dimension(array, argument)?;
    Ok(values)
}

/// As [`values`], for arguments that may have several dimensions: the elements in storage order.
pub(crate) fn flattened<T>(array: &Array<'_, T>, argument: &str) -> PgResult<Vec<T>>
where
    T: for<'a> UnboxDatum<As<'a> = T> + 'static,
{
    let mut values = Vec::new();
    values.try_reserve_exact(array.len()).map_err(|error| {
        with_code(
            Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("{argument}: {error}"),
        )
    })?;
    for element in array.iter() {
        pgrx::check_for_interrupts!();
        let Some(element) = element else {
            return Err(with_code(
                Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                format!("{argument} must not contain NULL"),
            )
            .set_hint("Remove NULL elements, for example with array_remove(…, NULL)."));
        };
        values.push(element);
    }
    Ok(values)
}

/// The elements of a one-dimensional array that may contain NULLs; `argument` names it in messages.
pub(crate) fn optional_values<T>(array: Array<'_, T>, argument: &str) -> PgResult<Vec<Option<T>>>
where
    T: for<'b> UnboxDatum<As<'b> = T> + 'static,
{
    let mut values = Vec::new();
    values.try_reserve_exact(array.len()).map_err(|error| {
        with_code(
            Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("{argument}: {error}"),
        )
    })?;
    for element in array.iter() {
        pgrx::check_for_interrupts!();
        values.push(element);
    }
    one_dimension(array, argument)?;
    Ok(values)
}

/// As [`values`], for one dimension or two: the elements row by row, and how many columns there are when there are two.
pub(crate) fn table<T>(array: Array<'_, T>, argument: &str) -> PgResult<(Vec<T>, Option<usize>)>
where
    T: for<'a> UnboxDatum<As<'a> = T> + 'static,
{
    let values = flattened(&array, argument)?;
    // SAFETY: the header alone is read, and the array lives in the memory context of this call.
    let columns = match unsafe { RawArray::from_array(array) } {
        None => None,
        Some(raw) => match raw.dims() {
            [] | [_] => None,
            [_, columns] => Some(usize::try_from(*columns).unwrap_or(0)),
            more => {
                return Err(with_code(
                    Code::ERRCODE_ARRAY_ELEMENT_ERROR,
                    format!(
                        "{argument} must have one or two dimensions, not {}",
                        more.len()
                    ),
                ));
            }
        },
    };
    Ok((values, columns))
}

/// The elements of a one-dimensional array in which NULL means missing, as NaN does; `argument` names it in messages.
pub(crate) fn missing_as_nan(array: Array<'_, f64>, argument: &str) -> PgResult<Vec<f64>> {
    let values = array
        .iter()
        .map(|element| {
            pgrx::check_for_interrupts!();
            element.unwrap_or(f64::NAN)
        })
        .collect();
    one_dimension(array, argument)?;
    Ok(values)
}

fn one_dimension<T>(array: Array<'_, T>, argument: &str) -> PgResult<()> {
    // SAFETY: the header alone is read, and the array lives in the memory context of this call.
    let dimensions = unsafe { RawArray::from_array(array) }.map_or(0, |raw| raw.dims().len());
    if dimensions > 1 {
        return Err(with_code(
            Code::ERRCODE_ARRAY_ELEMENT_ERROR,
            format!("{argument} must have one dimension, not {dimensions}"),
        ));
    }
    Ok(())
}
