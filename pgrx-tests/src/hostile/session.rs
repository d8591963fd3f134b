//! One connection of the harness: runs a statement, undoes it, and judges the answer.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use postgres::Client;

use super::DECLARED;
use crate::{Database, describe, sqlstate};

/// A statement that takes longer than this has failed: on an idle machine and with optimisation none takes ten seconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What a statement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Rows.
    Rows,
    /// A declared error, with its SQLSTATE.
    Refused(String),
    /// What may not happen.
    Fault(String),
}

/// Counts and findings over all statements.
#[derive(Debug, Default)]
pub struct Record {
    /// Statements run.
    pub calls: usize,
    /// How many ended with each SQLSTATE; `00000` for rows.
    pub states: BTreeMap<String, usize>,
    /// What may not happen, with the statement.
    pub faults: Vec<String>,
    /// The slowest statements of each routine, with the connection's role.
    pub slowest: BTreeMap<String, (Duration, String, String)>,
}

/// A connection as a role.
pub struct Session {
    database: Database,
    role: String,
    client: Client,
    settings: String,
    /// What the latest error said.
    pub latest_error: String,
}

impl Session {
    /// Connects.
    #[must_use]
    pub fn open(database: &Database, role: &str) -> Self {
        let settings = format!(
            "SET statement_timeout = {}; SET client_min_messages = error; SET plan_cache_mode = force_custom_plan",
            TIME_LIMIT.as_millis()
        );
        let mut session = Self {
            client: database.connect(role),
            database: database.clone(),
            role: role.to_owned(),
            settings,
            latest_error: String::new(),
        };
        session.configure();
        session
    }

    /// Makes the server use parallel workers wherever it can, from here on.
    pub fn force_parallel(&mut self) {
        self.settings.push_str(
            "; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
             SET max_parallel_workers_per_gather = 2",
        );
        self.configure();
    }

    fn configure(&mut self) {
        self.client
            .batch_execute(&self.settings)
            .unwrap_or_else(|error| panic!("settings: {}", describe(&error)));
    }

    /// The connection's role.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The process that serves the connection.
    #[must_use]
    pub fn backend(&mut self) -> i32 {
        self.client
            .query_one("SELECT pg_backend_pid()", &[])
            .unwrap_or_else(|error| panic!("{}", describe(&error)))
            .get(0)
    }

    /// The connection itself.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Runs a statement in a transaction of its own, which is rolled back, and judges the answer.
    pub fn run(&mut self, routine: &str, statement: &str, record: &mut Record) -> Answer {
        let started = Instant::now();
        let result = self.in_transaction(statement);
        self.judge(routine, statement, started.elapsed(), result, record)
    }

    /// Runs a statement that ends transactions itself.
    pub fn run_outside_transaction(
        &mut self,
        routine: &str,
        statement: &str,
        record: &mut Record,
    ) -> Answer {
        let started = Instant::now();
        let result = self.client.batch_execute(statement).map(|()| None);
        self.judge(routine, statement, started.elapsed(), result, record)
    }

    /// Copies data in, in a transaction that is rolled back.
    pub fn copy(
        &mut self,
        routine: &str,
        statement: &str,
        data: &[u8],
        record: &mut Record,
    ) -> Answer {
        let started = Instant::now();
        let result = self.copied(statement, data);
        self.judge(routine, statement, started.elapsed(), result, record)
    }

    fn copied(&mut self, statement: &str, data: &[u8]) -> Result<Option<String>, postgres::Error> {
        let mut transaction = self.client.transaction()?;
        let mut writer = transaction.copy_in(statement)?;
        // What goes wrong while writing is told again, with its SQLSTATE, by the end of the copy.
        let _ = writer.write_all(data);
        writer.finish()?;
        transaction.rollback()?;
        Ok(None)
    }

    fn in_transaction(&mut self, statement: &str) -> Result<Option<String>, postgres::Error> {
        let mut transaction = self.client.transaction()?;
        let rows = transaction.query(statement, &[])?;
        let mentioned = rows
            .first()
            .filter(|row| row.len() == 3)
            .and_then(|row| row.get::<_, Option<String>>(2));
        transaction.rollback()?;
        Ok(mentioned)
    }

    fn judge(
        &mut self,
        routine: &str,
        statement: &str,
        elapsed: Duration,
        result: Result<Option<String>, postgres::Error>,
        record: &mut Record,
    ) -> Answer {
        record.calls += 1;
        let slowest = record.slowest.entry(routine.to_owned()).or_default();
        if elapsed > slowest.0 {
            *slowest = (elapsed, self.role.clone(), statement.to_owned());
        }
        let (state, answer) = match &result {
            Ok(None) => ("00000".to_owned(), Answer::Rows),
            Ok(Some(mentioned)) if is_allowed(mentioned) => ("00000".to_owned(), Answer::Rows),
            Ok(Some(mentioned)) => (
                format!("reported {mentioned}"),
                Answer::Fault(format!("the answer reports SQLSTATE {mentioned}")),
            ),
            Err(error) => {
                let state = sqlstate(error).to_owned();
                let text = describe(error);
                self.latest_error.clone_from(&text);
                let panicked = text.contains("panicked") || text.contains("internal error");
                if is_allowed(&state) && !panicked {
                    (state.clone(), Answer::Refused(state))
                } else {
                    (state, Answer::Fault(text))
                }
            }
        };
        *record.states.entry(state).or_default() += 1;
        if let Answer::Fault(text) = &answer {
            record.faults.push(format!(
                "as {} after {} ms: {text}\n    {statement}",
                self.role,
                elapsed.as_millis()
            ));
        }
        if self.client.is_closed() {
            // What ended the connection is in the list of faults; the rest is still worth knowing.
            self.client = reconnect(&self.database, &self.role);
            self.configure();
        }
        answer
    }
}

/// Whether functions may raise this. A timeout is declared too, but no call of the harness may take that long.
fn is_allowed(state: &str) -> bool {
    state != "57014" && DECLARED.contains(&state)
}

/// A server that restarts its backends refuses connections for a moment.
fn reconnect(database: &Database, role: &str) -> Client {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match database.config(role).connect(postgres::NoTls) {
            Ok(client) => return client,
            Err(error) if Instant::now() > until => {
                panic!("no connection any more: {}", describe(&error))
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

impl Record {
    /// Adds what another connection found.
    pub fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
        self.faults.extend(other.faults);
        for (routine, found) in other.slowest {
            let slowest = self.slowest.entry(routine).or_default();
            if found.0 > slowest.0 {
                *slowest = found;
            }
        }
    }

    /// The slowest statements, one per routine, slowest first.
    #[must_use]
    pub fn by_time(&self) -> Vec<(&str, Duration, &str, &str)> {
        let mut found: Vec<_> = self
            .slowest
            .iter()
            .map(|(routine, (elapsed, role, statement))| {
                (
                    routine.as_str(),
                    *elapsed,
                    role.as_str(),
                    statement.as_str(),
                )
            })
            .collect();
        found.sort_by_key(|(_, elapsed, ..)| std::cmp::Reverse(*elapsed));
        found
    }
}
