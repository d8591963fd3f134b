-- Whether TimescaleDB keeps the time series; only where its extension is.
SELECT EXISTS (
    SELECT FROM timescaledb_information.hypertables AS h
    WHERE h.hypertable_schema = 'sop_ml' AND h.hypertable_name = 'sop_time_series_data'
)
