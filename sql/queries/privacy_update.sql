-- States a preference again. $1 restaurant, $2 person, $3 purpose, $4 state, $5 what goes with it, as an object of column
-- names. A state that does not change keeps its time and what was before it. What belongs to a declaration (basis, notice,
-- proof, request, remark) is that of the latest one.
UPDATE sop_ml.sop_privacy_preferences AS p
SET state = $4,
    previous_state = CASE WHEN p.state <> $4 THEN p.state ELSE p.previous_state END,
    since = CASE WHEN p.state <> $4 THEN pg_catalog.now() ELSE p.since END,
    source = coalesce(d.source, 'user'),
    legal_basis = d.legal_basis,
    policy_version = d.policy_version,
    notice_language = d.notice_language,
    evidence = d.evidence,
    request_id = d.request_id,
    recorded_by = CURRENT_USER,
    note = d.note
FROM pg_catalog.jsonb_to_record($5) AS d (source text, legal_basis text, policy_version text, notice_language text,
     evidence jsonb, request_id uuid, note text)
WHERE p.restaurant_id = $1 AND p.user_id = $2 AND p.purpose = $3
RETURNING p.state, p.since
