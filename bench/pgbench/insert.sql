-- The same readings in one INSERT of :rows rows.
\set n :n + :rows
SELECT set_config('sop_ml.restaurant_id', '00000000-0000-0000-0000-0000000be00' || :client_id, false);
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
SELECT ('00000000-0000-0000-0000-0000000be00' || :client_id)::uuid, 'metric ' || g % 8, 'insert',
       date_trunc('month', now()) + (:n + g) * interval '10 ms', g % 100 / 10.0
FROM generate_series(1, :rows) AS g;
