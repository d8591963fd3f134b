-- Tenant tables and commands for which no permissive policy holds for everybody: the command finds no row.
SELECT c.oid::regclass::text, 'no policy for ' || command.name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped
CROSS JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS command (name, code)
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p
                  WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd::text IN (command.code, '*')
                    AND 0::oid = ANY (p.polroles))
ORDER BY 1, 2
