-- Functions that everybody may execute although they write, read tables or run with their owner's rights. The six that
-- policies, views, triggers and a domain call are for everybody.
SELECT f.oid::regprocedure::text,
       CASE WHEN f.prosecdef THEN 'PUBLIC may execute a SECURITY DEFINER function'
            WHEN f.provolatile = 'v' THEN 'PUBLIC may execute a volatile function'
            ELSE 'PUBLIC may execute a function that reads tables' END
FROM pg_catalog.pg_proc AS f
WHERE f.pronamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND (f.provolatile <> 'i' OR f.prosecdef)
  AND NOT (f.pronamespace = to_regnamespace('sop_ml') AND f.provolatile = 's' AND NOT f.prosecdef
           AND f.proname IN ('current_restaurant', 'readable_restaurants', 'visible_restaurants', 'has_access', 'caller', 'may_record'))
  AND EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS g
              WHERE g.grantee = 0 AND g.privilege_type = 'EXECUTE')
ORDER BY 1
