-- Nobody reads or writes the time series until the transaction ends; who comes meanwhile waits for the name.
LOCK TABLE sop_ml.sop_time_series_data IN ACCESS EXCLUSIVE MODE
