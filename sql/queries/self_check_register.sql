-- Whether the register of migrations is there.
SELECT to_regclass('sop_ml.sop_schema_migrations') IS NOT NULL
