-- Functions that run with their owner's rights, and functions in an interpreted language, whose search_path is not pinned
-- from pg_catalog to pg_temp: whoever can make objects elsewhere decides what their names mean. A procedure with a SET clause
-- could not COMMIT: run_jobs qualifies every name instead.
SELECT f.oid::regprocedure::text, CASE WHEN f.prosecdef THEN 'SECURITY DEFINER, ' ELSE '' END
       || coalesce('search_path is ' || setting.value, 'search_path is not pinned')
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
LEFT JOIN LATERAL (
    SELECT substr(entry, 13) FROM unnest(f.proconfig) AS entry WHERE starts_with(entry, 'search_path=')
) AS setting (value) ON true
WHERE f.pronamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND (f.prosecdef OR l.lanname NOT IN ('c', 'internal'))
  AND NOT (f.prokind = 'p' AND NOT f.prosecdef AND f.pronamespace = to_regnamespace('sop_ml') AND f.proname = 'run_jobs')
  AND coalesce(setting.value !~ '^"?pg_catalog"?(, *.*)?, *"?pg_temp"?$', true)
ORDER BY 1
