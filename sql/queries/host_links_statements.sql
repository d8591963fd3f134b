-- The statements of a link. $1 table, $2 its column, $3 constraint, $4 index or NULL, $5 the host's relation, $6 its column,
-- $7 what a deletion there does, $8 whether the link is new: lock the host's table (NULL where the caller may not), lock
-- ours, add, count and show the rows without a host row, validate.
-- Deleting a host's row never deletes anything here: both rules refuse it, 'restrict' at once, 'no action' at the end of the
-- statement.
SELECT CASE WHEN pg_catalog.has_table_privilege($5, CASE WHEN $8 THEN 'UPDATE, DELETE, TRUNCATE' ELSE 'SELECT' END)
           THEN format('LOCK TABLE %s IN %s MODE', $5::regclass,
                       CASE WHEN $8 THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS SHARE' END)
       END,
       format('LOCK TABLE ONLY sop_ml.%I IN %s MODE', $1,
              CASE WHEN $8 THEN 'SHARE ROW EXCLUSIVE' ELSE 'SHARE UPDATE EXCLUSIVE' END),
       format('ALTER TABLE ONLY sop_ml.%I ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES %s (%I) ON DELETE %s NOT VALID',
              $1, $3, $2, $5::regclass, $6, CASE $7 WHEN 'no action' THEN 'NO ACTION' ELSE 'RESTRICT' END)
       || CASE WHEN $4 IS NULL THEN '' ELSE format('; CREATE INDEX IF NOT EXISTS %I ON sop_ml.%I (%I)', $4, $1, $2) END,
       format('WITH orphan AS (SELECT t.%1$I AS id FROM ONLY sop_ml.%2$I AS t WHERE t.%1$I IS NOT NULL '
              'AND NOT EXISTS (SELECT FROM %3$s AS h WHERE h.%4$I = t.%1$I)) '
              'SELECT (SELECT count(*) FROM orphan), ARRAY(SELECT DISTINCT o.id FROM orphan AS o ORDER BY o.id LIMIT 10)',
              $2, $1, $5::regclass, $6),
       format('ALTER TABLE ONLY sop_ml.%I VALIDATE CONSTRAINT %I', $1, $3)
