-- What holds for a person, purpose by purpose in the order given, stated or by default. $1 restaurant, $2 person, $3
-- purposes, $4 their defaults.
SELECT purpose.name, coalesce(p.state, purpose.default_state), p.state IS NULL, p.previous_state, p.since, p.source
FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) WITH ORDINALITY
    AS purpose (name, default_state, place)
LEFT JOIN sop_ml.sop_privacy_preferences AS p
    ON p.restaurant_id = $1 AND p.user_id = $2 AND p.purpose = purpose.name
ORDER BY purpose.place
