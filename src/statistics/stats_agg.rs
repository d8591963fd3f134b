//! `stats_agg(float8 [, weight])` and `rollup(stats_summary)`.

use pgrx::datum::Internal;
use pgrx::prelude::*;
use sop_analytics::statistics::{MovingSummary, StatsSummary as State};

use super::aggregate::{combine, deserialize, in_place, serialize, state_of, transition};
use super::types::StatsSummary;
use crate::error::{PgResult, from_analytics};

in_place!(
    stats_agg_step,
    pg_finfo_stats_agg_step,
    stats_agg_transition_wrapper,
    State,
    State::push
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn stats_agg_transition(
    state: Internal,
    value: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(value) = value else { return Ok(state) };
    transition(
        state,
        fcinfo,
        || Ok(State::default()),
        |kept: &mut State| kept.push(value).map_err(from_analytics),
    )
}

in_place!(
    stats_agg_weighted_step,
    pg_finfo_stats_agg_weighted_step,
    stats_agg_weighted_transition_wrapper,
    State,
    State::push_weighted,
    step_in_place_by_two
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn stats_agg_weighted_transition(
    state: Internal,
    value: Option<f64>,
    weight: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let (Some(value), Some(weight)) = (value, weight) else {
        return Ok(state);
    };
    transition(
        state,
        fcinfo,
        || Ok(State::default()),
        |kept: &mut State| kept.push_weighted(value, weight).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn stats_rollup_transition(
    state: Internal,
    summary: Option<StatsSummary>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(StatsSummary(summary)) = summary else {
        return Ok(state);
    };
    transition(
        state,
        fcinfo,
        || Ok(State::default()),
        |kept: &mut State| kept.merge(&summary).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn stats_agg_combine(
    first: Internal,
    second: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    combine(first, &second, fcinfo, |kept: &mut State, other| {
        kept.merge(other).map_err(from_analytics)
    })
}

#[pg_extern(immutable, strict, parallel_safe)]
fn stats_agg_serialize(state: Internal) -> Option<Vec<u8>> {
    serialize::<State>(&state)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn stats_agg_deserialize(bytes: &[u8], _state: Internal) -> PgResult<Internal> {
    deserialize::<State>(bytes)
}

/// No row that counts, be it that all weights are 0, is no summary.
#[pg_extern(immutable, parallel_safe)]
fn stats_agg_final(state: Internal) -> Option<StatsSummary> {
    state_of::<State>(&state)
        .filter(|summary| summary.n() > 0)
        .copied()
        .map(StatsSummary)
}

/// Unlike the plain transition it never returns NULL: the server forbids that in a moving frame.
#[pg_extern(immutable, parallel_safe)]
fn stats_agg_moving_transition(
    state: Internal,
    value: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    transition(
        state,
        fcinfo,
        || Ok(MovingSummary::default()),
        |kept: &mut MovingSummary| match value {
            Some(value) => kept.push(value).map_err(from_analytics),
            None => Ok(()),
        },
    )
}

/// Returns NULL where the value cannot be taken out: the server then starts again from the rows of the frame.
#[pg_extern(immutable, parallel_safe)]
fn stats_agg_moving_inverse(mut state: Internal, value: Option<f64>) -> Internal {
    let Some(value) = value else { return state };
    // SAFETY: `stats_agg_moving_transition` made the state, and only the executor refers to it.
    let kept = unsafe { state.get_mut::<MovingSummary>() };
    if kept.is_some_and(|kept| kept.remove(value)) {
        state
    } else {
        Internal::default()
    }
}

#[pg_extern(immutable, parallel_safe)]
fn stats_agg_moving_final(state: Internal) -> Option<StatsSummary> {
    let summary = state_of::<MovingSummary>(&state)?.summary();
    (summary.n() > 0).then_some(StatsSummary(*summary))
}

extension_sql!(
    r#"
CREATE FUNCTION stats_agg_transition(state internal, value float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_agg_step';
CREATE AGGREGATE stats_agg(value float8) (
    SFUNC = stats_agg_transition,
    STYPE = internal,
    SSPACE = 128,
    FINALFUNC = stats_agg_final,
    COMBINEFUNC = stats_agg_combine,
    SERIALFUNC = stats_agg_serialize,
    DESERIALFUNC = stats_agg_deserialize,
    MSFUNC = stats_agg_moving_transition,
    MINVFUNC = stats_agg_moving_inverse,
    MSTYPE = internal,
    MSSPACE = 160,
    MFINALFUNC = stats_agg_moving_final,
    PARALLEL = safe
);
CREATE FUNCTION stats_agg_weighted_transition(state internal, value float8, weight float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_agg_weighted_step';
CREATE AGGREGATE stats_agg(value float8, weight float8) (
    SFUNC = stats_agg_weighted_transition,
    STYPE = internal,
    SSPACE = 128,
    FINALFUNC = stats_agg_final,
    COMBINEFUNC = stats_agg_combine,
    SERIALFUNC = stats_agg_serialize,
    DESERIALFUNC = stats_agg_deserialize,
    PARALLEL = safe
);
CREATE AGGREGATE rollup(summary stats_summary) (
    SFUNC = stats_rollup_transition,
    STYPE = internal,
    SSPACE = 128,
    FINALFUNC = stats_agg_final,
    COMBINEFUNC = stats_agg_combine,
    SERIALFUNC = stats_agg_serialize,
    DESERIALFUNC = stats_agg_deserialize,
    PARALLEL = safe
);
COMMENT ON AGGREGATE stats_agg(float8) IS 'Summary statistics of the values that are not NULL, as a stats_summary; NULL for none. Example: SELECT average(stats_agg(duration)), stddev(stats_agg(duration)) FROM steps';
COMMENT ON AGGREGATE stats_agg(float8, float8) IS 'Summary statistics of weighted values, as a stats_summary; a row with a NULL or a weight of 0 is ignored, a negative, NaN or infinite weight refused; NULL for no row that counts. Example: SELECT average(stats_agg(score, weight)), effective_size(stats_agg(score, weight)) FROM reviews';
COMMENT ON AGGREGATE rollup(stats_summary) IS 'Merges summaries into that of all their values together. Example: SELECT stddev(rollup(hourly)) FROM hours';
COMMENT ON FUNCTION stats_agg_transition(internal, float8) IS 'Transition function of stats_agg';
COMMENT ON FUNCTION stats_agg_weighted_transition(internal, float8, float8) IS 'Transition function of stats_agg(value, weight)';
COMMENT ON FUNCTION stats_rollup_transition(internal, stats_summary) IS 'Transition function of rollup(stats_summary)';
COMMENT ON FUNCTION stats_agg_combine(internal, internal) IS 'Combine function of stats_agg and rollup(stats_summary)';
COMMENT ON FUNCTION stats_agg_serialize(internal) IS 'Serialization function of stats_agg and rollup(stats_summary)';
COMMENT ON FUNCTION stats_agg_deserialize(bytea, internal) IS 'Deserialization function of stats_agg and rollup(stats_summary)';
COMMENT ON FUNCTION stats_agg_final(internal) IS 'Final function of stats_agg and rollup(stats_summary)';
COMMENT ON FUNCTION stats_agg_moving_transition(internal, float8) IS 'Transition function of stats_agg over moving frames';
COMMENT ON FUNCTION stats_agg_moving_inverse(internal, float8) IS 'Inverse transition function of stats_agg over moving frames; NULL makes the server start the frame again';
COMMENT ON FUNCTION stats_agg_moving_final(internal) IS 'Final function of stats_agg over moving frames';
"#,
    name = "stats_agg",
    requires = [
        stats_rollup_transition,
        stats_agg_combine,
        stats_agg_serialize,
        stats_agg_deserialize,
        stats_agg_final,
        stats_agg_moving_transition,
        stats_agg_moving_inverse,
        stats_agg_moving_final
    ]
);
