//! Tenants behind PgBouncer in transaction mode: no context outlives its transaction, nobody sees another's rows, and access
//! that is taken away stops at the next statement.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::{Barrier, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use postgres::{Client, GenericClient, Transaction};
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sop_ml_e2e::{Database, PgBouncer, describe, effort, shared, sqlstate, tokens};

/// The one login role of the pool. It may become each tenant, and so has access to every restaurant.
const POOL: &str = "pool_login";
const TENANTS: usize = 30;
const CLIENTS: usize = 200;
const SERVER_CONNECTIONS: usize = 8;
/// Rows of each tenant before anything runs.
const FIRST_ROWS: i64 = 3;

/// How a transaction says whom it works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// `SET LOCAL sop_ml.restaurant_id`, among the restaurants of the login role.
    Restaurant,
    /// `SET LOCAL ROLE`, to a role with access to one restaurant.
    Role,
    /// `SET LOCAL sop_ml.jwt`, a signed token of a person who is a member of one restaurant.
    Token,
}

const CHOICES: [Choice; 3] = [Choice::Restaurant, Choice::Role, Choice::Token];

impl Choice {
    fn statement(self, tenant: usize) -> String {
        match self {
            Self::Restaurant => {
                format!("SET LOCAL sop_ml.restaurant_id = '{}'", restaurant(tenant))
            }
            Self::Role => format!("SET LOCAL ROLE {}", role(tenant)),
            Self::Token => format!("SET LOCAL sop_ml.jwt = '{}'", token(tenant)),
        }
    }
}

fn restaurant(tenant: usize) -> String {
    format!("cccccccc-0000-4000-8000-{tenant:012}")
}

fn person(tenant: usize) -> String {
    format!("dddddddd-0000-4000-8000-{tenant:012}")
}

fn role(tenant: usize) -> String {
    format!("pooled_{tenant}")
}

/// A token of the tenant's owner, the same one each time, as a pool sees it.
fn token(tenant: usize) -> &'static str {
    static TOKENS: OnceLock<Vec<String>> = OnceLock::new();
    let all = TOKENS.get_or_init(|| {
        let [ed, ..] = tokens::signers();
        let sign =
            |tenant| ed.sign(&json!({ "sub": person(tenant), "exp": tokens::now() + 86_400 }));
        (0..TENANTS).map(sign).collect()
    });
    &all[tenant]
}

/// A text that only this tenant's rows have.
fn canary(tenant: usize) -> String {
    format!("canary of tenant {tenant}")
}

/// A database with the tenants, each with a few rows, and the login role of the pool.
fn pooled_database(name: &str) -> Database {
    // Granting one role twice at the same moment is an error of the server's.
    static GRANTS: Mutex<()> = Mutex::new(());
    let _one_at_a_time = GRANTS.lock().unwrap_or_else(PoisonError::into_inner);
    let database = shared().database_with_extension(name);
    create_role(&database, POOL, "LOGIN");
    database.run(&format!(
        "GRANT sop_ml_owner TO {POOL}; ALTER DATABASE {name} SET sop_ml.jwks = '{}'",
        tokens::key_set(&tokens::signers())
    ));
    for tenant in 0..TENANTS {
        let (role, id) = (role(tenant), restaurant(tenant));
        create_role(&database, &role, "NOLOGIN");
        database.run(&format!(
            "GRANT sop_ml_owner TO {role}; GRANT {role} TO {POOL};
             INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{id}', '{role}');
             INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, app_user_id, access_level)
             VALUES ('{id}', '{role}', NULL, 'owner'), ('{id}', NULL, '{person}', 'owner');
             INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id, title)
             SELECT '{id}', gen_random_uuid(), '{canary}' FROM generate_series(1, {FIRST_ROWS})",
            canary = canary(tenant),
            person = person(tenant)
        ));
    }
    database
}

/// Roles belong to the cluster, which the tests of this file share.
fn create_role(database: &Database, name: &str, attributes: &str) {
    database.run(&format!(
        "DO $$ BEGIN CREATE ROLE {name} {attributes};
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    ));
}

/// What a connection shows: server process, current user, restaurant, how many rows of three relations, whose texts.
#[derive(Debug, PartialEq, Eq)]
struct View {
    server: i32,
    user: String,
    restaurant: Option<String>,
    rows: i64,
    titles: Vec<String>,
}

/// Uses unnamed and named statements of the protocol inside one transaction, where PgBouncer keeps to one server.
fn look(client: &mut impl GenericClient) -> View {
    let row = client
        .query_one(
            "SELECT pg_backend_pid(), current_user::text, sop_ml.current_restaurant()::text,
                    (SELECT count(*) FROM sop_ml.sop_content_features)
                    + (SELECT count(*) FROM sop_ml.sop_restaurants) + (SELECT count(*) FROM sop_ml.sop_latest_performance),
                    (SELECT coalesce(array_agg(DISTINCT title), '{}') FROM sop_ml.sop_content_features)",
            &[],
        )
        .unwrap_or_else(|error| panic!("{}", describe(&error)));
    View {
        server: row.get(0),
        user: row.get(1),
        restaurant: row.get(2),
        rows: row.get(3),
        titles: row.get(4),
    }
}

fn assert_sees_own(view: &View, tenant: usize, choice: Choice) {
    assert_eq!(view.restaurant, Some(restaurant(tenant)), "{choice:?}");
    assert_eq!(view.titles, [canary(tenant)], "{choice:?}");
}

fn assert_sees_nothing(view: &View, after: &str) {
    assert_eq!(
        (
            view.user.as_str(),
            &view.restaurant,
            view.rows,
            view.titles.len()
        ),
        (POOL, &None, 0, 0),
        "after {after}"
    );
}

/// The next client of the pool, in a transaction of its own.
fn look_as_next(next: &mut Client) -> View {
    let mut transaction = next.transaction().unwrap();
    let view = look(&mut transaction);
    transaction.commit().unwrap();
    view
}

#[test]
fn no_context_outlives_its_transaction() {
    let database = pooled_database("pool_ends");
    // One server connection: what the first client leaves behind, the next one gets.
    let bouncer = PgBouncer::start(&database, &[POOL], 1);
    let mut first = bouncer.connect(POOL);
    let mut next = bouncer.connect(POOL);
    type End = (&'static str, fn(&mut Client, Choice) -> View);
    let ends: [End; 6] = [
        ("COMMIT", |client, choice| {
            let (transaction, view) = chosen(client, choice);
            transaction.commit().unwrap();
            view
        }),
        ("ROLLBACK", |client, choice| {
            let (transaction, view) = chosen(client, choice);
            transaction.rollback().unwrap();
            view
        }),
        ("ROLLBACK TO SAVEPOINT", |client, choice| {
            let mut transaction = client.transaction().unwrap();
            let mut savepoint = transaction.savepoint("here").unwrap();
            savepoint.batch_execute(&choice.statement(1)).unwrap();
            let view = look(&mut savepoint);
            savepoint.rollback().unwrap();
            assert_sees_nothing(&look(&mut transaction), "ROLLBACK TO SAVEPOINT, inside");
            transaction.commit().unwrap();
            view
        }),
        ("an error", |client, choice| {
            let (mut transaction, view) = chosen(client, choice);
            let error = transaction.batch_execute("SELECT 1 / 0").unwrap_err();
            assert_eq!(sqlstate(&error), "22012");
            transaction.rollback().unwrap();
            view
        }),
        (
            "an error in a batch without an explicit end",
            |client, choice| {
                let view = {
                    let (transaction, view) = chosen(client, choice);
                    transaction.rollback().unwrap();
                    view
                };
                let error = client
                    .batch_execute(&format!("{}; SELECT 1 / 0", choice.statement(1)))
                    .unwrap_err();
                assert_eq!(sqlstate(&error), "22012");
                view
            },
        ),
        ("DISCARD ALL", |client, choice| {
            // For the session, as nobody should behind a pool: the next client has the context …
            let statement = choice.statement(1).replace("LOCAL", "SESSION");
            client.batch_execute(&statement).unwrap();
            let view = look_as_next(client);
            client.batch_execute("DISCARD ALL").unwrap();
            view
        }),
    ];
    for choice in CHOICES {
        for (name, end) in &ends {
            let left = end(&mut first, choice);
            assert_sees_own(&left, 1, choice);
            let found = look_as_next(&mut next);
            assert_eq!(found.server, left.server, "not the same server connection");
            assert_sees_nothing(&found, name);
        }
        // … which also shows that this test would notice a context that is left behind.
        first
            .batch_execute(&choice.statement(1).replace("LOCAL", "SESSION"))
            .unwrap();
        assert_sees_own(&look_as_next(&mut next), 1, choice);
        first.batch_execute("DISCARD ALL").unwrap();
        assert_sees_nothing(&look_as_next(&mut next), "DISCARD ALL by another client");
    }
}

/// A transaction that works for tenant 1, and what it sees.
fn chosen(client: &mut Client, choice: Choice) -> (Transaction<'_>, View) {
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute(&choice.statement(1)).unwrap();
    let view = look(&mut transaction);
    (transaction, view)
}

#[test]
fn two_hundred_clients_see_their_own_rows_alone() {
    let database = pooled_database("pool_many");
    let transactions = effort::figure(15, 1200);
    let seed = effort::seed();
    println!("SOP_ML_SEED={seed}");
    let bouncer = PgBouncer::start(&database, &[POOL], SERVER_CONNECTIONS);
    let start = Barrier::new(CLIENTS);
    let began = Instant::now();
    let committed: Vec<(usize, i64)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (bouncer, start) = (&bouncer, &start);
                scope.spawn(move || {
                    let mut work = Work::new(number, seed);
                    let mut client = bouncer.connect(POOL);
                    start.wait();
                    for _ in 0..transactions {
                        work.transaction(&mut client);
                    }
                    (work.tenant, work.committed)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("a client failed"))
            .collect()
    });
    let elapsed = began.elapsed();
    let mut rows = 0;
    for tenant in 0..TENANTS {
        let expected: i64 = FIRST_ROWS
            + committed
                .iter()
                .filter(|(of, _)| *of == tenant)
                .map(|(_, n)| n)
                .sum::<i64>();
        let found = database.count(&format!(
            "SELECT count(*) FROM sop_ml.sop_content_features WHERE restaurant_id = '{}' AND title = '{}'",
            restaurant(tenant),
            canary(tenant)
        ));
        assert_eq!(found, expected, "rows of tenant {tenant}");
        rows += found;
    }
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_content_features"),
        rows
    );
    let servers = database.count(&format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{POOL}' AND datname = current_database()"
    ));
    assert!(
        (2..=i64::try_from(SERVER_CONNECTIONS).unwrap()).contains(&servers),
        "{servers} server connections"
    );
    println!(
        "pgbouncer: {}, {CLIENTS} clients of {TENANTS} tenants on {servers} server connections, {} transactions in {:.1} s, {} rows committed, 0 foreign rows seen",
        PgBouncer::version(),
        CLIENTS * transactions,
        elapsed.as_secs_f64(),
        rows - FIRST_ROWS * i64::try_from(TENANTS).unwrap(),
    );
}

/// What one client does, and what it knows of its own rows.
struct Work {
    tenant: usize,
    random: ChaCha8Rng,
    committed: i64,
}

impl Work {
    fn new(number: usize, seed: u64) -> Self {
        Self {
            tenant: number % TENANTS,
            random: ChaCha8Rng::seed_from_u64(seed.wrapping_add(number as u64)),
            committed: 0,
        }
    }

    fn transaction(&mut self, client: &mut Client) {
        let choice = CHOICES[self.random.random_range(0..CHOICES.len())];
        let mut transaction = client.transaction().unwrap();
        assert_sees_nothing(&look(&mut transaction), "somebody else's transaction");
        transaction
            .batch_execute(&choice.statement(self.tenant))
            .unwrap();
        let inserted = transaction
            .execute(
                "INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id, title)
                 VALUES (sop_ml.current_restaurant(), gen_random_uuid(), $1)",
                &[&canary(self.tenant)],
            )
            .unwrap_or_else(|error| panic!("{choice:?}: {}", describe(&error)));
        assert_eq!(inserted, 1);
        assert_sees_own(&look(&mut transaction), self.tenant, choice);
        self.read_by_kept_statement(&mut transaction);
        match self.random.random_range(0..4) {
            0 | 1 => {
                transaction.commit().unwrap();
                self.committed += 1;
            }
            2 => transaction.rollback().unwrap(),
            _ => {
                let foreign = (self.tenant + 1) % TENANTS;
                let error = transaction
                    .execute(
                        "INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id, title)
                         VALUES ($1::text::uuid, gen_random_uuid(), 'foreign')",
                        &[&restaurant(foreign)],
                    )
                    .expect_err("a foreign row was inserted");
                assert_eq!(sqlstate(&error), "42501", "{}", describe(&error));
                transaction.rollback().unwrap();
            }
        }
    }

    /// A statement that SQL's PREPARE leaves on the server connection, with one plan for all: whichever client gets the
    /// connection next, and for whichever tenant, runs the plan that another one made.
    fn read_by_kept_statement(&self, transaction: &mut Transaction<'_>) {
        let known = transaction
            .query_one(
                "SELECT count(*) FROM pg_prepared_statements WHERE name = 'kept'",
                &[],
            )
            .unwrap()
            .get::<_, i64>(0);
        if known == 0 {
            transaction
                .batch_execute(
                    "PREPARE kept AS SELECT coalesce(string_agg(DISTINCT title, ','), ''), count(*) FROM sop_ml.sop_content_features",
                )
                .unwrap();
        }
        let answer = transaction
            .batch_execute("SET LOCAL plan_cache_mode = force_generic_plan")
            .and_then(|()| transaction.simple_query("EXECUTE kept"))
            .unwrap_or_else(|error| panic!("EXECUTE: {}", describe(&error)));
        let row = answer
            .iter()
            .find_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            })
            .expect("EXECUTE answers with a row");
        assert_eq!(row.get(0), Some(canary(self.tenant).as_str()));
        let count: i64 = row.get(1).unwrap().parse().unwrap();
        assert!(
            count > FIRST_ROWS + self.committed,
            "{count} rows, of which this client alone committed {}",
            self.committed
        );
    }
}

#[test]
fn access_that_is_taken_away_stops_at_the_next_statement() {
    let database = pooled_database("pool_revoked");
    let bouncer = PgBouncer::start(&database, &[POOL], SERVER_CONNECTIONS);
    let mut tenant = 1;
    for choice in CHOICES {
        for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
            for how in [
                "UPDATE sop_ml.sop_restaurant_members SET status = 'revoked', revoked_at = now()",
                "UPDATE sop_ml.sop_restaurant_members SET valid_from = now() - interval '2 days', valid_until = now() - interval '1 day'",
                "DELETE FROM sop_ml.sop_restaurant_members",
            ] {
                let mut client = bouncer.connect(POOL);
                let mut transaction = client.transaction().unwrap();
                transaction
                    .batch_execute(&format!(
                        "SET TRANSACTION ISOLATION LEVEL {isolation}; {}",
                        choice.statement(tenant)
                    ))
                    .unwrap();
                assert_sees_own(&look(&mut transaction), tenant, choice);
                assert_eq!(rows_by_parallel_plan(&mut transaction), FIRST_ROWS);
                // A statement whose plan is kept and whose relations are locked gives the server no reason of its own to hear
                // what other sessions have done.
                let kept = transaction
                    .prepare(
                        "SELECT sop_ml.current_restaurant()::text, count(*) FROM sop_ml.sop_content_features",
                    )
                    .unwrap();
                for _ in 0..8 {
                    assert_eq!(
                        transaction.query_one(&kept, &[]).unwrap().get::<_, i64>(1),
                        FIRST_ROWS
                    );
                }
                database.run(&format!(
                    "{how} WHERE restaurant_id = '{}'",
                    restaurant(tenant)
                ));
                let context = format!("{choice:?}, {isolation}, {how}");
                let next = transaction.query_one(&kept, &[]).unwrap();
                assert_eq!(
                    (next.get::<_, Option<String>>(0), next.get::<_, i64>(1)),
                    (None, 0),
                    "{context}"
                );
                let view = look(&mut transaction);
                assert_eq!(
                    (&view.restaurant, view.rows, view.titles.len()),
                    (&None, 0, 0),
                    "{context}"
                );
                assert_eq!(rows_by_parallel_plan(&mut transaction), 0, "{context}");
                let error = transaction
                    .execute(
                        "INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id)
                         VALUES ($1::text::uuid, gen_random_uuid())",
                        &[&restaurant(tenant)],
                    )
                    .expect_err(&context);
                assert_eq!(sqlstate(&error), "42501", "{context}");
                transaction.rollback().unwrap();
                // The session afterwards, too.
                let mut transaction = client.transaction().unwrap();
                transaction
                    .batch_execute(&choice.statement(tenant))
                    .unwrap();
                assert_eq!(look(&mut transaction).restaurant, None, "{context}");
                transaction.rollback().unwrap();
                tenant += 1;
            }
        }
    }
    assert!(tenant < TENANTS, "a tenant of its own for each way");
}

/// Rows that workers find, whose memory of the context is their own.
fn rows_by_parallel_plan(transaction: &mut Transaction<'_>) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM sop_ml.sop_content_features";
    let mut settings = transaction.savepoint("settings").unwrap();
    settings
        .batch_execute(
            "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
             SET LOCAL min_parallel_index_scan_size = 0; SET LOCAL parallel_leader_participation = off;
             SELECT set_config(name, 'on', true)
               FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')",
        )
        .unwrap();
    let plan: Vec<String> = settings
        .query(&format!("EXPLAIN {COUNT}"), &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(
        plan.iter().any(|line| line.contains("Gather")),
        "no parallel plan:\n{}",
        plan.join("\n")
    );
    let rows = settings.query_one(COUNT, &[]).unwrap().get(0);
    settings.rollback().unwrap();
    rows
}
