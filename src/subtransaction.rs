//! Work that may fail without taking the whole statement down.

use std::panic::AssertUnwindSafe;

use pgrx::PgLogLevel;
use pgrx::PgTryBuilder;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;
use pgrx::pg_sys::panic::CaughtError;

use crate::error::PgResult;

/// Why isolated work was rolled back.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The five-character SQLSTATE.
    pub(crate) sqlstate: String,
    /// The error's primary message.
    pub(crate) message: String,
}

impl Failure {
    /// Warns of the failure of `what`, and says in a word what became of it, for an answer.
    pub(crate) fn warn(&self, what: &str) -> String {
        pgrx::warning!("{what}: {self}");
        format!("failed: {self}")
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} (SQLSTATE {})", self.message, self.sqlstate)
    }
}

/// Runs `work` in a subtransaction: its effects stay when it succeeds and vanish when it fails.
///
/// Cancel, timeout of the whole statement and shutdown are not failures of the work: they are raised again.
pub(crate) fn isolated<T>(work: impl FnOnce() -> PgResult<T>) -> Result<T, Failure> {
    isolated_from(is_failure_of_work, work)
}

fn is_failure_of_work(code: Code) -> bool {
    !matches!(
        code,
        Code::ERRCODE_QUERY_CANCELED
            | Code::ERRCODE_ADMIN_SHUTDOWN
            | Code::ERRCODE_CRASH_SHUTDOWN
            | Code::ERRCODE_IDLE_IN_TRANSACTION_SESSION_TIMEOUT
    )
}

/// As [`isolated`], for errors that `catches` names; others are raised again as they are.
pub(crate) fn isolated_from<T>(
    catches: fn(Code) -> bool,
    work: impl FnOnce() -> PgResult<T>,
) -> Result<T, Failure> {
    // SAFETY: the sequence is that of PL/pgSQL's exception blocks: remember memory context and resource owner, begin the
    // subtransaction, return to the caller's memory context, and after release or rollback restore both.
    let (context, owner) = unsafe {
        let saved = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(saved.0);
        saved
    };
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| match work() {
        Ok(value) => Ok(value),
        Err(report) => {
            report.report(PgLogLevel::ERROR);
            unreachable!("an ERROR report does not return")
        }
    }))
    .catch_others(move |cause| {
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        }) = &cause;
        if !catches(report.sql_error_code()) {
            cause.rethrow()
        }
        Err(Failure {
            sqlstate: sqlstate(report.sql_error_code()),
            message: report.message().to_owned(),
        })
    })
    .execute();
    // SAFETY: we are in the subtransaction begun above: nested ones were closed by the work or by its error.
    unsafe {
        match &outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    outcome
}

/// PostgreSQL packs the five characters of an SQLSTATE into six bits each, lowest first.
fn sqlstate(code: Code) -> String {
    let mut packed = code as i32;
    (0..5)
        .map(|_| {
            let character = char::from(b'0' + (packed & 0x3f) as u8);
            packed >>= 6;
            character
        })
        .collect()
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::isolated;
    use crate::error::invalid_parameter;
    use crate::sql;

    fn rows() -> i64 {
        sql::select_one("SELECT count(*) FROM kept", &[], |row| row.required(1))
            .unwrap()
            .unwrap()
    }

    fn insert() -> crate::error::PgResult<i64> {
        sql::execute("INSERT INTO kept VALUES (1)", &[])
    }

    #[pg_test]
    fn success_keeps_its_effects_and_failure_loses_them() {
        Spi::run("CREATE TEMPORARY TABLE kept (a int)").unwrap();
        assert!(isolated(insert).is_ok());
        let server = isolated(|| {
            insert()?;
            sql::execute("SELECT 1 / 0", &[])
        });
        assert_eq!(server.unwrap_err().sqlstate, "22012");
        let own = isolated::<()>(|| {
            insert()?;
            Err(invalid_parameter("horizon must be positive"))
        });
        let own = own.unwrap_err();
        assert_eq!(
            (own.sqlstate.as_str(), own.message.as_str()),
            ("22023", "horizon must be positive")
        );
        let panicked = isolated::<()>(|| {
            insert()?;
            panic!("a bug")
        });
        assert_eq!(panicked.unwrap_err().sqlstate, "XX000");
        assert_eq!(rows(), 1);
        assert!(isolated(insert).is_ok());
        assert_eq!(rows(), 2);
    }

    #[pg_test]
    fn isolation_nests() {
        Spi::run("CREATE TEMPORARY TABLE kept (a int)").unwrap();
        let outer = isolated(|| {
            insert()?;
            let inner = isolated(|| {
                insert()?;
                sql::execute("SELECT 1 / 0", &[])
            });
            assert!(inner.is_err());
            insert()
        });
        assert!(outer.is_ok());
        assert_eq!(rows(), 2);
    }

    #[pg_test(error = "canceling statement due to user request")]
    fn a_cancel_is_not_swallowed() {
        let _ = isolated(|| {
            sql::execute(
                "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(10)",
                &[],
            )
        });
    }
}
