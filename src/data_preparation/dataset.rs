//! What a data set is: counted, profiled, named by its content, and stored.

use std::time::Instant;

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sop_analytics::budget::Budget;
use sop_analytics::data_preparation::digest::{ContentDigest, RowHasher};
use sop_analytics::data_preparation::options::RecommendationOptions;
use sop_analytics::data_preparation::profile::{ColumnProfile, Profiler};
use sop_analytics::data_preparation::recommendation::{Split, TrainingRows};
use sop_analytics::features::{Entity, Measure};

use super::source;
use crate::error::{PgResult, from_analytics, internal};
use crate::interrupts::Interrupts;
use crate::jsonb::JsonB;
use crate::{settings, sql, tenancy};

const PERFORMANCE: &str = include_str!("../../sql/queries/data_preparation_performance.sql");
const LOCK: &str = include_str!("../../sql/queries/data_preparation_lock.sql");
const LATEST: &str = include_str!("../../sql/queries/data_preparation_latest.sql");
const REGISTER: &str = include_str!("../../sql/queries/data_preparation_register.sql");

/// Whose data, and of which time.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) restaurant_id: Uuid,
    pub(super) from_time: TimestampWithTimeZone,
    pub(super) to_time: TimestampWithTimeZone,
}

/// A data set without its rows.
pub(super) struct Description {
    query_text: &'static str,
    parameters: Value,
    seed: i64,
    content_hash: String,
    measured: Value,
}

/// Options of kind `performance`: there are none yet.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PerformanceOptions {}

/// Describes what `prepare_sop_recommendation_training_data` returns.
pub(super) fn describe_recommendation(
    range: Range,
    options: RecommendationOptions,
) -> PgResult<Description> {
    let started = Instant::now();
    let (from_time, to_time) = (range.from_time.into_inner(), range.to_time.into_inner());
    let plan = options.check(from_time, to_time).map_err(from_analytics)?;
    let mut budget = Budget::new(settings::max_state_bytes());
    let data = source::read(range.restaurant_id, from_time, to_time, &mut budget)?;
    let rows = TrainingRows::new(data.source, plan, &mut budget, &mut Interrupts)
        .map_err(from_analytics)?;

    let mut content =
        ContentDigest::new("recommendation: user_id sop_id label weight split occurred_at");
    let mut profiler = Profiler::new(["label".to_owned(), "weight".to_owned()]);
    let (mut positives, mut splits) = (0_u64, [0_u64; 3]);
    let (mut user_count, mut sop_seen) = (0_u64, vec![false; data.sops.len()]);
    let mut current = None;
    let mut person = Vec::new();
    for row in rows {
        if current != Some(row.user) {
            pgrx::check_for_interrupts!();
            content.add_group(&mut person);
            current = Some(row.user);
            user_count += 1;
        }
        let user = data.users.get(row.user as usize).copied();
        let sop = data.sops.get(row.sop as usize).copied();
        let digest = RowHasher::default()
            .bytes(user.unwrap_or_default())
            .bytes(sop.unwrap_or_default())
            .number(Some(row.label))
            .number(Some(row.weight))
            .text(row.split.name())
            .bytes(row.occurred_at.to_le_bytes())
            .finish();
        person.push(digest);
        profiler.add(digest, &[Some(row.label), Some(row.weight)]);
        positives += u64::from(row.label > 0.0);
        for (split, count) in Split::ALL.into_iter().zip(&mut splits) {
            *count += u64::from(split == row.split);
        }
        if let Some(seen) = sop_seen.get_mut(row.sop as usize) {
            *seen = true;
        }
    }
    content.add_group(&mut person);
    let row_count = content.rows();
    let profiles = profiler.finish();
    let label = profiles.first();
    let split_counts: serde_json::Map<_, _> = Split::ALL
        .into_iter()
        .zip(splits)
        .map(|(split, count)| (split.name().to_owned(), count.into()))
        .collect();
    Ok(Description {
        query_text: "SELECT * FROM sop_ml.prepare_sop_recommendation_training_data(restaurant_id, from_time, to_time, parameters)",
        seed: options.seed,
        parameters: to_json(&options)?,
        content_hash: content.finish(),
        measured: json!({
            "row_count": row_count,
            "positive_count": positives,
            "negative_count": row_count - positives,
            "user_count": user_count,
            "sop_count": sop_seen.iter().filter(|seen| **seen).count(),
            "split_counts": split_counts,
            "feature_names": [],
            "label_name": "label",
            "label_mean": label.and_then(|label| label.mean),
            "label_stddev": label.and_then(|label| label.stddev),
            "profile": profile_json(&profiles)?,
            "build_ms": milliseconds(started),
        }),
    })
}

/// Describes the features of all procedures over the range.
pub(super) fn describe_performance(
    range: Range,
    options: PerformanceOptions,
) -> PgResult<Description> {
    let started = Instant::now();
    // The same rule for the range as for recommendation data.
    RecommendationOptions::default()
        .check(range.from_time.into_inner(), range.to_time.into_inner())
        .map_err(from_analytics)?;
    let names: Vec<String> = Measure::windowed(Entity::Sop)
        .map(|measure| measure.name().to_owned())
        .collect();
    let mut content = ContentDigest::new("performance: sop_id feature_name value");
    let mut profiler = Profiler::new(names.iter().cloned());
    let mut values = Vec::with_capacity(names.len());
    let mut hasher = RowHasher::default();
    let mut sop_count = 0_u64;
    let arguments = [
        range.restaurant_id.into(),
        range.from_time.into(),
        range.to_time.into(),
    ];
    // The function lists every measure of a procedure before the next procedure.
    sql::for_each(PERFORMANCE, &arguments, |row| {
        let value: Option<f64> = row.get(3)?;
        if values.is_empty() {
            hasher = RowHasher::default().bytes(*row.required::<Uuid>(1)?.as_bytes());
        }
        let next = std::mem::take(&mut hasher).text(&row.required::<String>(2)?);
        hasher = next.number(value);
        values.push(value);
        if values.len() == names.len() {
            let digest = std::mem::take(&mut hasher).finish();
            content.add_group(&mut vec![digest]);
            profiler.add(digest, &values);
            values.clear();
            sop_count += 1;
        }
        Ok(())
    })?;
    let row_count = content.rows();
    Ok(Description {
        query_text: "SELECT * FROM sop_ml.aggregate_sop_performance_features(restaurant_id, to_time, ARRAY[to_time - from_time])",
        seed: 0,
        parameters: to_json(&options)?,
        content_hash: content.finish(),
        measured: json!({
            "row_count": row_count,
            "sop_count": sop_count,
            "split_counts": {},
            "feature_names": names,
            "profile": profile_json(&profiler.finish())?,
            "build_ms": milliseconds(started),
        }),
    })
}

/// Stores a description as the next version; when the latest version is the same, returns that.
pub(super) fn store(range: Range, name: &str, kind: &str, data: &Description) -> PgResult<Uuid> {
    let restaurant_id = range.restaurant_id;
    tenancy::require_known(restaurant_id)?;
    sql::execute(LOCK, &[restaurant_id.into(), name.into()])?;
    // `modify` rather than `select`: after waiting for the lock, the other session's version must be visible.
    let latest = sql::modify(
        LATEST,
        &[
            restaurant_id.into(),
            name.into(),
            kind.into(),
            range.from_time.into(),
            range.to_time.into(),
            JsonB(data.parameters.clone()).into(),
            data.content_hash.as_str().into(),
        ],
        |row| {
            Ok((
                row.required::<Uuid>(1)?,
                row.required::<i32>(2)?,
                row.required::<bool>(3)?,
            ))
        },
    )?;
    let version = match latest.first() {
        Some((dataset_id, _, true)) => return Ok(*dataset_id),
        Some((_, version, false)) => version + 1,
        None => 1,
    };
    let stored = sql::modify(
        REGISTER,
        &[
            restaurant_id.into(),
            name.into(),
            version.into(),
            kind.into(),
            range.from_time.into(),
            range.to_time.into(),
            JsonB(data.parameters.clone()).into(),
            data.content_hash.as_str().into(),
            data.query_text.into(),
            data.seed.into(),
            JsonB(data.measured.clone()).into(),
        ],
        |row| row.required(1),
    )?;
    stored
        .into_iter()
        .next()
        .ok_or_else(|| internal("the data set was not stored"))
}

fn profile_json(profiles: &[ColumnProfile]) -> PgResult<Value> {
    Ok(json!({ "quantile_type": 7, "columns": to_json(&profiles)? }))
}

fn to_json(value: &impl Serialize) -> PgResult<Value> {
    serde_json::to_value(value).map_err(|error| internal(error.to_string()))
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}
