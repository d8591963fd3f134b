//! Reading what is true now, whatever the age of the statement's or the transaction's snapshot.

use pgrx::pg_sys;

use crate::error::PgResult;

/// Runs reading statements under a snapshot of this moment.
///
/// A transaction at REPEATABLE READ, or a cursor, would otherwise keep seeing a membership that has been revoked meanwhile.
pub(super) fn with_latest<T>(look_up: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    struct Pop;
    impl Drop for Pop {
        fn drop(&mut self) {
            // When an error unwinds, the end of the (sub)transaction clears the stack: what is on top may not be ours.
            if !std::thread::panicking() {
                // SAFETY: takes away what was pushed below; SPI has left the stack as it found it.
                unsafe { pg_sys::PopActiveSnapshot() };
            }
        }
    }
    // SAFETY: inside a transaction. The snapshot for reading catalogues is always of now, also in parallel workers and on a
    // standby, where the server gives no other fresh one; pushing copies it.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetCatalogSnapshot(pg_sys::InvalidOid)) };
    let _pop = Pop;
    look_up()
}
