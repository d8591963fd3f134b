//! Switching the role whose rights count, for the length of one closure.

use pgrx::pg_sys;

use crate::error::PgResult;
use crate::search_path;

/// Runs a fixed look-up as the bootstrap superuser, so that the policies of what it reads do not apply to it.
///
/// Not SECURITY DEFINER: the caller cannot reach this switch with statements of his own.
pub(crate) fn as_superuser<T>(look_up: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    // Whoever called the policy chose the search_path: his operators must not run with these rights.
    let restricted = pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
    let superuser = pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID);
    switched(superuser, restricted, || search_path::pinned(look_up))
}

/// Runs `work` with the rights of a role; as in a SECURITY DEFINER function the work cannot change the role itself.
pub(crate) fn as_role<T>(role: pg_sys::Oid, work: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    switched(role, 0, work)
}

fn switched<T>(
    role: pg_sys::Oid,
    further_restrictions: i32,
    work: impl FnOnce() -> PgResult<T>,
) -> PgResult<T> {
    struct Restore {
        user: pg_sys::Oid,
        security_context: i32,
    }
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: puts back what `GetUserIdAndSecContext` returned in this same call.
            unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.security_context) };
        }
    }
    let mut saved = Restore {
        user: pg_sys::InvalidOid,
        security_context: 0,
    };
    // SAFETY: reads and sets two variables of this backend; `Restore` puts them back, also when an error unwinds.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut saved.user, &mut saved.security_context);
        pg_sys::SetUserIdAndSecContext(
            role,
            saved.security_context
                | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32
                | further_restrictions,
        );
    }
    work()
}
