-- The features that ship with the extension, registered under the shared tenant. A name is the entity, the measure and
-- the window; definition.measure is what the library computes. Restaurants may register further windows of their own.
INSERT INTO sop_ml.sop_ml_features AS f
    (restaurant_id, name, version, description, entity, value_type, unit, source_relation, aggregation, window_length,
     definition, expression_hash, status, is_personal_data, tags, created_by)
SELECT '00000000-0000-0000-0000-000000000000',
       e.entity || '.' || m.measure || coalesce(':' || w.label, ''),
       1,
       m.description || CASE WHEN w.label IS NULL THEN '.' ELSE ' in the ' || w.title || ' before.' END,
       e.entity, 'float8', m.unit, 'sop_ml.' || m.source, m.aggregation, w.window_length,
       d.definition,
       encode(sha256(convert_to(d.definition::text || coalesce(w.window_length::text, ''), 'UTF8')), 'hex'),
       'active', e.entity <> 'sop', ARRAY['native', m.family], 'sop_ml'
FROM (VALUES
    ('interactions',            'count',          'sop_user_interactions', 'count',    'activity',   true,  '{sop,user,user_sop}', 'Interactions of any type'),
    ('views',                   'count',          'sop_user_interactions', 'count',    'activity',   true,  '{sop,user,user_sop}', 'Views'),
    ('starts',                  'count',          'sop_user_interactions', 'count',    'activity',   true,  '{sop,user,user_sop}', 'Starts'),
    ('completions',             'count',          'sop_user_interactions', 'count',    'activity',   true,  '{sop,user,user_sop}', 'Completions'),
    ('skips',                   'count',          'sop_user_interactions', 'count',    'activity',   true,  '{sop,user,user_sop}', 'Skips'),
    ('ratings',                 'count',          'sop_user_interactions', 'count',    'activity',   true,  '{sop,user,user_sop}', 'Interactions with a rating'),
    ('active_users',            'count',          'sop_user_interactions', 'distinct', 'activity',   true,  '{sop}',               'Different people'),
    ('active_sops',             'count',          'sop_user_interactions', 'distinct', 'activity',   true,  '{user}',              'Different SOPs'),
    ('completion_rate',         'ratio',          'sop_user_interactions', 'ratio',    'success',    true,  '{sop,user,user_sop}', 'Completions per attempt'),
    ('skip_rate',               'ratio',          'sop_user_interactions', 'ratio',    'success',    true,  '{sop,user,user_sop}', 'Skips per attempt'),
    ('duration_mean',           'seconds',        'sop_user_interactions', 'mean',     'duration',   true,  '{sop,user,user_sop}', 'Mean duration of a completion'),
    ('duration_median',         'seconds',        'sop_user_interactions', 'median',   'duration',   true,  '{sop,user,user_sop}', 'Median duration of a completion'),
    ('duration_p95',            'seconds',        'sop_user_interactions', 'p95',      'duration',   true,  '{sop,user,user_sop}', '95th percentile of the duration of a completion'),
    ('rating_mean',             'rating',         'sop_user_interactions', 'mean',     'quality',    true,  '{sop,user,user_sop}', 'Mean rating'),
    ('quality_mean',            'score',          'sop_user_interactions', 'mean',     'quality',    true,  '{sop,user,user_sop}', 'Mean quality score of inspected work'),
    ('compliance_observations', 'count',          'sop_time_series_data',  'count',    'quality',    true,  '{sop}',               'Compliance observations'),
    ('compliance_mean',         'score',          'sop_time_series_data',  'mean',     'quality',    true,  '{sop}',               'Mean compliance score'),
    ('completions_slope',       'count/day/day',  'sop_user_interactions', 'slope',    'trend',      true,  '{sop,user,user_sop}', 'Slope of the completions per day'),
    ('hours_since_completion',  'hours',          'sop_user_interactions', 'last',     'recency',    true,  '{sop,user,user_sop}', 'Hours since the latest completion'),
    ('hours_since_interaction', 'hours',          'sop_user_interactions', 'last',     'recency',    true,  '{sop,user,user_sop}', 'Hours since the latest interaction'),
    ('streak_days',             'days',           'sop_user_interactions', 'run',      'streak',     true,  '{sop,user,user_sop}', 'Days in a row with a completion, up to now,'),
    ('longest_streak_days',     'days',           'sop_user_interactions', 'run',      'streak',     true,  '{sop,user,user_sop}', 'Longest run of days with a completion'),
    ('skill_level',             'level',          'sop_user_profiles',     'last',     'experience', false, '{user}',              'Skill level of the profile'),
    ('experience_days',         'days',           'sop_user_interactions', 'first',    'experience', false, '{user}',              'Days since the first interaction'),
    ('certifications',          'count',          'sop_training_records',  'distinct', 'experience', false, '{user}',              'Valid certifications')
) AS m (measure, unit, source, aggregation, family, has_window, entities, description)
CROSS JOIN LATERAL unnest(m.entities::text[]) AS e (entity)
JOIN (VALUES
    (true,  '1d',   '24 hours', interval '1 day'),
    (true,  '7d',   '7 days',   interval '7 days'),
    (true,  '14d',  '14 days',  interval '14 days'),
    (true,  '30d',  '30 days',  interval '30 days'),
    (true,  '90d',  '90 days',  interval '90 days'),
    (true,  '365d', '365 days', interval '365 days'),
    (false, NULL,   NULL,       NULL)
) AS w (has_window, label, title, window_length) ON w.has_window = m.has_window
CROSS JOIN LATERAL (SELECT jsonb_build_object('engine', 'native', 'measure', m.measure)) AS d (definition)
ON CONFLICT (restaurant_id, name, version) DO UPDATE
SET description = excluded.description, entity = excluded.entity, unit = excluded.unit,
    source_relation = excluded.source_relation, aggregation = excluded.aggregation,
    window_length = excluded.window_length, definition = excluded.definition,
    expression_hash = excluded.expression_hash, is_personal_data = excluded.is_personal_data, tags = excluded.tags,
    updated_at = now()
WHERE (f.description, f.entity, f.unit, f.source_relation, f.aggregation, f.window_length, f.definition,
       f.expression_hash, f.is_personal_data, f.tags)
    IS DISTINCT FROM (excluded.description, excluded.entity, excluded.unit, excluded.source_relation,
       excluded.aggregation, excluded.window_length, excluded.definition, excluded.expression_hash,
       excluded.is_personal_data, excluded.tags);
