-- $1 version: the checksum with which a migration was applied, if it was.
SELECT checksum FROM sop_ml.sop_schema_migrations WHERE version = $1
