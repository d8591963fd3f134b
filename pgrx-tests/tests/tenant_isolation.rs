//! Two ordinary tenants try to reach each other's rows through every relation that the catalogue lists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use postgres::Client;
use sop_ml_e2e::catalogue::{Relation, relations};
use sop_ml_e2e::fixture::{TENANTS, Tenant, fill};
use sop_ml_e2e::{Database, describe, shared, sqlstate};

const SHARED_TENANT: &str = "00000000-0000-0000-0000-000000000000";

/// Settings that make PostgreSQL keep one plan for all parameter values and users.
const GENERIC: &str = "SET plan_cache_mode = force_generic_plan";

/// Settings that make PostgreSQL use parallel workers wherever it can.
const PARALLEL: &str = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
     SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = 2;
     SELECT set_config(name, CASE WHEN name = 'force_parallel_mode' THEN 'on' ELSE 'regress' END, false)
       FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')";

fn tenants_database(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    fill(&database);
    database
}

/// Relations of the API with a tenant key: what a tenant may name.
fn api(database: &Database) -> Vec<Relation> {
    relations(database)
        .into_iter()
        .filter(|relation| relation.schema == "sop_ml" && relation.has_restaurant)
        .collect()
}

/// How many rows of its own and how many of others a query shows; `None` when the right to read is missing.
fn seen(client: &mut Client, relation: &str, own: &str) -> Option<(i64, i64)> {
    let statement = format!(
        "SELECT count(*) FILTER (WHERE restaurant_id = '{own}'),
                count(*) FILTER (WHERE restaurant_id NOT IN ('{own}', '{SHARED_TENANT}'))
           FROM {relation}"
    );
    match client.query_one(&statement, &[]) {
        Ok(row) => Some((row.get(0), row.get(1))),
        Err(error) if sqlstate(&error) == "42501" => None,
        Err(error) => panic!("{relation}: {}", describe(&error)),
    }
}

fn others(tenant: Tenant) -> Tenant {
    *TENANTS
        .iter()
        .find(|other| other.restaurant_id != tenant.restaurant_id)
        .unwrap()
}

#[test]
fn every_relation_has_a_tenant_key_or_is_known_not_to() {
    let database = shared().database_with_extension("isolation_keys");
    let without: Vec<String> = relations(&database)
        .iter()
        .filter(|relation| !relation.has_restaurant && relation.kind != "S")
        .map(Relation::qualified)
        .collect();
    assert_eq!(without, ["\"sop_ml\".\"sop_schema_migrations\""]);
    let open = database.texts(
        "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
          WHERE c.relnamespace IN ('sop_ml'::regnamespace, 'sop_ml_storage'::regnamespace) AND c.relkind IN ('r', 'p')
            AND c.relname <> 'sop_schema_migrations'
            AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1",
    );
    assert_eq!(
        open,
        Vec::<String>::new(),
        "tables without forced row-level security"
    );
}

#[test]
fn a_tenant_reads_its_own_rows_and_no_others() {
    let database = tenants_database("isolation_read");
    let mut superuser = database.superuser();
    for tenant in TENANTS {
        for (mode, settings) in [("plain", "SELECT 1"), ("parallel", PARALLEL)] {
            let mut client = database.connect(tenant.role);
            client.batch_execute(settings).unwrap();
            let mut with_rows = 0;
            for relation in api(&database) {
                let name = relation.qualified();
                // An owner may read whatever exists: a missing right would hide a leak from this test.
                let (own, foreign) = seen(&mut client, &name, tenant.restaurant_id)
                    .unwrap_or_else(|| panic!("{} may not read {name}", tenant.role));
                assert_eq!(
                    foreign, 0,
                    "{mode}: {} sees foreign rows in {name}",
                    tenant.role
                );
                if relation.kind != "v" {
                    let (all, _) = seen(&mut superuser, &name, tenant.restaurant_id).unwrap();
                    assert!(all > 0, "{name} has no row of {}", tenant.role);
                    assert_eq!(
                        own, all,
                        "{mode}: rows of its own that {} sees in {name}",
                        tenant.role
                    );
                    with_rows += 1;
                }
            }
            assert!(with_rows >= 40, "only {with_rows} tables were looked at");
        }
    }
}

#[test]
fn a_kept_plan_follows_the_role_and_the_setting() {
    let database = tenants_database("isolation_plans");
    let [a, b] = TENANTS;
    // One login that may become either tenant, and one that has access to both restaurants and chooses by setting.
    database.run(&format!(
        "CREATE ROLE pool LOGIN NOINHERIT; GRANT {0}, {1} TO pool;
         CREATE ROLE both_tenants LOGIN; GRANT sop_ml_owner TO both_tenants;
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
         VALUES ('{2}', 'both_tenants', 'owner'), ('{3}', 'both_tenants', 'owner')",
        a.role, b.role, a.restaurant_id, b.restaurant_id
    ));
    let mut pool = database.connect("pool");
    let mut both = database.connect("both_tenants");
    for client in [&mut pool, &mut both] {
        client.batch_execute(GENERIC).unwrap();
    }
    for parallel in [false, true] {
        if parallel {
            pool.batch_execute(PARALLEL).unwrap();
            both.batch_execute(PARALLEL).unwrap();
        }
        for relation in api(&database) {
            let name = relation.qualified();
            let statement = format!(
                "SELECT coalesce(string_agg(DISTINCT restaurant_id::text, ','), '') FROM {name} WHERE restaurant_id <> '{SHARED_TENANT}'"
            );
            pool.batch_execute(&format!("SET ROLE {}", a.role)).unwrap();
            let prepared = pool.prepare(&statement).unwrap();
            let rounds: &[Tenant] = if parallel { &[b, a] } else { &[a, b, a, b] };
            for tenant in rounds {
                pool.batch_execute(&format!("SET ROLE {}", tenant.role))
                    .unwrap();
                let restaurants: String = pool.query_one(&prepared, &[]).unwrap().get(0);
                assert!(
                    restaurants.is_empty() || restaurants == tenant.restaurant_id,
                    "{name} shows {restaurants} to {} under a plan made for another role",
                    tenant.role
                );
                assert!(
                    relation.kind == "v" || !restaurants.is_empty(),
                    "{name} shows nothing to {}",
                    tenant.role
                );
            }
            pool.batch_execute("RESET ROLE").unwrap();

            let prepared = both.prepare(&statement).unwrap();
            for chosen in [a.restaurant_id, b.restaurant_id, "", a.restaurant_id] {
                both.batch_execute(&format!("SET sop_ml.restaurant_id = '{chosen}'"))
                    .unwrap();
                let restaurants: String = both.query_one(&prepared, &[]).unwrap().get(0);
                assert!(
                    restaurants.is_empty() || restaurants == chosen,
                    "{name} shows {restaurants} when '{chosen}' is chosen"
                );
            }
        }
    }
}

#[test]
fn a_tenant_writes_no_foreign_row() {
    let database = tenants_database("isolation_write");
    let mut superuser = database.superuser();
    for relation in api(&database) {
        let name = relation.qualified();
        for tenant in TENANTS {
            let other = others(tenant);
            let mut client = database.connect(tenant.role);
            let context = format!("{} on {name}", tenant.role);

            // A copy of the other's row, as another tenant might guess it.
            let row: Option<String> = superuser
                .query_opt(
                    &format!(
                        "SELECT to_jsonb(t)::text FROM {name} t WHERE restaurant_id = '{}' LIMIT 1",
                        other.restaurant_id
                    ),
                    &[],
                )
                .unwrap()
                .map(|row| row.get(0));
            assert!(
                row.is_some() || relation.kind == "v",
                "{name} has no row to try with"
            );
            let columns: Vec<String> = superuser
                .query(
                    "SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute
                      WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                    &[&name],
                )
                .unwrap()
                .iter()
                .map(|row| row.get(0))
                .collect();
            let columns = columns.join(", ");
            if let Some(row) = row {
                for conflict in ["", "ON CONFLICT DO NOTHING"] {
                    let insert = format!(
                        "INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{name}, $1::text::jsonb) {conflict}"
                    );
                    let error = client
                        .execute(&insert, &[&row])
                        .expect_err(&format!("{context} inserted a foreign row {conflict}"));
                    // 42501 and nothing else: a unique violation would tell that the row exists. A view that nobody can
                    // write through answers that it is not updatable.
                    assert!(
                        sqlstate(&error) == "42501"
                            || (relation.kind == "v"
                                && ["55000", "0A000"].contains(&sqlstate(&error))),
                        "{context} {conflict}: {}",
                        describe(&error)
                    );
                }
            }

            for statement in [
                format!(
                    "UPDATE {name} SET restaurant_id = '{}' WHERE restaurant_id = '{}'",
                    tenant.restaurant_id, other.restaurant_id
                ),
                format!(
                    "UPDATE {name} SET restaurant_id = restaurant_id WHERE restaurant_id = '{}'",
                    other.restaurant_id
                ),
                format!(
                    "UPDATE {name} SET restaurant_id = '{}' WHERE restaurant_id = '{}'",
                    other.restaurant_id, tenant.restaurant_id
                ),
                format!(
                    "DELETE FROM {name} WHERE restaurant_id = '{}'",
                    other.restaurant_id
                ),
                format!("DELETE FROM {name} WHERE restaurant_id = '{SHARED_TENANT}'"),
            ] {
                let mut transaction = client.transaction().unwrap();
                match transaction.execute(&statement, &[]) {
                    Ok(rows) => assert_eq!(rows, 0, "{context}: {statement}"),
                    // A trigger refuses any change of a time series' key, whosever rows there are (55000).
                    Err(error) => assert!(
                        ["42501", "55000"].contains(&sqlstate(&error))
                            || (relation.kind == "v"
                                && ["55000", "0A000"].contains(&sqlstate(&error))),
                        "{context}: {statement}: {}",
                        describe(&error)
                    ),
                }
                transaction.rollback().unwrap();
            }
        }
    }
}

#[test]
fn statements_without_a_predicate_reach_only_own_rows() {
    let database = tenants_database("isolation_bare");
    let [tenant, other] = TENANTS;
    // One session that changes its role inside a transaction, so that the effect can be looked at and undone.
    let mut session = database.superuser();
    for relation in api(&database) {
        if relation.kind == "v" {
            continue;
        }
        let name = relation.qualified();
        let count = format!(
            "SELECT count(*) FROM {name} WHERE restaurant_id = '{}'",
            other.restaurant_id
        );
        let before: i64 = session.query_one(&count, &[]).unwrap().get(0);
        let mut transaction = session.transaction().unwrap();
        transaction
            .batch_execute(&format!("SET LOCAL ROLE {}", tenant.role))
            .unwrap();
        let mut attempt = transaction.transaction().unwrap();
        let deleted = attempt.execute(&format!("DELETE FROM {name}"), &[]);
        match &deleted {
            Ok(_) => attempt.commit().unwrap(),
            Err(error) => {
                // No right to delete, or rows of its own that are still referred to (or guarded by a trigger).
                assert!(
                    ["42501", "23503", "55000"].contains(&sqlstate(error)),
                    "DELETE FROM {name}: {}",
                    describe(error)
                );
                attempt.rollback().unwrap();
            }
        }
        transaction.batch_execute("RESET ROLE").unwrap();
        let after: i64 = transaction.query_one(&count, &[]).unwrap().get(0);
        assert_eq!(before, after, "foreign rows of {name} after a bare DELETE");
        transaction.rollback().unwrap();
    }
}

#[test]
fn partitions_materialized_views_and_storage_are_closed() {
    let database = tenants_database("isolation_storage");
    let storage: Vec<Relation> = relations(&database)
        .into_iter()
        .filter(|relation| relation.schema == "sop_ml_storage" && relation.kind != "S")
        .collect();
    assert!(storage.iter().any(|relation| relation.is_partition));
    assert!(storage.iter().any(|relation| relation.kind == "m"));
    for tenant in TENANTS {
        let mut client = database.connect(tenant.role);
        for relation in &storage {
            let name = relation.qualified();
            for statement in [
                format!("SELECT count(*) FROM {name}"),
                format!("DELETE FROM {name}"),
                format!("UPDATE {name} SET restaurant_id = restaurant_id"),
                format!("INSERT INTO {name} SELECT * FROM {name}"),
                format!("TRUNCATE {name}"),
            ] {
                let error = client
                    .batch_execute(&statement)
                    .expect_err(&format!("{}: {statement}", tenant.role));
                // A materialized view refuses writes by its nature (42809), before it looks at rights.
                assert!(
                    ["42501", "42809"].contains(&sqlstate(&error)),
                    "{}: {statement}: {}",
                    tenant.role,
                    describe(&error)
                );
            }
        }
    }
}

#[test]
fn nobody_gets_rights_that_ignore_row_level_security() {
    let database = tenants_database("isolation_rights");
    let rights = database.texts(
        "SELECT r.rolname || ' may ' || p.name || ' ' || c.oid::regclass
           FROM pg_catalog.pg_roles r, pg_catalog.pg_class c,
                (SELECT unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER'])
                 UNION ALL
                 SELECT 'MAINTAIN' WHERE current_setting('server_version_num')::integer >= 170000) AS p (name)
          WHERE r.rolname IN ('sop_ml_viewer', 'sop_ml_staff', 'sop_ml_analyst', 'sop_ml_manager', 'sop_ml_owner',
                              'sop_ml_group_reader', 'tenant_a', 'tenant_b')
            AND c.relnamespace IN ('sop_ml'::regnamespace, 'sop_ml_storage'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
            AND pg_catalog.has_table_privilege(r.oid, c.oid, p.name) ORDER BY 1",
    );
    assert_eq!(rights, Vec::<String>::new());
    let functions = database.texts(
        "SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
          WHERE p.pronamespace = 'sop_ml'::regnamespace AND p.prosecdef
            AND (p.proconfig IS NULL OR NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%'))",
    );
    assert_eq!(
        functions,
        Vec::<String>::new(),
        "SECURITY DEFINER without a pinned search_path"
    );
}

#[test]
fn without_a_membership_nothing_is_shown() {
    let database = tenants_database("isolation_stranger");
    database.run("CREATE ROLE stranger LOGIN; GRANT sop_ml_owner TO stranger");
    let mut stranger = database.connect("stranger");
    for choice in ["", TENANTS[0].restaurant_id, SHARED_TENANT, "not a uuid"] {
        if stranger
            .batch_execute(&format!("SET sop_ml.restaurant_id = '{choice}'"))
            .is_err()
        {
            continue;
        }
        for relation in api(&database) {
            let name = relation.qualified();
            match stranger.query_one(&format!("SELECT count(*) FROM {name}"), &[]) {
                Ok(row) => assert_eq!(row.get::<_, i64>(0), 0, "{name} with '{choice}' chosen"),
                Err(error) => assert!(
                    ["42501", "22023", "22P02"].contains(&sqlstate(&error)),
                    "{name} with '{choice}' chosen: {}",
                    describe(&error)
                ),
            }
        }
    }
}

/// What `caller()` says of a login: the restaurant and the access level there.
fn caller_is(database: &Database, login: &str) -> (Option<String>, Option<String>) {
    let row = database
        .connect(login)
        .query_one(
            "SELECT restaurant_id::text, access_level FROM sop_ml.caller()",
            &[],
        )
        .unwrap_or_else(|error| panic!("{login}: {}", describe(&error)));
    (row.get(0), row.get(1))
}

/// From PostgreSQL 16 on, CREATE ROLE makes whoever may create roles, without being superuser, a member who may administer
/// the new role and nothing else.
#[test]
fn administering_a_role_is_no_membership() {
    let database = tenants_database("isolation_role_administrator");
    database.run(
        "CREATE ROLE personnel LOGIN CREATEROLE;
         GRANT sop_ml_viewer TO personnel;
         SET ROLE personnel;
         CREATE ROLE new_cook LOGIN;
         RESET ROLE;
         GRANT sop_ml_owner TO new_cook;
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
         SELECT restaurant_id, 'new_cook', 'staff' FROM sop_ml.sop_restaurants WHERE name = 'tenant_a'",
    );
    let restaurant = Some(TENANTS[0].restaurant_id.to_owned());
    let staff = Some("staff".to_owned());
    assert_eq!(
        caller_is(&database, "new_cook"),
        (restaurant.clone(), staff.clone())
    );
    assert_eq!(caller_is(&database, "personnel").0, None, "its creator");

    // A real grant counts, on every version.
    database.run("CREATE ROLE deputy LOGIN; GRANT sop_ml_viewer, new_cook TO deputy");
    assert_eq!(
        caller_is(&database, "deputy"),
        (restaurant.clone(), staff.clone())
    );

    if database.count("SELECT current_setting('server_version_num')::bigint / 10000") < 16 {
        return;
    }
    for (options, counts) in [
        ("ADMIN TRUE, INHERIT FALSE, SET FALSE", false),
        ("ADMIN FALSE, INHERIT TRUE, SET FALSE", true),
        ("ADMIN FALSE, INHERIT FALSE, SET TRUE", true),
    ] {
        let mut client = database.superuser();
        client
            .batch_execute(&format!("GRANT new_cook TO deputy WITH {options}"))
            .unwrap();
        assert_eq!(
            caller_is(&database, "deputy").0.is_some(),
            counts,
            "{options}"
        );
        // The roles of sop_ml too: who may only grant them has no access level.
        client
            .batch_execute(&format!(
                "GRANT sop_ml_owner TO personnel WITH {options};
                 INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
                 SELECT restaurant_id, 'personnel', 'owner' FROM sop_ml.sop_restaurants WHERE name = 'tenant_b'
                 ON CONFLICT DO NOTHING"
            ))
            .unwrap();
        let level = if counts { "owner" } else { "viewer" };
        assert_eq!(
            caller_is(&database, "personnel").1.as_deref(),
            Some(level),
            "{options}"
        );
    }
}
