//! docs/schema.md says what the database has, and the database says what everything is for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::{shared, workspace};

#[test]
fn the_page_is_what_the_database_says() {
    let page = sop_ml_e2e::schema_doc::page(&shared().database_with_extension("schema_page"));
    let written = std::fs::read_to_string(workspace().join("docs/schema.md"))
        .expect("docs/schema.md exists; `make doc` writes it");
    let difference = page
        .lines()
        .zip(written.lines())
        .position(|(now, then)| now != then);
    assert!(
        page == written,
        "docs/schema.md is out of date from line {:?} on; run `make doc`",
        difference.map(|line| line + 1)
    );
}

#[test]
fn every_table_column_and_function_has_a_comment() {
    let database = shared().database_with_extension("schema_comments");
    let relations = database.texts(
        "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
          WHERE c.relnamespace = 'sop_ml'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
            AND pg_catalog.obj_description(c.oid, 'pg_class') IS NULL ORDER BY 1",
    );
    assert_eq!(
        relations,
        Vec::<String>::new(),
        "relations without a comment"
    );
    let columns = database.texts(
        "SELECT c.oid::regclass || '.' || a.attname FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relnamespace = 'sop_ml'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
            AND pg_catalog.col_description(c.oid, a.attnum) IS NULL ORDER BY 1",
    );
    assert_eq!(columns, Vec::<String>::new(), "columns without a comment");
    // Support functions of types and aggregates are called by PostgreSQL, not by people.
    let functions = database.texts(
        "SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
          WHERE p.pronamespace = 'sop_ml'::regnamespace AND p.prorettype <> 'trigger'::regtype
            AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE p.oid IN (t.typinput, t.typoutput, t.typsend, t.typreceive))
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_aggregate a
                             WHERE p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                                             a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oprcode = p.oid)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castfunc = p.oid)
          ORDER BY 1",
    );
    assert_eq!(
        functions,
        Vec::<String>::new(),
        "functions without a comment"
    );
}

#[test]
fn tables_are_rich_and_indexes_have_a_purpose() {
    let database = shared().database_with_extension("schema_rules");
    let tables = "FROM pg_catalog.pg_class c WHERE c.relnamespace = 'sop_ml'::regnamespace
                   AND c.relkind IN ('r', 'p') AND NOT c.relispartition";
    let columns = database.count(&format!(
        "SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT c.oid {tables})"
    ));
    let count = database.count(&format!("SELECT count(*) {tables}"));
    assert!(columns >= 12 * count, "{columns} columns in {count} tables");
    let indexes = database.count(&format!(
        "SELECT count(*) FROM pg_catalog.pg_index i WHERE i.indrelid IN (SELECT c.oid {tables})"
    ));
    assert!(indexes >= 50, "only {indexes} indexes");

    // A foreign key without an index makes every DELETE of the referenced row a sequential scan.
    let unindexed = database.texts(
        "SELECT k.conrelid::regclass || ': ' || pg_catalog.pg_get_constraintdef(k.oid)
           FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
          WHERE k.contype = 'f' AND c.relnamespace = 'sop_ml'::regnamespace AND NOT c.relispartition
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_index i
                 WHERE i.indrelid = k.conrelid
                   AND (SELECT bool_and(column_number = ANY (k.conkey))
                          FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) AS column_number))
          ORDER BY 1",
    );
    assert_eq!(
        unindexed,
        Vec::<String>::new(),
        "foreign keys without an index"
    );

    // An index whose columns begin another index of the same kind and predicate does nothing of its own.
    let redundant = database.texts(
        "SELECT i.indexrelid::regclass || ' is the beginning of ' || j.indexrelid::regclass
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_index j ON j.indrelid = i.indrelid AND j.indexrelid <> i.indexrelid
           JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
           JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
           JOIN pg_catalog.pg_class jc ON jc.oid = j.indexrelid AND jc.relam = ic.relam
          WHERE c.relnamespace = 'sop_ml'::regnamespace AND NOT c.relispartition AND NOT i.indisunique
            AND i.indnatts = i.indnkeyatts
            AND i.indkey::int2[] = (j.indkey::int2[])[0:i.indnkeyatts - 1]
            AND i.indoption::int2[] = (j.indoption::int2[])[0:i.indnkeyatts - 1]
            AND i.indexprs IS NULL AND j.indexprs IS NULL
            AND pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(j.indpred, j.indrelid)
          ORDER BY 1",
    );
    assert_eq!(redundant, Vec::<String>::new(), "redundant indexes");
}
