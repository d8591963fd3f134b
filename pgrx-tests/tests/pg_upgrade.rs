//! `pg_upgrade` in copy mode, from a server to a new one of the same version, keeps everything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::Cluster;
use sop_ml_e2e::dump::Picture;
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::user_objects;

#[test]
fn contents_definitions_and_rights_survive_pg_upgrade() {
    let old = Cluster::start("pg_upgrade_old");
    let database = old.database("restaurants");
    database.run("CREATE EXTENSION sop_ml");
    user_objects::add_old_partitions(&database);
    fill(&database);
    user_objects::add(&database);
    database.run("SELECT sop_ml.maintain_partitions(months_ahead => 5)");
    user_objects::refresh(&database);
    let before = Picture::take(&database);
    assert!(before.relations_with_rows() > 40);

    let new = Cluster::start("pg_upgrade_new");
    old.stop();
    new.stop();
    let output = new.as_server_user(
        "pg_upgrade",
        &[
            "--old-bindir",
            &old.programs.to_string_lossy(),
            "--new-bindir",
            &new.programs.to_string_lossy(),
            "--old-datadir",
            &old.data.to_string_lossy(),
            "--new-datadir",
            &new.data.to_string_lossy(),
            "--old-port",
            &old.port.to_string(),
            "--new-port",
            &new.port.to_string(),
            "--username",
            "postgres",
        ],
    );
    assert!(output.success, "{}", output.text);
    new.start_again();

    let upgraded = new.existing_database("restaurants");
    before.assert_same(&Picture::take(&upgraded), "after pg_upgrade");
    for tenant in TENANTS {
        let seen: i64 = upgraded
            .connect(tenant.role)
            .query_one("SELECT count(*) FROM sop_ml.sop_restaurants", &[])
            .unwrap()
            .get(0);
        assert_eq!(seen, 1, "restaurants that {} sees", tenant.role);
    }
    let applied = upgraded.texts("SELECT file FROM sop_ml.install() WHERE action = 'applied'");
    assert_eq!(applied, Vec::<String>::new());
    before.assert_same(&Picture::take(&upgraded), "after pg_upgrade and install()");
    println!(
        "pg_upgrade, copy mode: {} relations with rows, equal in contents, definitions, privileges, members and sequences",
        before.relations_with_rows()
    );
}
