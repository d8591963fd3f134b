//! How soon a statement ends when it is cancelled.

use std::time::{Duration, Instant};

use super::DECLARED;
use crate::{Database, describe, sqlstate};

/// Runs a statement as `role` and cancels it after `delay`; the time from the request to the end, or `None` when the
/// statement was done or refused before.
///
/// # Panics
/// When the statement ends in any other way than by its answer or by the cancel.
#[must_use]
pub fn latency(
    database: &Database,
    role: &str,
    statement: &str,
    delay: Duration,
) -> Option<Duration> {
    let mut client = database.connect(role);
    let backend: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .unwrap_or_else(|error| panic!("{}", describe(&error)))
        .get(0);
    let mut other = database.superuser();
    let text = statement.to_owned();
    let worker = std::thread::spawn(move || {
        // Never committed: the connection ends with the thread.
        let result = client
            .batch_execute("BEGIN")
            .and_then(|()| client.query(&text, &[]).map(|_| ()));
        (Instant::now(), result)
    });
    std::thread::sleep(delay);
    let requested = Instant::now();
    other
        .query_one("SELECT pg_cancel_backend($1)", &[&backend])
        .unwrap_or_else(|error| panic!("{}", describe(&error)));
    let (ended, result) = worker.join().expect("the statement's thread ends");
    match result {
        Ok(()) => None,
        Err(error) if sqlstate(&error) == "57014" => {
            Some(ended.saturating_duration_since(requested))
        }
        // It was refused just before the request arrived.
        Err(error) if DECLARED.contains(&sqlstate(&error)) => None,
        Err(error) => panic!("{statement}: {}", describe(&error)),
    }
}
