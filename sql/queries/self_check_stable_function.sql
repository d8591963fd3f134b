-- Functions marked stable that are not parallel safe, as one that reads only is, or whose text holds a writing statement.
SELECT f.oid::regprocedure::text,
       CASE WHEN f.proparallel <> 's' THEN 'is stable, but not parallel safe' ELSE 'is stable, but its body writes' END
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
WHERE f.pronamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND f.prokind = 'f'
  AND f.provolatile = 's'
  AND (f.proparallel <> 's'
       OR l.lanname NOT IN ('c', 'internal')
          AND f.prosrc ~* '\m(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into|truncate|nextval|setval|pg_notify)\M')
ORDER BY 1
