//! The scene of the attack tests: two tenants with canaries in every row; the first is the attacker and may make
//! objects of its own.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::catalogue::{Relation, relations};
use crate::fixture::TENANTS;
use crate::watch::{Session, Watch};
use crate::{Database, canary, shared};

/// The shared tenant.
pub const SHARED_TENANT: &str = "00000000-0000-0000-0000-000000000000";
/// A restaurant that does not exist.
pub const NOBODY: &str = "cccccccc-0000-4000-8000-00000000000c";

/// Settings that make PostgreSQL keep one plan for all parameter values and users.
pub const GENERIC: &str = "SET plan_cache_mode = force_generic_plan;";
/// Settings that make PostgreSQL use parallel workers wherever it can.
pub const PARALLEL: &str = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
     SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = 2;
     SELECT set_config(name, CASE WHEN name = 'force_parallel_mode' THEN 'on' ELSE 'regress' END, false)
       FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');";

/// A database with both tenants' rows, a schema `playground` of the attacker's, and the right to make more.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn scene(name: &str) -> Database {
    static TEMPLATE: OnceLock<Mutex<Option<Database>>> = OnceLock::new();
    let mut template = TEMPLATE
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let original = template.get_or_insert_with(|| {
        let database = shared().database_with_extension("scene");
        let planted = canary::fill(&database);
        assert!(planted >= 200, "only {planted} columns hold a canary");
        database.run(&format!(
            "CREATE SCHEMA playground AUTHORIZATION {0}; GRANT USAGE ON SCHEMA playground TO PUBLIC",
            TENANTS[0].role
        ));
        database
    });
    let database = shared().copy_of(name, original);
    // Rights on a database are not copied with it. Debugging output goes to the log as well.
    database.run(&format!(
        "GRANT CREATE, TEMPORARY ON DATABASE \"{name}\" TO {0};
         ALTER ROLE {0} IN DATABASE \"{name}\" SET log_min_messages = 'debug1'",
        TENANTS[0].role
    ));
    database
}

/// The attacker's session.
#[must_use]
pub fn attacker(database: &Database) -> Session {
    Session::connect(database, TENANTS[0].role, Watch::new(&canary::OF_B))
}

/// Relations of the API with a tenant key.
#[must_use]
pub fn api(database: &Database) -> Vec<Relation> {
    relations(database)
        .into_iter()
        .filter(|relation| relation.schema == "sop_ml" && relation.has_restaurant)
        .collect()
}

/// Replaces `{t}` by a relation and `{a}`, `{b}`, `{nobody}`, `{shared}` by restaurants.
#[must_use]
pub fn spell(template: &str, relation: &str) -> String {
    template
        .replace("{t}", relation)
        .replace("{a}", TENANTS[0].restaurant_id)
        .replace("{b}", TENANTS[1].restaurant_id)
        .replace("{nobody}", NOBODY)
        .replace("{shared}", SHARED_TENANT)
}

/// A checksum of the rows that belong to a restaurant, per table.
#[must_use]
pub fn rows_of(database: &Database, restaurant: &str) -> Vec<(String, String)> {
    let mut client = database.superuser();
    relations(database)
        .iter()
        .filter(|relation| relation.has_restaurant && relation.stores_rows() && !relation.is_partition)
        .map(|relation| {
            let name = relation.qualified();
            let row = client
                .query_one(
                    &format!(
                        "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '')
                           FROM {name} AS t WHERE restaurant_id = '{restaurant}'"
                    ),
                    &[],
                )
                .unwrap_or_else(|error| panic!("{name}: {}", crate::describe(&error)));
            (name, row.get(0))
        })
        .collect()
}
