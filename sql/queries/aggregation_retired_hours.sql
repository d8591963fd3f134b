-- How many noted hours lie in times whose raw rows have left the tables. $1 restaurants, $2 UTC hours
SELECT pg_catalog.count(*)
FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[])) AS noted (restaurant_id, hour_start)
WHERE EXISTS (SELECT FROM sop_ml.sop_retired_periods AS p
              WHERE p.restaurant_id = ANY (ARRAY[noted.restaurant_id, '00000000-0000-0000-0000-000000000000'])
                AND p.relation_name IN ('sop_time_series_data', 'sop_user_interactions')
                -- No sum that could leave the range of time.
                AND p.from_time - interval '1 hour' < noted.hour_start AND p.to_time > noted.hour_start)
