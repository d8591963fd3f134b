//! `state_duration_agg(state, at)` and what a `state_durations` answers.
//!
//! There is no combine function: the rows of a group have to be seen together, and partition-wise and chunk-wise plans
//! split groups without looking at how an aggregate is marked.

use pgrx::datum::{Internal, Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::budget::Budget;
use sop_analytics::statistics::StateCollector;

use super::aggregate::{state_of, transition};
use super::types::StateDurations;
use crate::error::{PgResult, from_analytics, internal};
use crate::interrupts::Interrupts;
use crate::settings;

/// The most that one state may take, whatever the setting says: its binary form has to stay below the server's bound for
/// one value, 1 GB.
const LARGEST_STATE: usize = 900 << 20;

#[pg_extern(immutable, parallel_restricted)]
fn state_duration_transition(
    collected: Internal,
    state: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let (Some(state), Some(at)) = (state, at) else {
        return Ok(collected);
    };
    transition(
        collected,
        fcinfo,
        || {
            let limit = settings::max_state_bytes().min(LARGEST_STATE);
            Ok(StateCollector::new(Budget::new(limit)))
        },
        |kept: &mut StateCollector| kept.push(state, at.into_inner()).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_restricted)]
fn state_duration_final(collected: Internal) -> PgResult<Option<StateDurations>> {
    let Some(collected) = state_of::<StateCollector>(&collected) else {
        return Ok(None);
    };
    let found = collected.finish(&mut Interrupts).map_err(from_analytics)?;
    Ok(found.map(StateDurations))
}

/// Microseconds as an interval of hours, minutes and seconds: a day is not always 24 hours.
fn interval(microseconds: i64) -> PgResult<Interval> {
    Interval::new(0, 0, microseconds).map_err(|error| internal(error.to_string()))
}

#[pg_extern(immutable, parallel_safe)]
fn duration_in(
    summary: Option<StateDurations>,
    state: Option<&str>,
    until: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> PgResult<Option<Interval>> {
    let (Some(summary), Some(state)) = (summary, state) else {
        return Ok(None);
    };
    let until = until.map(TimestampWithTimeZone::into_inner);
    let found = summary
        .0
        .duration_in(state, until, &mut Interrupts)
        .map_err(from_analytics)?;
    interval(found).map(Some)
}

#[pg_extern(immutable, parallel_safe, name = "state_durations")]
fn state_durations_of(
    summary: Option<StateDurations>,
    until: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(state, String),
            name!(duration, Interval),
            name!(visits, i64),
            name!(share, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let Some(summary) = summary else {
        return Ok(TableIterator::new([]));
    };
    let until = until.map(TimestampWithTimeZone::into_inner);
    let rows = summary
        .0
        .durations(until, &mut Interrupts)
        .map_err(from_analytics)?
        .into_iter()
        .map(|found| {
            Ok((
                found.state.to_owned(),
                interval(found.duration)?,
                found.visits.cast_signed(),
                found.share,
            ))
        })
        .collect::<PgResult<Vec<_>>>()?;
    Ok(TableIterator::new(rows))
}

#[pg_extern(immutable, parallel_safe)]
fn state_transitions(
    summary: Option<StateDurations>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(from_state, String),
            name!(to_state, String),
            name!(transitions, i64),
        ),
    >,
    ErrorReport,
> {
    let Some(summary) = summary else {
        return Ok(TableIterator::new([]));
    };
    let rows = summary
        .0
        .transitions(&mut Interrupts)
        .map_err(from_analytics)?
        .map(|found| (found.from, found.to, found.count.cast_signed()));
    Ok(TableIterator::new(rows))
}

#[pg_extern(immutable, parallel_safe)]
fn state_timeline(
    summary: Option<StateDurations>,
    until: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(state, String),
            name!(start_time, Option<TimestampWithTimeZone>),
            name!(end_time, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    let Some(summary) = summary else {
        return Ok(TableIterator::new([]));
    };
    // The times of a state are checked to be valid.
    let time = |microseconds| TimestampWithTimeZone::try_from(microseconds).ok();
    let until = until.map(TimestampWithTimeZone::into_inner);
    let rows = summary
        .0
        .timeline(until)
        .map_err(from_analytics)?
        .map(move |visit| (visit.state, time(visit.start), visit.end.and_then(time)));
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
CREATE AGGREGATE state_duration_agg(state text, at timestamptz) (
    SFUNC = state_duration_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = state_duration_final,
    PARALLEL = restricted
);
ALTER FUNCTION state_durations(state_durations, timestamptz) ROWS 5;
ALTER FUNCTION state_transitions(state_durations) ROWS 10;
ALTER FUNCTION state_timeline(state_durations, timestamptz) ROWS 20;
COMMENT ON AGGREGATE state_duration_agg(text, timestamptz) IS 'The states of rows that each say which state was entered, or still held, at a time, as a state_durations; the order of rows does not matter, rows with a NULL are ignored, two states at one time are refused; NULL for no row. Example: SELECT duration_in(state_duration_agg(step, entered_at), ''cooling'') FROM steps';
COMMENT ON FUNCTION state_duration_transition(internal, text, timestamptz) IS 'Transition function of state_duration_agg';
COMMENT ON FUNCTION state_duration_final(internal) IS 'Final function of state_duration_agg';
COMMENT ON FUNCTION duration_in(state_durations, text, timestamptz) IS 'The time in a state, 0 for one that was never entered; the last state lasts until the time given, or until the last row. Example: duration_in(summary, ''cooling'', until => now())';
COMMENT ON FUNCTION state_durations(state_durations, timestamptz) IS 'The time in each state, how often it was entered and its share of all time, ordered by state; the last state lasts until the time given, or until the last row. Example: SELECT state, duration FROM state_durations(summary)';
COMMENT ON FUNCTION state_transitions(state_durations) IS 'How often each state followed each other one. Example: SELECT * FROM state_transitions(summary) WHERE from_state = ''cooling''';
COMMENT ON FUNCTION state_timeline(state_durations, timestamptz) IS 'Every visit of a state in order of time; the last one ends at the time given, or has no end. Example: SELECT state, start_time FROM state_timeline(summary)';
"#,
    name = "state_duration_agg",
    requires = [
        state_duration_transition,
        state_duration_final,
        duration_in,
        state_durations_of,
        state_transitions,
        state_timeline
    ]
);
