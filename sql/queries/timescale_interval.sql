-- How many days a chunk is to hold: what the policy of the table (shared tenant) names; else the longest of 1, 2, 4, 7, 14 and
-- 28 ($1 the longest that is wanted) of which the fullest chunk has at most ten million readings, 7 where there are too few readings to tell; and longer, in
-- steps of 4, while the readings that are there would make more than 400 chunks (each of them is locked by the conversion,
-- and planned by each query that does not name a time).
WITH RECURSIVE day AS (
    SELECT floor(extract(epoch FROM d.observed_at) / 86400) AS number, count(*) AS n
    FROM sop_ml.sop_time_series_data AS d
    GROUP BY 1
), candidate (days) AS (
    VALUES (1), (2), (4), (7), (14), (28)
), usual AS (
    SELECT CASE WHEN coalesce((SELECT sum(day.n) FROM day), 0) < 100000 THEN 7
                ELSE coalesce(max(c.days), 1) END AS days
    FROM candidate AS c
    WHERE c.days <= $1 AND NOT EXISTS (SELECT FROM day GROUP BY floor(day.number / c.days) HAVING sum(day.n) > 10000000)
), longer (days, chunks) AS (
    SELECT u.days, (SELECT count(DISTINCT floor(day.number / u.days)) FROM day) FROM usual AS u
    UNION ALL
    SELECT l.days * 4, (SELECT count(DISTINCT floor(day.number / (l.days * 4))) FROM day)
    FROM longer AS l
    WHERE l.chunks > 400 AND l.days < 100000
)
SELECT coalesce((SELECT greatest(1, ceil(extract(epoch FROM p.chunk_interval) / 86400))::integer
                 FROM sop_ml.sop_time_series_compression_policies AS p
                 WHERE p.restaurant_id = '00000000-0000-0000-0000-000000000000' AND p.relation_name = 'sop_time_series_data'
                   AND p.metric_name = '' AND p.status = 'active'),
                (SELECT max(l.days) FROM longer AS l))
