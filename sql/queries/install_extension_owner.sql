-- Whether the caller is a superuser or owns the extension.
SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER)
    OR EXISTS (SELECT FROM pg_catalog.pg_extension
               WHERE extname = 'sop_ml' AND pg_catalog.pg_has_role(CURRENT_USER, extowner, 'USAGE'))
