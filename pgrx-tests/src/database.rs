//! One database: connections, and the programs that come with the server.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use postgres::{Client, NoTls, Row};

use crate::Cluster;

/// What a program said; standard error is part of the text, where it came.
#[derive(Debug)]
pub struct Output {
    /// Whether it ended with status 0.
    pub success: bool,
    /// What it printed.
    pub text: String,
}

/// A database of a [`Cluster`].
#[derive(Debug, Clone)]
pub struct Database {
    host: String,
    port: u16,
    programs: std::path::PathBuf,
    /// Its name.
    pub name: String,
}

impl Database {
    pub(crate) fn new(cluster: &Cluster, name: &str) -> Self {
        Self {
            host: cluster.host.clone(),
            port: cluster.port,
            programs: cluster.programs.clone(),
            name: name.to_owned(),
        }
    }

    /// Directory and port of the server's socket.
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Settings of a connection as `role`, for tests that need more than [`Database::connect`].
    #[must_use]
    pub fn config(&self, role: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(role)
            .dbname(&self.name)
            .application_name("sop_ml end-to-end tests");
        config
    }

    /// A connection as `role`.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn connect(&self, role: &str) -> Client {
        self.config(role).connect(NoTls).unwrap_or_else(|error| {
            panic!(
                "no connection to {} as {role}: {}",
                self.name,
                describe(&error)
            )
        })
    }

    /// A connection as superuser.
    #[must_use]
    pub fn superuser(&self) -> Client {
        self.connect("postgres")
    }

    /// Runs statements as superuser on a connection of their own.
    ///
    /// # Panics
    /// When one fails.
    pub fn run(&self, statements: &str) {
        self.superuser()
            .batch_execute(statements)
            .unwrap_or_else(|error| panic!("in {}: {statements}: {}", self.name, describe(&error)));
    }

    /// The rows of a query, as superuser.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn query(&self, statement: &str) -> Vec<Row> {
        self.superuser()
            .query(statement, &[])
            .unwrap_or_else(|error| panic!("in {}: {statement}: {}", self.name, describe(&error)))
    }

    /// The first column of a query that returns text, as superuser.
    #[must_use]
    pub fn texts(&self, statement: &str) -> Vec<String> {
        self.query(statement).iter().map(|row| row.get(0)).collect()
    }

    /// The one number that a query returns, as superuser.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn count(&self, statement: &str) -> i64 {
        self.query(statement)
            .first()
            .map_or_else(|| panic!("no row: {statement}"), |row| row.get(0))
    }

    /// Runs a script through `psql` as superuser; an error does not stop it.
    #[must_use]
    pub fn psql(&self, script: &str) -> Output {
        self.program("psql", &["-X", "-q"], Some(script))
    }

    /// `pg_dump` of the whole database in custom format.
    #[must_use]
    pub fn dump(&self, file: &Path) -> Output {
        self.program(
            "pg_dump",
            &["--format=custom", "--file", &file.to_string_lossy()],
            None,
        )
    }

    /// `pg_restore --exit-on-error` of such a file.
    #[must_use]
    pub fn restore(&self, file: &Path) -> Output {
        self.program(
            "pg_restore",
            &[
                "--exit-on-error",
                "--dbname",
                &self.name,
                &file.to_string_lossy(),
            ],
            None,
        )
    }

    /// Runs one of the server's programs against this database.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn program(&self, name: &str, arguments: &[&str], input: Option<&str>) -> Output {
        // Standard error goes where standard output goes, so that messages stay in their place.
        let mut child = Command::new("bash")
            .args(["-c", "exec \"$@\" 2>&1", "bash"])
            .arg(self.programs.join(name))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PGHOST", &self.host)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", &self.name)
            .env("PGTZ", "UTC")
            .env("PGDATESTYLE", "ISO,MDY")
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
        let writer = child.stdin.take().zip(input).map(|(mut stdin, text)| {
            let text = text.to_owned();
            std::thread::spawn(move || stdin.write_all(text.as_bytes()))
        });
        let output = child.wait_with_output().expect("the program ends");
        if let Some(writer) = writer {
            // A program that ended early leaves a broken pipe: its status tells.
            let _ = writer.join();
        }
        Output {
            success: output.status.success(),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }
}

/// An error in one line: SQLSTATE, message, hint and where it happened.
#[must_use]
pub fn describe(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || format!("{error:?}"),
        |raised| {
            let mut text = format!("{} {}", raised.code().code(), raised.message());
            for part in [raised.hint(), raised.where_()].into_iter().flatten() {
                text.push_str(" | ");
                text.push_str(part);
            }
            text
        },
    )
}

/// The SQLSTATE of an error that the server raised; empty when the error came from elsewhere.
#[must_use]
pub fn sqlstate(error: &postgres::Error) -> &str {
    error.code().map_or("", |code| code.code())
}
