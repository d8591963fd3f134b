-- Views that run with their owner's rights and do not keep conditions of the caller away from rows that they hide
-- (security_barrier), or do not ask which restaurants the caller may see. (The continuous aggregate of mode vault is a view that nobody
-- may read: rule storage_closed.)
SELECT c.oid::regclass::text,
       CASE WHEN option.is_barrier THEN 'runs with its owner''s rights and does not call visible_restaurants()'
            ELSE 'is neither security_invoker nor security_barrier' END
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(o.option_value::boolean) FILTER (WHERE o.option_name = 'security_invoker'), false),
           coalesce(bool_or(o.option_value::boolean) FILTER (WHERE o.option_name = 'security_barrier'), false)
    FROM pg_options_to_table(c.reloptions) AS o
    WHERE o.option_name IN ('security_invoker', 'security_barrier')
) AS option (is_invoker, is_barrier)
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND c.relkind = 'v'
  AND NOT (c.relnamespace = to_regnamespace('sop_ml_storage') AND c.relname = 'sop_time_series_15_minutes')
  AND NOT option.is_invoker
  AND NOT (option.is_barrier AND EXISTS (
      SELECT FROM pg_catalog.pg_rewrite AS w
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
          AND d.refclassid = 'pg_catalog.pg_proc'::regclass
      WHERE w.ev_class = c.oid AND d.refobjid = to_regprocedure('sop_ml.visible_restaurants()')))
ORDER BY 1
