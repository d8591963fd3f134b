-- Whose data no training and no recommendation may read: the one place of that rule. Every statement that reads people's
-- interactions, profiles or training records for learning excludes these people (scripts/lint-sql.sh asks for it):
--     AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x WHERE x.restaurant_id = … AND x.user_id = …)
-- which is an anti-join with two partial indexes. It reads with the caller's rights and in the snapshot of the caller's
-- statement, so a refusal holds for every statement that starts after it was committed. A person may be listed twice.
CREATE OR REPLACE VIEW sop_ml.sop_training_exclusions WITH (security_invoker = true) AS
SELECT p.restaurant_id, p.user_id, p.purpose || ' denied' AS reason
FROM sop_ml.sop_privacy_preferences AS p
WHERE p.state = 'denied' AND p.purpose IN ('training', 'personalisation')
UNION ALL
SELECT u.restaurant_id, u.user_id, CASE WHEN u.status = 'erased' THEN 'erased' ELSE 'personalisation denied' END
FROM sop_ml.sop_user_profiles AS u
WHERE u.personalization_opt_out OR u.status = 'erased';
