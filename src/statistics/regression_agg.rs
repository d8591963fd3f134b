//! `regression_agg(y, x)` and `rollup(regression_summary)`.

use pgrx::datum::Internal;
use pgrx::prelude::*;
use sop_analytics::statistics::{MovingRegression, RegressionSummary as State};

use super::aggregate::{combine, deserialize, in_place, serialize, state_of, transition};
use super::types::RegressionSummary;
use crate::error::{PgResult, from_analytics};

in_place!(
    regression_agg_step,
    pg_finfo_regression_agg_step,
    regression_agg_transition_wrapper,
    State,
    State::push,
    step_in_place_by_two
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn regression_agg_transition(
    state: Internal,
    y: Option<f64>,
    x: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let (Some(y), Some(x)) = (y, x) else {
        return Ok(state);
    };
    transition(
        state,
        fcinfo,
        || Ok(State::default()),
        |kept: &mut State| kept.push(y, x).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn regression_rollup_transition(
    state: Internal,
    summary: Option<RegressionSummary>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(RegressionSummary(summary)) = summary else {
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
fn regression_agg_combine(
    first: Internal,
    second: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    combine(first, &second, fcinfo, |kept: &mut State, other| {
        kept.merge(other).map_err(from_analytics)
    })
}

#[pg_extern(immutable, strict, parallel_safe)]
fn regression_agg_serialize(state: Internal) -> Option<Vec<u8>> {
    serialize::<State>(&state)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn regression_agg_deserialize(bytes: &[u8], _state: Internal) -> PgResult<Internal> {
    deserialize::<State>(bytes)
}

#[pg_extern(immutable, parallel_safe)]
fn regression_agg_final(state: Internal) -> Option<RegressionSummary> {
    state_of::<State>(&state).copied().map(RegressionSummary)
}

in_place!(
    regression_agg_moving_step,
    pg_finfo_regression_agg_moving_step,
    regression_agg_moving_transition_wrapper,
    MovingRegression,
    MovingRegression::push,
    step_in_place_by_two
);

/// Unlike the plain transition it never returns NULL: the server forbids that in a moving frame.
#[pg_extern(immutable, parallel_safe, sql = false)]
fn regression_agg_moving_transition(
    state: Internal,
    y: Option<f64>,
    x: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    transition(
        state,
        fcinfo,
        || Ok(MovingRegression::default()),
        |kept: &mut MovingRegression| match (y, x) {
            (Some(y), Some(x)) => kept.push(y, x).map_err(from_analytics),
            _ => Ok(()),
        },
    )
}

/// Returns NULL where the point cannot be taken out: the server then starts again from the rows of the frame.
#[pg_extern(immutable, parallel_safe)]
fn regression_agg_moving_inverse(mut state: Internal, y: Option<f64>, x: Option<f64>) -> Internal {
    let (Some(y), Some(x)) = (y, x) else {
        return state;
    };
    // SAFETY: the moving transition made the state, and only the executor refers to it.
    let kept = unsafe { state.get_mut::<MovingRegression>() };
    if kept.is_some_and(|kept| kept.remove(y, x)) {
        state
    } else {
        Internal::default()
    }
}

#[pg_extern(immutable, parallel_safe)]
fn regression_agg_moving_final(state: Internal) -> Option<RegressionSummary> {
    let summary = state_of::<MovingRegression>(&state)?.summary();
    (summary.n() > 0).then_some(RegressionSummary(*summary))
}

extension_sql!(
    r#"
CREATE FUNCTION regression_agg_transition(state internal, y float8, x float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'regression_agg_step';
CREATE FUNCTION regression_agg_moving_transition(state internal, y float8, x float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'regression_agg_moving_step';
CREATE AGGREGATE regression_agg(y float8, x float8) (
    SFUNC = regression_agg_transition,
    STYPE = internal,
    SSPACE = 128,
    FINALFUNC = regression_agg_final,
    COMBINEFUNC = regression_agg_combine,
    SERIALFUNC = regression_agg_serialize,
    DESERIALFUNC = regression_agg_deserialize,
    MSFUNC = regression_agg_moving_transition,
    MINVFUNC = regression_agg_moving_inverse,
    MSTYPE = internal,
    MSSPACE = 160,
    MFINALFUNC = regression_agg_moving_final,
    PARALLEL = safe
);
CREATE AGGREGATE rollup(summary regression_summary) (
    SFUNC = regression_rollup_transition,
    STYPE = internal,
    SSPACE = 128,
    FINALFUNC = regression_agg_final,
    COMBINEFUNC = regression_agg_combine,
    SERIALFUNC = regression_agg_serialize,
    DESERIALFUNC = regression_agg_deserialize,
    PARALLEL = safe
);
COMMENT ON AGGREGATE regression_agg(float8, float8) IS 'The straight line of y over x, as a regression_summary; rows with a NULL are ignored; NULL for no row. Example: SELECT slope(regression_agg(waste_kg, extract(epoch FROM day) / 86400)) FROM days';
COMMENT ON AGGREGATE rollup(regression_summary) IS 'Merges summaries into that of all their points together. Example: SELECT slope(rollup(daily)) FROM days';
COMMENT ON FUNCTION regression_agg_transition(internal, float8, float8) IS 'Transition function of regression_agg';
COMMENT ON FUNCTION regression_rollup_transition(internal, regression_summary) IS 'Transition function of rollup(regression_summary)';
COMMENT ON FUNCTION regression_agg_combine(internal, internal) IS 'Combine function of regression_agg and rollup(regression_summary)';
COMMENT ON FUNCTION regression_agg_serialize(internal) IS 'Serialization function of regression_agg and rollup(regression_summary)';
COMMENT ON FUNCTION regression_agg_deserialize(bytea, internal) IS 'Deserialization function of regression_agg and rollup(regression_summary)';
COMMENT ON FUNCTION regression_agg_final(internal) IS 'Final function of regression_agg and rollup(regression_summary)';
COMMENT ON FUNCTION regression_agg_moving_transition(internal, float8, float8) IS 'Transition function of regression_agg over moving frames';
COMMENT ON FUNCTION regression_agg_moving_inverse(internal, float8, float8) IS 'Inverse transition function of regression_agg over moving frames; NULL makes the server start the frame again';
COMMENT ON FUNCTION regression_agg_moving_final(internal) IS 'Final function of regression_agg over moving frames';
"#,
    name = "regression_agg",
    requires = [
        regression_rollup_transition,
        regression_agg_combine,
        regression_agg_serialize,
        regression_agg_deserialize,
        regression_agg_final,
        regression_agg_moving_inverse,
        regression_agg_moving_final
    ]
);
