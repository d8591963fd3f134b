//! Locking two tables that an application writes at the same time.

use std::time::{Duration, Instant};

use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;

use super::run;
use crate::error::{PgResult, with_code};
use crate::sql;
use crate::subtransaction::isolated_from;

const PATIENCE: &str = include_str!("../../sql/queries/host_links_patience.sql");

/// What locks the two tables; the host's cannot be locked by hand without a right to write it.
pub(super) struct Locks {
    pub(super) host: Option<String>,
    pub(super) own: String,
}

/// Locks both tables, then does the work; tries again from the start while time is left.
///
/// The host's table comes first, as it does in an application that writes a row before one that points at it: whoever has
/// locked it then needs nothing from us. A session that locks the other way round could still wait for this one. So the
/// second wait, with a lock in hand, ends before a deadlock is looked for, gives up both locks, and the next attempt starts
/// at the other end: this function steps back, never the application.
pub(super) fn patiently<T>(
    lock_timeout: Duration,
    locks: &Locks,
    work: impl Fn() -> PgResult<T>,
) -> PgResult<T> {
    let started = Instant::now();
    let left = || {
        let left = lock_timeout.saturating_sub(started.elapsed());
        i64::try_from(left.as_millis()).unwrap_or(i64::MAX)
    };
    for attempt in 1_i64.. {
        pgrx::check_for_interrupts!();
        let host_first = locks.host.as_deref().filter(|_| attempt % 2 == 1);
        let done = isolated_from(is_about_locks, || {
            sql::execute(PATIENCE, &[left().into(), None::<i64>.into()])?;
            run(host_first.unwrap_or(&locks.own))?;
            sql::execute(PATIENCE, &[left().into(), attempt.into()])?;
            // Without the host's lock the work takes it.
            if host_first.is_some() {
                run(&locks.own)?;
            }
            work()
        });
        match done {
            Ok(done) => return Ok(done),
            Err(_) if left() > 0 => {}
            Err(_) => break,
        }
    }
    Err(with_code(
        Code::ERRCODE_LOCK_NOT_AVAILABLE,
        "the tables are busy: nothing was changed",
    )
    .set_hint("Try again at a quieter time, or with a larger option lock_timeout_ms."))
}

fn is_about_locks(code: Code) -> bool {
    matches!(
        code,
        Code::ERRCODE_LOCK_NOT_AVAILABLE | Code::ERRCODE_T_R_DEADLOCK_DETECTED
    )
}
