-- The register of applied migrations exists before the first of them runs.
CREATE TABLE IF NOT EXISTS sop_ml.sop_schema_migrations (
    version    int         PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
