-- The comparisons that follow join what was just written with itself.
ANALYZE sop_ml.sop_performance_aggregates
