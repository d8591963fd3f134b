//! A hostile tenant asks whether something exists at the other tenant: by keys, foreign keys, ON CONFLICT and names, by
//! the planner's statistics and by objects that shadow ours. The answer for what exists is the answer for what does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::{Map, Value};
use sop_ml_e2e::Database;
use sop_ml_e2e::attack::{NOBODY, api, attacker, rows_of, scene};
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::watch::{Answer, Session, assert_clean_log};

const A: &str = TENANTS[0].restaurant_id;
const B: &str = TENANTS[1].restaurant_id;
/// What a tenant may guess and what exists nowhere.
const NOWHERE: &str = "dddddddd-0000-4000-8000-00000000000d";

/// The identifier of a row that a probe would make.
const FRESH: &str = "eeeeeeee-0000-4000-8000-00000000000e";

/// The columns of a table's unique keys.
fn keys_of(database: &Database, table: &str) -> Vec<String> {
    database.texts(&format!(
        "SELECT DISTINCT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
          WHERE i.indrelid = '{table}'::regclass AND i.indisunique"
    ))
}

/// One row of a restaurant as a document.
fn row_of(database: &Database, table: &str, restaurant: &str) -> Map<String, Value> {
    let text = database
        .texts(&format!(
            "SELECT to_jsonb(t)::text FROM {table} t WHERE restaurant_id = '{restaurant}' ORDER BY t::text LIMIT 1"
        ))
        .pop()
        .unwrap_or_else(|| panic!("{table} has no row of {restaurant}"));
    serde_json::from_str(&text).unwrap()
}

fn columns(database: &Database, table: &str) -> Vec<String> {
    database.texts(&format!(
        "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0
            AND NOT attisdropped AND attgenerated = '' AND attidentity = '' ORDER BY attnum"
    ))
}

/// The statement that inserts a document as a row.
fn insert(table: &str, columns: &[String], row: &Map<String, Value>, conflict: &str) -> String {
    let columns = columns.join(", ");
    let document = Value::Object(row.clone()).to_string();
    format!(
        "BEGIN; INSERT INTO {table} ({columns}) SELECT {columns}
           FROM jsonb_populate_record(NULL::{table}, $document${document}$document$) {conflict}; ROLLBACK"
    )
}

/// An answer with the values that were asked for taken out, so that two can be compared byte for byte.
fn shape(answer: &Answer, asked: &[&str]) -> String {
    asked
        .iter()
        .fold(answer.text(), |text, value| text.replace(value, "<value>"))
        + &format!(" count {}", answer.count)
}

fn ask(session: &mut Session, statement: &str) -> Answer {
    let answer = session.attack(statement);
    session.run("ROLLBACK");
    answer
}

/// Tables that hold rows; views have none to ask for.
fn tables(database: &Database) -> Vec<String> {
    api(database)
        .iter()
        .filter(|relation| relation.kind != "v")
        .map(sop_ml_e2e::catalogue::Relation::qualified)
        .collect()
}

#[test]
fn inserts_tell_nothing_about_foreign_keys_of_any_kind() {
    let database = scene("probe_inserts");
    let before = rows_of(&database, B);
    let mut session = attacker(&database);
    let mut probes = 0;
    for table in tables(&database) {
        let columns = columns(&database, &table);
        let existing = row_of(&database, &table, B);
        let mut missing = existing.clone();
        missing.insert("restaurant_id".to_owned(), Value::from(NOBODY));
        for conflict in [
            "",
            "ON CONFLICT DO NOTHING",
            "ON CONFLICT (restaurant_id) DO UPDATE SET restaurant_id = excluded.restaurant_id",
            "RETURNING *",
        ] {
            let [yes, no] = [&existing, &missing]
                .map(|row| ask(&mut session, &insert(&table, &columns, row, conflict)));
            assert!(
                !yes.code().is_empty(),
                "{table} took a foreign row {conflict}"
            );
            assert_eq!(
                shape(&yes, &[B, NOBODY]),
                shape(&no, &[B, NOBODY]),
                "{table} {conflict}: a key of the other tenant's is answered differently"
            );
            probes += 1;
        }
        // The other tenant's keys under the own restaurant: as free as any others.
        let mut own = existing.clone();
        own.insert("restaurant_id".to_owned(), Value::from(A));
        let mut fresh = own.clone();
        for value in fresh.values_mut() {
            if value.as_str().is_some_and(is_identifier) && value != A {
                *value = Value::from(NOWHERE);
            }
        }
        let taken: Vec<&str> = existing
            .values()
            .filter_map(Value::as_str)
            .filter(|text| is_identifier(text))
            .chain([NOWHERE])
            .filter(|text| *text != A)
            .collect();
        let [yes, no] =
            [&own, &fresh].map(|row| ask(&mut session, &insert(&table, &columns, row, "")));
        assert_eq!(
            shape(&yes, &taken),
            shape(&no, &taken),
            "{table}: the other tenant's identifiers are taken"
        );
        probes += 1;
    }
    assert_eq!(before, rows_of(&database, B));
    let _ = assert_clean_log(&database, &session);
    println!("attack_probes: {probes} pairs of inserts answered alike");
}

fn is_identifier(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// A row of one's own that points at the other tenant's parent, or at one that does not exist.
#[test]
fn references_tell_nothing_about_foreign_parents() {
    let database = scene("probe_references");
    let mut session = attacker(&database);
    let keys = database.query(
        "SELECT k.conrelid::regclass::text, k.confrelid::regclass::text,
                array_agg(a.attname::text ORDER BY p.position), array_agg(t.attname::text ORDER BY p.position)
           FROM pg_constraint k
           CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS p (child, parent, position)
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.child
           JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = p.parent
          WHERE k.contype = 'f' AND k.connamespace = 'sop_ml'::regnamespace AND k.conparentid = 0
            AND cardinality(k.conkey) > 1
          GROUP BY k.oid, k.conrelid, k.confrelid ORDER BY 1, 2",
    );
    assert!(
        keys.len() >= 20,
        "only {} foreign keys were found",
        keys.len()
    );
    let mut refused = 0;
    for key in &keys {
        let (table, parent): (String, String) = (key.get(0), key.get(1));
        let (children, targets): (Vec<String>, Vec<String>) = (key.get(2), key.get(3));
        let columns = columns(&database, &table);
        let theirs = row_of(&database, &parent, B);
        let mut base = row_of(&database, &table, A);
        // A row of its own, so that no unique key answers before the reference does.
        for column in keys_of(&database, &table) {
            if base[&column].as_str().is_some_and(is_identifier) && column != "restaurant_id" {
                base.insert(column, Value::from(FRESH));
            }
        }
        let pointing = |restaurant: &str, exists: bool| {
            let mut row = base.clone();
            for (child, target) in children.iter().zip(&targets) {
                let value = match (target.as_str(), exists) {
                    ("restaurant_id", _) if child == "restaurant_id" => Value::from(A),
                    ("restaurant_id", _) => Value::from(restaurant),
                    (_, true) => theirs[target].clone(),
                    (_, false) if theirs[target].is_string() => Value::from(NOWHERE),
                    (_, false) => Value::from(-1),
                };
                row.insert(child.clone(), value);
            }
            row
        };
        let asked: Vec<&str> = theirs
            .values()
            .filter_map(Value::as_str)
            .filter(|text| !text.is_empty() && *text != A)
            .chain([NOWHERE, NOBODY])
            .collect();
        // A column for the parent's restaurant may name the own one, the other's, or one that does not exist.
        for (restaurant, other) in [(A, A), (B, NOBODY)] {
            let yes = ask(
                &mut session,
                &insert(&table, &columns, &pointing(restaurant, true), ""),
            );
            let no = ask(
                &mut session,
                &insert(&table, &columns, &pointing(other, false), ""),
            );
            assert_eq!(
                shape(&yes, &asked),
                shape(&no, &asked),
                "{table} ({children:?}) tells which {parent} exist"
            );
            assert_ne!(
                yes.code(),
                "",
                "{table} ({children:?}) points at a foreign {parent}"
            );
            refused += usize::from(yes.code() == "23503");
        }
    }
    let _ = assert_clean_log(&database, &session);
    assert!(refused >= 20, "only {refused} probes reached a foreign key");
    println!(
        "attack_probes: {} foreign keys, {refused} probes reached the key and were answered alike",
        keys.len()
    );
}

/// Statistics hold values of all tenants: nobody sees them, and no estimate runs a tenant's operator over them.
#[test]
fn statistics_stay_closed() {
    let database = scene("probe_statistics");
    database.run("CREATE STATISTICS sop_ml.several ON metric_name, source, value FROM sop_ml.sop_time_series_data; ANALYZE");
    assert!(
        database.count(
            "SELECT count(*) FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid
              WHERE c.relnamespace IN ('sop_ml'::regnamespace, 'sop_ml_storage'::regnamespace)
                AND (s::text LIKE '%canary_bbbb%' OR stavalues1::text LIKE '%canary_bbbb%')"
        ) > 0,
        "there is nothing to find"
    );
    let mut session = attacker(&database);
    for statement in [
        "SELECT * FROM pg_stats WHERE schemaname IN ('sop_ml', 'sop_ml_storage') AND tablename <> 'sop_schema_migrations'",
        "SELECT * FROM pg_stats_ext WHERE statistics_schemaname = 'sop_ml'",
        "SELECT * FROM pg_stats_ext_exprs WHERE schemaname = 'sop_ml'",
    ] {
        let answer = session.attack(statement);
        assert_eq!(answer.rows.len(), 0, "{statement}: {}", answer.text());
    }
    for statement in [
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_statistic_ext_data",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('server.log')",
        "SELECT pg_ls_dir('.')",
    ] {
        assert_eq!(session.attack(statement).code(), "42501", "{statement}");
    }
    // An operator of one's own with a built-in estimator: eqsel and scalarltsel would call it with common values.
    let made = session.run(
        "CREATE FUNCTION playground.tell(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
            'BEGIN RAISE NOTICE ''told %'', $1; RETURN true; END';
         CREATE FUNCTION playground.tell(float8, float8) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
            'BEGIN RAISE NOTICE ''told %'', $1; RETURN true; END';
         CREATE OPERATOR playground.=== (LEFTARG = text, RIGHTARG = text, PROCEDURE = playground.tell, RESTRICT = eqsel, JOIN = eqjoinsel);
         CREATE OPERATOR playground.<<< (LEFTARG = text, RIGHTARG = text, PROCEDURE = playground.tell, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
         CREATE OPERATOR playground.=== (LEFTARG = float8, RIGHTARG = float8, PROCEDURE = playground.tell, RESTRICT = eqsel, JOIN = eqjoinsel);
         CREATE OPERATOR playground.<<< (LEFTARG = float8, RIGHTARG = float8, PROCEDURE = playground.tell, RESTRICT = scalarltsel)",
    );
    assert_eq!(made.code(), "", "{}", made.text());
    let mut estimates = 0;
    for relation in api(&database) {
        let name = relation.qualified();
        let columns = database.texts(&format!(
            "SELECT quote_ident(attname) || CASE atttypid WHEN 'text'::regtype THEN ' t' ELSE ' f' END FROM pg_attribute
              WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped
                AND atttypid IN ('text'::regtype, 'float8'::regtype)"
        ));
        for column in columns {
            let (column, kind) = column.rsplit_once(' ').unwrap();
            let constant = if kind == "t" {
                "'m'::text"
            } else {
                "1::float8"
            };
            for operator in ["===", "<<<"] {
                for statement in [
                    format!(
                        "EXPLAIN SELECT FROM {name} WHERE {column} OPERATOR(playground.{operator}) {constant}"
                    ),
                    format!(
                        "EXPLAIN SELECT FROM {name} x JOIN {name} y ON x.{column} OPERATOR(playground.{operator}) y.{column}"
                    ),
                ] {
                    session.attack(&statement);
                    estimates += 1;
                }
            }
        }
    }
    assert!(
        estimates >= 400,
        "only {estimates} estimates were asked for"
    );
    let _ = assert_clean_log(&database, &session);
    println!(
        "attack_probes: {estimates} estimates with operators of the attacker's, no value seen"
    );
}

/// What else a session may look at: other sessions, roles, channels, large objects.
#[test]
fn the_rest_of_the_server_tells_nothing() {
    let database = scene("probe_server");
    let mut victim = database.connect(TENANTS[1].role);
    victim
        .batch_execute(
            "BEGIN; PREPARE canary_bbbb_prepared AS SELECT 'canary_bbbb_statement';
             DECLARE canary_bbbb_cursor CURSOR FOR SELECT 'canary_bbbb_cursor'; SELECT 'canary_bbbb_running'",
        )
        .unwrap();
    database.run("SELECT lo_from_bytea(4711, 'canary_bbbb_large')");
    let mut session = attacker(&database);
    assert_eq!(
        session
            .attack("LISTEN sop_ml_alerts; LISTEN sop_ml_jobs")
            .code(),
        ""
    );
    for statement in [
        "SELECT * FROM pg_stat_activity",
        "SELECT * FROM pg_prepared_statements",
        "SELECT * FROM pg_cursors",
        "SELECT * FROM pg_locks",
        "SELECT * FROM pg_settings WHERE name LIKE 'sop\\_ml.%'",
        "SELECT * FROM pg_stat_user_tables",
        "SELECT * FROM pg_largeobject_metadata",
        "SELECT obj_description(oid), relacl FROM pg_class WHERE relnamespace = 'sop_ml'::regnamespace",
        "SELECT schema_to_xml('sop_ml', true, false, '')",
    ] {
        let answer = session.attack(statement);
        assert!(
            ["", "42501"].contains(&answer.code()),
            "{statement}: {}",
            answer.text()
        );
    }
    for statement in [
        "SELECT lo_get(4711)",
        "SELECT * FROM pg_largeobject",
        "SET ROLE tenant_b",
        "SET SESSION AUTHORIZATION tenant_b",
        "SET ROLE sop_ml_operator",
        "SET ROLE postgres",
        "GRANT tenant_b TO tenant_a",
        "GRANT sop_ml_operator TO tenant_a",
        "CREATE ROLE mine SUPERUSER",
        "ALTER ROLE tenant_a BYPASSRLS",
        "ALTER ROLE sop_ml_owner BYPASSRLS",
        "ALTER ROLE tenant_b PASSWORD 'x'",
        "SELECT * FROM sop_ml.install()",
        "ALTER EXTENSION sop_ml UPDATE",
        "DROP EXTENSION sop_ml CASCADE",
        "ALTER SCHEMA sop_ml OWNER TO tenant_a",
        "ALTER FUNCTION sop_ml.current_restaurant() RESET ALL",
        "ALTER FUNCTION sop_ml.current_restaurant() LEAKPROOF",
        "CREATE OR REPLACE FUNCTION sop_ml.current_restaurant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "CREATE FUNCTION sop_ml.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION sop_ml_storage.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION playground.f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'",
        "CREATE FUNCTION playground.f() RETURNS uuid LANGUAGE c AS '$libdir/sop_ml', 'current_restaurant_wrapper'",
        "CREATE FUNCTION playground.f() RETURNS internal LANGUAGE internal AS 'int4in'",
        "CREATE OPERATOR CLASS playground.c FOR TYPE text USING btree AS OPERATOR 1 <",
        "CREATE EVENT TRIGGER spy ON ddl_command_start EXECUTE FUNCTION playground.spy()",
        "TABLE sop_ml_storage.dirty_buckets",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenant_b'",
        "LOAD '/tmp/evil'",
    ] {
        let answer = session.attack(statement);
        session.run("ROLLBACK; RESET ROLE");
        // 42704: what an extension of PostgreSQL's makes unknown here is as good as refused.
        assert!(
            ["42501", "42704", "42883"].contains(&answer.code()),
            "{statement}: {}",
            answer.text()
        );
    }
    victim.batch_execute("COMMIT").unwrap();
    let _ = assert_clean_log(&database, &session);
}

/// Functions that look something up with more rights than the caller has must not find the caller's objects.
#[test]
fn objects_of_the_attacker_do_not_shadow_ours() {
    let database = scene("probe_shadows");
    let before = rows_of(&database, B);
    let mut session = attacker(&database);
    // Whoever is reached with other rights than the attacker's says so.
    let made = session.run(
        "CREATE FUNCTION playground.spy() RETURNS boolean LANGUAGE plpgsql AS $f$
         BEGIN
             IF current_user <> 'tenant_a' THEN
                 RAISE NOTICE 'reached as %: %', current_user,
                     (SELECT pg_catalog.string_agg(r::pg_catalog.text, ' ') FROM sop_ml.sop_restaurants r);
             END IF;
             RETURN true;
         END $f$;
         CREATE FUNCTION playground.spy(pg_catalog.text) RETURNS boolean LANGUAGE sql AS 'SELECT playground.spy()';
         CREATE FUNCTION playground.compare(pg_catalog.text, pg_catalog.text) RETURNS boolean LANGUAGE sql
             AS 'SELECT playground.spy() AND pg_catalog.texteq($1, $2)';
         CREATE FUNCTION playground.compare(pg_catalog.oid, pg_catalog.oid) RETURNS boolean LANGUAGE sql
             AS 'SELECT playground.spy() AND pg_catalog.oideq($1, $2)';
         CREATE FUNCTION playground.compare(pg_catalog.uuid, pg_catalog.uuid) RETURNS boolean LANGUAGE sql
             AS 'SELECT playground.spy() AND pg_catalog.uuid_eq($1, $2)';
         CREATE FUNCTION playground.compare(pg_catalog.timestamptz, pg_catalog.timestamptz) RETURNS boolean LANGUAGE sql
             AS 'SELECT playground.spy() AND pg_catalog.timestamptz_le($1, $2)';
         CREATE FUNCTION playground.now() RETURNS pg_catalog.timestamptz LANGUAGE sql
             AS 'SELECT pg_catalog.now() WHERE playground.spy()';
         CREATE OPERATOR playground.~ (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, PROCEDURE = playground.compare);
         CREATE OPERATOR playground.<= (LEFTARG = pg_catalog.timestamptz, RIGHTARG = pg_catalog.timestamptz, PROCEDURE = playground.compare);
         CREATE OPERATOR playground.= (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, PROCEDURE = playground.compare);
         CREATE OPERATOR playground.= (LEFTARG = pg_catalog.oid, RIGHTARG = pg_catalog.oid, PROCEDURE = playground.compare);
         CREATE OPERATOR playground.= (LEFTARG = pg_catalog.uuid, RIGHTARG = pg_catalog.uuid, PROCEDURE = playground.compare);
         CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (playground.spy());
         CREATE DOMAIN pg_temp.uuid AS pg_catalog.uuid CHECK (playground.spy());
         CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (playground.spy());
         CREATE DOMAIN pg_temp.date AS pg_catalog.date CHECK (playground.spy())",
    );
    assert_eq!(made.code(), "", "{}", made.text());
    for relation in api(&database) {
        let statement = format!(
            "CREATE TEMP TABLE \"{0}\" AS SELECT 'pg_temp'::pg_catalog.text AS whose",
            relation.name
        );
        assert_eq!(session.run(&statement).code(), "", "{statement}");
    }
    let mut asked = 0;
    for path in [
        "DEFAULT",
        "playground, pg_catalog, sop_ml",
        "pg_temp, playground, sop_ml, pg_catalog",
        "sop_ml",
    ] {
        // Each statement is one transaction of its own, so each looks the caller up again.
        for statement in [
            "SELECT sop_ml.current_restaurant()",
            "SELECT sop_ml.readable_restaurants()",
            "SELECT sop_ml.visible_restaurants()",
            "SELECT sop_ml.has_access('owner')",
            "SELECT pg_catalog.count(*) FROM sop_ml.sop_daily_performance_summary",
            "SELECT pg_catalog.count(*) FROM sop_ml.sop_user_profiles",
            "UPDATE sop_ml.sop_user_profiles SET skill_level = skill_level",
            "UPDATE sop_ml.sop_user_profiles SET personalization_opt_out = true",
            "UPDATE sop_ml.sop_privacy_preferences SET updated_at = updated_at",
            "UPDATE sop_ml.sop_restaurant_members SET updated_at = updated_at",
            "UPDATE sop_ml.sop_time_series_data SET unit = 'min'",
            "UPDATE sop_ml.sop_user_interactions SET language = 'de'",
            "UPDATE sop_ml.sop_alerts SET severity = severity",
        ] {
            session.run(&format!("SET search_path = {path}"));
            let answer = session.attack(statement);
            assert_eq!(answer.code(), "", "{path}: {statement}: {}", answer.text());
            assert!(
                !answer.text().contains("reached as"),
                "{path}: {statement}: {}",
                answer.text()
            );
            asked += 1;
        }
    }
    assert_eq!(before, rows_of(&database, B));
    let _ = assert_clean_log(&database, &session);
    println!(
        "attack_probes: {asked} statements among shadowing objects, none of which ran with other rights"
    );
}

/// An owner adds members to its own restaurant as it likes; what that adds to everybody must take nothing from others.
#[test]
fn a_membership_for_everybody_changes_nothing_for_others() {
    let database = scene("probe_memberships");
    let mut session = attacker(&database);
    for role in [
        "sop_ml_viewer",
        "sop_ml_owner",
        "sop_ml_group_reader",
        TENANTS[1].role,
    ] {
        let answer = session.attack(&format!(
            "INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level) VALUES ('{A}', '{role}', 'owner')"
        ));
        assert_eq!(answer.code(), "42501", "{}", answer.text());
    }
    let answer = session.attack(&format!(
        "UPDATE sop_ml.sop_restaurant_members SET role_name = '{}' WHERE restaurant_id = '{A}'",
        TENANTS[1].role
    ));
    assert_eq!(answer.code(), "42501", "{}", answer.text());
    // Not even an administrator's slip counts: everybody is a member of these.
    database.run(&format!(
        "INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level) VALUES ('{A}', 'sop_ml_viewer', 'owner')"
    ));
    let mut other = database.connect(TENANTS[1].role);
    let current: Option<String> = other
        .query_one("SELECT sop_ml.current_restaurant()::text", &[])
        .unwrap()
        .get(0);
    assert_eq!(
        current.as_deref(),
        Some(B),
        "the other tenant lost its restaurant"
    );
}
