-- The statements that undo a link. $1 table, $2 constraint, $3 index or NULL, $4 the host's relation or NULL: lock the
-- host's table (NULL where there is none or the caller may not), lock ours, drop what is there.
SELECT CASE WHEN pg_catalog.has_table_privilege($4, 'UPDATE, DELETE, TRUNCATE')
           THEN format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', $4::regclass) END,
       format('LOCK TABLE ONLY sop_ml.%I IN ACCESS EXCLUSIVE MODE', $1),
       format('ALTER TABLE ONLY sop_ml.%I DROP CONSTRAINT IF EXISTS %I', $1, $2)
       || CASE WHEN $3 IS NULL THEN '' ELSE format('; DROP INDEX IF EXISTS sop_ml.%I', $3) END
