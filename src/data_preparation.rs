//! Training data for recommenders, and registered data sets.

mod dataset;
mod source;

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use sop_analytics::budget::Budget;
use sop_analytics::data_preparation::options::RecommendationOptions;
use sop_analytics::data_preparation::recommendation::TrainingRows;

use crate::arguments::required;
use crate::error::{from_analytics, invalid_parameter};
use crate::interrupts::Interrupts;
use crate::jsonb::JsonB;
use crate::{options, settings, sql, tenancy};

/// One row per person, procedure and split.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn prepare_sop_recommendation_training_data(
    restaurant_id: Option<Uuid>,
    from_time: Option<TimestampWithTimeZone>,
    to_time: Option<TimestampWithTimeZone>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(user_id, Uuid),
            name!(sop_id, Uuid),
            name!(label, f64),
            name!(weight, f64),
            name!(split, String),
            name!(occurred_at, TimestampWithTimeZone),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let from_time = required("from_time", from_time)?.into_inner();
    let to_time = required("to_time", to_time)?.into_inner();
    let options: RecommendationOptions = options::parse(options)?;
    let plan = options.check(from_time, to_time).map_err(from_analytics)?;
    let restaurant_id = tenancy::resolve_readable(restaurant_id)?;
    let mut budget = Budget::new(settings::max_state_bytes());
    let data = source::read(restaurant_id, from_time, to_time, &mut budget)?;
    let rows = TrainingRows::new(data.source, plan, &mut budget, &mut Interrupts)
        .map_err(from_analytics)?;
    let (users, sops) = (data.users, data.sops);
    // Every number was made from an identifier of these lists, so nothing is ever filtered out here.
    Ok(TableIterator::new(rows.filter_map(move |row| {
        Some((
            Uuid::from_bytes(*users.get(row.user as usize)?),
            Uuid::from_bytes(*sops.get(row.sop as usize)?),
            row.label,
            row.weight,
            row.split.name().to_owned(),
            TimestampWithTimeZone::try_from(row.occurred_at).ok()?,
        ))
    })))
}

/// Prepares a data set, describes it, and stores the description as a new version unless the latest is the same.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn register_dataset(
    restaurant_id: Option<Uuid>,
    name: Option<&str>,
    kind: Option<&str>,
    from_time: Option<TimestampWithTimeZone>,
    to_time: Option<TimestampWithTimeZone>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<Uuid, pg_sys::panic::ErrorReport> {
    let name = required("name", name)?;
    let kind = required("kind", kind)?;
    let from_time = required("from_time", from_time)?;
    let to_time = required("to_time", to_time)?;
    if name.is_empty() {
        return Err(invalid_parameter("name must not be empty"));
    }
    sql::require_writable(c"register_dataset()");
    let restaurant_id = tenancy::resolve(restaurant_id)?;
    let range = dataset::Range {
        restaurant_id,
        from_time,
        to_time,
    };
    let description = match kind {
        "recommendation" => dataset::describe_recommendation(range, options::parse(options)?)?,
        "performance" => dataset::describe_performance(range, options::parse(options)?)?,
        _ => {
            return Err(invalid_parameter(format!(
                "kind must be 'recommendation' or 'performance', not '{kind}'"
            )));
        }
    };
    dataset::store(range, name, kind, &description)
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.prepare_sop_recommendation_training_data(uuid, timestamptz, timestamptz, jsonb) IS
'Training rows for a recommender from the interactions in [from_time, to_time): label, weight (with time decay), sampled negatives, and a split in time (train before validation before test). Who refused training or personalisation is absent. restaurant_id NULL is the current restaurant. Options: feedback, weights, half_life_days, negatives_per_positive, negative_sampling, negative_weight, seed, validation_fraction, test_fraction, validation_from, test_from, min_interactions, repeated_pairs, positive_rating. Example: SELECT * FROM sop_ml.prepare_sop_recommendation_training_data(NULL, now() - interval ''90 days'', now(), ''{"seed": 7}'');';
COMMENT ON FUNCTION sop_ml.register_dataset(uuid, text, text, timestamptz, timestamptz, jsonb) IS
'Prepares training data of a kind (recommendation, performance), and stores what it is in sop_training_datasets: content hash, counts, profile, parameters. Returns the dataset_id of a new version, or of the latest when nothing has changed. Example: SELECT sop_ml.register_dataset(NULL, ''weekly recommender'', ''recommendation'', now() - interval ''90 days'', now(), ''{"seed": 7}'');';
"#,
    name = "comment_data_preparation",
    requires = [prepare_sop_recommendation_training_data, register_dataset]
);
