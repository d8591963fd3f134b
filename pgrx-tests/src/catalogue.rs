//! What the catalogues say: relations, contents and rights, in a form that two databases can be compared by.

use crate::{Database, describe};

/// A relation in one of the two schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// `sop_ml` or `sop_ml_storage`.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// As in `pg_class.relkind`: `r` table, `p` partitioned table, `v` view, `m` materialized view, `S` sequence.
    pub kind: String,
    /// Whether it is a partition of another table.
    pub is_partition: bool,
    /// Whether it has a column `restaurant_id`.
    pub has_restaurant: bool,
}

impl Relation {
    /// The name to use in a statement.
    #[must_use]
    pub fn qualified(&self) -> String {
        format!("\"{}\".\"{}\"", self.schema, self.name)
    }

    /// Whether it holds rows of its own.
    #[must_use]
    pub fn stores_rows(&self) -> bool {
        matches!(self.kind.as_str(), "r" | "p" | "m")
    }
}

/// All relations of both schemas in name order.
#[must_use]
pub fn relations(database: &Database) -> Vec<Relation> {
    database
        .query(
            "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relispartition,
                    EXISTS (SELECT FROM pg_catalog.pg_attribute a
                             WHERE a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped)
               FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname IN ('sop_ml', 'sop_ml_storage') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
              ORDER BY 1, 2",
        )
        .iter()
        .map(|row| Relation {
            schema: row.get(0),
            name: row.get(1),
            kind: row.get(2),
            is_partition: row.get(3),
            has_restaurant: row.get(4),
        })
        .collect()
}

/// How many rows each table and materialized view has, and a checksum of them that does not depend on their order.
#[must_use]
pub fn contents(database: &Database) -> Vec<(String, i64, String)> {
    let mut client = database.superuser();
    relations(database)
        .iter()
        .filter(|relation| relation.stores_rows())
        .map(|relation| {
            let name = relation.qualified();
            let row = client
                .query_one(
                    &format!(
                        "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {name} AS t"
                    ),
                    &[],
                )
                .unwrap_or_else(|error| panic!("{name}: {}", describe(&error)));
            (name, row.get(0), row.get(1))
        })
        .collect()
}

/// Every right that each role of sop_ml effectively has on each object, and what PUBLIC has: a test that compares makes
/// the role `bystander`, a login without any grant, beforehand.
#[must_use]
pub fn privileges(database: &Database) -> Vec<String> {
    database.texts(
        "WITH roles AS (
            SELECT oid, rolname::text AS role FROM pg_catalog.pg_roles
             WHERE rolname LIKE 'sop\\_ml\\_%' OR rolname = 'bystander'),
         schemas AS (
            SELECT oid, nspname::text AS schema FROM pg_catalog.pg_namespace WHERE nspname IN ('sop_ml', 'sop_ml_storage'))
         SELECT format('%s on schema %s: %s', r.role, s.schema, p.name)
           FROM roles r, schemas s, (VALUES ('USAGE'), ('CREATE')) AS p (name)
          WHERE pg_catalog.has_schema_privilege(r.oid, s.oid, p.name)
         UNION ALL
         SELECT format('%s on relation %s.%s: %s', r.role, s.schema, c.relname, p.name)
           FROM roles r, schemas s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v', 'm'),
                (SELECT unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
                 UNION ALL
                 SELECT 'MAINTAIN' WHERE current_setting('server_version_num')::integer >= 170000) AS p (name)
          WHERE pg_catalog.has_table_privilege(r.oid, c.oid, p.name)
         UNION ALL
         SELECT format('%s on column %s.%s.%s: %s', r.role, s.schema, c.relname, a.attname, p.name)
           FROM roles r, schemas s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v', 'm')
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
                (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) AS p (name)
          WHERE pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, p.name)
         UNION ALL
         SELECT format('%s on sequence %s.%s: %s', r.role, s.schema, c.relname, p.name)
           FROM roles r, schemas s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relkind = 'S',
                (VALUES ('USAGE'), ('SELECT'), ('UPDATE')) AS p (name)
          WHERE pg_catalog.has_sequence_privilege(r.oid, c.oid, p.name)
         UNION ALL
         SELECT format('%s on function %s: EXECUTE', r.role, f.oid::regprocedure)
           FROM roles r, schemas s JOIN pg_catalog.pg_proc f ON f.pronamespace = s.oid
          WHERE pg_catalog.has_function_privilege(r.oid, f.oid, 'EXECUTE')
         UNION ALL
         SELECT format('%s on type %s: USAGE', r.role, t.oid::regtype)
           FROM roles r, schemas s JOIN pg_catalog.pg_type t ON t.typnamespace = s.oid AND t.typtype = 'b' AND t.typelem = 0
          WHERE pg_catalog.has_type_privilege(r.oid, t.oid, 'USAGE')
         ORDER BY 1",
    )
}

/// The definition of everything that `install()` makes: columns, constraints, indexes, triggers, policies, views,
/// owners, storage settings and comments. No object ids, so that two databases can be compared; constraints without
/// parentheses, because a BETWEEN beside an AND is printed with other ones after its text was read again.
#[must_use]
pub fn definitions(database: &Database) -> Vec<String> {
    database.texts(
        "WITH relations AS (
            SELECT c.*, n.nspname || '.' || c.relname AS name
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ('sop_ml', 'sop_ml_storage') AND c.relkind IN ('r', 'p', 'v', 'm', 'S'))
         SELECT format('relation %s kind %s owner %s rls %s/%s options %s part %s', name, relkind,
                       pg_catalog.pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity,
                       coalesce(reloptions::text, ''), coalesce(pg_catalog.pg_get_expr(relpartbound, oid), ''))
           FROM relations
         UNION ALL
         SELECT format('column %s.%s %s not null %s default %s generated %s comment %s', r.name, a.attname,
                       pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                       coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), a.attgenerated::text || a.attidentity::text,
                       coalesce(pg_catalog.col_description(r.oid, a.attnum), ''))
           FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
           LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
         UNION ALL
         SELECT format('constraint %s on %s: %s', k.conname, r.name,
                       translate(pg_catalog.pg_get_constraintdef(k.oid), '()', ''))
           FROM relations r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
         UNION ALL
         SELECT format('index %s', i.indexdef) FROM pg_catalog.pg_indexes i WHERE i.schemaname IN ('sop_ml', 'sop_ml_storage')
         UNION ALL
         SELECT format('trigger %s enabled %s', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled)
           FROM relations r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
         UNION ALL
         SELECT format('policy %s on %s.%s %s %s roles %s using %s check %s', policyname, schemaname, tablename, permissive, cmd,
                       (SELECT string_agg(role::text, ',' ORDER BY role::text) FROM unnest(roles) AS role), qual, with_check)
           FROM pg_catalog.pg_policies WHERE schemaname IN ('sop_ml', 'sop_ml_storage')
         UNION ALL
         SELECT format('view %s as %s', name, pg_catalog.pg_get_viewdef(oid)) FROM relations WHERE relkind IN ('v', 'm')
         UNION ALL
         SELECT format('function %s', pg_catalog.pg_get_functiondef(f.oid))
           FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
          WHERE n.nspname IN ('sop_ml', 'sop_ml_storage') AND f.prokind IN ('f', 'p')
         UNION ALL
         SELECT format('comment on %s: %s', r.name, pg_catalog.obj_description(r.oid, 'pg_class'))
           FROM relations r WHERE pg_catalog.obj_description(r.oid, 'pg_class') IS NOT NULL
         ORDER BY 1",
    )
}

/// The members of the extension, and the rights that its script gave them (which a dump leaves to the script).
#[must_use]
pub fn members(database: &Database) -> Vec<String> {
    database.texts(
        "SELECT pg_catalog.format('member %s', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
           FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'sop_ml'
          WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
         UNION ALL
         SELECT pg_catalog.format('initial right on %s: %s', pg_catalog.pg_describe_object(i.classoid, i.objoid, i.objsubid),
                       (SELECT pg_catalog.string_agg(acl::text, ' ' ORDER BY acl::text) FROM pg_catalog.unnest(i.initprivs) AS acl))
           FROM pg_catalog.pg_init_privs i WHERE i.privtype = 'e'
         UNION ALL
         SELECT pg_catalog.format('extension %s version %s schema %s', extname, extversion, extnamespace::regnamespace)
           FROM pg_catalog.pg_extension WHERE extname = 'sop_ml'
         ORDER BY 1",
    )
}

/// Where every sequence of the database stands.
#[must_use]
pub fn sequences(database: &Database) -> Vec<String> {
    database.texts(
        "SELECT pg_catalog.format('%I.%I %s %s', schemaname, sequencename, data_type, last_value)
           FROM pg_catalog.pg_sequences ORDER BY 1",
    )
}

/// Fails with the lines that only one of two sorted lists has.
///
/// # Panics
/// When the lists differ.
pub fn assert_same_lines(what: &str, left: &[String], right: &[String]) {
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        let other: std::collections::BTreeSet<&String> = b.iter().collect();
        a.iter()
            .filter(|line| !other.contains(line))
            .take(20)
            .cloned()
            .collect()
    };
    assert!(!left.is_empty(), "{what}: nothing to compare");
    assert!(
        left == right,
        "{what} differ\nonly before:\n  {}\nonly after:\n  {}",
        only(left, right).join("\n  "),
        only(right, left).join("\n  ")
    );
}
