-- What is stated now, locked against other changes. $1 restaurant, $2 person, $3 purpose.
SELECT p.state
FROM sop_ml.sop_privacy_preferences AS p
WHERE p.restaurant_id = $1 AND p.user_id = $2 AND p.purpose = $3
FOR UPDATE
