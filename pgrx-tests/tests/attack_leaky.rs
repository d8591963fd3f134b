//! Functions of a hostile tenant that cost nothing and tell what they are called with, in every place of a query: they
//! are called with the tenant's own rows alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::attack::{GENERIC, PARALLEL, api, attacker, scene, spell};
use sop_ml_e2e::effort::figure;
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::watch::{Session, assert_clean_log};

/// `tell` says what it is given, `fail` puts it into an error; casts, operators and an aggregate do so in other words.
const TOOLS: &str = "
    CREATE FUNCTION playground.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
        'BEGIN RAISE NOTICE ''told %'', $1; RETURN true; END';
    CREATE FUNCTION playground.tell_strange(text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 PARALLEL SAFE IMMUTABLE AS
        'BEGIN RAISE NOTICE ''told %'', $1; RETURN length($1) > 0; END';
    CREATE FUNCTION playground.fail(text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
        'BEGIN RAISE EXCEPTION USING MESSAGE = $1, DETAIL = $1, HINT = $1; END';
    CREATE FUNCTION playground.fail_on_other(text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
        'BEGIN IF strpos($1, ''aaaaaaaa-0000'') = 0 THEN RAISE EXCEPTION ''%'', $1; END IF; RETURN true; END';
    CREATE FUNCTION playground.tell2(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
        'BEGIN RAISE NOTICE ''told % %'', $1, $2; RETURN true; END';
    CREATE FUNCTION playground.tell_number(text) RETURNS int LANGUAGE plpgsql COST 0.000000001 AS
        'BEGIN RAISE NOTICE ''told %'', $1; RETURN 1; END';
    CREATE OPERATOR playground.@@@ (LEFTARG = text, RIGHTARG = text, PROCEDURE = playground.tell2, RESTRICT = eqsel, JOIN = eqjoinsel);
    CREATE OPERATOR playground.!!! (RIGHTARG = text, PROCEDURE = playground.tell);
    CREATE TYPE playground.told AS (said text);
    CREATE FUNCTION playground.cast_told(text) RETURNS playground.told LANGUAGE plpgsql COST 0.000000001 AS
        'BEGIN RAISE NOTICE ''told %'', $1; RETURN ROW($1)::playground.told; END';
    CREATE CAST (text AS playground.told) WITH FUNCTION playground.cast_told(text) AS IMPLICIT;
    CREATE DOMAIN playground.checked AS text CHECK (playground.tell(VALUE));
    CREATE FUNCTION playground.collect(state int, value text) RETURNS int LANGUAGE plpgsql AS
        'BEGIN RAISE NOTICE ''told %'', value; RETURN coalesce(state, 0) + 1; END';
    CREATE AGGREGATE playground.collector(text) (SFUNC = playground.collect, STYPE = int);
    CREATE FUNCTION playground.rows_of(anyelement) RETURNS SETOF text LANGUAGE plpgsql COST 0.000000001 ROWS 1 AS
        'BEGIN RAISE NOTICE ''told %'', $1::text; RETURN NEXT $1::text; END'";

/// Each must call its function at least once where the tenant has rows.
const TELLING: [&str; 24] = [
    "SELECT FROM {t} t WHERE playground.tell(t::text)",
    "SELECT FROM {t} t WHERE playground.tell_strange(t::text)",
    "SELECT FROM {t} t WHERE playground.tell(t::text) AND restaurant_id = '{b}' OR playground.tell(t::text)",
    "SELECT FROM {t} t WHERE CASE WHEN playground.tell(t::text) THEN true END",
    "SELECT FROM {t} t WHERE t::text OPERATOR(playground.@@@) 'x'",
    "SELECT FROM {t} t WHERE OPERATOR(playground.!!!) t::text",
    "SELECT FROM {t} t WHERE (t::text)::playground.checked IS NOT NULL",
    "SELECT FROM {t} t WHERE ((t::text)::playground.told).said IS NOT NULL",
    "SELECT FROM {t} x JOIN {t} y ON playground.tell2(x::text, y::text)",
    "SELECT y.restaurant_id FROM {t} x LEFT JOIN {t} y ON x::text OPERATOR(playground.@@@) y::text",
    "SELECT FROM {t} t ORDER BY playground.tell(t::text)",
    "SELECT playground.tell_number(t::text) FROM {t} t GROUP BY playground.tell_number(t::text)",
    "SELECT count(*) FILTER (WHERE playground.tell(t::text)) FROM {t} t",
    "SELECT restaurant_id FROM {t} t GROUP BY restaurant_id HAVING bool_or(playground.tell(t::text))",
    "SELECT rank() OVER (PARTITION BY playground.tell(t::text) ORDER BY playground.tell(t::text)) FROM {t} t",
    "SELECT playground.collector(t::text) FROM {t} t",
    "SELECT DISTINCT ON (playground.tell(t::text)) 1 FROM {t} t",
    "SELECT FROM {t} t, LATERAL playground.rows_of(t) AS r",
    "SELECT (SELECT playground.tell(t::text)) FROM {t} t",
    "SELECT FROM {t} t WHERE EXISTS (SELECT FROM {t} x WHERE playground.tell(x::text) AND x.restaurant_id = t.restaurant_id)",
    "SELECT FROM {t} t WHERE restaurant_id IN (SELECT restaurant_id FROM {t} x WHERE playground.tell(x::text))",
    "WITH c AS NOT MATERIALIZED (SELECT t::text AS line FROM {t} t) SELECT FROM c WHERE playground.tell(line)",
    "SELECT FROM (SELECT t::text AS line FROM {t} t OFFSET 0) s WHERE playground.tell(line)",
    "SELECT FROM (SELECT * FROM {t} UNION ALL SELECT * FROM {t}) s WHERE playground.tell(s::text)",
];

/// Each may fail, with the tenant's own rows in the message.
const FAILING: [&str; 9] = [
    "SELECT FROM {t} t WHERE playground.fail_on_other(t::text) AND restaurant_id <> '{shared}'",
    "SELECT FROM {t} t WHERE playground.fail(t::text)",
    "SELECT FROM {t} t WHERE playground.fail(t::text) AND restaurant_id = '{b}'",
    "SELECT FROM {t} t ORDER BY playground.fail(t::text)",
    "SELECT FROM {t} t WHERE 1 / (CASE WHEN restaurant_id = '{b}' THEN 0 ELSE 1 END) = 1",
    "SELECT (t::text)::int FROM {t} t",
    "SELECT FROM {t} t WHERE (t::text)::xml IS NULL OR (t::text)::jsonb IS NULL",
    "SELECT FROM {t} x JOIN {t} y ON (x::text || y::text)::numeric > 0",
    "UPDATE {t} t SET restaurant_id = restaurant_id WHERE playground.tell(t::text) AND playground.fail(t::text)",
];

/// Writes with such functions, rolled back.
const WRITING: [&str; 4] = [
    "BEGIN; UPDATE {t} t SET restaurant_id = restaurant_id WHERE playground.tell(t::text); ROLLBACK",
    "BEGIN; DELETE FROM {t} t WHERE playground.tell(t::text) AND restaurant_id = '{b}'; ROLLBACK",
    "BEGIN; DELETE FROM {t} t USING {t} x WHERE playground.tell2(t::text, x::text) RETURNING playground.tell(t::text); ROLLBACK",
    "BEGIN; MERGE INTO {t} t USING {t} x ON playground.tell2(t::text, x::text) AND x.restaurant_id = '{b}'
       WHEN MATCHED AND playground.tell(t::text) THEN DELETE; ROLLBACK",
];

fn tell_all(session: &mut Session, database: &sop_ml_e2e::Database) -> (usize, usize) {
    let (mut statements, mut told) = (0, 0);
    for relation in api(database) {
        let name = relation.qualified();
        let rows = session.attack(&spell("SELECT count(*) FROM {t}", &name));
        let has_rows = rows.value() != Some("0");
        for template in TELLING {
            let statement = spell(template, &name);
            let answer = session.attack(&statement);
            assert_eq!(answer.code(), "", "{statement}: {}", answer.text());
            assert!(
                !answer.text().contains(TENANTS[1].restaurant_id),
                "{statement}: {}",
                answer.text()
            );
            assert!(
                !has_rows || !answer.notices.is_empty(),
                "{statement} tells nothing, so nothing was tried"
            );
            statements += 1;
            told += answer.notices.len();
        }
        for template in FAILING.iter().chain(&WRITING) {
            let statement = spell(template, &name);
            let answer = session.attack(&statement);
            session.run("ROLLBACK");
            assert!(
                !answer.text().contains(TENANTS[1].restaurant_id)
                    || template.contains("fail_on_other"),
                "{statement}: {}",
                answer.text()
            );
            statements += 1;
            told += answer.notices.len();
        }
        let strict = session.attack(&spell(FAILING[0], &name));
        assert_eq!(
            strict.code(),
            "",
            "{name}: a foreign row reached a filter: {}",
            strict.text()
        );
    }
    (statements, told)
}

#[test]
fn leaky_functions_see_own_rows_alone() {
    let database = scene("leaky");
    let mut session = attacker(&database);
    let made = session.run(TOOLS);
    assert_eq!(made.code(), "", "{}", made.text());
    let modes = [
        "SET enable_seqscan = on",
        GENERIC,
        "SET enable_seqscan = off",
        PARALLEL,
    ];
    for settings in modes.into_iter().take(figure(1, 4)) {
        let mut session = attacker(&database);
        assert_eq!(session.attack(settings).code(), "");
        let (statements, told) = tell_all(&mut session, &database);
        assert!(
            told >= statements,
            "{told} rows were told by {statements} statements: too few to mean anything"
        );
        let _ = assert_clean_log(&database, &session);
        println!(
            "attack_leaky: {statements} statements told {told} rows, all the attacker's own ({})",
            settings.trim().get(..24).unwrap_or(settings)
        );
    }
}

/// A tenant may not call its functions leakproof, nor make what the planner would push below a policy.
#[test]
fn leaky_views_do_not_open_a_barrier() {
    let database = scene("leaky_views");
    let mut session = attacker(&database);
    let made = session.run(TOOLS);
    assert_eq!(made.code(), "", "{}", made.text());
    for relation in api(&database) {
        let name = relation.qualified();
        for options in ["", "WITH (security_barrier)", "WITH (security_invoker)"] {
            for statement in [
                format!("CREATE VIEW playground.v {options} AS SELECT * FROM {name}"),
                "SELECT FROM playground.v v WHERE playground.tell(v::text)".to_owned(),
                "SELECT FROM playground.v v JOIN playground.v w ON playground.tell2(v::text, w::text)".to_owned(),
                "DROP VIEW playground.v".to_owned(),
            ] {
                let answer = session.attack(&statement);
                assert_eq!(answer.code(), "", "{statement}: {}", answer.text());
                assert!(!answer.text().contains(TENANTS[1].restaurant_id), "{statement}");
            }
        }
    }
    let _ = assert_clean_log(&database, &session);
}

/// The watch itself: what it has to see, it sees, wherever it is.
#[test]
fn the_watch_sees_a_canary_wherever_it_is() {
    let database = scene("watch");
    let mut session = attacker(&database);
    assert_eq!(session.run(TOOLS).code(), "");
    database.run("CREATE TABLE playground.open AS SELECT 'canary_' || 'bbbb_open' AS word, 424242.25::float8 AS number; GRANT SELECT ON playground.open TO PUBLIC");
    for statement in [
        "TABLE playground.open",
        "SELECT number + 0 FROM playground.open",
        "SELECT FROM playground.open WHERE playground.tell(word)",
        "SELECT FROM playground.open WHERE playground.fail(word)",
        "SELECT word::int FROM playground.open",
        "DO $$ BEGIN RAISE WARNING 'x' USING DETAIL = (SELECT word FROM playground.open); END $$",
        "EXPLAIN (VERBOSE) SELECT * FROM playground.open WHERE word = (VALUES ('canary_' || 'bbbb_plan'))",
    ] {
        assert!(
            !session.run(statement).leaked.is_empty(),
            "the watch is blind to {statement}"
        );
    }
    let copied = session.copy_out("COPY playground.open TO STDOUT");
    assert!(!copied.leaked.is_empty(), "the watch is blind to COPY");
    let said = session.run("SELECT 'canary_bbbb_of_my_own'");
    assert!(
        said.leaked.is_empty(),
        "what the attacker says itself is no leak"
    );
    let entries = sop_ml_e2e::watch::log_entries(&database, &session.role);
    assert!(
        entries
            .iter()
            .any(|entry| entry.contains("canary_bbbb_open")),
        "the log does not hold what was put there"
    );
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert_clean_log(
            &database, &session
        )))
        .is_err(),
        "the watch is blind to the log"
    );
}
