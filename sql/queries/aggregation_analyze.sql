-- The comparisons that follow join what was just written with itself.
SELECT sop_ml_storage.analyze_aggregates()
