-- Stores a version of a data set. $1 restaurant, $2 name, $3 version, $4 kind, $5 from, $6 to, $7 parameters, $8 content
-- hash, $9 query text, $10 seed, $11 what was counted and measured, as an object of column names.
INSERT INTO sop_ml.sop_training_datasets
    (restaurant_id, name, version, kind, from_time, to_time, parameters, content_hash, query_text, seed, row_count,
     positive_count, negative_count, user_count, sop_count, split_counts, feature_names, label_name, label_mean,
     label_stddev, profile, build_ms)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, m.row_count, m.positive_count, m.negative_count, m.user_count,
       m.sop_count, m.split_counts, m.feature_names, m.label_name, m.label_mean, m.label_stddev, m.profile, m.build_ms
FROM jsonb_to_record($11) AS m (row_count bigint, positive_count bigint, negative_count bigint, user_count bigint,
     sop_count bigint, split_counts jsonb, feature_names text[], label_name text, label_mean float8, label_stddev float8,
     profile jsonb, build_ms float8)
RETURNING dataset_id
