//! The nightly run on data whose every result is known: it finds what was planted and nothing else.
//!
//! One database is loaded once; the nightly run is done for the last day, done again, and done a third time after late rows
//! have arrived. The tests look at what these runs left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use sop_ml_demo::{Experiment, FaultKind, ModelName, RESTAURANTS, SOPS, Truth, generate};
use sop_ml_e2e::{Database, shared};

const SEED: u64 = 42;

/// A step of a nightly run: name, status, detail.
type Step = (String, String, String);

struct Night {
    database: Database,
    truth: Truth,
    /// The steps of the first run.
    steps: Vec<Step>,
    /// Digests of the results by table: after the first run, after the second, after the one with the late rows.
    digests: [BTreeMap<&'static str, String>; 3],
    /// Observations and interactions counted in the day buckets of the late rows' day, before and after they arrived.
    late_day: [(i64, i64); 2],
}

/// What a run computes, without the columns that say which run it was and when.
const RESULTS: [(&str, &str); 5] = [
    ("sop_performance_aggregates", "'run_id', 'computed_at'"),
    ("sop_performance_trends", "'run_id', 'computed_at'"),
    (
        "sop_performance_baselines",
        "'run_id', 'baseline_id', 'computed_at', 'created_at', 'updated_at', 'valid_from', 'valid_until'",
    ),
    (
        "sop_model_performance_tracking",
        "'run_id', 'tracking_id', 'measured_at'",
    ),
    (
        "sop_time_series_anomalies",
        "'run_id', 'anomaly_id', 'alert_id', 'detected_at', 'updated_at'",
    ),
];

fn night() -> &'static Night {
    static NIGHT: OnceLock<Night> = OnceLock::new();
    NIGHT.get_or_init(|| {
        let database = shared().database_with_extension("demo_truth");
        let (mut first, mut late) = (Vec::new(), Vec::new());
        let truth = generate(SEED, &mut first, &mut late).unwrap();
        load(&database, first);
        database.run("VACUUM ANALYZE");
        let steps = run_for(&database, &truth);
        let after_first = digests(&database);
        let before_late = late_day(&database, &truth);
        run_for(&database, &truth);
        let after_second = digests(&database);
        load(&database, late);
        run_for(&database, &truth);
        let after_late = late_day(&database, &truth);
        let after_third = digests(&database);
        Night {
            database,
            truth,
            steps,
            digests: [after_first, after_second, after_third],
            late_day: [before_late, after_late],
        }
    })
}

fn load(database: &Database, script: Vec<u8>) {
    let output = database.psql(&String::from_utf8(script).unwrap());
    assert!(output.success, "the load failed: {}", output.text);
}

fn run_for(database: &Database, truth: &Truth) -> Vec<Step> {
    database
        .query(&format!(
            "SELECT step, status, coalesce(detail, '') FROM sop_ml.run_daily_ml_aggregation(NULL, '{}')",
            truth.last_day
        ))
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

fn digests(database: &Database) -> BTreeMap<&'static str, String> {
    RESULTS
        .iter()
        .map(|(table, ignored)| {
            let digest = database
                .texts(&format!(
                    "SELECT count(*) || ' ' || coalesce(md5(string_agg(line, '|' ORDER BY line)), '') FROM
                     (SELECT (to_jsonb(t) - ARRAY[{ignored}])::text AS line FROM sop_ml.{table} AS t) AS lines"
                ))
                .remove(0);
            (*table, digest)
        })
        .collect()
}

/// Observations and interactions in the day buckets of the late rows' day.
fn late_day(database: &Database, truth: &Truth) -> (i64, i64) {
    let counted = |metric: &str| {
        database.count(&format!(
            "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml.sop_performance_aggregates
             WHERE restaurant_id = '{}' AND grain = 'day' AND local_date = '{}' AND metric_name = '{metric}'",
            truth.late.restaurant, truth.late.day
        ))
    };
    (counted("step_duration_minutes"), counted("interactions"))
}

#[test]
fn every_row_arrives() {
    let night = night();
    for (table, rows) in &night.truth.rows {
        let late = match table.as_str() {
            "sop_time_series_data" => night.truth.late.time_series,
            "sop_user_interactions" => night.truth.late.interactions,
            _ => 0,
        };
        let found = night
            .database
            .count(&format!("SELECT count(*) FROM sop_ml.{table}"));
        assert_eq!(found as u64, rows + late, "{table}");
    }
}

#[test]
fn every_step_succeeds() {
    let night = night();
    assert!(night.steps.len() >= 6, "{:?}", night.steps);
    for (step, status, detail) in &night.steps {
        assert_eq!(status, "succeeded", "{step}: {detail}");
    }
}

#[test]
fn the_planted_trend_is_found_and_hardly_any_other() {
    let Night {
        database, truth, ..
    } = night();
    let planted = &truth.trend;
    let found = database.query(&format!(
        "SELECT direction, percent_per_period FROM sop_ml.sop_performance_trends
         WHERE restaurant_id = '{}' AND metric_name = '{}' AND sop_id = '{}' AND grain = 'day'",
        planted.restaurant, planted.metric, planted.sop
    ));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get::<_, String>(0), planted.direction);
    // The growth per day in percent of the level in the middle of the time.
    let expected = 100.0 * planted.factor.ln() / (sop_ml_demo::DAYS - 1) as f64;
    let percent: f64 = found[0].get(1);
    assert!(
        (percent / expected - 1.0).abs() < 0.4,
        "{percent} instead of {expected}"
    );

    // The same runs are also seen as interactions (completion_seconds).
    let others = database.query(&format!(
        "SELECT count(*), count(*) FILTER (WHERE direction <> 'no_trend') FROM sop_ml.sop_performance_trends
         WHERE grain = 'day' AND (restaurant_id, sop_id) <> ('{}', '{}')",
        planted.restaurant, planted.sop
    ));
    let (series, trends): (i64, i64) = (others[0].get(0), others[0].get(1));
    assert!(
        series as usize > RESTAURANTS.len() * SOPS,
        "{series} series"
    );
    assert!(
        trends as f64 <= 0.01 * series as f64,
        "{trends} trends in {series} series without one"
    );
}

/// Severity by subject of a model's last drift report.
fn drift(database: &Database, model: &ModelName) -> BTreeMap<(String, String), HashSet<String>> {
    let mut subjects: BTreeMap<_, HashSet<String>> = BTreeMap::new();
    for row in database.query(&format!(
        "SELECT subject_kind, subject, severity FROM sop_ml.sop_model_performance_tracking
         WHERE restaurant_id = '{}' AND model_id = '{}'",
        model.restaurant, model.id
    )) {
        subjects
            .entry((row.get(0), row.get(1)))
            .or_default()
            .insert(row.get(2));
    }
    assert!(!subjects.is_empty(), "no drift report on {}", model.name);
    subjects
}

fn is_severe(severities: &HashSet<String>) -> bool {
    severities
        .iter()
        .any(|severity| matches!(severity.as_str(), "high" | "critical"))
}

fn is_calm(severities: &HashSet<String>) -> bool {
    severities
        .iter()
        .all(|severity| matches!(severity.as_str(), "none" | "low"))
}

#[test]
fn drift_is_found_where_it_is() {
    let Night {
        database, truth, ..
    } = night();
    let planted = &truth.drifting;
    let subjects = drift(database, &planted.model);
    let of_feature = |name: &str| &subjects[&("feature".to_owned(), name.to_owned())];
    assert!(is_severe(of_feature(planted.feature)), "{subjects:?}");
    for feature in planted
        .model
        .features
        .iter()
        .filter(|feature| **feature != planted.feature)
    {
        assert!(is_calm(of_feature(feature)), "{feature}: {subjects:?}");
    }
    let predictions: Vec<_> = subjects
        .iter()
        .filter(|((kind, _), _)| kind == "prediction")
        .collect();
    assert!(
        predictions
            .iter()
            .any(|(_, severities)| is_severe(severities)),
        "{subjects:?}"
    );
    let alerts = database.count(&format!(
        "SELECT count(*) FROM sop_ml.sop_alerts WHERE restaurant_id = '{}' AND source = 'drift' AND status = 'open'",
        planted.model.restaurant
    ));
    assert!(alerts > 0);
}

#[test]
fn the_stable_model_is_left_in_peace() {
    let Night {
        database, truth, ..
    } = night();
    let subjects = drift(database, &truth.stable);
    for feature in &truth.stable.features {
        assert!(
            subjects.contains_key(&("feature".to_owned(), (*feature).to_owned())),
            "{subjects:?}"
        );
    }
    for (subject, severities) in &subjects {
        assert!(is_calm(severities), "{subject:?}: {severities:?}");
    }
}

#[test]
fn anomalous_predictions_are_found_by_id() {
    let Night {
        database, truth, ..
    } = night();
    let stable = &truth.stable;
    let stored: HashSet<String> = database
        .texts(&format!(
            "SELECT DISTINCT prediction_id::text FROM sop_ml.sop_time_series_anomalies
             WHERE restaurant_id = '{}' AND kind = 'prediction' AND model_id = '{}'",
            stable.restaurant, stable.id
        ))
        .into_iter()
        .collect();
    let last_day: Vec<String> = truth
        .anomalies
        .last_day
        .iter()
        .map(ToString::to_string)
        .collect();
    let recalled = last_day.iter().filter(|id| stored.contains(*id)).count();
    assert!(
        recalled as f64 >= 0.9 * last_day.len() as f64,
        "{recalled} of {}",
        last_day.len()
    );

    // A look back over two weeks, whose days the nightly runs before would have scored; rolled back, so that the other
    // tests see what the nightly run itself stored.
    let mut client = database.superuser();
    let mut transaction = client.transaction().unwrap();
    let found: HashSet<String> = transaction
        .query(
            &format!(
                "SELECT DISTINCT prediction_id::text FROM sop_ml.detect_prediction_anomalies(
                     '{}', '{}', ('{}'::timestamp AT TIME ZONE 'America/New_York'))",
                stable.restaurant, stable.name, truth.anomalies.from
            ),
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    transaction.rollback().unwrap();
    let planted: HashSet<String> = truth.anomalies.all().map(|id| id.to_string()).collect();
    let recalled = planted.intersection(&found).count();
    assert!(
        recalled as f64 >= 0.9 * planted.len() as f64,
        "{recalled} of {}",
        planted.len()
    );
    let false_alarms = found.difference(&planted).count();
    let ordinary = truth.anomalies.among as usize - planted.len();
    assert!(
        false_alarms as f64 <= 0.05 * ordinary as f64,
        "{false_alarms} of {ordinary}"
    );
}

#[test]
fn a_closure_is_no_day_with_nothing_done() {
    let Night {
        database, truth, ..
    } = night();
    let days: Vec<String> = truth
        .closure
        .days
        .iter()
        .map(|day| format!("'{day}'"))
        .collect();
    let days = days.join(", ");
    let restaurant = truth.closure.restaurant;
    let measured = database.count(&format!(
        "SELECT count(*) FROM sop_ml.sop_performance_aggregates
         WHERE restaurant_id = '{restaurant}' AND grain = 'day' AND local_date IN ({days})
           AND (NOT is_closed OR n > 0 OR total = 0 OR mean = 0 OR rate = 0 OR baseline_verdict IN ('worse', 'lower'))"
    ));
    assert_eq!(measured, 0);
    let anomalies = database.count(&format!(
        "SELECT count(*) FROM sop_ml.sop_time_series_anomalies AS a JOIN sop_ml.sop_restaurants AS r USING (restaurant_id)
         WHERE restaurant_id = '{restaurant}' AND (observed_at AT TIME ZONE r.time_zone)::date IN ({days})"
    ));
    assert_eq!(anomalies, 0);
    // The days around it are there.
    let around = database.count(&format!(
        "SELECT count(DISTINCT local_date) FROM sop_ml.sop_performance_aggregates
         WHERE restaurant_id = '{restaurant}' AND grain = 'day' AND metric_name = 'order_count' AND NOT is_closed
           AND local_date BETWEEN '{}' AND '{}'",
        sop_ml_demo::FIRST_DAY, truth.last_day
    ));
    assert_eq!(
        around as usize,
        sop_ml_demo::DAYS as usize - truth.closure.days.len()
    );
}

#[test]
fn late_rows_are_counted_by_the_next_run() {
    let Night {
        truth,
        late_day: [before, after],
        digests: [_, second, third],
        ..
    } = night();
    let late = &truth.late;
    assert_eq!(
        *before,
        (
            late.time_series_before as i64,
            late.interactions_before as i64
        )
    );
    assert_eq!(
        *after,
        (
            (late.time_series_before + late.time_series) as i64,
            (late.interactions_before + late.interactions) as i64
        )
    );
    assert_ne!(
        second["sop_performance_aggregates"],
        third["sop_performance_aggregates"]
    );
}

#[test]
fn a_second_run_changes_nothing() {
    let Night {
        digests: [first, second, _],
        ..
    } = night();
    assert_eq!(first, second);
    for (table, digest) in first {
        assert!(!digest.starts_with("0 "), "{table} is empty");
    }
}

#[test]
fn quality_checks_count_the_planted_faults() {
    let Night {
        database, truth, ..
    } = night();
    let place = truth.dirty.restaurant.to_string();
    let planted = |table, column, kind| truth.faults(table, column, kind) as i64;
    for (table, expected) in [
        (
            "sop_time_series_data",
            vec![
                (
                    "value_present",
                    planted("sop_time_series_data", "value", FaultKind::Missing),
                ),
                (
                    "value_finite",
                    planted("sop_time_series_data", "value", FaultKind::NotANumber),
                ),
                (
                    "value_not_negative",
                    planted("sop_time_series_data", "value", FaultKind::OutOfRange),
                ),
                (
                    "not_in_future",
                    planted("sop_time_series_data", "observed_at", FaultKind::Future),
                ),
                ("duplicate_observations", 0),
            ],
        ),
        (
            "sop_user_interactions",
            vec![
                (
                    "rating_range",
                    planted("sop_user_interactions", "rating", FaultKind::OutOfRange),
                ),
                (
                    "duration_not_negative",
                    planted(
                        "sop_user_interactions",
                        "duration_seconds",
                        FaultKind::OutOfRange,
                    ),
                ),
                (
                    "not_in_future",
                    planted("sop_user_interactions", "occurred_at", FaultKind::Future),
                ),
                (
                    "duplicate_events",
                    planted(
                        "sop_user_interactions",
                        "interaction_id",
                        FaultKind::Duplicate,
                    ),
                ),
                ("rating_present", 0),
                ("rating_finite", 0),
                ("interaction_type_known", 0),
            ],
        ),
    ] {
        for restaurant in &RESTAURANTS {
            let found: BTreeMap<String, Option<i64>> = database
                .query(&format!(
                    "SELECT \"check\", rows_failed FROM sop_ml.validate_ml_training_data_quality('{}', 'sop_ml.{table}')",
                    restaurant.id
                ))
                .iter()
                .map(|row| (row.get(0), row.get(1)))
                .collect();
            for (check, rows) in &expected {
                let rows = if restaurant.id.to_string() == place {
                    *rows
                } else {
                    0
                };
                assert_eq!(
                    found[*check],
                    Some(rows),
                    "{} {table} {check}",
                    restaurant.name
                );
            }
        }
    }
}

/// p-value and relative lift of the treatment, by each guest's mean.
fn read_out(database: &Database, experiment: &Experiment) -> (f64, f64) {
    let rows = database.query(&format!(
        "SELECT t.p_value, t.difference / sop_ml.average(arm.control)
         FROM (SELECT sop_ml.stats_agg(value) FILTER (WHERE variant = 'treatment') AS treatment,
                      sop_ml.stats_agg(value) FILTER (WHERE variant = 'control') AS control
               FROM (SELECT user_id, variant, avg(event_value) AS value FROM sop_ml.sop_ab_events
                     WHERE restaurant_id = '{}' AND experiment_id = '{}' AND event_name = '{}'
                     GROUP BY user_id, variant) AS guest) AS arm
         CROSS JOIN LATERAL sop_ml.welch_t_test(arm.treatment, arm.control) AS t",
        experiment.restaurant, experiment.id, experiment.metric
    ));
    (rows[0].get(0), rows[0].get(1))
}

#[test]
fn one_experiment_has_an_effect_and_the_other_has_none() {
    let Night {
        database, truth, ..
    } = night();
    let (p_value, lift) = read_out(database, &truth.effect);
    assert!(p_value < 0.001, "{p_value}");
    assert!((lift - (truth.effect.factor - 1.0)).abs() < 0.06, "{lift}");
    let (p_value, lift) = read_out(database, &truth.no_effect);
    assert!(p_value > 0.05, "{p_value}");
    assert!(lift.abs() < 0.05, "{lift}");
}

#[test]
fn nobody_who_opted_out_is_in_training_data() {
    let Night {
        database, truth, ..
    } = night();
    for restaurant in &RESTAURANTS {
        let users: HashSet<String> = database
            .texts(&format!(
                "SELECT DISTINCT user_id::text FROM sop_ml.prepare_sop_recommendation_training_data(
                     '{}', '{}', '{}'::timestamptz + interval '1 day')",
                restaurant.id, sop_ml_demo::FIRST_DAY, truth.last_day
            ))
            .into_iter()
            .collect();
        let opted_out = truth
            .opted_out
            .iter()
            .filter(|(place, _)| *place == restaurant.id);
        let opted_out: HashSet<String> = opted_out.map(|(_, user)| user.to_string()).collect();
        assert!(
            !opted_out.is_empty() && users.is_disjoint(&opted_out),
            "{}",
            restaurant.name
        );
        assert_eq!(
            users.len() + opted_out.len(),
            sop_ml_demo::STAFF,
            "{}",
            restaurant.name
        );
    }
}
