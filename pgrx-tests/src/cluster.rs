//! Throw-away servers.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::{Database, workspace};

/// A running server of its own; stopped and removed when dropped, or when the test process ends in any other way.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    /// Directory of the server's socket.
    pub host: String,
    /// Port, which names the socket.
    pub port: u16,
    /// Directory with the server's programs (`psql`, `pg_dump`).
    pub programs: PathBuf,
    /// Name of the database that has the extension and nothing else, copied for each test. Made on first use.
    template: Mutex<Option<&'static str>>,
}

/// The server that all tests of this binary share.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start("shared"))
}

impl Cluster {
    /// Starts a fresh server; `name` only makes its directory recognisable.
    ///
    /// # Panics
    /// When the server does not start.
    #[must_use]
    pub fn start(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace().join("target"), PathBuf::from);
        let directory = target.join("e2e").join(format!(
            "{name}-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let output = Command::new(workspace().join("scripts/cluster.sh"))
            .arg("start")
            .arg(&directory)
            .args(["fsync=off", "max_connections=80"])
            .env("CLUSTER_OWNER_PID", std::process::id().to_string())
            .output()
            .expect("scripts/cluster.sh can be run");
        assert!(
            output.status.success(),
            "no server: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let exports = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |key: &str| -> String {
            exports
                .split(&format!("{key}='"))
                .nth(1)
                .and_then(|rest| rest.split('\'').next())
                .unwrap_or_else(|| panic!("cluster.sh did not print {key}: {exports}"))
                .to_owned()
        };
        Self {
            host: value("PGHOST"),
            port: value("PGPORT").parse().expect("PGPORT is a number"),
            programs: programs(),
            directory,
            template: Mutex::new(None),
        }
    }

    /// An empty database of this name.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        self.copy(name, "template0")
    }

    /// A database of this name in which `CREATE EXTENSION sop_ml` was done.
    ///
    /// # Panics
    /// When the extension cannot be created.
    #[must_use]
    pub fn database_with_extension(&self, name: &str) -> Database {
        // A test that died while it made the template left it unmade: the next one tries again and says why.
        let mut template = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        let source = *template.get_or_insert_with(|| {
            self.superuser_run("DROP DATABASE IF EXISTS sop_ml_template");
            let database = self.database("sop_ml_template");
            database.run("CREATE EXTENSION sop_ml");
            "sop_ml_template"
        });
        // A database cannot be copied while somebody else connects to it or copies it, so the lock is held.
        self.copy(name, source)
    }

    /// A database of this name with everything that another one has; nobody may be connected to that one.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copy_of(&self, name: &str, original: &Database) -> Database {
        self.copy(name, &original.name)
    }

    fn copy(&self, name: &str, template: &str) -> Database {
        self.superuser_run(&format!(
            "CREATE DATABASE \"{name}\" TEMPLATE \"{template}\" ENCODING 'UTF8'"
        ));
        Database::new(self, name)
    }

    fn superuser_run(&self, statement: &str) {
        Database::new(self, "postgres").run(statement);
    }
}

/// Where the server's programs are: the answer of the `pg_config` that the scripts would choose.
fn programs() -> PathBuf {
    let output = Command::new("bash")
        .arg("-c")
        .arg("source \"$1\"/scripts/lib.sh && require_postgres && printf %s \"$pg_bin\"")
        .arg("bash")
        .arg(workspace())
        .output()
        .expect("bash can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = Command::new(workspace().join("scripts/cluster.sh"))
            .arg("stop")
            .arg(&self.directory)
            .output()
            .is_ok_and(|output| output.status.success());
        if !stopped {
            eprintln!("the server in {} was not stopped", self.directory.display());
        }
    }
}
