//! From typed errors to SQLSTATE, message and hint.
//!
//! A function that may fail returns [`PgResult`]. Errors of `analytics` become one through `?`; errors of this layer are
//! made by the constructors below, so that each cause has one SQLSTATE everywhere.

use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;
use pgrx::pg_sys::panic::ErrorReport;
use sop_analytics::error::{Classify, ErrorKind};

/// What a fallible SQL function returns.
pub(crate) type PgResult<T> = Result<T, ErrorReport>;

#[track_caller]
fn report(code: Code, message: impl Into<String>) -> ErrorReport {
    ErrorReport::new(code, message.into(), "sop_ml")
}

/// 22023: a parameter has a value outside its documented domain.
#[track_caller]
pub(crate) fn invalid_parameter(message: impl Into<String>) -> ErrorReport {
    report(Code::ERRCODE_INVALID_PARAMETER_VALUE, message)
}

/// 42501: the caller may not do this. Messages never tell whether the thing exists for somebody else.
#[track_caller]
pub(crate) fn insufficient_privilege(message: impl Into<String>) -> ErrorReport {
    report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE, message)
}

/// 55000: something has to be done first (install, migrate, train).
#[track_caller]
pub(crate) fn prerequisite(message: impl Into<String>) -> ErrorReport {
    report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

/// 02000: the named thing does not exist for this caller.
#[track_caller]
pub(crate) fn no_data(message: impl Into<String>) -> ErrorReport {
    report(Code::ERRCODE_NO_DATA, message)
}

/// XX000: a broken promise between our own parts; never caused by input.
#[track_caller]
pub(crate) fn internal(message: impl Into<String>) -> ErrorReport {
    report(Code::ERRCODE_INTERNAL_ERROR, message)
}

/// A cause that only one place has and that has its own SQLSTATE.
#[track_caller]
pub(crate) fn with_code(code: Code, message: impl Into<String>) -> ErrorReport {
    report(code, message)
}

/// Maps an error of `analytics`.
#[track_caller]
pub(crate) fn from_analytics<E: Classify>(error: E) -> ErrorReport {
    let code = match error.kind() {
        ErrorKind::InvalidParameter => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        ErrorKind::OutOfRange => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        ErrorKind::InvalidText => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
        ErrorKind::InvalidBinary => Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
        ErrorKind::LimitExceeded => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        ErrorKind::Interrupted => Code::ERRCODE_QUERY_CANCELED,
    };
    let report = report(code, error.to_string());
    match error.hint() {
        Some(hint) => report.set_hint(hint),
        None => report,
    }
}

/// Maps an SPI status; errors raised by the server itself arrive as themselves and never pass here.
#[track_caller]
pub(crate) fn from_spi(error: pgrx::spi::Error) -> ErrorReport {
    internal(format!("statement failed: {error}"))
}

/// Raises where the signature has no room for a `Result` (type input, datum conversion).
#[track_caller]
pub(crate) fn raise(report: ErrorReport) -> ! {
    report.report(pgrx::PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}
