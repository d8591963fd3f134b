//! A PgBouncer of its own before a database, in transaction mode.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

use crate::{Database, describe, workspace};

/// Names the socket; the directory is private, so no port is taken.
const PORT: u16 = 6432;

/// Ends when dropped, or with the thread that started it: tests start one each.
#[derive(Debug)]
pub struct PgBouncer {
    child: Child,
    directory: PathBuf,
    database: String,
}

impl PgBouncer {
    /// Starts one with at most `pool_size` server connections for each of `roles`, which may log in through it.
    ///
    /// # Panics
    /// When it does not start; `make setup` installs it.
    #[must_use]
    pub fn start(database: &Database, roles: &[&str], pool_size: usize) -> Self {
        let server = ServerUser::find();
        let directory = server.private_directory();
        write_configuration(&directory, database, roles, pool_size);
        // PgBouncer gives up root by itself, which would also give up the signal at the end of its parent.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        if server.is_root {
            command.args(["--reuid", &server.name, "--regid", &server.name]);
            command.arg("--init-groups");
        }
        let child = command
            .arg(program())
            .arg("--quiet")
            .arg(directory.join("pgbouncer.ini"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("setpriv can be run");
        let bouncer = Self {
            child,
            directory,
            database: database.name.clone(),
        };
        bouncer.wait(roles.first().expect("a role that may log in"));
        bouncer
    }

    /// Settings of a connection through the pool.
    #[must_use]
    pub fn config(&self, role: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.directory)
            .port(PORT)
            .user(role)
            .dbname(&self.database)
            .application_name("sop_ml end-to-end tests");
        config
    }

    /// A connection through the pool.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn connect(&self, role: &str) -> Client {
        self.config(role)
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("no connection as {role}: {}", describe(&error)))
    }

    /// Its version, as it names itself.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn version() -> String {
        let output = Command::new(program())
            .arg("--version")
            .output()
            .expect("pgbouncer can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().unwrap_or_default().to_owned()
    }

    fn wait(&self, role: &str) {
        let give_up = Instant::now() + Duration::from_secs(20);
        loop {
            match self.config(role).connect(NoTls) {
                Ok(_) => return,
                Err(error) => assert!(
                    Instant::now() < give_up,
                    "PgBouncer does not answer: {}\n{}",
                    describe(&error),
                    std::fs::read_to_string(self.directory.join("pgbouncer.log"))
                        .unwrap_or_default()
                ),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("PgBouncer was not ended: {error}");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            eprintln!("{} is left: {error}", self.directory.display());
        }
    }
}

fn program() -> &'static str {
    // Debian keeps it where only root's PATH looks.
    if std::path::Path::new("/usr/sbin/pgbouncer").exists() {
        "/usr/sbin/pgbouncer"
    } else {
        "pgbouncer"
    }
}

fn write_configuration(
    directory: &std::path::Path,
    database: &Database,
    roles: &[&str],
    pool_size: usize,
) {
    let (host, port) = database.address();
    let place = directory.display();
    let mut users = String::new();
    for role in roles {
        let _ = writeln!(users, "\"{role}\" \"\"");
    }
    let settings = format!(
        "[databases]
{name} = host={host} port={port} dbname={name}
[pgbouncer]
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 400
listen_addr =
listen_port = {PORT}
unix_socket_dir = {place}
auth_type = trust
auth_file = {place}/users.txt
logfile = {place}/pgbouncer.log
log_connections = 0
log_disconnections = 0
",
        name = database.name
    );
    std::fs::write(directory.join("pgbouncer.ini"), settings).expect("its settings are written");
    std::fs::write(directory.join("users.txt"), users).expect("its users are written");
}

/// The user under whom servers run, as the scripts decide.
struct ServerUser {
    name: String,
    is_root: bool,
}

impl ServerUser {
    fn find() -> Self {
        let text = shell("source \"$1\"/scripts/lib.sh && server_user && id -u", &[]);
        let mut lines = text.lines();
        Self {
            name: lines.next().expect("a name").to_owned(),
            is_root: lines.next() == Some("0"),
        }
    }

    /// In /tmp, because the path of a socket may have about 100 bytes.
    fn private_directory(&self) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = PathBuf::from(format!(
            "/tmp/sop_ml_pgbouncer.{}.{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let place = directory.to_string_lossy();
        shell("mkdir -m 0700 \"$2\"", &[&place]);
        if self.is_root {
            shell("chown \"$3\" \"$2\"", &[&place, &self.name]);
        }
        directory
    }
}

/// The output of a line of bash, whose `$1` is the workspace.
fn shell(line: &str, arguments: &[&str]) -> String {
    let output = Command::new("bash")
        .args(["-c", line, "bash"])
        .arg(workspace())
        .args(arguments)
        .output()
        .expect("bash can be run");
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
