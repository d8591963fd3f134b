-- Closed, or without data?
CREATE OR REPLACE VIEW sop_ml.sop_performance_day_status WITH (security_invoker = true) AS
SELECT d.restaurant_id, d.local_date, d.starts_at, d.ends_at, d.is_closed, d.open_at, b.series,
       CASE WHEN b.series > 0 THEN 'measured' WHEN d.is_closed THEN 'closed' ELSE 'missing' END AS status, d.computed_at
FROM sop_ml.sop_performance_days AS d
CROSS JOIN LATERAL (
    SELECT count(*) AS series
    FROM sop_ml.sop_performance_aggregates AS a
    WHERE a.restaurant_id = d.restaurant_id AND a.local_date = d.local_date AND a.grain = 'day' AND a.segment = ''
) AS b;
