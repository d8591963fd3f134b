-- $1 a role: the names of sop_ml's roles that it is a member of, directly or not. Being superuser is no membership, and
-- a grant that gives neither rights nor SET ROLE is none either, as in tenancy_memberships.sql.
WITH RECURSIVE caller_role (oid) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT granted.roleid
    FROM pg_catalog.pg_auth_members AS granted
    JOIN caller_role ON granted.member = caller_role.oid
    WHERE NOT pg_catalog.to_jsonb(granted) @> '{"inherit_option": false, "set_option": false}'
)
SELECT role.rolname::text
FROM caller_role
JOIN pg_catalog.pg_roles AS role ON role.oid = caller_role.oid
WHERE role.rolname::text ~ '^sop_ml_'
