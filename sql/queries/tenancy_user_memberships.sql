-- $1 an application user: every membership, whether it holds now, and when it ends.
SELECT member.restaurant_id, member.access_level,
    member.status = 'active'
        AND member.valid_from <= pg_catalog.clock_timestamp()
        AND (member.valid_until IS NULL OR member.valid_until > pg_catalog.clock_timestamp()),
    member.valid_until
FROM sop_ml.sop_restaurant_members AS member
WHERE member.app_user_id = $1
