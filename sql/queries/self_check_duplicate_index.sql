-- Indexes of one table that are equal in everything but their name.
SELECT i.indrelid::regclass::text, string_agg(x.relname::text, ', ' ORDER BY x.relname) || ' are equal'
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
WHERE x.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage')) AND NOT x.relispartition
GROUP BY i.indrelid, x.relam, i.indkey, i.indnkeyatts, i.indclass, i.indcollation, i.indoption, i.indpred::text,
    i.indexprs::text
HAVING count(*) > 1
ORDER BY 1
