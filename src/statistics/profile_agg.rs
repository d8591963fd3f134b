//! `profile_agg(float8)`, `profile_agg_text(text)` and `rollup(distribution_profile)`.
//!
//! Unlike the other aggregates they count NULLs, so a state exists from the first row on.

use pgrx::datum::Internal;
use pgrx::prelude::*;
use sop_analytics::statistics::{CategoryProfile, DistributionProfile as State, NumericProfile};

use super::aggregate::{combine, deserialize, serialize, state_of, transition};
use super::types::DistributionProfile;
use crate::error::{PgResult, from_analytics};

#[pg_extern(immutable, parallel_safe)]
fn profile_agg_transition(
    state: Internal,
    value: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    transition(
        state,
        fcinfo,
        || Ok(State::Numeric(NumericProfile::default())),
        |kept: &mut State| kept.push_number(value).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn profile_agg_text_transition(
    state: Internal,
    value: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    transition(
        state,
        fcinfo,
        || Ok(State::Text(CategoryProfile::default())),
        |kept: &mut State| kept.push_text(value).map_err(from_analytics),
    )
}

/// Returns NULL where the value cannot be taken out: the server then starts again from the rows of the frame.
#[pg_extern(immutable, parallel_safe)]
fn profile_agg_text_inverse(mut state: Internal, value: Option<&str>) -> Internal {
    // SAFETY: `profile_agg_text_transition` made the state, and only the executor refers to it.
    let removed = match unsafe { state.get_mut::<State>() } {
        Some(State::Text(kept)) => kept.remove(value),
        _ => false,
    };
    if removed { state } else { Internal::default() }
}

#[pg_extern(immutable, parallel_safe)]
fn profile_rollup_transition(
    state: Internal,
    profile: Option<DistributionProfile>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(DistributionProfile(profile)) = profile else {
        return Ok(state);
    };
    let empty = match &profile {
        State::Numeric(_) => State::Numeric(NumericProfile::default()),
        State::Text(_) => State::Text(CategoryProfile::default()),
    };
    transition(
        state,
        fcinfo,
        || Ok(empty),
        |kept: &mut State| kept.merge(&profile).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn profile_agg_combine(
    first: Internal,
    second: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    combine(first, &second, fcinfo, |kept: &mut State, other| {
        kept.merge(other).map_err(from_analytics)
    })
}

#[pg_extern(immutable, strict, parallel_safe)]
fn profile_agg_serialize(state: Internal) -> Option<Vec<u8>> {
    serialize::<State>(&state)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn profile_agg_deserialize(bytes: &[u8], _state: Internal) -> PgResult<Internal> {
    deserialize::<State>(bytes)
}

/// A frame that all rows have left has no profile, like a group without rows.
#[pg_extern(immutable, parallel_safe)]
fn profile_agg_final(state: Internal) -> Option<DistributionProfile> {
    let state = state_of::<State>(&state)?;
    (state.rows() > 0).then(|| DistributionProfile(state.clone()))
}

extension_sql!(
    r#"
CREATE AGGREGATE profile_agg(value float8) (
    SFUNC = profile_agg_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = profile_agg_final,
    COMBINEFUNC = profile_agg_combine,
    SERIALFUNC = profile_agg_serialize,
    DESERIALFUNC = profile_agg_deserialize,
    PARALLEL = safe
);
CREATE AGGREGATE profile_agg_text(value text) (
    SFUNC = profile_agg_text_transition,
    STYPE = internal,
    SSPACE = 4096,
    FINALFUNC = profile_agg_final,
    COMBINEFUNC = profile_agg_combine,
    SERIALFUNC = profile_agg_serialize,
    DESERIALFUNC = profile_agg_deserialize,
    MSFUNC = profile_agg_text_transition,
    MINVFUNC = profile_agg_text_inverse,
    MSTYPE = internal,
    MSSPACE = 4096,
    MFINALFUNC = profile_agg_final,
    PARALLEL = safe
);
CREATE AGGREGATE rollup(profile distribution_profile) (
    SFUNC = profile_rollup_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = profile_agg_final,
    COMBINEFUNC = profile_agg_combine,
    SERIALFUNC = profile_agg_serialize,
    DESERIALFUNC = profile_agg_deserialize,
    PARALLEL = safe
);
COMMENT ON AGGREGATE profile_agg(float8) IS 'Profile of a column of numbers: moments and quantiles of the finite values, counts of NULL, NaN and infinities; NULL without a row. Example: SELECT profile_agg(duration) FROM steps';
COMMENT ON AGGREGATE profile_agg_text(text) IS 'Profile of a column of texts: counts of up to 1000 categories, of the rest and of NULL; NULL without a row. Example: SELECT profile_agg_text(station) FROM steps';
COMMENT ON AGGREGATE rollup(distribution_profile) IS 'Merges profiles of one kind into that of all their rows together. Example: SELECT rollup(daily) FROM days';
COMMENT ON FUNCTION profile_agg_transition(internal, float8) IS 'Transition function of profile_agg';
COMMENT ON FUNCTION profile_agg_text_transition(internal, text) IS 'Transition function of profile_agg_text';
COMMENT ON FUNCTION profile_agg_text_inverse(internal, text) IS 'Inverse transition function of profile_agg_text over moving frames; NULL makes the server start the frame again';
COMMENT ON FUNCTION profile_rollup_transition(internal, distribution_profile) IS 'Transition function of rollup(distribution_profile)';
COMMENT ON FUNCTION profile_agg_combine(internal, internal) IS 'Combine function of profile_agg, profile_agg_text and rollup(distribution_profile)';
COMMENT ON FUNCTION profile_agg_serialize(internal) IS 'Serialization function of profile_agg, profile_agg_text and rollup(distribution_profile)';
COMMENT ON FUNCTION profile_agg_deserialize(bytea, internal) IS 'Deserialization function of profile_agg, profile_agg_text and rollup(distribution_profile)';
COMMENT ON FUNCTION profile_agg_final(internal) IS 'Final function of profile_agg, profile_agg_text and rollup(distribution_profile)';
"#,
    name = "profile_agg",
    requires = [
        profile_agg_transition,
        profile_agg_text_transition,
        profile_agg_text_inverse,
        profile_rollup_transition,
        profile_agg_combine,
        profile_agg_serialize,
        profile_agg_deserialize,
        profile_agg_final
    ]
);
