-- $1 the migrations that this version has, $2 their checksums in the same order: those that are not recorded, or recorded
-- with another content, and those that are recorded and unknown.
SELECT coalesce(m.name, r.name),
       CASE WHEN r.version IS NULL THEN 'the migration is not applied'
            WHEN m.name IS NULL THEN 'the migration is of a later version'
            ELSE 'the migration was applied with another content' END
FROM unnest($1::text[], $2::text[]) AS m (name, checksum)
FULL JOIN sop_ml.sop_schema_migrations AS r ON r.name = m.name
WHERE r.checksum IS DISTINCT FROM m.checksum
ORDER BY 1
