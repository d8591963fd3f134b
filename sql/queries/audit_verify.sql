-- $1 restaurant, $2 number and $3 hash (hexadecimal) of an anchor, both NULL for none. One row: entries, first break, why,
-- hash of the last entry.
WITH entry AS (
    SELECT e.entry_number, e.previous_hash, e.entry_hash,
        pg_catalog.lag(e.entry_number) OVER chain AS number_before,
        pg_catalog.lag(e.entry_hash) OVER chain AS hash_before,
        sop_ml.audit_hash(e.previous_hash, sop_ml_storage.audit_fields(e)) AS computed_hash
    FROM sop_ml.sop_audit_log AS e
    WHERE e.restaurant_id = $1
    WINDOW chain AS (ORDER BY e.entry_number)
), head AS (
    SELECT h.entry_number, h.entry_hash FROM sop_ml_storage.audit_heads AS h WHERE h.restaurant_id = $1
), last_entry AS (
    SELECT e.entry_number, e.entry_hash FROM entry AS e ORDER BY e.entry_number DESC LIMIT 1
), broken AS (
    SELECT coalesce(e.number_before, 0) + 1 AS entry_number, 'an entry is missing' AS reason
    FROM entry AS e WHERE e.entry_number > coalesce(e.number_before, 0) + 1
    UNION ALL
    SELECT e.entry_number, 'the entry does not follow the one before it'
    FROM entry AS e WHERE e.previous_hash IS DISTINCT FROM e.hash_before
    UNION ALL
    SELECT e.entry_number, 'the entry was changed'
    FROM entry AS e WHERE e.entry_hash IS DISTINCT FROM e.computed_hash
    UNION ALL
    SELECT coalesce(l.entry_number, 0) + 1, 'the last entries are missing'
    FROM head AS h LEFT JOIN last_entry AS l ON true
    WHERE h.entry_number > coalesce(l.entry_number, 0)
    UNION ALL
    SELECT coalesce(h.entry_number, 0) + 1, 'an entry was put in behind the end of the chain'
    FROM last_entry AS l LEFT JOIN head AS h ON true
    WHERE l.entry_number > coalesce(h.entry_number, 0)
    UNION ALL
    SELECT l.entry_number, 'the last entry is not the one that was written'
    FROM last_entry AS l JOIN head AS h ON h.entry_number = l.entry_number
    WHERE h.entry_hash IS DISTINCT FROM l.entry_hash
    UNION ALL
    SELECT $2, 'the entry differs from the anchor'
    WHERE $2 IS NOT NULL AND NOT EXISTS (
        SELECT FROM entry AS e
        WHERE e.entry_number = $2 AND pg_catalog.encode(e.entry_hash, 'hex') = pg_catalog.lower($3))
), first_break AS (
    SELECT b.entry_number, b.reason FROM broken AS b ORDER BY b.entry_number LIMIT 1
)
SELECT (SELECT pg_catalog.count(*) FROM entry), f.entry_number, f.reason, pg_catalog.encode(l.entry_hash, 'hex')
FROM (VALUES (true)) AS one_row (is_there)
LEFT JOIN first_break AS f ON true
LEFT JOIN last_entry AS l ON true
