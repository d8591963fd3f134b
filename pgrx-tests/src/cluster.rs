//! Throw-away servers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::NoTls;

use crate::process::{self, wait_for};
use crate::{Database, Output, workspace};

/// What most tests want: fast, and room for many clients.
const DEFAULT_SETTINGS: [&str; 2] = ["fsync=off", "max_connections=80"];

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
    /// Starts a fresh server; `name` only makes its directory recognisable. It does not wait for the disk.
    ///
    /// # Panics
    /// When the server does not start.
    #[must_use]
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &DEFAULT_SETTINGS)
    }

    /// As [`Cluster::start`], with the programs that this `pg_config` names.
    ///
    /// # Panics
    /// When the server does not start.
    #[must_use]
    pub fn start_with_programs(name: &str, pg_config: &Path) -> Self {
        Self::make(name, "start", None, Some(pg_config), &DEFAULT_SETTINGS)
    }

    /// As [`Cluster::start`], with exactly these settings (`name=value`).
    ///
    /// # Panics
    /// When the server does not start.
    #[must_use]
    pub fn start_with(name: &str, settings: &[&str]) -> Self {
        Self::make(name, "start", None, None, settings)
    }

    /// Starts a hot standby that streams from this server; its `cluster_name` is `name`, which is what
    /// `synchronous_standby_names` of this server calls it.
    ///
    /// # Panics
    /// When the copy cannot be made or does not start.
    #[must_use]
    pub fn standby(&self, name: &str, settings: &[&str]) -> Self {
        let cluster_name = format!("cluster_name={name}");
        let mut settings = settings.to_vec();
        settings.push(&cluster_name);
        Self::make(name, "standby", Some(&self.directory), None, &settings)
    }

    fn make(
        name: &str,
        verb: &str,
        primary: Option<&Path>,
        pg_config: Option<&Path>,
        settings: &[&str],
    ) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace().join("target"), PathBuf::from);
        let directory = target.join("e2e").join(format!(
            "{name}-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let output = Command::new(workspace().join("scripts/cluster.sh"))
            .arg(verb)
            .arg(&directory)
            .args(primary)
            .args(settings)
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

    /// The process id of the postmaster.
    ///
    /// # Panics
    /// When the server does not run.
    #[must_use]
    pub fn postmaster(&self) -> u32 {
        let file = self.data.join("postmaster.pid");
        std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse().ok())
            .unwrap_or_else(|| panic!("no process id in {}", file.display()))
    }

    /// What the server has logged.
    ///
    /// # Panics
    /// When there is no log.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.data.join("server.log")).expect("the server has a log");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `kill -9` of the postmaster and of all its processes, as when the machine loses power while its disk does not.
    ///
    /// # Panics
    /// When a process does not go away.
    pub fn kill(&self) {
        let postmaster = self.postmaster();
        // A stopped postmaster starts nobody, so the list is complete.
        process::signal("STOP", &[postmaster]);
        let mut family = process::children(postmaster);
        family.insert(0, postmaster);
        process::signal("KILL", &family);
        process::wait_until_gone(&family);
    }

    /// `kill -9` of one server process: the postmaster ends all others and starts again by itself. Returns when it does.
    ///
    /// # Panics
    /// When the process does not go away.
    pub fn kill_backend(&self, backend: u32) {
        assert!(
            process::children(self.postmaster()).contains(&backend),
            "{backend} is no process of this server"
        );
        process::signal("KILL", &[backend]);
        // The postmaster begins to restart in the moment in which it takes notice of the end.
        process::wait_until_gone(&[backend]);
    }

    /// Starts the server again after [`Cluster::kill`] and waits for the end of recovery.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&self) {
        let output = Command::new(workspace().join("scripts/cluster.sh"))
            .arg("resume")
            .arg(&self.directory)
            .output()
            .expect("scripts/cluster.sh can be run");
        assert!(
            output.status.success(),
            "the server does not start again: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Waits until the server accepts connections again.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub fn wait_until_ready(&self) {
        let config = Database::new(self, "postgres").config("postgres");
        wait_for("the server accepts connections", || {
            config.connect(NoTls).is_ok()
        });
    }

    /// Waits until this standby has replayed what its primary has written by now.
    ///
    /// # Panics
    /// When it has not within a minute.
    pub fn wait_until_replayed(&self, primary: &Self) {
        let position = Database::new(primary, "postgres")
            .texts("SELECT pg_current_wal_flush_lsn()::text")
            .concat();
        let replayed = format!("SELECT (pg_last_wal_replay_lsn() >= '{position}')::int::bigint");
        let standby = Database::new(self, "postgres");
        wait_for("the standby has replayed", || standby.count(&replayed) == 1);
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

    /// A copy of a database that nobody is connected to.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn copy(&self, name: &str, template: &str) -> Database {
        self.superuser_run(&format!(
            "CREATE DATABASE \"{name}\" TEMPLATE \"{template}\" ENCODING 'UTF8'"
        ));
        Database::new(self, name)
    }

    /// Removes a database that nobody is connected to.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub fn drop_database(&self, name: &str) {
        self.superuser_run(&format!("DROP DATABASE \"{name}\""));
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
