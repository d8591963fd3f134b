//! `top_n_agg(text, n)`, `rollup(top_n_sketch)` and what a sketch answers.

use pgrx::datum::Internal;
use pgrx::prelude::*;
use sop_analytics::statistics::TopNSketch as State;

use super::aggregate::{combine, deserialize, serialize, state_of, transition};
use super::step::{inline_bytes, step_entry};
use super::types::TopNSketch;
use crate::encoding::{as_utf8, texts_are_utf8};
use crate::error::{PgResult, from_analytics, invalid_parameter, with_code};
use crate::settings::max_state_bytes;

/// A text that a sketch can keep: sketches hold UTF-8, and no table of another encoding gives or takes more of it than
/// ASCII without conversion.
fn kept_text(bytes: &[u8]) -> PgResult<&str> {
    as_utf8(bytes)
        .ok_or_else(|| {
            with_code(
                PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
                "a top_n_sketch holds UTF-8: values beyond ASCII need a database with the encoding UTF8",
            )
        })
}

step_entry!(
    top_n_agg_step,
    pg_finfo_top_n_agg_step,
    top_n_agg_transition_wrapper,
    State,
    |state: &mut State, row: &[pg_sys::NullableDatum]| {
        let [value, n] = row else { return None };
        if value.isnull {
            return Some(Ok(()));
        }
        if n.isnull || n.value.value() as u32 != state.n() || !texts_are_utf8() {
            return None;
        }
        // SAFETY: the argument is a text, which is a varlena.
        let bytes = unsafe { inline_bytes(value.value)? };
        let text = std::str::from_utf8(bytes).ok()?;
        Some(state.push(text, max_state_bytes()).map_err(from_analytics))
    }
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn top_n_agg_transition(
    state: Internal,
    value: Option<&[u8]>,
    n: Option<i32>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(value) = value else { return Ok(state) };
    let n = n.ok_or_else(|| {
        with_code(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "n must not be NULL",
        )
    })?;
    let text = kept_text(value)?;
    transition(
        state,
        fcinfo,
        || State::new(n).map_err(from_analytics),
        |kept: &mut State| {
            if i64::from(kept.n()) != i64::from(n) {
                return Err(invalid_parameter(
                    "n must be the same for all rows of a group",
                ));
            }
            kept.push(text, max_state_bytes()).map_err(from_analytics)
        },
    )
}

#[pg_extern(immutable, parallel_safe)]
fn top_n_rollup_transition(
    state: Internal,
    sketch: Option<TopNSketch>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(TopNSketch(sketch)) = sketch else {
        return Ok(state);
    };
    transition(
        state,
        fcinfo,
        || State::new(sketch.n().cast_signed()).map_err(from_analytics),
        |kept: &mut State| {
            kept.merge(&sketch, max_state_bytes())
                .map_err(from_analytics)
        },
    )
}

#[pg_extern(immutable, parallel_safe)]
fn top_n_agg_combine(
    first: Internal,
    second: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    combine(first, &second, fcinfo, |kept: &mut State, other| {
        kept.merge(other, max_state_bytes()).map_err(from_analytics)
    })
}

#[pg_extern(immutable, strict, parallel_safe)]
fn top_n_agg_serialize(state: Internal) -> Option<Vec<u8>> {
    serialize::<State>(&state)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn top_n_agg_deserialize(bytes: &[u8], _state: Internal) -> PgResult<Internal> {
    deserialize::<State>(bytes)
}

#[pg_extern(immutable, parallel_safe)]
fn top_n_agg_final(state: Internal) -> Option<TopNSketch> {
    state_of::<State>(&state).cloned().map(TopNSketch)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn top_n(
    sketch: TopNSketch,
) -> Result<
    TableIterator<'static, (name!(value, String), name!(count, i64), name!(error, i64))>,
    pg_sys::panic::ErrorReport,
> {
    let mut rows = Vec::new();
    for row in sketch.0.top() {
        rows.push((
            kept_text(row.value.as_bytes())?.to_owned(),
            row.count.cast_signed(),
            row.error.cast_signed(),
        ));
    }
    Ok(TableIterator::new(rows))
}

#[pg_extern(immutable, strict, parallel_safe, name = "num_vals")]
fn top_n_num_vals(sketch: TopNSketch) -> i64 {
    sketch.0.total().cast_signed()
}

extension_sql!(
    r#"
CREATE FUNCTION top_n_agg_transition(state internal, value text, n int) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'top_n_agg_step';
CREATE AGGREGATE top_n_agg(value text, n int) (
    SFUNC = top_n_agg_transition,
    STYPE = internal,
    SSPACE = 8192,
    FINALFUNC = top_n_agg_final,
    COMBINEFUNC = top_n_agg_combine,
    SERIALFUNC = top_n_agg_serialize,
    DESERIALFUNC = top_n_agg_deserialize,
    PARALLEL = safe
);
CREATE AGGREGATE rollup(sketch top_n_sketch) (
    SFUNC = top_n_rollup_transition,
    STYPE = internal,
    SSPACE = 8192,
    FINALFUNC = top_n_agg_final,
    COMBINEFUNC = top_n_agg_combine,
    SERIALFUNC = top_n_agg_serialize,
    DESERIALFUNC = top_n_agg_deserialize,
    PARALLEL = safe
);
ALTER FUNCTION top_n(top_n_sketch) ROWS 10;
COMMENT ON AGGREGATE top_n_agg(text, int) IS 'Sketch of the n (1 to 10000) most frequent values that are not NULL, as a top_n_sketch; NULL for none. Every value in more than 1 of 16 n rows is in it. Example: SELECT t.* FROM (SELECT top_n_agg(item, 10) AS s FROM orders) AS q, top_n(s) AS t';
COMMENT ON AGGREGATE rollup(top_n_sketch) IS 'Merges sketches made with the same n; every value in more than 1 of 16 n rows of all of them stays in it. Example: SELECT t.* FROM (SELECT rollup(daily) AS s FROM days) AS q, top_n(s) AS t';
COMMENT ON FUNCTION top_n(top_n_sketch) IS 'The most frequent values, at most n, by descending count; the true count lies between count - error and count. Example: SELECT t.* FROM (SELECT top_n_agg(item, 10) AS s FROM orders) AS q, top_n(s) AS t';
COMMENT ON FUNCTION num_vals(top_n_sketch) IS 'How many values, distinct or not. Example: num_vals(top_n_agg(item, 10))';
COMMENT ON FUNCTION top_n_agg_transition(internal, text, int) IS 'Transition function of top_n_agg';
COMMENT ON FUNCTION top_n_rollup_transition(internal, top_n_sketch) IS 'Transition function of rollup(top_n_sketch)';
COMMENT ON FUNCTION top_n_agg_combine(internal, internal) IS 'Combine function of top_n_agg and rollup(top_n_sketch)';
COMMENT ON FUNCTION top_n_agg_serialize(internal) IS 'Serialization function of top_n_agg and rollup(top_n_sketch)';
COMMENT ON FUNCTION top_n_agg_deserialize(bytea, internal) IS 'Deserialization function of top_n_agg and rollup(top_n_sketch)';
COMMENT ON FUNCTION top_n_agg_final(internal) IS 'Final function of top_n_agg and rollup(top_n_sketch)';
"#,
    name = "top_n_agg",
    requires = [
        top_n_rollup_transition,
        top_n_agg_combine,
        top_n_agg_serialize,
        top_n_agg_deserialize,
        top_n_agg_final,
        top_n,
        top_n_num_vals
    ]
);
