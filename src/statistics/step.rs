//! Transition functions over other arguments than one float8, without pgrx's wrapper for all rows but the first.

use pgrx::pg_sys;
use pgrx::varlena::{varatt_is_1b, varatt_is_1b_e, varatt_is_4b_u, varlena_to_byte_slice};

use crate::error::PgResult;

/// Raises outside of a wrapper.
#[cold]
fn fail(report: pg_sys::panic::ErrorReport) -> ! {
    // SAFETY: the guard turns the error into PostgreSQL's, as it does at the end of every wrapper; the frames above hold
    // nothing that has to be dropped.
    unsafe { pg_sys::submodules::panic::pgrx_extern_c_guard(|| crate::error::raise(report)) }
}

/// Changes an existing state by the other arguments of a call; `None` where there is no state yet or `change` wants the
/// wrapper to do the work.
///
/// # Safety
/// `fcinfo` must be a call whose first argument is internal and NULL or made by [`super::aggregate`] of an `S`.
#[inline]
pub(super) unsafe fn step<S>(
    fcinfo: pg_sys::FunctionCallInfo,
    change: impl FnOnce(&mut S, &[pg_sys::NullableDatum]) -> Option<PgResult<()>>,
) -> Option<pg_sys::Datum> {
    // SAFETY: the server passes as many arguments as it says.
    let arguments = unsafe { (*fcinfo).args.as_slice((*fcinfo).nargs as usize) };
    let [state, row @ ..] = arguments else {
        return None;
    };
    if state.isnull {
        return None;
    }
    // SAFETY: the caller promises the state's type; only the executor knows the pointer and does not use it meanwhile.
    let kept = unsafe { &mut *state.value.cast_mut_ptr::<S>() };
    if let Err(report) = change(kept, row)? {
        fail(report);
    }
    Some(state.value)
}

/// The content of a varlena that lies in the row as it is; compressed and out-of-line ones are for the wrapper.
///
/// # Safety
/// `datum` must be a varlena that lives as long as the answer is used.
#[inline]
pub(super) unsafe fn inline_bytes<'a>(datum: pg_sys::Datum) -> Option<&'a [u8]> {
    let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller promises a varlena.
    unsafe {
        let as_it_is = varatt_is_4b_u(stored) || (varatt_is_1b(stored) && !varatt_is_1b_e(stored));
        as_it_is.then(|| varlena_to_byte_slice(stored))
    }
}

/// The C entry point of the transition function `$entry`: [`step`] where it can, else pgrx's wrapper `$wrapped`.
macro_rules! step_entry {
    ($entry:ident, $info:ident, $wrapped:ident, $state:ty, $change:expr) => {
        #[doc = concat!("Tells the server how `", stringify!($entry), "` is called.")]
        // SAFETY: no other symbol of the library has this name.
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $info() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
            const VERSION_1: ::pgrx::pg_sys::Pg_finfo_record =
                ::pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[doc = concat!("The transition function over `", stringify!($state), "`.")]
        ///
        /// # Safety
        /// Called by the server with the arguments of the SQL declaration.
        // SAFETY: no other symbol of the library has this name.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C-unwind" fn $entry(
            fcinfo: ::pgrx::pg_sys::FunctionCallInfo,
        ) -> ::pgrx::pg_sys::Datum {
            // Outside of the unsafe block below, so that what is unsafe in the change says so itself.
            fn change(
                state: &mut $state,
                row: &[::pgrx::pg_sys::NullableDatum],
            ) -> Option<$crate::error::PgResult<()>> {
                ($change)(state, row)
            }
            // SAFETY: the SQL declaration has these argument types, and only aggregates of this state use it. Adding to
            // a state does not panic, so that nothing unwinds past this function but a guarded error.
            match unsafe { $crate::statistics::step::step::<$state>(fcinfo, change) } {
                Some(state) => state,
                // SAFETY: the same call, passed on.
                None => unsafe { $wrapped(fcinfo) },
            }
        }
    };
}
pub(super) use step_entry;
