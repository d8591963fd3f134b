-- $1 and $2 are not used: policies name their restaurants.
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(answer)), '[]'), $1::uuid, $2::jsonb
FROM sop_ml.apply_time_series_policies() AS answer
