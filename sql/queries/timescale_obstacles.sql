-- What depends on the time series and would be lost with the table that is replaced: views, functions with a body of
-- their own, foreign keys, policies of other tables, columns of its row type, sequences, publications, rules, indexes and
-- triggers of single parts, security labels. Whatever the conversion makes again is left out. $1 whether the new table is
-- partitioned: a hypertable has no triggers that are switched off, or fire as replicas do. (In mode vault the name is a view; that of the
-- quarters of an hour is there then only.)
WITH RECURSIVE part AS (
    SELECT c.oid, true AS is_root
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'sop_ml'::regnamespace AND c.relname IN ('sop_time_series_data', 'sop_time_series_15_minutes')
    UNION ALL
    SELECT i.inhrelid, false FROM part AS p JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.oid
), target (classid, objid) AS (
    SELECT 'pg_catalog.pg_class'::regclass, p.oid FROM part AS p
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM part AS p JOIN pg_catalog.pg_type AS t ON t.typrelid = p.oid
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.typarray FROM part AS p JOIN pg_catalog.pg_type AS t ON t.typrelid = p.oid
), dependent AS (
    SELECT DISTINCT d.classid, d.objid
    FROM target AS t
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = t.classid AND d.refobjid = t.objid
    WHERE d.deptype IN ('n', 'a')
), obstacle (text) AS (
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'a rule of' END, c.oid::regclass)
    FROM dependent AS d
    JOIN pg_catalog.pg_rewrite AS w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
    WHERE NOT (c.relkind = 'v' AND c.oid IN (SELECT oid FROM part))
    UNION
    SELECT pg_describe_object(d.classid, d.objid, 0)
    FROM dependent AS d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass
    UNION
    SELECT format('publication %I', u.pubname)
    FROM part AS p
    JOIN pg_catalog.pg_publication_rel AS r ON r.prrelid = p.oid
    JOIN pg_catalog.pg_publication AS u ON u.oid = r.prpubid
    UNION
    SELECT pg_describe_object(d.classid, d.objid, 0)
    FROM dependent AS d
    JOIN pg_catalog.pg_policy AS p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
    WHERE p.polrelid NOT IN (SELECT oid FROM part WHERE is_root)
    UNION
    SELECT pg_describe_object(d.classid, d.objid, 0)
    FROM dependent AS d
    JOIN pg_catalog.pg_constraint AS k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
    WHERE k.conrelid NOT IN (SELECT oid FROM part)
    UNION
    SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.oid::regclass)
    FROM dependent AS d
    JOIN pg_catalog.pg_class AS c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
    WHERE c.relkind IN ('S', 'r', 'p', 'c', 'f') AND c.oid NOT IN (SELECT oid FROM part)
    UNION
    SELECT format('index %s of a part', i.indexrelid::regclass)
    FROM part AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.oid AND c.relispartition
    JOIN pg_catalog.pg_index AS i ON i.indrelid = p.oid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhrelid = i.indexrelid)
    UNION
    SELECT format('trigger %I of part %s', t.tgname, t.tgrelid::regclass)
    FROM part AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.oid AND c.relispartition
    JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = p.oid AND NOT t.tgisinternal AND t.tgparentid = 0
    UNION
    SELECT format('trigger %I, which is not simply enabled', t.tgname)
    FROM part AS p
    JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = p.oid AND NOT t.tgisinternal AND t.tgenabled <> 'O'
    WHERE p.is_root AND NOT $1
    UNION
    SELECT format('a security label on %s', pg_describe_object(l.classoid, l.objoid, l.objsubid))
    FROM part AS p
    JOIN pg_catalog.pg_seclabel AS l ON l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = p.oid
)
SELECT o.text FROM obstacle AS o WHERE o.text IS NOT NULL ORDER BY 1
