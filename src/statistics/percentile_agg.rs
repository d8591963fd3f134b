//! `percentile_agg(float8 [, relative_error])` and `rollup(percentile_sketch)`.

use pgrx::datum::Internal;
use pgrx::prelude::*;
use sop_analytics::statistics::{PercentileCollector as State, PercentileSketch as Sketch};

use super::aggregate::{
    combine_collectors, deserialize_collector, finish, in_place, serialize_collector, transition,
};
use super::step::{inline_bytes, step_entry};
use super::types::PercentileSketch;
use crate::error::{PgResult, from_analytics, with_code};

in_place!(
    percentile_agg_step,
    pg_finfo_percentile_agg_step,
    percentile_agg_transition_wrapper,
    State,
    State::push
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn percentile_agg_transition(
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

step_entry!(
    percentile_agg_accuracy_step,
    pg_finfo_percentile_agg_accuracy_step,
    percentile_agg_accuracy_transition_wrapper,
    State,
    |state: &mut State, row: &[pg_sys::NullableDatum]| {
        let [value, relative_error] = row else {
            return None;
        };
        if value.isnull {
            return Some(Ok(()));
        }
        let target = relative_error.value.value() as u64;
        if relative_error.isnull || target != state.parameter().to_bits() {
            return None;
        }
        let value = f64::from_bits(value.value.value() as u64);
        Some(state.push(value).map_err(from_analytics))
    }
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn percentile_agg_accuracy_transition(
    state: Internal,
    value: Option<f64>,
    relative_error: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(value) = value else { return Ok(state) };
    let relative_error = relative_error.ok_or_else(|| {
        with_code(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "relative_error must not be NULL",
        )
    })?;
    transition(
        state,
        fcinfo,
        || {
            Sketch::with_relative_error(relative_error)
                .map(|sketch| State::like(&sketch))
                .map_err(from_analytics)
        },
        |kept: &mut State| {
            if kept.parameter().to_bits() != relative_error.to_bits() {
                return Err(crate::error::invalid_parameter(
                    "relative_error must be the same for all rows of a group",
                ));
            }
            kept.push(value).map_err(from_analytics)
        },
    )
}

step_entry!(
    percentile_rollup_step,
    pg_finfo_percentile_rollup_step,
    percentile_rollup_transition_wrapper,
    State,
    |state: &mut State, row: &[pg_sys::NullableDatum]| {
        let [sketch] = row else { return None };
        if sketch.isnull {
            return Some(Ok(()));
        }
        // SAFETY: the argument is a percentile_sketch, which is a varlena.
        let bytes = unsafe { inline_bytes(sketch.value)? };
        Some(state.merge_encoded(bytes).map_err(from_analytics))
    }
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn percentile_rollup_transition(
    state: Internal,
    sketch: Option<PercentileSketch>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(PercentileSketch(sketch)) = sketch else {
        return Ok(state);
    };
    transition(
        state,
        fcinfo,
        || Ok(State::like(&sketch)),
        |kept: &mut State| kept.merge(&sketch).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn percentile_agg_combine(
    first: Internal,
    second: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    combine_collectors::<Sketch>(first, &second, fcinfo)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn percentile_agg_serialize(state: Internal) -> PgResult<Option<Vec<u8>>> {
    serialize_collector::<Sketch>(&state)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn percentile_agg_deserialize(bytes: &[u8], _state: Internal) -> PgResult<Internal> {
    deserialize_collector::<Sketch>(bytes)
}

#[pg_extern(immutable, parallel_safe)]
fn percentile_agg_final(state: Internal) -> PgResult<Option<PercentileSketch>> {
    Ok(finish(&state)?.map(PercentileSketch))
}

extension_sql!(
    r#"
CREATE FUNCTION percentile_agg_transition(state internal, value float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_agg_step';
CREATE FUNCTION percentile_agg_accuracy_transition(state internal, value float8, relative_error float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_agg_accuracy_step';
CREATE FUNCTION percentile_rollup_transition(state internal, sketch percentile_sketch) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_rollup_step';
CREATE AGGREGATE percentile_agg(value float8) (
    SFUNC = percentile_agg_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = percentile_agg_final,
    COMBINEFUNC = percentile_agg_combine,
    SERIALFUNC = percentile_agg_serialize,
    DESERIALFUNC = percentile_agg_deserialize,
    PARALLEL = safe
);
CREATE AGGREGATE percentile_agg(value float8, relative_error float8) (
    SFUNC = percentile_agg_accuracy_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = percentile_agg_final,
    COMBINEFUNC = percentile_agg_combine,
    SERIALFUNC = percentile_agg_serialize,
    DESERIALFUNC = percentile_agg_deserialize,
    PARALLEL = safe
);
CREATE AGGREGATE rollup(sketch percentile_sketch) (
    SFUNC = percentile_rollup_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = percentile_agg_final,
    COMBINEFUNC = percentile_agg_combine,
    SERIALFUNC = percentile_agg_serialize,
    DESERIALFUNC = percentile_agg_deserialize,
    PARALLEL = safe
);
COMMENT ON AGGREGATE percentile_agg(float8) IS 'Sketch of the distribution of the values that are not NULL, as a percentile_sketch with a relative error of at most 1 %; NULL for none. Example: SELECT approx_percentile(0.95, percentile_agg(duration)) FROM steps';
COMMENT ON AGGREGATE percentile_agg(float8, float8) IS 'As percentile_agg(value) with another bound for the relative error, from 0.0001 to 0.5. Example: SELECT approx_percentile(0.5, percentile_agg(duration, 0.001)) FROM steps';
COMMENT ON AGGREGATE rollup(percentile_sketch) IS 'Merges sketches made with the same relative_error into that of all their values together. Example: SELECT approx_percentile(0.95, rollup(hourly)) FROM hours';
COMMENT ON FUNCTION percentile_agg_transition(internal, float8) IS 'Transition function of percentile_agg(value)';
COMMENT ON FUNCTION percentile_agg_accuracy_transition(internal, float8, float8) IS 'Transition function of percentile_agg(value, relative_error)';
COMMENT ON FUNCTION percentile_rollup_transition(internal, percentile_sketch) IS 'Transition function of rollup(percentile_sketch)';
COMMENT ON FUNCTION percentile_agg_combine(internal, internal) IS 'Combine function of percentile_agg and rollup(percentile_sketch)';
COMMENT ON FUNCTION percentile_agg_serialize(internal) IS 'Serialization function of percentile_agg and rollup(percentile_sketch)';
COMMENT ON FUNCTION percentile_agg_deserialize(bytea, internal) IS 'Deserialization function of percentile_agg and rollup(percentile_sketch)';
COMMENT ON FUNCTION percentile_agg_final(internal) IS 'Final function of percentile_agg and rollup(percentile_sketch)';
"#,
    name = "percentile_agg",
    requires = [
        percentile_agg_combine,
        percentile_agg_serialize,
        percentile_agg_deserialize,
        percentile_agg_final
    ]
);
