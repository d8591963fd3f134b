-- Roles of sop_ml that are missing or can do more, or less, than they should: tenants' roles are bound by row-level
-- security, the operator is not, and none of them is a superuser or logs in by itself. The definer owns trigger functions and
-- has no members.
SELECT wanted.name,
       CASE WHEN r.oid IS NULL THEN 'the role is missing'
            WHEN r.rolsuper THEN 'is SUPERUSER'
            WHEN r.rolcanlogin THEN 'is LOGIN'
            WHEN r.rolbypassrls AND NOT wanted.bypasses THEN 'is BYPASSRLS'
            WHEN r.rolbypassrls <> wanted.bypasses THEN 'is not BYPASSRLS'
            ELSE 'has members' END
FROM (VALUES ('sop_ml_viewer', false), ('sop_ml_staff', false), ('sop_ml_analyst', false), ('sop_ml_manager', false),
             ('sop_ml_owner', false), ('sop_ml_group_reader', false), ('sop_ml_operator', true),
             ('sop_ml_definer', true)) AS wanted (name, bypasses)
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = wanted.name
WHERE r.oid IS NULL OR r.rolsuper OR r.rolcanlogin OR r.rolbypassrls <> wanted.bypasses
   OR wanted.name = 'sop_ml_definer' AND EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m WHERE m.roleid = r.oid)
ORDER BY 1
