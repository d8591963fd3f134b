//! `distinct_agg(text | uuid | bigint [, precision_bits])`, `rollup(distinct_sketch)` and what a sketch answers.

use std::ffi::CStr;

use pgrx::datum::{Internal, Uuid};
use pgrx::prelude::*;
use sop_analytics::statistics::{DistinctCollector as State, DistinctSketch as Sketch};

use super::aggregate::{
    combine_collectors, deserialize_collector, finish, serialize_collector, transition,
};
use super::step::{inline_bytes, step_entry};
use super::types::DistinctSketch;
use crate::encoding::texts_are_utf8;
use crate::error::{PgResult, from_analytics, invalid_parameter, with_code};

/// Adds a text by its bytes in UTF-8, whatever the encoding of the database.
fn add_text(state: &mut State, text: &[u8]) -> PgResult<()> {
    if texts_are_utf8() || text.is_ascii() {
        return state.push_bytes(text).map_err(from_analytics);
    }
    // SAFETY: the text is in the database's encoding; the answer is the text itself or a string that ends with NUL in the
    // memory of this row.
    unsafe {
        let given = text.as_ptr().cast();
        let length = i32::try_from(text.len()).unwrap_or(0);
        let converted = pg_sys::pg_server_to_any(given, length, pg_sys::pg_enc::PG_UTF8 as i32);
        if std::ptr::eq(converted, given) {
            state.push_bytes(text)
        } else {
            state.push_bytes(CStr::from_ptr(converted).to_bytes())
        }
    }
    .map_err(from_analytics)
}

fn add_uuid(state: &mut State, uuid: Uuid) -> PgResult<()> {
    state.push_bytes(uuid.as_bytes()).map_err(from_analytics)
}

fn add_integer(state: &mut State, value: i64) -> PgResult<()> {
    state.push_integer(value).map_err(from_analytics)
}

fn transition_of<V>(
    state: Internal,
    value: Option<V>,
    precision_bits: Option<i32>,
    fcinfo: pg_sys::FunctionCallInfo,
    add: impl FnOnce(&mut State, V) -> PgResult<()>,
) -> PgResult<Internal> {
    let Some(value) = value else { return Ok(state) };
    let precision_bits = precision_bits.ok_or_else(|| {
        with_code(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "precision_bits must not be NULL",
        )
    })?;
    transition(
        state,
        fcinfo,
        || {
            Sketch::with_precision(precision_bits)
                .map(|sketch| State::like(&sketch))
                .map_err(from_analytics)
        },
        |kept: &mut State| {
            if i32::from(kept.parameter()) != precision_bits {
                return Err(invalid_parameter(
                    "precision_bits must be the same for all rows of a group",
                ));
            }
            add(kept, value)
        },
    )
}

/// The value of a row added by `add`, which says whether it could; precision as in the state or as not given.
#[inline]
fn step_of(
    state: &mut State,
    row: &[pg_sys::NullableDatum],
    add: impl FnOnce(&mut State, pg_sys::Datum) -> Option<PgResult<()>>,
) -> Option<PgResult<()>> {
    let value = match row {
        [value] => value,
        [value, precision] => {
            let same = precision.value.value() as i32 == i32::from(state.parameter());
            if precision.isnull || !same {
                return None;
            }
            value
        }
        _ => return None,
    };
    if value.isnull {
        return Some(Ok(()));
    }
    add(state, value.value)
}

/// Both transition functions over values of one type.
macro_rules! transitions {
    (
        $value:ty, $add:expr, $add_datum:expr,
        $plain:ident, $plain_wrapper:ident, $plain_step:ident, $plain_info:ident,
        $precise:ident, $precise_wrapper:ident, $precise_step:ident, $precise_info:ident
    ) => {
        #[pg_extern(immutable, parallel_safe, sql = false)]
        fn $plain(
            state: Internal,
            value: Option<$value>,
            fcinfo: pg_sys::FunctionCallInfo,
        ) -> PgResult<Internal> {
            let default = i32::from(sop_analytics::statistics::DEFAULT_PRECISION_BITS);
            transition_of(state, value, Some(default), fcinfo, $add)
        }

        #[pg_extern(immutable, parallel_safe, sql = false)]
        fn $precise(
            state: Internal,
            value: Option<$value>,
            precision_bits: Option<i32>,
            fcinfo: pg_sys::FunctionCallInfo,
        ) -> PgResult<Internal> {
            transition_of(state, value, precision_bits, fcinfo, $add)
        }

        step_entry!(
            $plain_step,
            $plain_info,
            $plain_wrapper,
            State,
            |state, row| { step_of(state, row, $add_datum) }
        );
        step_entry!(
            $precise_step,
            $precise_info,
            $precise_wrapper,
            State,
            |state, row| { step_of(state, row, $add_datum) }
        );
    };
}

transitions!(
    &[u8],
    add_text,
    |state, datum| {
        if !texts_are_utf8() {
            return None;
        }
        // SAFETY: the argument is a text, which is a varlena.
        let bytes = unsafe { inline_bytes(datum)? };
        Some(state.push_bytes(bytes).map_err(from_analytics))
    },
    distinct_agg_text_transition,
    distinct_agg_text_transition_wrapper,
    distinct_agg_text_step,
    pg_finfo_distinct_agg_text_step,
    distinct_agg_text_precision_transition,
    distinct_agg_text_precision_transition_wrapper,
    distinct_agg_text_precision_step,
    pg_finfo_distinct_agg_text_precision_step
);

transitions!(
    Uuid,
    add_uuid,
    |state, datum| {
        // SAFETY: the argument is a uuid, which is passed as a pointer to its 16 bytes.
        let bytes = unsafe { &*datum.cast_mut_ptr::<[u8; 16]>() };
        Some(state.push_bytes(bytes).map_err(from_analytics))
    },
    distinct_agg_uuid_transition,
    distinct_agg_uuid_transition_wrapper,
    distinct_agg_uuid_step,
    pg_finfo_distinct_agg_uuid_step,
    distinct_agg_uuid_precision_transition,
    distinct_agg_uuid_precision_transition_wrapper,
    distinct_agg_uuid_precision_step,
    pg_finfo_distinct_agg_uuid_precision_step
);

transitions!(
    i64,
    add_integer,
    |state, datum| Some(add_integer(state, datum.value().cast_signed() as i64)),
    distinct_agg_bigint_transition,
    distinct_agg_bigint_transition_wrapper,
    distinct_agg_bigint_step,
    pg_finfo_distinct_agg_bigint_step,
    distinct_agg_bigint_precision_transition,
    distinct_agg_bigint_precision_transition_wrapper,
    distinct_agg_bigint_precision_step,
    pg_finfo_distinct_agg_bigint_precision_step
);

step_entry!(
    distinct_rollup_step,
    pg_finfo_distinct_rollup_step,
    distinct_rollup_transition_wrapper,
    State,
    |state: &mut State, row: &[pg_sys::NullableDatum]| {
        let [sketch] = row else { return None };
        if sketch.isnull {
            return Some(Ok(()));
        }
        // SAFETY: the argument is a distinct_sketch, which is a varlena.
        let bytes = unsafe { inline_bytes(sketch.value)? };
        Some(state.merge_encoded(bytes).map_err(from_analytics))
    }
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn distinct_rollup_transition(
    state: Internal,
    sketch: Option<DistinctSketch>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(DistinctSketch(sketch)) = sketch else {
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
fn distinct_agg_combine(
    first: Internal,
    second: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    combine_collectors::<Sketch>(first, &second, fcinfo)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn distinct_agg_serialize(state: Internal) -> PgResult<Option<Vec<u8>>> {
    serialize_collector::<Sketch>(&state)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn distinct_agg_deserialize(bytes: &[u8], _state: Internal) -> PgResult<Internal> {
    deserialize_collector::<Sketch>(bytes)
}

#[pg_extern(immutable, parallel_safe)]
fn distinct_agg_final(state: Internal) -> PgResult<Option<DistinctSketch>> {
    Ok(finish(&state)?.map(DistinctSketch))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn distinct_count(sketch: DistinctSketch) -> i64 {
    i64::try_from(sketch.0.count()).unwrap_or(i64::MAX)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn distinct_error(sketch: DistinctSketch) -> f64 {
    sketch.0.relative_error()
}

extension_sql!(
    r#"
CREATE FUNCTION distinct_rollup_transition(state internal, sketch distinct_sketch) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'distinct_rollup_step';
COMMENT ON FUNCTION distinct_rollup_transition(internal, distinct_sketch) IS 'Transition function of rollup(distinct_sketch)';
CREATE AGGREGATE rollup(sketch distinct_sketch) (
    SFUNC = distinct_rollup_transition,
    STYPE = internal,
    SSPACE = 2048,
    FINALFUNC = distinct_agg_final,
    COMBINEFUNC = distinct_agg_combine,
    SERIALFUNC = distinct_agg_serialize,
    DESERIALFUNC = distinct_agg_deserialize,
    PARALLEL = safe
);
COMMENT ON AGGREGATE rollup(distinct_sketch) IS 'Merges sketches made with the same precision_bits into that of all their values together. Example: SELECT distinct_count(rollup(daily)) FROM days';
DO $aggregates$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY '{text,uuid,bigint}'::text[] LOOP
        EXECUTE pg_catalog.format($statements$
CREATE FUNCTION distinct_agg_%1$s_transition(state internal, value %1$s) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'distinct_agg_%1$s_step';
CREATE FUNCTION distinct_agg_%1$s_precision_transition(state internal, value %1$s, precision_bits int) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'distinct_agg_%1$s_precision_step';
CREATE AGGREGATE distinct_agg(value %1$s) (
    SFUNC = distinct_agg_%1$s_transition,
    STYPE = internal,
    SSPACE = 2048,
    FINALFUNC = distinct_agg_final,
    COMBINEFUNC = distinct_agg_combine,
    SERIALFUNC = distinct_agg_serialize,
    DESERIALFUNC = distinct_agg_deserialize,
    PARALLEL = safe
);
CREATE AGGREGATE distinct_agg(value %1$s, precision_bits int) (
    SFUNC = distinct_agg_%1$s_precision_transition,
    STYPE = internal,
    SSPACE = 2048,
    FINALFUNC = distinct_agg_final,
    COMBINEFUNC = distinct_agg_combine,
    SERIALFUNC = distinct_agg_serialize,
    DESERIALFUNC = distinct_agg_deserialize,
    PARALLEL = safe
);
COMMENT ON FUNCTION distinct_agg_%1$s_transition(internal, %1$s) IS 'Transition function of distinct_agg(%1$s)';
COMMENT ON FUNCTION distinct_agg_%1$s_precision_transition(internal, %1$s, int) IS 'Transition function of distinct_agg(%1$s, precision_bits)';
COMMENT ON AGGREGATE distinct_agg(%1$s) IS 'Sketch of the set of values that are not NULL, as a distinct_sketch that counts them with a standard error of 0.81 %%; NULL for none. Example: SELECT distinct_count(distinct_agg(user_id)) FROM visits';
COMMENT ON AGGREGATE distinct_agg(%1$s, int) IS 'As distinct_agg(value) with 2^precision_bits registers, 4 to 18 bits, and a standard error of 1.04 / sqrt(2^precision_bits). Example: SELECT distinct_count(distinct_agg(user_id, 16)) FROM visits';
$statements$, kind);
    END LOOP;
END
$aggregates$;
COMMENT ON FUNCTION distinct_agg_combine(internal, internal) IS 'Combine function of distinct_agg and rollup(distinct_sketch)';
COMMENT ON FUNCTION distinct_agg_serialize(internal) IS 'Serialization function of distinct_agg and rollup(distinct_sketch)';
COMMENT ON FUNCTION distinct_agg_deserialize(bytea, internal) IS 'Deserialization function of distinct_agg and rollup(distinct_sketch)';
COMMENT ON FUNCTION distinct_agg_final(internal) IS 'Final function of distinct_agg and rollup(distinct_sketch)';
COMMENT ON FUNCTION distinct_count(distinct_sketch) IS 'The estimated number of distinct values, exact or nearly so up to some thousands. Example: distinct_count(distinct_agg(user_id))';
COMMENT ON FUNCTION distinct_error(distinct_sketch) IS 'The relative standard error of distinct_count for this sketch; 95 % of estimates are nearer to the truth than twice this. Example: distinct_error(distinct_agg(user_id))';
"#,
    name = "distinct_agg",
    requires = [
        distinct_agg_combine,
        distinct_agg_serialize,
        distinct_agg_deserialize,
        distinct_agg_final,
        distinct_count,
        distinct_error
    ]
);
