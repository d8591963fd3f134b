-- $1 a role: the restaurants that it is a member of through itself or a role granted to it, with the access level and its end.
-- The roles of sop_ml are everybody's: an owner who made one of them a member would give every tenant a second restaurant,
-- and so take away the one that counts when none is chosen. A grant that gives neither the role's rights nor SET ROLE, as
-- CREATE ROLE makes one from PostgreSQL 16 on for whoever may create roles, lets its holder administer the role and no more;
-- before 16 the two columns do not exist.
WITH RECURSIVE caller_role (oid) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT granted.roleid
    FROM pg_catalog.pg_auth_members AS granted
    JOIN caller_role ON granted.member = caller_role.oid
    WHERE NOT pg_catalog.to_jsonb(granted) @> '{"inherit_option": false, "set_option": false}'
)
SELECT member.restaurant_id, member.access_level, true, member.valid_until
FROM caller_role
JOIN pg_catalog.pg_roles AS role ON role.oid = caller_role.oid AND role.rolname <> ALL (ARRAY['sop_ml_viewer', 'sop_ml_staff',
    'sop_ml_analyst', 'sop_ml_manager', 'sop_ml_owner', 'sop_ml_group_reader', 'sop_ml_operator', 'sop_ml_definer']::name[])
JOIN sop_ml.sop_restaurant_members AS member ON member.role_name = role.rolname::text
WHERE member.status = 'active'
  AND member.valid_from <= pg_catalog.clock_timestamp()
  AND (member.valid_until IS NULL OR member.valid_until > pg_catalog.clock_timestamp())
