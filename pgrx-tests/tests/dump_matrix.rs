//! Every form of dump and restore keeps every row, definition, right, sequence and summary, whatever was done before it:
//! a fresh install, an upgrade, a dropped and created extension, with users' objects around the tables.
//!
//! The quick run takes every form of dump once and both targets; SOP_ML_EFFORT=full the whole cross product.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::OnceLock;
use std::time::Instant;

use sop_ml_e2e::catalogue::{contents, relations};
use sop_ml_e2e::dump::{Form, Picture};
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{
    Cluster, Database, PrivateServer, effort, previous_version, sqlstate, user_objects,
};

/// What was done with the database before it is dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum History {
    Fresh,
    Upgraded,
    Recreated,
}

/// Two servers with the same programs, which know the earlier version too.
struct Servers {
    home: Cluster,
    other: Cluster,
    // After the servers: they are dropped in this order.
    _programs: PrivateServer,
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let programs = PrivateServer::make();
        previous_version::write_scripts(&programs.extensions);
        let other = programs.start("dump_other");
        // Logins are the administrator's, not the dump's; the roles of sop_ml are made by the restore.
        other.existing_database("postgres").run(&format!(
            "{}; {}",
            user_objects::BYSTANDER,
            TENANTS
                .map(|tenant| format!("CREATE ROLE {} LOGIN", tenant.role))
                .join("; ")
        ));
        Servers {
            home: programs.start("dump_home"),
            other,
            _programs: programs,
        }
    })
}

fn prepare(history: History, name: &str) -> Database {
    let cluster = &servers().home;
    let database = if history == History::Upgraded {
        let database = cluster.database(name);
        database.run(&format!(
            "CREATE EXTENSION sop_ml VERSION '{}'",
            previous_version::VERSION
        ));
        database
    } else {
        cluster.database_with_extension(name)
    };
    user_objects::add_old_partitions(&database);
    fill(&database);
    match history {
        History::Fresh => user_objects::add(&database),
        History::Upgraded => {
            previous_version::undo_last_migration(cluster, &database);
            database.run("ALTER EXTENSION sop_ml UPDATE");
            user_objects::add(&database);
        }
        History::Recreated => {
            database.run("DROP EXTENSION sop_ml CASCADE; CREATE EXTENSION sop_ml");
            user_objects::add(&database);
        }
    }
    database.run("SELECT sop_ml.maintain_partitions(months_ahead => 5)");
    user_objects::refresh(&database);
    if history != History::Upgraded {
        assert_every_table_has_rows(&database);
    }
    database
}

fn assert_every_table_has_rows(database: &Database) {
    let relations = relations(database);
    for (name, rows, _) in contents(database) {
        // A month's partitions beyond the rows' months are empty by nature.
        let partition = relations
            .iter()
            .any(|relation| relation.qualified() == name && relation.is_partition);
        assert!(
            rows > 0 || partition,
            "{name} is empty: the test would prove nothing about it"
        );
    }
}

/// The target has to be the same as the picture, for tenants too.
fn restore_and_compare(
    source: &Database,
    picture: &Picture,
    form: Form,
    cluster: &Cluster,
) -> Database {
    let target = cluster.database(&format!("{}_{form:?}", source.name));
    form.transfer(source, &target);
    // Memberships of logins are the administrator's, too.
    for tenant in TENANTS {
        target.run(&format!("GRANT sop_ml_owner TO {}", tenant.role));
    }
    picture.assert_same(
        &Picture::take(&target),
        &format!("{} by {form:?}", source.name),
    );
    for tenant in TENANTS {
        let rows: i64 = target
            .connect(tenant.role)
            .query_one("SELECT count(*) FROM sop_ml.sop_restaurants", &[])
            .unwrap()
            .get(0);
        assert_eq!(rows, 1, "restaurants that {} sees", tenant.role);
    }
    target
}

/// Code and schema agree: there is nothing left to install, and doing it again changes nothing.
fn install_again(target: &Database, picture: &Picture) {
    let applied = target.texts("SELECT file FROM sop_ml.install() WHERE action = 'applied'");
    assert_eq!(applied, Vec::<String>::new());
    picture.assert_same(
        &Picture::take(target),
        &format!("{}, installed again", target.name),
    );
}

/// The forms that the quick run takes, and whether the target is the other server.
fn combinations(history: History) -> Vec<(Form, bool)> {
    let full = effort::figure(0, 1) == 1;
    if full {
        return Form::ALL
            .into_iter()
            .flat_map(|form| [(form, false), (form, true)])
            .collect();
    }
    match history {
        History::Fresh => vec![
            (Form::Plain, true),
            (Form::Custom, false),
            (Form::SchemaThenDataThroughRoot, true),
        ],
        History::Upgraded => vec![(Form::Directory, true), (Form::Sections, false)],
        History::Recreated => vec![(Form::Inserts, false), (Form::SchemaThenData, true)],
    }
}

fn run(history: History) {
    let start = Instant::now();
    let source = prepare(history, &format!("dump_{history:?}").to_lowercase());
    let picture = Picture::take(&source);
    assert!(picture.relations_with_rows() > 40 && picture.sequences() > 1);
    let servers = servers();
    let combinations = combinations(history);
    for (number, (form, elsewhere)) in combinations.iter().enumerate() {
        let cluster = if *elsewhere {
            &servers.other
        } else {
            &servers.home
        };
        let target = restore_and_compare(&source, &picture, *form, cluster);
        if number == 0 {
            install_again(&target, &picture);
        }
        cluster
            .existing_database("postgres")
            .run(&format!("DROP DATABASE \"{}\"", target.name));
    }
    assert!(!combinations.is_empty());
    println!(
        "dump matrix, {history:?}: {} restores of {} relations with rows, equal in contents, definitions, privileges, \
         members, sequences and schema ({:.0} s)",
        combinations.len(),
        picture.relations_with_rows(),
        start.elapsed().as_secs_f64()
    );
}

#[test]
fn every_form_restores_a_fresh_install() {
    run(History::Fresh);
}

#[test]
fn every_form_restores_an_upgraded_database() {
    run(History::Upgraded);
}

#[test]
fn every_form_restores_after_the_extension_was_dropped_and_created() {
    run(History::Recreated);
}

#[test]
fn every_form_is_in_the_quick_run() {
    if effort::figure(0, 1) == 1 {
        return;
    }
    let all: Vec<(Form, bool)> = [History::Fresh, History::Upgraded, History::Recreated]
        .into_iter()
        .flat_map(combinations)
        .collect();
    for form in Form::ALL {
        // The same steps as with --load-via-partition-root, where more triggers fire.
        if form == Form::SchemaThenDataWithTriggers {
            continue;
        }
        assert!(all.iter().any(|(taken, _)| *taken == form), "{form:?}");
    }
    for elsewhere in [false, true] {
        assert!(all.iter().any(|(_, taken)| *taken == elsewhere));
    }
}

#[test]
fn dropping_the_extension_keeps_rows_and_denies_by_default() {
    let database = servers().home.database_with_extension("dump_dropped");
    fill(&database);
    database.run(user_objects::BYSTANDER);
    let tables = |database: &Database| -> Vec<(String, i64, String)> {
        contents(database)
            .into_iter()
            .filter(|(name, ..)| !name.contains("summary") && !name.contains("weekly"))
            .collect()
    };
    let (rows, before) = (tables(&database), Picture::take(&database));

    let error = database
        .superuser()
        .batch_execute("DROP EXTENSION sop_ml")
        .unwrap_err();
    assert_eq!(sqlstate(&error), "2BP01", "{error:?}");

    database.run("DROP EXTENSION sop_ml CASCADE");
    assert_eq!(rows, tables(&database));
    let mut tenant = database.connect(TENANTS[0].role);
    for relation in relations(&database) {
        if relation.schema != "sop_ml" || !relation.has_restaurant {
            continue;
        }
        let name = relation.qualified();
        // Either no right at all, or no row: nothing is shown without a policy.
        match tenant.query_one(&format!("SELECT count(*) FROM {name}"), &[]) {
            Ok(row) => assert_eq!(
                row.get::<_, i64>(0),
                0,
                "{name} shows rows without the extension"
            ),
            Err(error) => assert_eq!(sqlstate(&error), "42501", "{name}: {error:?}"),
        }
    }
    drop(tenant);

    database.run("CREATE EXTENSION sop_ml");
    before.assert_same(&Picture::take(&database), "dropped and created again");
}
