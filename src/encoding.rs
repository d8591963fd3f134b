//! The encoding of the database's texts, where a state keeps texts or their hashes.

use std::ffi::CStr;
use std::sync::OnceLock;

use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;

use crate::error::{PgResult, with_code};

/// Whether texts of this database are UTF-8, or bytes of an encoding that nobody knows (SQL_ASCII).
#[inline]
pub(crate) fn texts_are_utf8() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    // SAFETY: a look at a variable of the server that does not change within a backend.
    *ANSWER.get_or_init(|| unsafe {
        [pg_sys::pg_enc::PG_UTF8, pg_sys::pg_enc::PG_SQL_ASCII]
            .contains(&(pg_sys::GetDatabaseEncoding() as pg_sys::pg_enc::Type))
    })
}

/// Bytes of a text as UTF-8; `None` where they are another encoding's.
pub(crate) fn as_utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| texts_are_utf8() || text.is_ascii())
}

/// The JSON text of a state. States print ASCII alone, so that nothing is lost where the database cannot hold more.
pub(crate) fn json<'a>(text: &'a CStr, type_name: &str) -> PgResult<&'a str> {
    as_utf8(text.to_bytes()).ok_or_else(|| {
        with_code(
            Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            format!("invalid input for type {type_name}: not UTF-8"),
        )
    })
}
