-- The months of the old table's rows and how many each has, as for a default partition (partitions_default_months.sql).
SELECT date_trunc('month', d.observed_at, 'UTC'), count(*)
FROM sop_ml_storage.sop_time_series_data AS d
WHERE d.observed_at >= '1970-01-01 00:00:00+00' AND isfinite(d.observed_at)
GROUP BY 1
