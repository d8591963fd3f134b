-- Whether the roll-up has still to look at hours of a month. $1 restaurant, $2 relation, $3 from, $4 to
SELECT EXISTS (
    SELECT FROM sop_ml_storage.dirty_buckets AS b
    WHERE b.restaurant_id = $1
      AND b.source = CASE $2 WHEN 'sop_time_series_data' THEN 'time_series' WHEN 'sop_user_interactions' THEN 'interactions' END
      -- Hours of UTC; the month may begin within one.
      AND b.bucket_start > $3::timestamptz - interval '1 hour' AND b.bucket_start < $4)
