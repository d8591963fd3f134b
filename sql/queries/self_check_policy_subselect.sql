-- Policies with a sub-select, which costs more than an equality and which Citus refuses; the group readers' policy
-- needs one, and those of a hypertable (300_policies.sql).
SELECT format('%s on %s', p.polname, p.polrelid::regclass), 'the policy has a sub-select'
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND strpos(concat(p.polqual::text, p.polwithcheck::text), '{SUBLINK') > 0
  AND NOT (c.relname = 'sop_time_series_data' AND c.relkind = 'r')
  AND NOT (p.polname = 'sop_ml_group_select' AND p.polcmd = 'r'
           AND p.polroles = ARRAY[to_regrole('sop_ml_group_reader')::oid])
ORDER BY 1
