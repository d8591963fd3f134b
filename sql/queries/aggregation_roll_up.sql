-- Buckets of one grain from those of a finer one that begin within them, through the mergeable states. Parts are merged in
-- the order of time, so that equal parts give the same bytes. Segments beyond the limit of their dimensions go to the rest.
-- $1 restaurants, $2 first local dates, $3 first instants, $4 ends, $5 whether closed, or NULL when a period is closed if
-- all its parts are, $6 the finer grain, $7 the grain, $8 run; people counted for the periods: $9 restaurants, $10 first
-- instants, $11 metrics, $12 SOPs, $13 numbers, $14 sketches. Periods
-- longer than a day are counted from the sketches of their days.
INSERT INTO sop_ml.sop_performance_aggregates (
    restaurant_id, metric_name, sop_id, grain, segment, bucket_start, bucket_end, local_date, n, total, mean, stddev, minimum,
    maximum, p50, p90, p95, p99, mean_low, mean_high, numerator, denominator, rate, rate_low, rate_high, distinct_users,
    stats_state, percentile_state, users_state, is_closed, quality_score, run_id)
WITH period AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.is_closed
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::boolean[]))
        AS t (restaurant_id, local_date, starts_at, ends_at, is_closed)
), dimension AS (
    SELECT r.restaurant_id,
           CASE WHEN entry.wanted ->> 'metric' IN ('interactions', 'completion_rate', 'completion_seconds', 'compliance_rate', 'rating')
                THEN 'observed_' || (entry.wanted ->> 'metric') ELSE entry.wanted ->> 'metric' END AS metric_name,
           chosen.keys, pg_catalog.max(coalesce((entry.wanted ->> 'limit')::int, 20)) AS most
    FROM sop_ml.sop_restaurants AS r
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(r.rollup_dimensions) AS entry (wanted)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.jsonb_agg(DISTINCT k.key ORDER BY k.key)
        FROM pg_catalog.jsonb_array_elements_text(entry.wanted -> 'keys') AS k (key)
    ) AS chosen (keys)
    WHERE r.restaurant_id = ANY ($1::uuid[])
    GROUP BY 1, 2, 3
), excess AS MATERIALIZED (
    SELECT s.restaurant_id, s.starts_at, s.metric_name, s.segment, pg_catalog.jsonb_build_object('rest_of', s.keys)::text AS rest
    FROM (
        SELECT p.restaurant_id, p.starts_at, a.metric_name, a.segment, named.keys,
               pg_catalog.row_number() OVER (PARTITION BY p.restaurant_id, p.starts_at, a.metric_name, named.keys
                                             ORDER BY pg_catalog.sum(a.n) DESC, a.segment) AS place
        FROM period AS p
        JOIN sop_ml.sop_performance_aggregates AS a
            ON a.restaurant_id = p.restaurant_id AND a.grain = $6 AND a.bucket_start >= p.starts_at AND a.bucket_start < p.ends_at
           AND a.segment <> ''
        CROSS JOIN LATERAL (SELECT pg_catalog.jsonb_agg(k.key ORDER BY k.key)
                            FROM pg_catalog.jsonb_object_keys(a.segment::jsonb) AS k (key)) AS named (keys)
        WHERE coalesce(pg_catalog.jsonb_typeof(a.segment::jsonb -> 'rest_of'), '') <> 'array'
        GROUP BY p.restaurant_id, p.starts_at, a.metric_name, a.segment, named.keys
    ) AS s
    LEFT JOIN dimension AS d ON d.restaurant_id = s.restaurant_id AND d.metric_name = s.metric_name AND d.keys = s.keys
    WHERE s.place > coalesce(d.most, 20)
)
SELECT p.restaurant_id, b.metric_name, b.sop_id, $7, b.segment, p.starts_at, p.ends_at, p.local_date, b.n,
       coalesce(b.m[2], b.total), b.m[3], b.m[4], b.m[5], b.m[6], b.m[7], b.m[8], b.m[9], b.m[10], b.m[11], b.m[12],
       b.numerator, b.denominator, r.measures[1], r.measures[2], r.measures[3],
       coalesce(people.users, sop_ml.distinct_count(b.users)), b.stats, b.percentiles, coalesce(people.state, b.users::bytea),
       coalesce(p.is_closed, b.is_closed), CASE WHEN b.quality_score > 100 THEN 100 ELSE b.quality_score END, $8
FROM period AS p
CROSS JOIN LATERAL (
    SELECT o.metric_name, o.sop_id, o.name AS segment, pg_catalog.sum(o.n)::bigint AS n, pg_catalog.sum(o.total) AS total,
           pg_catalog.sum(o.numerator) AS numerator, pg_catalog.sum(o.denominator) AS denominator,
           pg_catalog.bool_and(o.is_closed) AS is_closed,
           -- Measured share of all rows: n / quality is the number of rows that a part was made from.
           100 * pg_catalog.sum(o.n) FILTER (WHERE o.quality_score > 0)
               / nullif(pg_catalog.sum(o.n * 100 / nullif(o.quality_score, 0)), 0) AS quality_score,
           sop_ml.bucket_measures_rollup(o.stats_state, o.percentile_state) AS m,
           sop_ml.bucket_stats_rollup(o.stats_state, o.percentile_state) AS stats,
           sop_ml.bucket_percentiles_rollup(o.stats_state, o.percentile_state) AS percentiles,
           sop_ml.rollup(o.users_state::sop_ml.distinct_sketch) AS users
    FROM (
        -- Any order will do that keeps the parts of a series together: that of bytes is the fastest.
        SELECT a.metric_name COLLATE "C" AS metric_name, a.sop_id, a.n, a.total, a.numerator, a.denominator, a.is_closed, a.quality_score, a.stats_state,
               a.percentile_state, a.users_state,
               CASE WHEN a.segment = '' THEN '' ELSE coalesce((
                   SELECT e.rest FROM excess AS e
                   WHERE e.restaurant_id = p.restaurant_id AND e.starts_at = p.starts_at AND e.metric_name = a.metric_name
                     AND e.segment = a.segment), a.segment) END AS name
        FROM sop_ml.sop_performance_aggregates AS a
        WHERE a.restaurant_id = p.restaurant_id
          AND a.grain = $6
          AND a.bucket_start >= p.starts_at
          AND a.bucket_start < p.ends_at
        ORDER BY a.metric_name COLLATE "C", a.sop_id, name, a.bucket_start, a.segment
    ) AS o
    GROUP BY o.metric_name, o.sop_id, o.name
) AS b
CROSS JOIN LATERAL (SELECT sop_ml.rate_measures(b.numerator, b.denominator)) AS r (measures)
LEFT JOIN ROWS FROM (pg_catalog.unnest($9::uuid[]), pg_catalog.unnest($10::timestamptz[]), pg_catalog.unnest($11::text[]),
                     pg_catalog.unnest($12::uuid[]), pg_catalog.unnest($13::bigint[]), pg_catalog.unnest($14::bytea[]))
    AS people (restaurant_id, starts_at, metric_name, sop_id, users, state)
    ON people.restaurant_id = p.restaurant_id AND people.starts_at = p.starts_at AND people.metric_name = b.metric_name
   AND people.sop_id = b.sop_id AND b.segment = ''
