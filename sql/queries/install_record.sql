-- $1 version, $2 name, $3 checksum.
INSERT INTO sop_ml.sop_schema_migrations (version, name, checksum) VALUES ($1, $2, $3)
