//! Mode vault, where the table has no policies: who may write a reading, and which hours a DELETE touched.
//!
//! `restaurant_id` is of a domain whose CHECK asks [`may_record`]; deletes go through a row trigger. TimescaleDB refuses DELETE
//! triggers with transition tables beside compression, so that trigger writes the hours down here, and a statement trigger
//! puts them into the log of the roll-up.

use std::cell::RefCell;
use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{PgResult, insufficient_privilege, internal, raise, with_code};
use crate::sql;
use crate::tenancy::{self, AccessLevel};

const MICROSECONDS_PER_HOUR: i64 = 3_600_000_000;

/// A restaurant and the first instant of an hour (UTC).
type Hour = ([u8; 16], pg_sys::TimestampTz);

#[derive(Default)]
struct Known {
    statement: pg_sys::TimestampTz,
    restaurants: HashSet<[u8; 16]>,
}

thread_local! {
    /// Restaurants that were looked up for the statement at hand.
    static KNOWN: RefCell<Known> = RefCell::default();
    /// Hours of rows that the statement at hand has deleted. What a failed statement left is logged by the next one, which costs
    /// nothing but rolling up an hour for nothing.
    static DELETED: RefCell<HashSet<Hour>> = RefCell::default();
}

/// Whether the caller may write readings of a restaurant.
#[pg_extern(stable, parallel_safe)]
fn may_record(restaurant_id: Option<Uuid>) -> PgResult<bool> {
    if tenancy::may_see_all()? {
        // That there has to be one, the column says.
        return restaurant_id.map_or(Ok(true), exists);
    }
    let is_own = restaurant_id.map_or(Ok(false), tenancy::is_current)?;
    if is_own && tenancy::has_level(AccessLevel::Staff)? {
        return Ok(true);
    }
    Err(refusal())
}

/// In the words of row-level security.
fn refusal() -> ErrorReport {
    insufficient_privilege(
        "new row violates row-level security policy for table \"sop_time_series_data\"",
    )
    .set_hint(
        "Staff write readings of the restaurant that they work for; members of several choose one with \
         SET LOCAL sop_ml.restaurant_id = '…';",
    )
}

/// Rows of a restaurant that does not exist would be seen by nobody. A dump may bring them before it brings the restaurants.
fn exists(restaurant: Uuid) -> PgResult<bool> {
    // SAFETY: reads a variable of this backend.
    let statement = unsafe { pg_sys::GetCurrentStatementStartTimestamp() };
    let is_known = KNOWN.with_borrow_mut(|known| {
        if known.statement != statement {
            known.statement = statement;
            known.restaurants.clear();
        }
        known.restaurants.contains(restaurant.as_bytes())
    });
    if is_known || is_restoring() {
        return Ok(true);
    }
    if !tenancy::is_known(restaurant)? {
        return Err(with_code(
            PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
            format!("there is no restaurant {restaurant}"),
        ));
    }
    KNOWN.with_borrow_mut(|known| known.restaurants.insert(*restaurant.as_bytes()));
    Ok(true)
}

/// As `sop_ml_storage.is_restoring()`.
fn is_restoring() -> bool {
    // SAFETY: a variable of this backend, and a catalogue look-up by oid inside a transaction.
    unsafe { !pg_sys::row_security && pg_sys::superuser_arg(pg_sys::GetSessionUserId()) }
}

/// Lets a row be changed by analysts of its restaurant. The view shows group readers more restaurants than the one that they work
/// for: rows of the others are left alone, as they are by policies.
#[pg_trigger]
fn time_series_row_updated<'a>(
    trigger: &'a PgTrigger<'a>,
) -> PgResult<Option<PgHeapTuple<'a, impl WhoAllocated>>> {
    if !is_within_reach(old_value(trigger, "restaurant_id")?)? {
        return Ok(None);
    }
    if !tenancy::has_level(AccessLevel::Analyst)? {
        // What a trigger function returns as an error loses its SQLSTATE.
        raise(refusal());
    }
    Ok(trigger.new())
}

/// Whether the caller works for this restaurant, or for all of them.
fn is_within_reach(restaurant: Uuid) -> PgResult<bool> {
    Ok(tenancy::may_see_all()? || tenancy::is_current(restaurant)?)
}

/// Lets a row be deleted by analysts of its restaurant, and writes its hour down.
#[pg_trigger]
fn time_series_row_deleted<'a>(
    trigger: &'a PgTrigger<'a>,
) -> PgResult<Option<PgHeapTuple<'a, impl WhoAllocated>>> {
    let restaurant: Uuid = old_value(trigger, "restaurant_id")?;
    if !is_within_reach(restaurant)? || !tenancy::has_level(AccessLevel::Analyst)? {
        return Ok(None);
    }
    let observed_at: TimestampWithTimeZone = old_value(trigger, "observed_at")?;
    let observed_at = observed_at.into_inner();
    let hour = observed_at - observed_at.rem_euclid(MICROSECONDS_PER_HOUR);
    DELETED.with_borrow_mut(|hours| hours.insert((*restaurant.as_bytes(), hour)));
    Ok(trigger.old())
}

/// A column of the row as it was, which is not NULL. The datum is read as what it is below a domain.
fn old_value<T: FromDatum>(trigger: &PgTrigger<'_>, name: &str) -> PgResult<T> {
    let missing = || internal(format!("a reading has no {name}"));
    let relation = trigger
        .relation()
        .map_err(|error| internal(error.to_string()))?;
    let row = trigger.old().ok_or_else(missing)?;
    let (number, _) = row.get_attribute_by_name(name).ok_or_else(missing)?;
    // SAFETY: tuple and descriptor are those of the trigger's table, and the number is that of one of its columns, of a type
    // that the caller knows.
    unsafe {
        let datum =
            pgrx::htup::heap_getattr_raw(row.into_pg(), number, relation.tuple_desc().as_ptr());
        datum
            .and_then(|datum| T::from_datum(datum, false))
            .ok_or_else(missing)
    }
}

/// The hours that were written down since the last call.
#[pg_extern(volatile)]
fn deleted_hours() -> Result<
    TableIterator<
        'static,
        (
            name!(restaurant_id, Uuid),
            name!(bucket_start, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    sql::require_writable(c"deleted_hours()");
    let hours = DELETED.take().into_iter().map(|(restaurant, hour)| {
        TimestampWithTimeZone::try_from(hour)
            .map(|hour| (Uuid::from_bytes(restaurant), hour))
            .map_err(|error| internal(format!("{error:?}")))
    });
    Ok(TableIterator::new(hours.collect::<PgResult<Vec<_>>>()?))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.deleted_hours() ROWS 24;
COMMENT ON FUNCTION sop_ml.may_record(uuid) IS
'Whether the caller may write readings of a restaurant: true, or an error (42501; 23503 for superusers and operators where there is no such restaurant). The CHECK of a domain that restaurant_id has in mode vault, where there are no policies. Example: SELECT sop_ml.may_record(sop_ml.current_restaurant());';
COMMENT ON FUNCTION sop_ml.time_series_row_updated() IS
'Row trigger of the time series in mode vault: lets a row be changed by callers of level analyst or above at its restaurant; below, 42501; rows of other restaurants are left alone.';
COMMENT ON FUNCTION sop_ml.time_series_row_deleted() IS
'Row trigger of the time series in mode vault: lets a row be deleted by callers of level analyst or above at its restaurant, and writes its hour down.';
COMMENT ON FUNCTION sop_ml.deleted_hours() IS
'The hours (UTC) of readings that this session has deleted in mode vault since the last call, for a statement trigger that logs them for the roll-up.';
"#,
    name = "comment_time_series_writing",
    requires = [
        may_record,
        time_series_row_updated,
        time_series_row_deleted,
        deleted_hours
    ]
);
