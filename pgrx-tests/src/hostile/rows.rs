//! Rows behind the functions that read tables: ordinary ones, so that calls have something to do, and hostile ones.

use crate::Database;
use crate::fixture::{TENANTS, fill};

/// Two tenants with ordinary rows, a relation with a hostile name, and numbers for parallel aggregates.
pub fn ordinary(database: &Database) {
    fill(database);
    database.run(&format!(
        "CREATE SCHEMA hostile;
         GRANT USAGE ON SCHEMA hostile TO PUBLIC;
         CREATE TABLE hostile.numbers AS SELECT i FROM generate_series(1, 20000) AS i;
         ALTER TABLE hostile.numbers SET (parallel_workers = 2);
         GRANT SELECT ON hostile.numbers TO PUBLIC;
         CREATE TABLE hostile.\"Hostile \"\"relation\"\"; --\" (\"a \"\"b\"\" $1\" integer PRIMARY KEY, \"'\" text, \"label\" jsonb);
         INSERT INTO hostile.\"Hostile \"\"relation\"\"; --\" VALUES (1, 'x', '1'), (2, NULL, '{{}}');
         GRANT SELECT ON hostile.\"Hostile \"\"relation\"\"; --\" TO PUBLIC;
         INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, rating, occurred_at)
         SELECT '{id}', md5('user' || i % 20)::uuid, md5('sop' || i % 15)::uuid,
                (ARRAY['view', 'start', 'complete', 'rate'])[1 + i % 4], 1 + i % 5, now() - i * interval '37 minutes'
           FROM generate_series(1, 400) AS i;
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{id}', 'duration_seconds', now() - i * interval '53 minutes', 100 + 10 * sin(i)
           FROM generate_series(1, 400) AS i;
         INSERT INTO sop_ml.sop_ml_predictions
                (restaurant_id, model_restaurant_id, model_id, prediction_id, predicted_at, features, predicted_value,
                 predicted_label, confidence, actual_value, actual_label)
         SELECT p.restaurant_id, p.model_restaurant_id, p.model_id, md5('prediction' || i)::uuid,
                CASE WHEN i % 2 = 0 THEN now() - i * interval '1 hour' ELSE '2001-06-01' END,
                jsonb_build_object('size', sin(i), 'kind', 'k' || i % 3), 10 + cos(i), 'l' || i % 2, 0.5 + i % 5 / 10.0, 10 + sin(i),
                'l' || i % 3
           FROM (SELECT restaurant_id, restaurant_id AS model_restaurant_id, model_id FROM sop_ml.sop_ml_models
                  WHERE restaurant_id = '{id}' AND name = 'fixture_0') AS p, generate_series(1, 300) AS i;
         ANALYZE",
        id = TENANTS[0].restaurant_id
    ));
}

/// Rows that a table takes and nobody would want: infinite values, NaN, the ends of time, features beyond float8, deep JSON.
pub fn hostile(database: &Database) {
    database.run(&format!(
        "INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, context)
         SELECT '{id}', md5('user' || i % 3)::uuid, md5('sop' || i % 2)::uuid, 'complete', at, context
           FROM unnest(ARRAY['4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00']::timestamptz[]
                       || now()) WITH ORDINALITY AS moment (at, i),
                unnest(ARRAY['{{}}', '{{\"a\": 1e400}}', repeat('{{\"a\":', 1000) || '1' || repeat('}}', 1000)]::jsonb[]) AS context;
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{id}'::uuid, 'duration_seconds', at, value
           FROM unnest(ARRAY['4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00']::timestamptz[])
                    AS at, unnest(ARRAY[1]::float8[]) AS value
         UNION ALL
         SELECT '{id}'::uuid, 'metric ' || value, now() - i * interval '1 hour', value
           FROM unnest(ARRAY['NaN', 'Infinity', '-Infinity', '1e308', '-1e308', '5e-324', '-0']::float8[]) AS value,
                generate_series(1, 60) AS i
         ON CONFLICT DO NOTHING;
         INSERT INTO sop_ml.sop_ml_predictions
                (restaurant_id, model_restaurant_id, model_id, prediction_id, predicted_at, features, predicted_value, actual_value)
         SELECT p.restaurant_id, p.model_restaurant_id, p.model_id, md5('hostile prediction' || i || value || f.features::text)::uuid,
                CASE WHEN i % 2 = 0 THEN now() - i * interval '1 hour' ELSE '2001-06-01' END, f.features, value, -value
           FROM (SELECT restaurant_id, restaurant_id AS model_restaurant_id, model_id FROM sop_ml.sop_ml_models
                  WHERE restaurant_id = '{id}' AND name = 'fixture_0') AS p,
                unnest(ARRAY['NaN', 'Infinity', '-Infinity', '1e308', '-1e308', '5e-324', '-0']::float8[]) AS value,
                unnest(ARRAY['{{}}', '{{\"size\": 1e400}}', '{{\"size\": -1e400}}', '{{\"size\": 1e308, \"kind\": \"\\u0001\"}}', '{{\"\": null}}',
                             '{{\"deep\": ' || repeat('[', 1000) || repeat(']', 1000) || '}}', '{{\"size\": \"text\"}}']::jsonb[]) AS f (features),
                generate_series(1, 4) AS i;
         ANALYZE",
        id = TENANTS[0].restaurant_id
    ));
}
