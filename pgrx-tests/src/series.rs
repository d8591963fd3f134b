//! The time series on TimescaleDB: a server that has it, databases that can be converted, and the blocks of
//! `pgrx-tests/queries/time_series.sql`.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::blocks::{self, Block};
use crate::{Cluster, Database, shared};

const QUERIES: &str = include_str!("../queries/time_series.sql");
/// Where a database is converted that is to have rows before.
const MARK: &str = "-- == convert here";
/// The first of the two restaurants.
pub const RESTAURANT: &str = "a0000000-0000-4000-8000-000000000001";
/// The other one.
pub const OTHER: &str = "b0000000-0000-4000-8000-000000000002";

/// What the table is, apart from what has to differ on a hypertable: policies' tenant condition, and rights on columns that
/// stand for the same rights on the table.
pub const DEFINITION: &str = "
SELECT format('column %s %s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)) AS line
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'sop_ml.sop_time_series_data'::regclass AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT format('statistics %s %s', a.attname, a.attstattarget) FROM pg_attribute a
WHERE a.attrelid = 'sop_ml.sop_time_series_data'::regclass AND a.attstattarget > 0
UNION ALL SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE conrelid = 'sop_ml.sop_time_series_data'::regclass AND contype <> 'n'
UNION ALL SELECT format('index %s %s', replace(pg_get_indexdef(indexrelid), ' ONLY ', ' '), obj_description(indexrelid)) FROM pg_index
WHERE indrelid = 'sop_ml.sop_time_series_data'::regclass
UNION ALL SELECT format('trigger %s %s %s', pg_get_triggerdef(oid), tgenabled, obj_description(oid)) FROM pg_trigger
WHERE tgrelid = 'sop_ml.sop_time_series_data'::regclass AND NOT tgisinternal AND tgname <> 'ts_insert_blocker'
UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = 'sop_ml.sop_time_series_data'::regclass
UNION ALL SELECT format('policy %s %s %s %s %s', policyname, permissive, roles, cmd, with_check) FROM pg_policies
WHERE schemaname = 'sop_ml' AND tablename = 'sop_time_series_data'
UNION ALL SELECT format('owner %s, row security %s %s, identity %s, %s', relowner::regrole, relrowsecurity, relforcerowsecurity,
              relreplident, obj_description(oid))
FROM pg_class WHERE oid = 'sop_ml.sop_time_series_data'::regclass
UNION ALL SELECT DISTINCT format('right %s %s %s', grantee, privilege_type, is_grantable) FROM information_schema.column_privileges
WHERE table_schema = 'sop_ml' AND table_name = 'sop_time_series_data'
UNION ALL SELECT format('right %s %s %s', grantee, privilege_type, is_grantable) FROM information_schema.table_privileges
WHERE table_schema = 'sop_ml' AND table_name = 'sop_time_series_data' AND privilege_type IN ('DELETE', 'TRUNCATE', 'TRIGGER')
ORDER BY 1";

/// Logins of the queries, two restaurants with their members, and three SOPs.
const PEOPLE: &str = "
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['viewer_a', 'staff_a', 'analyst_a', 'manager_a', 'analyst_b', 'group_reader', 'operator', 'nobody'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', 'series_' || wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    GRANT sop_ml_viewer TO series_viewer_a, series_nobody;
    GRANT sop_ml_staff TO series_staff_a;
    GRANT sop_ml_analyst TO series_analyst_a, series_analyst_b;
    GRANT sop_ml_manager TO series_manager_a;
    GRANT sop_ml_group_reader TO series_group_reader;
    GRANT sop_ml_operator TO series_operator;
    ALTER ROLE series_operator BYPASSRLS;
END $$;
INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, time_zone) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'Alster', 'Europe/Berlin'),
    ('b0000000-0000-4000-8000-000000000002', 'Bleecker', 'America/New_York');
INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
SELECT CASE WHEN restaurant = 'a' THEN uuid 'a0000000-0000-4000-8000-000000000001' ELSE 'b0000000-0000-4000-8000-000000000002' END,
       'series_' || role, level
FROM (VALUES ('a', 'viewer_a', 'viewer'), ('a', 'staff_a', 'staff'), ('a', 'analyst_a', 'analyst'), ('a', 'manager_a', 'manager'),
             ('b', 'analyst_b', 'analyst'), ('a', 'group_reader', 'viewer'), ('b', 'group_reader', 'viewer')) AS m (restaurant, role, level);
INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id, title) VALUES
    ('a0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000001', 'Keep the cold chain'),
    ('a0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000002', 'Open the kitchen'),
    ('a0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000003', 'Close the kitchen');";

/// The server with TimescaleDB; none where it is not installed.
#[must_use]
pub fn timescale() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER
        .get_or_init(|| start_timescale("timescale"))
        .as_ref()
}

/// A server of one's own with TimescaleDB; none where it is not installed, or in a version that sop_ml refuses.
#[must_use]
pub fn start_timescale(name: &str) -> Option<Cluster> {
    match packaged_version() {
        None => {
            println!("SKIPPED: TimescaleDB is not installed for this server");
            None
        }
        Some(version) if opens_chunks_by_name(&version) => {
            println!("SKIPPED: TimescaleDB {version} is refused");
            None
        }
        Some(_) => Some(start(name)),
    }
}

/// A server with TimescaleDB of a version that sop_ml refuses.
#[must_use]
pub fn start_refused_timescale(name: &str) -> Option<Cluster> {
    packaged_version()
        .filter(|version| opens_chunks_by_name(version))
        .map(|_| start(name))
}

fn packaged_version() -> Option<String> {
    shared()
        .existing_database("postgres")
        .texts("SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'")
        .pop()
}

/// Versions 2.23 to 2.28 look for a chunk by its name, with the rights of whoever inserts.
fn opens_chunks_by_name(version: &str) -> bool {
    version
        .strip_prefix("2.")
        .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok())
        .is_some_and(|minor| (23..=28).contains(&minor))
}

fn start(name: &str) -> Cluster {
    Cluster::start_with(
        name,
        &[
            "shared_preload_libraries=timescaledb",
            "timescaledb.telemetry_level=off",
            "max_worker_processes=30",
            "max_connections=80",
            "fsync=off",
        ],
    )
}

/// A database with both extensions; not a copy, because TimescaleDB's workers connect to whatever could be copied.
#[must_use]
pub fn database(cluster: &Cluster, name: &str) -> Database {
    let database = cluster.database(name);
    database.run("CREATE EXTENSION sop_ml; CREATE EXTENSION timescaledb");
    add_people(&database);
    database
}

/// Makes the logins of the queries, two restaurants with their members, and three SOPs.
pub fn add_people(database: &Database) {
    // Two sessions at once cannot change the same roles.
    static ROLES: Mutex<()> = Mutex::new(());
    let _alone = ROLES.lock().unwrap_or_else(PoisonError::into_inner);
    database.run(PEOPLE);
}

/// Makes the table a hypertable without compression; answers with action, rows moved and detail.
///
/// # Panics
/// When it is refused.
pub fn enable(database: &Database) -> (String, i64, String) {
    conversion(
        database,
        "SELECT * FROM sop_ml.enable_timescaledb(compression => false)",
    )
}

/// Makes the table a compressed hypertable behind a view; answers with action, rows moved and detail. TimescaleDB's own jobs stay out
/// of it: what they do is called for where it is meant.
///
/// # Panics
/// When it is refused.
pub fn enable_vault(database: &Database) -> (String, i64, String) {
    database.run("SELECT _timescaledb_functions.stop_background_workers()");
    conversion(database, "SELECT * FROM sop_ml.enable_timescaledb()")
}

/// Compresses every chunk; answers how many there are.
#[must_use]
pub fn compress(database: &Database) -> i64 {
    database.count(
        "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('sop_ml_storage.sop_time_series_data') AS c",
    )
}

/// The same of the way back.
///
/// # Panics
/// When it is refused.
pub fn disable(database: &Database) -> (String, i64, String) {
    conversion(database, "SELECT * FROM sop_ml.disable_timescaledb()")
}

fn conversion(database: &Database, statement: &str) -> (String, i64, String) {
    let rows = database.query(statement);
    let row = rows.first().expect("a conversion answers with a row");
    (row.get(0), row.get(1), row.get(2))
}

/// Backend and mode.
#[must_use]
pub fn backend(database: &Database) -> String {
    database
        .texts("SELECT backend || ' ' || mode FROM sop_ml.time_series_backend()")
        .concat()
}

/// A database of the Community edition; none where the server has no TimescaleDB, or the other edition.
#[must_use]
pub fn community_database(name: &str) -> Option<Database> {
    let database = database(timescale()?, name);
    if is_apache(&database) {
        println!("SKIPPED: the Apache edition has no compression");
        return None;
    }
    Some(database)
}

/// A vault with a month of readings of both restaurants, compressed; none where [`community_database`] gives none.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn vault(name: &str) -> Option<Database> {
    let database = community_database(name)?;
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT restaurant, 'temperature', timestamptz '2025-03-01 00:00+00' + i * interval '10 minutes', 10 + i % 40
         FROM generate_series(0, 4319) AS i, unnest(ARRAY['{RESTAURANT}', '{OTHER}']::uuid[]) AS restaurant"
    ));
    assert_eq!(enable_vault(&database).0, "converted");
    assert!(compress(&database) >= 5);
    Some(database)
}

/// Whether the server runs the Apache edition.
#[must_use]
pub fn is_apache(database: &Database) -> bool {
    database.texts("SHOW timescaledb.license") == ["apache"]
}

/// The blocks before the mark and those after it, with the logins that they name.
///
/// # Panics
/// When the file lacks the mark.
#[must_use]
pub fn parts() -> (Vec<Block>, Vec<Block>) {
    let with_logins = |text: &str| -> Vec<Block> {
        blocks::parse(text)
            .into_iter()
            .map(|mut block| {
                if block.role != "postgres" {
                    block.role = format!("series_{}", block.role);
                }
                block
            })
            .collect()
    };
    let (before, after) = QUERIES.split_once(MARK).expect("the file has the mark");
    (with_logins(before), with_logins(after))
}
