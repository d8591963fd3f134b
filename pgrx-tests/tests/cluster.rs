//! The throw-away servers themselves: nothing stays behind, and nobody else's server is touched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use sop_ml_e2e::{Cluster, PrivateServer, workspace};

fn script(arguments: &[&str], owner: Option<u32>) -> Output {
    let mut command = Command::new(workspace().join("scripts/cluster.sh"));
    command.args(arguments);
    if let Some(owner) = owner {
        command.env("CLUSTER_OWNER_PID", owner.to_string());
    }
    command.output().unwrap()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sop_ml_{name}_{}", std::process::id()))
}

#[test]
fn a_server_is_private_and_gone_after_its_end() {
    let kept = Cluster::start("kept");
    let dropped = Cluster::start("dropped");
    let socket = PathBuf::from(&dropped.host);
    assert!(socket.exists());
    let addresses = dropped
        .database("private")
        .texts("SELECT current_setting('listen_addresses')");
    assert_eq!(addresses, [""], "listens on no network address");
    drop(dropped);
    assert!(!socket.exists());
    assert_eq!(kept.database("alive").count("SELECT 1::bigint"), 1);
}

#[test]
fn a_server_ends_with_the_process_that_owns_it() {
    let directory = scratch("owner");
    let name = directory.to_str().unwrap();
    let mut owner = Command::new("sleep").arg("600").spawn().unwrap();
    let started = script(&["start", name, "fsync=off"], Some(owner.id()));
    assert!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
    assert!(directory.join("cluster").exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while directory.exists() {
        assert!(Instant::now() < deadline, "{name} is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn only_what_is_marked_as_a_throw_away_cluster_is_removed() {
    let (record, precious) = (scratch("record"), scratch("precious"));
    std::fs::create_dir_all(&record).unwrap();
    std::fs::create_dir_all(&precious).unwrap();
    std::fs::write(precious.join("PG_VERSION"), "15\n").unwrap();
    let names = |path: &Path| path.to_str().unwrap().to_owned();
    std::fs::write(
        record.join("cluster"),
        format!(
            "data={0}\nsocket={0}\nport=5432\nbin=/nowhere\n",
            names(&precious)
        ),
    )
    .unwrap();
    let stopped = script(&["stop", &names(&record)], None);
    assert!(!stopped.status.success());
    assert!(
        precious.join("PG_VERSION").exists(),
        "a directory without the mark was removed"
    );
    std::fs::remove_dir_all(record).unwrap();
    std::fs::remove_dir_all(precious).unwrap();
}

#[test]
fn a_private_server_has_extension_files_of_its_own() {
    let programs = PrivateServer::make();
    let extensions = programs.extensions.clone();
    std::fs::write(
        extensions.join("sop_ml_probe.control"),
        "comment = 'probe'\ndefault_version = '1.0'\n",
    )
    .unwrap();
    std::fs::write(extensions.join("sop_ml_probe--1.0.sql"), "SELECT 1;\n").unwrap();
    let known = |cluster: &Cluster| {
        cluster.database("probe").texts(
            "SELECT name::text FROM pg_catalog.pg_available_extensions WHERE name LIKE 'sop\\_ml%' ORDER BY 1",
        )
    };
    let private = programs.start("private");
    assert_eq!(known(&private), ["sop_ml", "sop_ml_probe"]);
    private.database("private").run("CREATE EXTENSION sop_ml");
    assert_eq!(known(&Cluster::start("public")), ["sop_ml"]);
    drop(private);
    drop(programs);
    assert!(!extensions.exists(), "{} is left", extensions.display());
}

#[test]
fn a_private_server_ends_with_the_process_that_owns_it() {
    let directory = scratch("private");
    let mut owner = Command::new("sleep").arg("600").spawn().unwrap();
    let made = Command::new(workspace().join("scripts/private-server.sh"))
        .arg("make")
        .arg(&directory)
        .env("PRIVATE_OWNER_PID", owner.id().to_string())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    assert!(directory.exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while directory.exists() {
        assert!(Instant::now() < deadline, "{} is left", directory.display());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn only_what_is_marked_as_a_private_server_is_removed() {
    let precious = scratch("no_private_server");
    std::fs::create_dir_all(&precious).unwrap();
    let removed = Command::new(workspace().join("scripts/private-server.sh"))
        .arg("remove")
        .arg(&precious)
        .output()
        .unwrap();
    assert!(!removed.status.success());
    assert!(
        precious.exists(),
        "a directory without the mark was removed"
    );
    std::fs::remove_dir_all(precious).unwrap();
}
