-- Remembers local days: when they begin and end, and when the house is open. Rows that would not change are not written.
-- $1 restaurants, $2 local dates, $3 first instants, $4 ends, $5 whether closed, $6 open instants of each day, $7 run
INSERT INTO sop_ml.sop_performance_days AS known (restaurant_id, local_date, starts_at, ends_at, is_closed, open_at, run_id)
SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.is_closed, t.open_at::tstzmultirange, $7
FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::boolean[]), pg_catalog.unnest($6::text[]))
    AS t (restaurant_id, local_date, starts_at, ends_at, is_closed, open_at)
ON CONFLICT (restaurant_id, local_date) DO UPDATE
SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, is_closed = excluded.is_closed, open_at = excluded.open_at,
    computed_at = excluded.computed_at, run_id = excluded.run_id
WHERE (known.starts_at, known.ends_at, known.is_closed, known.open_at)
      IS DISTINCT FROM (excluded.starts_at, excluded.ends_at, excluded.is_closed, excluded.open_at)
