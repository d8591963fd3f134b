//! Aggregates that the statements of the roll-up are made of.
//!
//! The finished columns and the two stored states of a bucket come from one state: aggregates that differ only in their
//! final function share it, so that each value is looked at once. Parts of a stored bucket are merged in the order in which
//! they come, so there are no combine functions: equal parts give equal bytes.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::datum::Internal;
use pgrx::prelude::*;
use sop_analytics::aggregation::{BucketValues, StoredBucket, bucket_measures};
use sop_analytics::codec::Codec;
use sop_analytics::statistics::{PercentileSketch, StatsSummary};

use crate::error::{PgResult, from_analytics};
use crate::statistics::aggregate::{in_place, state_of, transition};

in_place!(
    bucket_agg_step,
    pg_finfo_bucket_agg_step,
    bucket_agg_transition_wrapper,
    BucketValues,
    BucketValues::push
);

#[pg_extern(immutable, parallel_safe, sql = false)]
fn bucket_agg_transition(
    state: Internal,
    value: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(value) = value else { return Ok(state) };
    transition(
        state,
        fcinfo,
        || Ok(BucketValues::default()),
        |kept: &mut BucketValues| kept.push(value).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_agg_measures(state: Internal) -> PgResult<Option<Vec<Option<f64>>>> {
    let Some(bucket) = state_of::<BucketValues>(&state) else {
        return Ok(None);
    };
    let summary = bucket.summary().map_err(from_analytics)?;
    bucket_measures(&summary, Some(bucket.sketch()))
        .map(Some)
        .map_err(from_analytics)
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_agg_stats(state: Internal) -> PgResult<Option<Vec<u8>>> {
    let Some(bucket) = state_of::<BucketValues>(&state) else {
        return Ok(None);
    };
    let summary = bucket.summary().map_err(from_analytics)?;
    Ok(Some(summary.encode()))
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_agg_percentiles(state: Internal) -> Option<Vec<u8>> {
    state_of::<BucketValues>(&state).map(|bucket| bucket.sketch().encode())
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_rollup_transition(
    state: Internal,
    stats: Option<&[u8]>,
    percentiles: Option<&[u8]>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(stats) = stats else { return Ok(state) };
    let summary = StatsSummary::decode(stats).map_err(from_analytics)?;
    let sketch = percentiles
        .map(PercentileSketch::decode)
        .transpose()
        .map_err(from_analytics)?;
    transition(
        state,
        fcinfo,
        || Ok(StoredBucket::default()),
        |kept: &mut StoredBucket| kept.merge(&summary, sketch).map_err(from_analytics),
    )
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_rollup_measures(state: Internal) -> PgResult<Option<Vec<Option<f64>>>> {
    let Some(bucket) = state_of::<StoredBucket>(&state) else {
        return Ok(None);
    };
    bucket_measures(&bucket.summary, bucket.sketch.as_ref())
        .map(Some)
        .map_err(from_analytics)
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_rollup_stats(state: Internal) -> Option<Vec<u8>> {
    state_of::<StoredBucket>(&state).map(|bucket| bucket.summary.encode())
}

#[pg_extern(immutable, parallel_safe)]
fn bucket_rollup_percentiles(state: Internal) -> Option<Vec<u8>> {
    state_of::<StoredBucket>(&state)?
        .sketch
        .as_ref()
        .map(Codec::encode)
}

/// The people of a group; a `DISTINCT` would sort the rows of each group anew for every count.
type People = HashSet<[u8; 16]>;

#[pg_extern(immutable, parallel_safe)]
fn staff_count_transition(
    state: Internal,
    person: Option<Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal> {
    let Some(person) = person else {
        return Ok(state);
    };
    transition(
        state,
        fcinfo,
        || Ok(People::new()),
        |kept: &mut People| {
            kept.insert(*person.as_bytes());
            Ok(())
        },
    )
}

#[pg_extern(immutable, parallel_safe)]
fn staff_count_final(state: Internal) -> Option<i64> {
    state_of::<People>(&state).map(|people| people.len() as i64)
}

extension_sql!(
    r#"
CREATE FUNCTION bucket_agg_transition(state internal, value float8) RETURNS internal
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'bucket_agg_step';
CREATE AGGREGATE bucket_measures_agg(value float8) (
    SFUNC = bucket_agg_transition, STYPE = internal, SSPACE = 768, FINALFUNC = bucket_agg_measures, PARALLEL = safe
);
CREATE AGGREGATE bucket_stats_agg(value float8) (
    SFUNC = bucket_agg_transition, STYPE = internal, SSPACE = 768, FINALFUNC = bucket_agg_stats, PARALLEL = safe
);
CREATE AGGREGATE bucket_percentiles_agg(value float8) (
    SFUNC = bucket_agg_transition, STYPE = internal, SSPACE = 768, FINALFUNC = bucket_agg_percentiles, PARALLEL = safe
);
CREATE AGGREGATE bucket_measures_rollup(stats bytea, percentiles bytea) (
    SFUNC = bucket_rollup_transition, STYPE = internal, SSPACE = 4096, FINALFUNC = bucket_rollup_measures, PARALLEL = safe
);
CREATE AGGREGATE bucket_stats_rollup(stats bytea, percentiles bytea) (
    SFUNC = bucket_rollup_transition, STYPE = internal, SSPACE = 4096, FINALFUNC = bucket_rollup_stats, PARALLEL = safe
);
CREATE AGGREGATE bucket_percentiles_rollup(stats bytea, percentiles bytea) (
    SFUNC = bucket_rollup_transition, STYPE = internal, SSPACE = 4096, FINALFUNC = bucket_rollup_percentiles, PARALLEL = safe
);
CREATE AGGREGATE staff_count_agg(person uuid) (
    SFUNC = staff_count_transition, STYPE = internal, SSPACE = 256, FINALFUNC = staff_count_final, PARALLEL = safe
);
COMMENT ON AGGREGATE bucket_measures_agg(float8) IS
'The finished columns of a bucket made from values: {n, total, mean, stddev, minimum, maximum, p50, p90, p95, p99, mean_low, mean_high}. NULL, NaN and infinite values are not measured; NULL without any value. Example: SELECT sop_ml.bucket_measures_agg(value) FROM readings;';
COMMENT ON AGGREGATE bucket_stats_agg(float8) IS
'The state of count, sum and moments of a bucket, binary: what the column stats_state holds; cast to stats_summary to read it. NULL, NaN and infinite values are not measured. Example: SELECT sop_ml.bucket_stats_agg(value)::stats_summary FROM readings;';
COMMENT ON AGGREGATE bucket_percentiles_agg(float8) IS
'The state of the distribution of a bucket, binary: what the column percentile_state holds; cast to percentile_sketch to read it. NULL, NaN and infinite values are not measured. Example: SELECT sop_ml.bucket_percentiles_agg(value)::percentile_sketch FROM readings;';
COMMENT ON AGGREGATE bucket_measures_rollup(bytea, bytea) IS
'As bucket_measures_agg, from the stored states of finer buckets, in the order in which they come. Example: SELECT sop_ml.bucket_measures_rollup(stats_state, percentile_state) FROM sop_ml.sop_performance_aggregates WHERE grain = ''day'';';
COMMENT ON AGGREGATE bucket_stats_rollup(bytea, bytea) IS
'As bucket_stats_agg, from the stored states of finer buckets.';
COMMENT ON AGGREGATE bucket_percentiles_rollup(bytea, bytea) IS
'As bucket_percentiles_agg, from the stored states of finer buckets.';
COMMENT ON AGGREGATE staff_count_agg(uuid) IS
'How many different people, exactly; as count(DISTINCT person) without sorting each group, NULL for none. Example: SELECT sop_ml.staff_count_agg(user_id) FROM sop_ml.sop_user_interactions;';
COMMENT ON FUNCTION bucket_agg_transition(internal, float8) IS 'Transition function of bucket_measures_agg, bucket_stats_agg and bucket_percentiles_agg';
COMMENT ON FUNCTION bucket_agg_measures(internal) IS 'Final function of bucket_measures_agg';
COMMENT ON FUNCTION bucket_agg_stats(internal) IS 'Final function of bucket_stats_agg';
COMMENT ON FUNCTION bucket_agg_percentiles(internal) IS 'Final function of bucket_percentiles_agg';
COMMENT ON FUNCTION bucket_rollup_transition(internal, bytea, bytea) IS 'Transition function of bucket_measures_rollup, bucket_stats_rollup and bucket_percentiles_rollup';
COMMENT ON FUNCTION bucket_rollup_measures(internal) IS 'Final function of bucket_measures_rollup';
COMMENT ON FUNCTION bucket_rollup_stats(internal) IS 'Final function of bucket_stats_rollup';
COMMENT ON FUNCTION bucket_rollup_percentiles(internal) IS 'Final function of bucket_percentiles_rollup';
COMMENT ON FUNCTION staff_count_transition(internal, uuid) IS 'Transition function of staff_count_agg';
COMMENT ON FUNCTION staff_count_final(internal) IS 'Final function of staff_count_agg';
"#,
    name = "bucket_aggregates",
    requires = [
        bucket_agg_measures,
        bucket_agg_stats,
        bucket_agg_percentiles,
        bucket_rollup_transition,
        bucket_rollup_measures,
        bucket_rollup_stats,
        bucket_rollup_percentiles,
        staff_count_transition,
        staff_count_final
    ]
);
