//! `kill -9` in the middle of a statement.

use std::time::{Duration, Instant};

use crate::{Cluster, Database};

/// Whom `kill -9` hits.
#[derive(Debug, Clone, Copy)]
pub enum Victim {
    /// The process that runs the statement; the postmaster then restarts all others.
    Backend,
    /// The postmaster with all its processes.
    Server,
}

/// What became of a statement whose server was killed.
pub struct Strike {
    /// The client got its answer, so the work is done for good.
    pub acknowledged: bool,
    /// The kill came before the answer.
    pub interrupted: bool,
}

/// Begins the statement, kills the victim when the statement has run for `delay`, and returns when the server is there again.
///
/// # Panics
/// When the server does not come back.
#[must_use]
pub fn strike(
    cluster: &Cluster,
    database: &Database,
    statement: &'static str,
    delay: Duration,
    victim: Victim,
) -> Strike {
    let mut client = database.superuser();
    let backend: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .expect("the session answers")
        .get(0);
    let started = Instant::now();
    let session = std::thread::spawn(move || {
        let acknowledged = client.simple_query(statement).is_ok();
        (client, acknowledged)
    });
    std::thread::sleep(delay.saturating_sub(started.elapsed()));
    let interrupted = !session.is_finished();
    match victim {
        Victim::Backend => cluster.kill_backend(backend.unsigned_abs()),
        Victim::Server => {
            cluster.kill();
            cluster.resume();
        }
    }
    let (_client, acknowledged) = session.join().expect("the session's thread ends");
    cluster.wait_until_ready();
    Strike {
        acknowledged,
        interrupted,
    }
}
