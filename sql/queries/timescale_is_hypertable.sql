-- Whether TimescaleDB keeps the time series, under their name or (mode vault) behind it; only where its extension is.
SELECT EXISTS (
    SELECT FROM timescaledb_information.hypertables AS h
    WHERE h.hypertable_schema IN ('sop_ml', 'sop_ml_storage') AND h.hypertable_name = 'sop_time_series_data'
)
