-- A batch of :rows readings of one restaurant: eight metrics in turns, each once in 80 ms.
\set n :n + :rows
SELECT set_config('sop_ml.restaurant_id', '00000000-0000-0000-0000-0000000be00' || :client_id, false);
SELECT i.inserted
FROM (SELECT array_agg('metric ' || g % 8) AS names, array_agg(date_trunc('month', now()) + (:n + g) * interval '10 ms') AS at,
             array_agg(g % 100 / 10.0::float8) AS observed
      FROM generate_series(1, :rows) AS g) AS batch,
     sop_ml.ingest_observations(NULL, batch.names, NULL, batch.at, batch.observed, '{"source": "probe"}') AS i;
