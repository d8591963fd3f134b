-- The old table's rows are read by its owner, whom forced row-level security would bind; nobody else sees the table before it is
-- dropped.
ALTER TABLE sop_ml.sop_time_series_data NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY
