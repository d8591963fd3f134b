//! A hostile tenant with the rights of an owner tries every kind of statement on every relation of the catalogue: it
//! reaches its own rows alone, and nothing of the other tenant's is in any row, error, notice or log line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::attack::{GENERIC, PARALLEL, api, attacker, rows_of, scene, spell};
use sop_ml_e2e::catalogue::relations;
use sop_ml_e2e::effort::figure;
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::watch::{Session, assert_clean_log};

/// Queries that show the tenant's own rows (and the shared ones): never a foreign one.
const READS: [&str; 24] = [
    "TABLE {t}",
    "SELECT ctid, xmin, cmax, tableoid::regclass, * FROM {t}",
    "SELECT max(to_jsonb(t)::text), min(t::text), string_agg(t::text, '|' ORDER BY t::text) FROM {t} t",
    "SELECT array_agg(t) FROM {t} t",
    "SELECT restaurant_id, count(*), min(t::text) FROM {t} t GROUP BY GROUPING SETS ((restaurant_id), ())",
    "SELECT restaurant_id, count(*) FROM {t} t GROUP BY CUBE (restaurant_id) HAVING bool_or(t::text <> '')",
    "SELECT first_value(t::text) OVER w, lag(t::text) OVER w, lead(t::text) OVER w, last_value(t::text) OVER w, ntile(3) OVER w
       FROM {t} t WINDOW w AS (ORDER BY restaurant_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
    "SELECT x.*, y.* FROM {t} x FULL JOIN {t} y ON x.restaurant_id = y.restaurant_id AND x::text < y::text",
    "SELECT * FROM {t} WHERE restaurant_id = '{a}' OR true ORDER BY restaurant_id DESC",
    "SELECT DISTINCT ON (restaurant_id) * FROM {t} ORDER BY restaurant_id DESC",
    "SELECT * FROM {t} UNION ALL SELECT * FROM {t}",
    "SELECT t::text FROM {t} t EXCEPT ALL SELECT t::text FROM {t} t WHERE restaurant_id = '{a}'",
    "WITH c AS MATERIALIZED (SELECT * FROM {t}) SELECT * FROM c ORDER BY restaurant_id DESC",
    "WITH RECURSIVE c AS (SELECT t.*, 1 AS depth FROM {t} t UNION ALL SELECT t.*, 2 FROM {t} t JOIN c ON c.depth < 2) SELECT * FROM c",
    "SELECT table_to_xml('{t}', true, true, '')",
    "SELECT query_to_xml('SELECT * FROM {t}', true, false, '')",
    "SELECT json_agg(t), xmlagg(xmlelement(name r, t::text)) FROM {t} t",
    "EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS) SELECT * FROM {t} t ORDER BY t::text",
    "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT count(*) FROM {t} t GROUP BY t::text",
    "SET enable_seqscan = off; SELECT * FROM {t} WHERE restaurant_id IS NOT NULL; RESET enable_seqscan",
    "BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT * FROM {t}; FETCH ALL FROM c; COMMIT; FETCH FIRST FROM c;
     FETCH BACKWARD ALL FROM c; FETCH ABSOLUTE -1 FROM c; CLOSE c",
    "CREATE TEMP TABLE copy AS SELECT * FROM {t}; TABLE copy; DROP TABLE copy",
    "CREATE VIEW playground.v AS SELECT * FROM {t}; TABLE playground.v; DROP VIEW playground.v",
    "CREATE MATERIALIZED VIEW playground.m AS SELECT * FROM {t}; TABLE playground.m; DROP MATERIALIZED VIEW playground.m",
];

/// Queries that ask for the other tenant's rows: no row, whatever the plan.
const FOREIGN_READS: [&str; 13] = [
    "SELECT * FROM {t} WHERE restaurant_id = '{b}'",
    "SELECT * FROM {t} WHERE restaurant_id NOT IN ('{a}', '{shared}')",
    "SELECT * FROM {t} WHERE restaurant_id::text LIKE 'bbbb%'",
    "SELECT r.* FROM (VALUES ('{b}'::uuid)) AS v (id), LATERAL (SELECT * FROM {t} x WHERE x.restaurant_id = v.id) AS r",
    "SELECT 1 FROM (VALUES ('{b}'::uuid)) AS v (id) WHERE EXISTS (SELECT FROM {t} x WHERE x.restaurant_id = v.id)",
    "SELECT 1 FROM (VALUES ('{b}'::uuid)) AS v (id)
      WHERE (SELECT count(*) OVER () FROM {t} x WHERE x.restaurant_id = v.id LIMIT 1) IS NOT NULL",
    "WITH c AS NOT MATERIALIZED (SELECT * FROM {t}) SELECT * FROM c WHERE restaurant_id = '{b}'",
    "BEGIN; DECLARE c CURSOR FOR SELECT * FROM {t} WHERE restaurant_id = '{b}'; FETCH ALL FROM c; COMMIT",
    "PREPARE p (uuid) AS SELECT * FROM {t} WHERE restaurant_id = $1; EXECUTE p ('{b}'); EXECUTE p ('{nobody}'); DEALLOCATE p",
    "BEGIN; SAVEPOINT s; SET LOCAL sop_ml.restaurant_id = '{b}'; SELECT * FROM {t} WHERE restaurant_id = '{b}';
     ROLLBACK TO s; SELECT * FROM {t} WHERE restaurant_id = '{b}'; COMMIT",
    "SET sop_ml.restaurant_id = '{b}'; SELECT * FROM {t} WHERE restaurant_id = '{b}'; RESET sop_ml.restaurant_id",
    "CREATE FUNCTION playground.f() RETURNS SETOF {t} LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM {t}';
     SELECT * FROM playground.f() WHERE restaurant_id = '{b}'; DROP FUNCTION playground.f()",
    "SELECT * FROM {t} WHERE ctid = ANY (ARRAY(SELECT format('(%s,%s)', p, g)::tid FROM generate_series(0, 3) p, generate_series(1, 40) g))
        AND restaurant_id NOT IN ('{a}', '{shared}')",
];

/// Row locks and samples: PostgreSQL may refuse them for lack of a right or on a view.
const LOCKED_READS: [&str; 8] = [
    "SELECT * FROM {t} FOR UPDATE",
    "SELECT * FROM {t} FOR UPDATE SKIP LOCKED",
    "SELECT * FROM {t} FOR NO KEY UPDATE NOWAIT",
    "SELECT * FROM {t} FOR SHARE",
    "SELECT * FROM {t} FOR KEY SHARE SKIP LOCKED",
    "SELECT * FROM {t} TABLESAMPLE BERNOULLI (100)",
    "SELECT * FROM {t} TABLESAMPLE SYSTEM (100) REPEATABLE (1)",
    "BEGIN; LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE; TABLE {t}; ROLLBACK",
];

/// Writes aimed at the other tenant's rows: refused, or without effect.
const FOREIGN_WRITES: [&str; 14] = [
    "UPDATE {t} SET restaurant_id = restaurant_id WHERE restaurant_id = '{b}' RETURNING *",
    "UPDATE {t} SET restaurant_id = '{a}' WHERE restaurant_id = '{b}' RETURNING *",
    "UPDATE {t} x SET restaurant_id = y.restaurant_id FROM {t} y WHERE y.restaurant_id = '{b}' RETURNING y.*",
    "DELETE FROM {t} WHERE restaurant_id = '{b}' RETURNING *",
    "DELETE FROM {t} WHERE restaurant_id NOT IN ('{a}') RETURNING *",
    "DELETE FROM {t} x USING {t} y WHERE y.restaurant_id = '{b}' RETURNING y.*",
    "WITH d AS (DELETE FROM {t} WHERE restaurant_id = '{b}' RETURNING *) SELECT * FROM d",
    "WITH u AS (UPDATE {t} SET restaurant_id = restaurant_id WHERE restaurant_id = '{b}' RETURNING *) SELECT * FROM u",
    "INSERT INTO {t} SELECT * FROM {t} WHERE restaurant_id = '{b}' RETURNING *",
    "MERGE INTO {t} x USING (VALUES ('{b}'::uuid)) AS v (id) ON x.restaurant_id = v.id WHEN MATCHED THEN DELETE",
    "MERGE INTO {t} x USING (VALUES ('{b}'::uuid)) AS v (id) ON x.restaurant_id = v.id
      WHEN MATCHED THEN UPDATE SET restaurant_id = '{a}'",
    "MERGE INTO {t} x USING (SELECT * FROM {t} WHERE restaurant_id = '{b}') AS y ON x.restaurant_id = y.restaurant_id
      WHEN MATCHED THEN DELETE",
    "PREPARE p (uuid) AS DELETE FROM {t} WHERE restaurant_id = $1 RETURNING *; EXECUTE p ('{b}'); DEALLOCATE p",
    "BEGIN; DECLARE c CURSOR FOR SELECT * FROM {t} WHERE restaurant_id = '{b}' FOR UPDATE; MOVE NEXT FROM c;
     DELETE FROM {t} WHERE CURRENT OF c; COMMIT",
];

/// What only an owner of the relation or a superuser may do.
const TAKEOVERS: [&str; 44] = [
    "TRUNCATE {t}",
    "TRUNCATE {t} CASCADE",
    "DROP TABLE {t} CASCADE",
    "DROP VIEW {t} CASCADE",
    "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE {t} OWNER TO tenant_a",
    "ALTER TABLE {t} ADD COLUMN mine text",
    "ALTER TABLE {t} RENAME TO mine",
    "ALTER TABLE {t} SET SCHEMA playground",
    "ALTER TABLE {t} ALTER COLUMN restaurant_id SET DEFAULT '{b}'",
    "ALTER TABLE {t} DISABLE TRIGGER ALL",
    "ALTER TABLE {t} ADD CONSTRAINT tell CHECK (restaurant_id <> '{b}')",
    "ALTER VIEW {t} SET (security_barrier = false, security_invoker = false)",
    "ALTER VIEW {t} OWNER TO tenant_a",
    "CREATE OR REPLACE VIEW {t} AS SELECT 1",
    "CREATE INDEX ON {t} (restaurant_id)",
    "CREATE STATISTICS playground.s ON restaurant_id, (restaurant_id::text) FROM {t}",
    "CREATE POLICY open ON {t} USING (true)",
    "DROP POLICY sop_ml_select ON {t}",
    "ALTER POLICY sop_ml_select ON {t} USING (true)",
    "CREATE TRIGGER spy BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION playground.spy()",
    "CREATE RULE spy AS ON INSERT TO {t} DO ALSO NOTIFY spy",
    "CREATE RULE \"_RETURN\" AS ON SELECT TO {t} DO INSTEAD SELECT 1",
    "CREATE TABLE playground.child () INHERITS ({t})",
    "CREATE TABLE playground.part PARTITION OF {t} DEFAULT",
    "CREATE TABLE playground.mirror (id uuid REFERENCES {t})",
    "GRANT ALL ON {t} TO tenant_a",
    "GRANT SELECT ON {t} TO PUBLIC WITH GRANT OPTION",
    "REVOKE ALL ON {t} FROM tenant_b",
    "COMMENT ON TABLE {t} IS 'mine'",
    "COMMENT ON COLUMN {t}.restaurant_id IS 'mine'",
    "SECURITY LABEL ON TABLE {t} IS 'mine'",
    "CLUSTER {t}",
    "REINDEX TABLE {t}",
    "REFRESH MATERIALIZED VIEW {t}",
    "CREATE PUBLICATION spy FOR TABLE {t}",
    "COPY {t} TO '/tmp/sop_ml_attack'",
    "COPY {t} FROM '/etc/passwd'",
    "COPY {t} TO PROGRAM 'cat'",
    "COPY (SELECT * FROM {t}) TO PROGRAM 'cat'",
    "SET row_security = off; SELECT * FROM {t}",
    "SET session_replication_role = replica; DELETE FROM {t}",
    "CREATE TABLE sop_ml.mine (id int)",
];

/// What a missing right, a wrong kind of relation or a state that forbids it is answered with.
const REFUSALS: [&str; 7] = [
    "42501", "42809", "0A000", "55000", "42704", "42P17", "22023",
];

/// The register of migrations has no tenant key: what names it there is a missing column.
const NO_SUCH_COLUMN: &str = "42703";

fn playground(session: &mut Session) {
    let made = session.run(
        "CREATE FUNCTION playground.spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''%'', OLD; END'",
    );
    assert_eq!(made.code(), "", "{}", made.text());
}

#[test]
fn every_read_shows_own_rows_alone() {
    let database = scene("attack_reads");
    let mut statements = 0;
    for settings in ["SET client_min_messages = debug1;", GENERIC, PARALLEL] {
        let mut session = attacker(&database);
        assert_eq!(session.attack(settings).code(), "");
        // Starting workers takes its time.
        let step = if settings == PARALLEL {
            figure(12, 1)
        } else {
            1
        };
        for relation in api(&database).into_iter().step_by(step) {
            let name = relation.qualified();
            for template in READS {
                let statement = spell(template, &name);
                let answer = session.attack(&statement);
                // A view has no system columns.
                let expected = if relation.kind == "v" && template.contains("ctid") {
                    NO_SUCH_COLUMN
                } else {
                    ""
                };
                assert_eq!(answer.code(), expected, "{statement}: {}", answer.text());
                assert!(
                    !answer.text().contains(TENANTS[1].restaurant_id),
                    "{statement}: {}",
                    answer.text()
                );
                statements += 1;
            }
            let own = session.attack(&spell(
                "SELECT count(*) FROM {t} WHERE restaurant_id = '{a}'",
                &name,
            ));
            assert!(
                own.value() != Some("0") || relation.kind == "v",
                "{name} shows nothing to its tenant"
            );
            for template in FOREIGN_READS {
                let statement = spell(template, &name);
                let answer = session.attack(&statement);
                let expected = if relation.kind == "v" && template.contains("ctid") {
                    NO_SUCH_COLUMN
                } else {
                    ""
                };
                assert_eq!(answer.code(), expected, "{statement}: {}", answer.text());
                assert_eq!(answer.rows.len(), 0, "{statement}: {}", answer.text());
                statements += 1;
            }
            for template in LOCKED_READS {
                let statement = spell(template, &name);
                let answer = session.attack(&statement);
                session.run("ROLLBACK");
                assert!(
                    answer.code().is_empty() || REFUSALS.contains(&answer.code()),
                    "{statement}: {}",
                    answer.text()
                );
                assert!(
                    !answer.text().contains(TENANTS[1].restaurant_id),
                    "{statement}"
                );
                statements += 1;
            }
            for template in [
                "COPY (SELECT * FROM {t}) TO STDOUT",
                "COPY {t} TO STDOUT (FORMAT csv, HEADER)",
            ] {
                let statement = spell(template, &name);
                let answer = session.copy_out(&statement);
                session.refuse_leak(&answer, &statement);
                // A view cannot be copied by name (42809).
                assert!(
                    answer.code().is_empty() || (relation.kind == "v" && answer.code() == "42809"),
                    "{statement}: {}",
                    answer.text()
                );
                assert!(
                    !answer.text().contains(TENANTS[1].restaurant_id),
                    "{statement}"
                );
                statements += 1;
            }
        }
        let _ = assert_clean_log(&database, &session);
    }
    println!("attack_relations: {statements} reads, no foreign row and no canary");
}

#[test]
fn no_write_reaches_a_foreign_row() {
    let database = scene("attack_writes");
    let before = rows_of(&database, TENANTS[1].restaurant_id);
    let mut session = attacker(&database);
    let mut statements = 0;
    for relation in api(&database) {
        let name = relation.qualified();
        for template in FOREIGN_WRITES {
            let statement = spell(template, &name);
            let answer = session.attack(&statement);
            session.run("ROLLBACK");
            session.run("DEALLOCATE ALL");
            assert_eq!(answer.rows.len(), 0, "{statement}: {}", answer.text());
            // 24000: there is no current row of the cursor, because it shows none; 428C9: a generated column takes no value.
            assert!(
                answer.code().is_empty()
                    || ["24000", "428C9"].contains(&answer.code())
                    || REFUSALS.contains(&answer.code()),
                "{statement}: {}",
                answer.text()
            );
            statements += 1;
        }
        // The client cannot go on after a COPY that the server refuses at once.
        let mut copier = attacker(&database);
        let copied = copier.copy_in(
            &spell("COPY {t} (restaurant_id) FROM STDIN", &name),
            &format!("{}\n", TENANTS[1].restaurant_id),
        );
        copier.refuse_leak(&copied, "COPY FROM");
        assert!(
            REFUSALS.contains(&copied.code()),
            "COPY FROM into {name}: {}",
            copied.text()
        );
    }
    assert_eq!(before, rows_of(&database, TENANTS[1].restaurant_id));
    let _ = assert_clean_log(&database, &session);
    println!("attack_relations: {statements} writes at foreign rows, none had an effect");
}

#[test]
fn nobody_takes_a_relation_over() {
    let database = scene("attack_takeovers");
    let definitions = sop_ml_e2e::catalogue::definitions(&database);
    let privileges = sop_ml_e2e::catalogue::privileges(&database);
    let before = rows_of(&database, TENANTS[1].restaurant_id);
    let mut session = attacker(&database);
    playground(&mut session);
    let mut statements = 0;
    for relation in relations(&database)
        .iter()
        .filter(|relation| relation.kind != "S")
    {
        let name = relation.qualified();
        for template in TAKEOVERS {
            let statement = spell(template, &name);
            let answer = session.attack(&statement);
            session.run("ROLLBACK; RESET ALL");
            // The tables of the API that a tenant reads have no row for row_security = off to refuse when they are views
            // over materialized views; a GRANT or REVOKE without a right to give is a warning.
            let warned = template.starts_with("GRANT") || template.starts_with("REVOKE");
            let barrier = template.contains("row_security")
                && (relation.kind == "v" || !relation.has_restaurant);
            assert!(
                REFUSALS.contains(&answer.code())
                    || warned
                    || barrier
                    || (answer.code() == NO_SUCH_COLUMN && !relation.has_restaurant),
                "{statement}: {}",
                answer.text()
            );
            statements += 1;
        }
    }
    assert_eq!(definitions, sop_ml_e2e::catalogue::definitions(&database));
    assert_eq!(privileges, sop_ml_e2e::catalogue::privileges(&database));
    assert_eq!(before, rows_of(&database, TENANTS[1].restaurant_id));
    let _ = assert_clean_log(&database, &session);
    println!("attack_relations: {statements} attempts at taking a relation over, all refused");
}
