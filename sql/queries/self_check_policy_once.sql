-- Tenant tables and commands with more than one permissive policy for the same role: permissive policies are joined by OR,
-- so each further one shows more rows.
SELECT c.oid::regclass::text,
       format('%s permissive policies for %s to %s: %s', count(*), command.name,
              CASE role.id WHEN 0::oid THEN 'PUBLIC' ELSE pg_get_userbyid(role.id)::text END,
              string_agg(p.polname::text, ', ' ORDER BY p.polname))
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
CROSS JOIN LATERAL unnest(p.polroles) AS role (id)
JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS command (name, code)
    ON p.polcmd::text IN (command.code, '*')
WHERE c.relnamespace = to_regnamespace('sop_ml') AND p.polpermissive
GROUP BY c.oid, command.name, role.id
HAVING count(*) > 1
ORDER BY 1, 2
