-- Stored states, shown as the types of the extension: tables keep them as bytea so that no column depends on a type.

CREATE OR REPLACE VIEW sop_ml.sop_performance_aggregate_states WITH (security_invoker = true) AS
SELECT a.restaurant_id, a.metric_name, a.sop_id, a.grain, a.bucket_start, a.bucket_end, a.local_date, a.n,
       a.stats_state::sop_ml.stats_summary AS stats, a.percentile_state::sop_ml.percentile_sketch AS percentiles, a.segment,
       a.users_state::sop_ml.distinct_sketch AS users
FROM sop_ml.sop_performance_aggregates AS a;

CREATE OR REPLACE VIEW sop_ml.sop_performance_baseline_states WITH (security_invoker = true) AS
SELECT b.restaurant_id, b.metric_name, b.sop_id, b.grain, b.method, b.segment, b.version, b.is_current, b.valid_from,
       b.valid_until, b.n, b.stats_state::sop_ml.stats_summary AS stats,
       b.percentile_state::sop_ml.percentile_sketch AS percentiles
FROM sop_ml.sop_performance_baselines AS b;

CREATE OR REPLACE VIEW sop_ml.sop_ab_result_states WITH (security_invoker = true) AS
SELECT e.restaurant_id, e.experiment_id, e.analysis_id, e.metric_name, e.variant, e.segment, e.data_until, e.n,
       e.stats_state::sop_ml.stats_summary AS stats
FROM sop_ml.sop_ab_results AS e;
