-- Functions in policies that are volatile (called for each row, no index is used) or immutable without being the server's
-- own (their value would be kept in a plan and serve one tenant's rows to another).
SELECT DISTINCT format('%s on %s', p.polname, p.polrelid::regclass),
       format('calls %s, which is %s', f.oid::regprocedure, CASE f.provolatile WHEN 'v' THEN 'VOLATILE' ELSE 'IMMUTABLE' END)
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
CROSS JOIN LATERAL regexp_matches(concat(p.polqual::text, ' ', p.polwithcheck::text), ':(?:funcid|opfuncid) ([0-9]+)', 'g')
    AS called (id)
JOIN pg_catalog.pg_proc AS f ON f.oid = called.id[1]::oid
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND (f.provolatile = 'v' OR f.provolatile = 'i' AND f.pronamespace <> to_regnamespace('pg_catalog'))
ORDER BY 1, 2
