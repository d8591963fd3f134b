//! What arguments want that their type alone does not tell.

/// What an argument of this name wants, where its type alone does not tell: argument, type, value.
const REASONABLE: &[(&str, &str, &str)] = &[
    (
        "restaurant_id",
        "uuid",
        "'aaaaaaaa-0000-4000-8000-000000000001'::uuid",
    ),
    (
        "alert_id",
        "uuid",
        "(SELECT min(alert_id::text)::uuid FROM sop_ml.sop_alerts WHERE restaurant_id = 'aaaaaaaa-0000-4000-8000-000000000001')",
    ),
    (
        "job_id",
        "uuid",
        "(SELECT min(job_id::text)::uuid FROM sop_ml.sop_job_queue WHERE restaurant_id = 'aaaaaaaa-0000-4000-8000-000000000001')",
    ),
    ("job_name", "text", "'compute_baselines'"),
    ("source", "text", "'custom'"),
    ("purpose", "text", "'training'"),
    ("state", "text", "'denied'"),
    ("model", "text", "'fixture_0'"),
    (
        "relation",
        "regclass",
        "'sop_ml.sop_user_interactions'::regclass",
    ),
    ("level", "text", "'viewer'"),
    ("level", "double precision", "0.95::float8"),
    ("confidence_level", "double precision", "0.95::float8"),
    ("fraction", "double precision", "0.5::float8"),
    (
        "fractions",
        "double precision[]",
        "'{0.1,0.5,0.99}'::float8[]",
    ),
    ("relative_error", "double precision", "0.01::float8"),
    ("successes", "bigint", "45::bigint"),
    ("trials", "bigint", "50::bigint"),
    ("first_successes", "bigint", "45::bigint"),
    ("first_trials", "bigint", "50::bigint"),
    ("second_successes", "bigint", "30::bigint"),
    ("second_trials", "bigint", "50::bigint"),
    ("counts", "bigint[]", "'{{8,2},{1,5}}'::bigint[]"),
    ("entity", "text", "'sop'"),
    ("kind", "text", "'recommendation'"),
    ("name", "text", "'a name'"),
    (
        "feature_names",
        "text[]",
        "'{completions:30d,completion_rate:7d}'::text[]",
    ),
    ("windows", "interval[]", "'{7 days,30 days}'::interval[]"),
    ("as_of", "timestamp with time zone[]", "ARRAY[now()]"),
    ("as_of", "timestamp with time zone", "now()"),
    (
        "from_time",
        "timestamp with time zone",
        "now() - interval '7 days'",
    ),
    (
        "to_time",
        "timestamp with time zone",
        "now() + interval '1 day'",
    ),
    (
        "reference",
        "tstzrange",
        "tstzrange('2001-01-01', '2002-01-01')",
    ),
    (
        "current_range",
        "tstzrange",
        "tstzrange(now() - interval '30 days', now() + interval '1 day')",
    ),
    ("day", "date", "current_date"),
    ("options", "jsonb", "'{}'::jsonb"),
    ("severity", "text", "'high'"),
    ("n", "integer", "3"),
    ("precision_bits", "integer", "12"),
    ("p", "double precision[]", "'{0.01,0.2,0.5}'::float8[]"),
    ("method", "text", "'holm'"),
    ("weight", "double precision", "2.5::float8"),
    ("grain", "text", "'day'"),
    ("time_zone", "text", "'Europe/Berlin'"),
    ("schedule", "text", "'* * * * *'"),
    ("observed", "bigint[]", "'{48,52,50}'::bigint[]"),
    ("expected", "double precision[]", "'{1,1,1}'::float8[]"),
    (
        "stats",
        "bytea",
        "(SELECT sop_ml.stats_agg(i)::bytea FROM generate_series(1, 50) AS i)",
    ),
    (
        "percentiles",
        "bytea",
        "(SELECT sop_ml.percentile_agg(i)::bytea FROM generate_series(1, 50) AS i)",
    ),
];

/// The value that an argument of this name wants.
#[must_use]
pub fn argument(argument: &str, type_name: &str) -> Option<&'static str> {
    REASONABLE
        .iter()
        .find(|(name, kind, _)| *name == argument && *kind == type_name)
        .map(|(.., value)| *value)
}
