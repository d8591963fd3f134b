-- $1 a staging table, $2 whether what is staged replaces what is there: what is wrong with its columns (NULL: nothing), and the
-- statement that takes its rows. That one: $1 how many minutes ahead of now a reading may lie, $2 what to do with NaN and infinities
-- (reject, null, keep); it answers with how many readings were inserted, updated and good, and why others were not taken.
WITH wanted (position, name, type_name, is_required, fallback) AS (VALUES
    (1, 'restaurant_id', 'uuid', true, NULL), (2, 'metric_name', 'text', true, NULL),
    (3, 'sop_id', 'uuid', false, '''00000000-0000-0000-0000-000000000000''::uuid'), (4, 'source', 'text', false, '''''::text'),
    (5, 'observed_at', 'timestamp with time zone', true, NULL), (6, 'value', 'double precision', true, NULL),
    (7, 'dimensions', 'jsonb', false, 'NULL::jsonb'), (8, 'unit', 'text', false, 'NULL::text'),
    (9, 'quality_flag', 'text', false, 'NULL::text'), (10, 'recorded_by', 'uuid', false, 'NULL::uuid'),
    (11, 'batch_id', 'uuid', false, 'NULL::uuid'), (12, 'ingested_at', 'timestamp with time zone', false, 'now()')
), staged AS (
    SELECT w.*, pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0::oid), a.atttypid), NULL) AS found_type
    FROM wanted AS w
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = $1 AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
), columns AS (
    SELECT string_agg(format('%s %s', s.name, CASE WHEN s.found_type IS NULL THEN 'is missing' ELSE 'is ' || s.found_type || ', not ' || s.type_name END),
                      '; ' ORDER BY s.position)
               FILTER (WHERE s.found_type IS NULL AND s.is_required OR s.found_type <> s.type_name) AS complaint,
           -- A column that may be left out may also be NULL.
           string_agg(CASE WHEN s.found_type IS NULL THEN s.fallback WHEN s.is_required THEN format('s.%I', s.name)
                           ELSE format('coalesce(s.%I, %s)', s.name, s.fallback) END || format(' AS %I', s.name), ', ' ORDER BY s.position) AS list
    FROM staged AS s
)
SELECT CASE WHEN c.relkind NOT IN ('r', 'p') THEN format('%s is no table', $1::regclass) ELSE columns.complaint END,
       format($statement$
WITH judged AS MATERIALIZED (
    SELECT g.*, CASE
               WHEN r.restaurant_id IS NULL THEN 'restaurant_id'
               WHEN g.metric_name IS NULL OR g.metric_name = '' OR length(g.metric_name) > 200 THEN 'metric_name'
               WHEN g.observed_at IS NULL OR NOT isfinite(g.observed_at) THEN 'observed_at'
               WHEN g.observed_at > now() + $1 * interval '1 minute' THEN 'future'
               WHEN $2::text = 'reject' AND g.value IN ('NaN', 'Infinity', '-Infinity') THEN 'not_finite'
               WHEN g.quality_flag NOT IN ('good', 'suspect', 'bad', 'imputed') THEN 'quality_flag'
               WHEN jsonb_typeof(g.dimensions) <> 'object' THEN 'dimensions'
           END AS reason
    FROM (SELECT %2$s, row_number() OVER () AS place FROM %1$s AS s) AS g
    LEFT JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = g.restaurant_id AND r.restaurant_id <> '00000000-0000-0000-0000-000000000000'
), refused AS (
    SELECT reason, count(*) AS n FROM judged WHERE reason IS NOT NULL GROUP BY reason
), taken AS (
    INSERT INTO sop_ml.sop_time_series_data AS stored (restaurant_id, metric_name, sop_id, source, observed_at, value, dimensions, unit,
        quality_flag, recorded_by, batch_id, ingested_at)
    -- Of two with one key the last one counts; one order for all writers.
    SELECT DISTINCT ON (j.restaurant_id, j.metric_name COLLATE "C", j.sop_id, j.observed_at, j.source COLLATE "C")
           j.restaurant_id, j.metric_name, j.sop_id, j.source, j.observed_at,
           CASE WHEN $2 = 'null' AND j.value IN ('NaN', 'Infinity', '-Infinity') THEN NULL ELSE j.value END, j.dimensions, j.unit,
           j.quality_flag, j.recorded_by, j.batch_id, j.ingested_at
    FROM judged AS j
    WHERE j.reason IS NULL
    ORDER BY j.restaurant_id, j.metric_name COLLATE "C", j.sop_id, j.observed_at, j.source COLLATE "C", j.place DESC
    ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) %3$s
    RETURNING replaced_at
)
SELECT count(*) FILTER (WHERE replaced_at IS NULL), count(replaced_at), (SELECT count(*) FROM judged WHERE reason IS NULL),
       (SELECT coalesce(sum(n), 0)::bigint FROM refused), (SELECT coalesce(jsonb_object_agg(reason, n), '{}') FROM refused)
FROM taken$statement$, $1::regclass, columns.list,
           CASE WHEN $2::boolean THEN 'DO UPDATE
    SET value = excluded.value, dimensions = excluded.dimensions, unit = excluded.unit, quality_flag = excluded.quality_flag,
        recorded_by = excluded.recorded_by, batch_id = excluded.batch_id, ingested_at = excluded.ingested_at, replaced_at = now()
    WHERE (stored.value, stored.dimensions, stored.unit, stored.quality_flag, stored.recorded_by)
        IS DISTINCT FROM (excluded.value, excluded.dimensions, excluded.unit, excluded.quality_flag, excluded.recorded_by)'
                ELSE 'DO NOTHING' END)
FROM columns
JOIN pg_catalog.pg_class AS c ON c.oid = $1
