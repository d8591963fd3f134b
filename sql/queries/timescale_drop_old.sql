-- Without CASCADE: what depends on the old table was asked for before, and what nobody thought of stops the conversion here.
DROP TABLE sop_ml_storage.sop_time_series_data
