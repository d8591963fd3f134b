-- $1 a table whose rows can be archived: its time column's statements, each made from the catalogue, with names quoted.
--   months   ($1 restaurant or NULL for all, $2 before) the whole local months before, and over, of which it has rows
--   take     ($1 restaurant, $2 from, $3 to) takes the rows of a month out, as texts of JSON objects, with their sizes
--   put      ($1 such texts) puts rows back where their keys are free; the number that was written
--   remove   ($1 restaurant, $2 from, $3 to, $4 metric or '' for all) deletes the rows of a month; their number and size
SELECT format($months$
           SELECT m.restaurant_id, m.from_time, m.to_time
           FROM (SELECT DISTINCT d.restaurant_id, r.time_zone,
                        sop_ml.time_bucket_local(interval '1 month', d.%2$I, r.time_zone) AS from_time
                 FROM sop_ml.%1$I AS d
                 JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = d.restaurant_id
                 WHERE ($1::uuid IS NULL OR d.restaurant_id = $1) AND d.%2$I < least($2, now())
                   AND d.%2$I >= '0001-03-01 00:00:00+00' AND d.%2$I < '9998-01-01 00:00:00+00') AS f
           CROSS JOIN LATERAL (SELECT f.restaurant_id, f.from_time,
                                      sop_ml.time_bucket_local(interval '1 month', f.from_time + interval '768 hours', f.time_zone)
                              ) AS m (restaurant_id, from_time, to_time)
           WHERE m.to_time <= least($2, now())
           ORDER BY m.restaurant_id, m.from_time$months$, t.relation_name, t.time_column),
       format($take$
           WITH gone AS (
               DELETE FROM sop_ml.%1$I AS d WHERE d.restaurant_id = $1 AND d.%2$I >= $2 AND d.%2$I < $3 RETURNING d.*
           )
           SELECT row_to_json(g)::text, pg_column_size(g.*)::bigint FROM gone AS g ORDER BY g.%2$I$take$,
           t.relation_name, t.time_column),
       format($put$
           WITH put AS (
               INSERT INTO sop_ml.%1$I (%2$s)
               SELECT %3$s FROM unnest($1::text[]) AS t (record)
               CROSS JOIN LATERAL json_populate_record(NULL::sop_ml.%1$I, t.record::json) AS row_of
               ON CONFLICT DO NOTHING RETURNING 1
           )
           SELECT count(*) FROM put$put$, t.relation_name, c.names, c.values_of),
       format($remove$
           WITH gone AS (
               DELETE FROM sop_ml.%1$I AS d WHERE d.restaurant_id = $1 AND d.%2$I >= $2 AND d.%2$I < $3 AND %3$s
               RETURNING pg_column_size(d.*) AS size
           )
           SELECT count(*), coalesce(sum(g.size), 0)::bigint FROM gone AS g$remove$, t.relation_name, t.time_column,
           CASE t.relation_name WHEN 'sop_time_series_data' THEN '($4 = '''' OR d.metric_name = $4::text)' ELSE '$4::text = ''''' END)
FROM (VALUES ('sop_time_series_data', 'observed_at'), ('sop_user_interactions', 'occurred_at'), ('sop_ml_predictions', 'predicted_at'),
             ('sop_model_predictions', 'predicted_at'), ('sop_ab_events', 'occurred_at')) AS t (relation_name, time_column)
CROSS JOIN LATERAL (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names,
           string_agg('row_of.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) AS values_of
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = format('sop_ml.%I', t.relation_name)::pg_catalog.regclass
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
) AS c
WHERE t.relation_name = $1
