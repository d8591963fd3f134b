-- Relations that are members of the extension: a dump would leave out their rows, indexes and policies.
SELECT c.oid::regclass::text, 'is a member of the extension'
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sop_ml'
JOIN pg_catalog.pg_class AS c ON c.oid = d.objid
WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass
  AND d.classid = 'pg_catalog.pg_class'::regclass
  AND d.deptype = 'e'
ORDER BY 1
