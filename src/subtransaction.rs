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

/// Runs `work` in a subtransaction: its effects stay when it succeeds and vanish when it fails.
///
/// Cancel, timeout of the whole statement and shutdown are not failures of the work: they are raised again.
pub(crate) fn isolated<T>(work: impl FnOnce() -> PgResult<T>) -> Result<T, Failure> {
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
    .catch_others(|cause| {
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        }) = &cause;
        if matches!(
            report.sql_error_code(),
            Code::ERRCODE_QUERY_CANCELED
                | Code::ERRCODE_ADMIN_SHUTDOWN
                | Code::ERRCODE_CRASH_SHUTDOWN
                | Code::ERRCODE_IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        ) {
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
