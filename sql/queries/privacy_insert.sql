-- States a preference for the first time; no row when somebody else did so meanwhile. $1 restaurant, $2 person, $3 purpose,
-- $4 state, $5 what goes with it, as an object of column names.
INSERT INTO sop_ml.sop_privacy_preferences
    (restaurant_id, user_id, purpose, state, source, legal_basis, policy_version, notice_language, evidence, request_id, note)
SELECT $1, $2, $3, $4, coalesce(d.source, 'user'), d.legal_basis, d.policy_version, d.notice_language, d.evidence,
       d.request_id, d.note
FROM pg_catalog.jsonb_to_record($5) AS d (source text, legal_basis text, policy_version text, notice_language text,
     evidence jsonb, request_id uuid, note text)
ON CONFLICT (restaurant_id, user_id, purpose) DO NOTHING
RETURNING state, since
