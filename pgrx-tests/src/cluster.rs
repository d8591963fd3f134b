//! Throw-away servers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::{Database, Output, workspace};

/// A running server of its own; stopped and removed when dropped, or when the test process ends in any other way.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    /// Directory of the server's socket.
    pub host: String,
    /// Port, which names the socket.
    pub port: u16,
    /// Its data directory.
    pub data: PathBuf,
    /// Directory with the server's programs (`psql`, `pg_dump`).
    pub programs: PathBuf,
    /// Name of the database that has the extension and nothing else, copied for each test. Made on first use.
    template: Mutex<Option<&'static str>>,
}

/// Arguments: the workspace, a program and its arguments.
const AS_SERVER_USER: &str = r#"
    source "$1/scripts/lib.sh"
    shift
    work=$(as_server_user mktemp -d /tmp/sop_ml_work.XXXXXX)
    status=0
    as_server_user env -u RUST_BACKTRACE bash -c 'cd "$1" && shift && exec "$@"' bash "$work" "$@" </dev/null 2>&1 || status=$?
    as_server_user rm -rf "$work"
    exit "$status"
"#;

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
        Self::launch(name, None)
    }

    /// As [`Cluster::start`], with the programs that this `pg_config` names.
    ///
    /// # Panics
    /// When the server does not start.
    #[must_use]
    pub fn start_with_programs(name: &str, pg_config: &Path) -> Self {
        Self::launch(name, Some(pg_config))
    }

    fn launch(name: &str, pg_config: Option<&Path>) -> Self {
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
            .envs(pg_config.map(|path| ("PG_CONFIG", path)))
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
            data: PathBuf::from(value("SOP_ML_PGDATA")),
            programs: programs(pg_config),
            directory,
            template: Mutex::new(None),
        }
    }

    /// Runs one of the server's programs as the user who runs the server, in an empty directory where that user may write.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn as_server_user(&self, program: &str, arguments: &[&str]) -> Output {
        let output = Command::new("bash")
            .arg("-c")
            .arg(AS_SERVER_USER)
            .arg("bash")
            .arg(workspace())
            .arg(self.programs.join(program))
            .args(arguments)
            .output()
            .expect("bash can be run");
        Output {
            success: output.status.success(),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    /// Stops the server; [`Cluster::start_again`] starts it with the same address.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        self.control(&["stop", "--mode", "fast"]);
    }

    /// Starts the server after [`Cluster::stop`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        let log = self.data.join("server.log");
        let port = format!("-p {}", self.port);
        self.control(&["start", "--log", &log.to_string_lossy(), "--options", &port]);
    }

    fn control(&self, arguments: &[&str]) {
        let data = self.data.to_string_lossy();
        let mut all = arguments.to_vec();
        all.extend(["--pgdata", &data, "--wait", "--silent"]);
        let output = self.as_server_user("pg_ctl", &all);
        assert!(output.success, "pg_ctl {}: {}", all.join(" "), output.text);
    }

    /// A database that is in this server already.
    #[must_use]
    pub fn existing_database(&self, name: &str) -> Database {
        Database::new(self, name)
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

/// Where the server's programs are: the answer of this `pg_config`, or of the one that the scripts would choose.
fn programs(pg_config: Option<&Path>) -> PathBuf {
    let output = Command::new("bash")
        .arg("-c")
        .arg("source \"$1\"/scripts/lib.sh && require_postgres && printf %s \"$pg_bin\"")
        .arg("bash")
        .arg(workspace())
        .envs(pg_config.map(|path| ("PG_CONFIG", path)))
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
