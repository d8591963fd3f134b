//! The first statements of a fresh session, before the library is loaded: no setting that is the superuser's alone can be
//! set beforehand, in whatever way, and none of them holds a secret.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::Database;
use sop_ml_e2e::attack::{attacker, scene};
use sop_ml_e2e::canary::OF_B;
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::watch::{Session, Watch};

/// A call that loads the library.
const LOAD: &str = "SELECT sop_ml.current_restaurant()";

/// The settings that a tenant may not set, as the loaded library says.
fn guarded(database: &Database) -> Vec<String> {
    let mut client = database.superuser();
    client.batch_execute(LOAD).unwrap();
    let names: Vec<String> = client
        .query(
            "SELECT name FROM pg_settings WHERE name LIKE 'sop\\_ml.%' AND context <> 'user' ORDER BY 1",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(
        names.contains(&"sop_ml.gateway_roles".to_owned()),
        "only {names:?} are guarded"
    );
    names
}

/// What an attacker would write into a setting: a value that, if believed, opens the other tenant.
fn value_for(name: &str) -> String {
    match name {
        "sop_ml.gateway_roles" => TENANTS[0].role.to_owned(),
        // The key of RFC 8037, whose private half everybody knows.
        "sop_ml.jwks" => r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"evil","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#.to_owned(),
        _ => "7777".to_owned(),
    }
}

/// After the attempt: the library is loaded, the setting has its default value, and claims for the other tenant are not
/// believed.
fn assert_without_effect(session: &mut Session, name: &str, value: &str, how: &str) {
    session.run("ROLLBACK");
    let loaded = session.attack(LOAD);
    assert_eq!(
        loaded.value(),
        Some(TENANTS[0].restaurant_id),
        "{how}: {}",
        loaded.text()
    );
    let now = session.attack(&format!("SELECT current_setting('{name}', true)"));
    assert_ne!(now.value(), Some(value), "{how} set {name}");
    let believed = session.attack(&format!(
        "SET request.jwt.claims = '{{\"restaurant\": \"{0}\", \"restaurants\": [\"{0}\"], \"role\": \"owner\"}}';
         SET sop_ml.restaurant_id = '{0}';
         SELECT count(*) FROM sop_ml.sop_restaurants WHERE restaurant_id = '{0}'",
        TENANTS[1].restaurant_id
    ));
    assert_eq!(
        believed.rows.last().and_then(|row| row[0].as_deref()),
        Some("0"),
        "{how}: {}",
        believed.text()
    );
}

#[test]
fn no_guarded_setting_can_be_set_in_advance() {
    let database = scene("settings_before");
    let mut attempts = 0;
    for name in guarded(&database) {
        let value = value_for(&name);
        let quoted = format!("'{}'", value.replace('\'', "''"));
        for how in [
            format!("SET {name} = {quoted}"),
            format!("BEGIN; SET LOCAL {name} = {quoted}; {LOAD}; SHOW {name}; COMMIT"),
            format!("SELECT set_config('{name}', {quoted}, false)"),
            format!("SELECT set_config('{name}', {quoted}, false), sop_ml.current_restaurant()"),
            format!("SELECT sop_ml.current_restaurant(), set_config('{name}', {quoted}, true)"),
            format!("WITH s AS MATERIALIZED (SELECT set_config('{name}', {quoted}, false)) SELECT count(*) FROM s, sop_ml.sop_restaurants"),
            format!(
                "CREATE FUNCTION pg_temp.f() RETURNS uuid LANGUAGE sql SET {name} = {quoted} AS 'SELECT sop_ml.current_restaurant()'; SELECT pg_temp.f()"
            ),
            format!(
                "SET {name} = {quoted};
                 CREATE FUNCTION pg_temp.f() RETURNS uuid LANGUAGE sql SET {name} FROM CURRENT AS 'SELECT sop_ml.current_restaurant()'; SELECT pg_temp.f()"
            ),
            format!("DO $$ BEGIN PERFORM set_config('{name}', {quoted}, false); PERFORM sop_ml.current_restaurant(); END $$"),
            format!("SET {name} = {quoted}; LOAD '$libdir/plugins/sop_ml'"),
            format!("SET \"{}\" = {quoted}", name.to_uppercase()),
            format!("SET local_preload_libraries = 'sop_ml'; SET {name} = {quoted}"),
            format!("UPDATE pg_settings SET setting = {quoted} WHERE name = '{name}'"),
        ] {
            let mut session = attacker(&database);
            session.attack(&how);
            assert_without_effect(&mut session, &name, &value, &how);
            attempts += 1;
        }
        // Loaded, a plain SET is an error.
        let mut session = attacker(&database);
        session.attack(LOAD);
        let answer = session.attack(&format!("SET {name} = {quoted}"));
        assert!(
            ["42501", "55P02"].contains(&answer.code()),
            "SET {name}: {}",
            answer.text()
        );

        // The options of a connection.
        let escaped = value.replace('\\', "\\\\").replace(' ', "\\ ");
        let mut config = database.config(TENANTS[0].role);
        config.options(&format!("-c {name}={escaped}"));
        let mut session = Session::configured(config, TENANTS[0].role, Watch::new(&OF_B));
        assert_without_effect(&mut session, &name, &value, "PGOPTIONS");

        // What is stored for a role or a database.
        for how in [
            format!("ALTER ROLE {} SET {name} = {quoted}", TENANTS[0].role),
            format!(
                "ALTER ROLE {} IN DATABASE \"{}\" SET {name} = {quoted}",
                TENANTS[0].role, database.name
            ),
            format!("ALTER DATABASE \"{}\" SET {name} = {quoted}", database.name),
            format!("ALTER ROLE ALL SET {name} = {quoted}"),
            format!("ALTER SYSTEM SET {name} = {quoted}"),
            format!("GRANT SET ON PARAMETER {name} TO {}", TENANTS[0].role),
            format!("ALTER FUNCTION sop_ml.current_restaurant() SET {name} = {quoted}"),
        ] {
            for load in ["SELECT 1", LOAD] {
                let mut session = attacker(&database);
                session.attack(load);
                let answer = session.attack(&how);
                assert_eq!(
                    answer.code(),
                    "42501",
                    "{how} after {load}: {}",
                    answer.text()
                );
                let mut fresh = attacker(&database);
                assert_without_effect(&mut fresh, &name, &value, &how);
                attempts += 1;
            }
        }
    }
    println!(
        "attack_settings: {attempts} attempts at settings of the superuser's, none had an effect"
    );
}

/// What may be set is harmless, and what is set for others is not shown.
#[test]
fn a_fresh_session_reads_no_secret() {
    let database = scene("settings_secrets");
    let names = guarded(&database);
    let mut session = attacker(&database);
    for name in &names {
        let answer = session.attack(&format!("SELECT current_setting('{name}', true)"));
        assert!(
            answer.value().unwrap_or_default().is_empty(),
            "{name} is {:?} before the library is loaded",
            answer.value()
        );
    }
    // As a superuser would set them. Only public keys are there to be read, by the design of these settings.
    for name in &names {
        let (value, role) = (value_for(name).replace('\'', "''"), TENANTS[0].role);
        database.run(&format!(
            "{LOAD}; ALTER ROLE {role} IN DATABASE \"{}\" SET {name} = '{value}'",
            database.name
        ));
    }
    let mut session = attacker(&database);
    let mut read = 0;
    for name in &names {
        let answer = session.attack(&format!("SELECT current_setting('{name}', true)"));
        let text = answer.text();
        for part in ["\"d\"", "\"k\"", "\"p\"", "\"q\"", "PRIVATE KEY", "secret"] {
            assert!(!text.contains(part), "{name} shows a secret: {text}");
        }
        read += usize::from(answer.value().is_some_and(|value| !value.is_empty()));
    }
    assert!(
        read > 0,
        "no setting could be read, so nothing was looked at"
    );
    let role = TENANTS[0].role;
    database.run(&format!(
        "ALTER ROLE {role} IN DATABASE \"{}\" RESET ALL",
        database.name
    ));
}

/// Setting what is not ours: a placeholder under our prefix neither survives the library nor changes what it does.
#[test]
fn placeholders_do_not_survive() {
    let database = scene("settings_placeholders");
    let mut session = attacker(&database);
    session.attack("SET sop_ml.bypass = 'on'; SET sop_ml.current_restaurant = 'x'; SET sop_ml.max_state_mb = 'many'; SET sop_ml.restaurant_id = 'x'");
    let answer = session.attack(LOAD);
    // restaurant_id is the caller's to set; a nonsensical one is an error, not another restaurant.
    assert_eq!(answer.code(), "22023", "{}", answer.text());
    session.attack("RESET sop_ml.restaurant_id");
    assert_eq!(session.attack(LOAD).value(), Some(TENANTS[0].restaurant_id));
    let left = session.attack("SELECT current_setting('sop_ml.bypass', true)");
    assert_eq!(left.value(), None, "{}", left.text());
    assert_eq!(session.attack("SET sop_ml.bypass = 'on'").code(), "42602");
}
