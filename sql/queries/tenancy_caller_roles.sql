-- $1 a role: the names of sop_ml's roles that it is a member of, directly or not. Being superuser is no membership.
WITH RECURSIVE caller_role (oid) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT granted.roleid
    FROM pg_catalog.pg_auth_members AS granted
    JOIN caller_role ON granted.member = caller_role.oid
)
SELECT role.rolname::text
FROM caller_role
JOIN pg_catalog.pg_roles AS role ON role.oid = caller_role.oid
WHERE role.rolname::text ~ '^sop_ml_'
