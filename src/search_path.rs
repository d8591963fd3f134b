//! Statements that run with more rights than the caller has must not find the caller's objects.

use pgrx::pg_sys;

use crate::error::PgResult;

/// Runs `work` with `search_path = pg_catalog, pg_temp`, as functions do that have it in their definition.
///
/// For native code that switches the user itself: unpinned, the names in its statements are looked up on the caller's
/// path, temporary types first, and a domain `pg_temp.text` of the caller would run its CHECK with the borrowed rights.
pub(crate) fn pinned<T>(work: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    // SAFETY: what the server itself does around a function with a SET clause. The setting is put back below; when an
    // error unwinds through `work`, the end of the (sub)transaction puts it back.
    let level = unsafe {
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            c"pg_catalog, pg_temp".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
        level
    };
    let result = work();
    // SAFETY: pops the level opened above, and any that `work` left open inside it.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}
