-- Whether the caller is a manager of the current restaurant.
SELECT sop_ml.has_access('manager')
