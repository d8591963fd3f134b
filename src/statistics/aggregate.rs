//! What all aggregates with an internal state share.
//!
//! A state lives in the memory context of its aggregate, made there by the first row and dropped with the context. Only
//! that first row goes through pgrx's wrapper; further ones enter by [`in_place!`], which costs what a C function costs.

use pgrx::datum::Internal;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use sop_analytics::codec::Codec;
use sop_analytics::error::Classify;
use sop_analytics::statistics::{Collected, Collector};

use crate::error::{PgResult, from_analytics, internal};

/// Moves a state into the memory context of the aggregate that is being computed.
fn keep<S>(state: S, fcinfo: pg_sys::FunctionCallInfo) -> PgResult<Internal> {
    let mut context: pg_sys::MemoryContext = std::ptr::null_mut();
    // SAFETY: `fcinfo` is that of the current call; `context` is set where the answer is not 0.
    let role = unsafe { pg_sys::AggCheckCallContext(fcinfo, &mut context) };
    if role == 0 || context.is_null() {
        return Err(internal("aggregate function called outside an aggregate"));
    }
    // SAFETY: the server gave the context, and it outlives the state: dropping it drops the state.
    let kept = unsafe { PgMemoryContexts::For(context).switch_to(|_| Internal::new(state)) };
    Ok(kept)
}

/// The state behind an internal argument; `None` before the first row.
///
/// Functions with an internal argument cannot be called from SQL; `CREATE AGGREGATE` ties each to functions of the same
/// state type.
pub(crate) fn state_of<S>(state: &Internal) -> Option<&S> {
    // SAFETY: `state` was made by `keep` or `deserialize` of the same aggregate, hence of type `S`.
    unsafe { state.get::<S>() }
}

/// One step of a transition: changes the state in place, or makes the first one.
#[inline]
pub(crate) fn transition<S>(
    mut state: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
    first: impl FnOnce() -> PgResult<S>,
    change: impl FnOnce(&mut S) -> PgResult<()>,
) -> PgResult<Internal> {
    // SAFETY: as in `state_of`; the executor owns the only other pointer and does not use it meanwhile.
    if let Some(kept) = unsafe { state.get_mut::<S>() } {
        change(kept)?;
        return Ok(state);
    }
    let mut made = first()?;
    change(&mut made)?;
    keep(made, fcinfo)
}

/// Combines two partial states without letting the result share memory with the second.
pub(super) fn combine<S: Clone>(
    first: Internal,
    second: &Internal,
    fcinfo: pg_sys::FunctionCallInfo,
    merge: impl FnOnce(&mut S, &S) -> PgResult<()>,
) -> PgResult<Internal> {
    let Some(second) = state_of::<S>(second) else {
        return Ok(first);
    };
    if first.initialized() {
        return transition(
            first,
            fcinfo,
            || Ok(second.clone()),
            |state| merge(state, second),
        );
    }
    keep(second.clone(), fcinfo)
}

/// A partial state on its way between processes.
pub(super) fn serialize<S: Codec>(state: &Internal) -> Option<Vec<u8>> {
    state_of::<S>(state).map(Codec::encode)
}

/// The other end of [`serialize`]; the state lives as long as the current memory context.
pub(super) fn deserialize<S: Codec>(bytes: &[u8]) -> PgResult<Internal> {
    S::decode(bytes).map(Internal::new).map_err(from_analytics)
}

/// The sketch of a collector; `None` of no rows.
pub(super) fn finish<S>(state: &Internal) -> PgResult<Option<S>>
where
    S: Collected<Error: Classify>,
{
    state_of::<Collector<S>>(state)
        .map(Collector::finish)
        .transpose()
        .map_err(from_analytics)
}

/// A partial collector on its way between processes: as its sketch.
pub(super) fn serialize_collector<S>(state: &Internal) -> PgResult<Option<Vec<u8>>>
where
    S: Collected<Error: Classify> + Codec,
{
    Ok(finish::<S>(state)?.map(|sketch| sketch.encode()))
}

/// The other end of [`serialize_collector`].
pub(super) fn deserialize_collector<S: Collected + Codec>(bytes: &[u8]) -> PgResult<Internal> {
    S::decode(bytes)
        .map(|sketch| Internal::new(Collector::from(sketch)))
        .map_err(from_analytics)
}

/// [`combine`] of collectors.
pub(super) fn combine_collectors<S>(
    first: Internal,
    second: &Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<Internal>
where
    S: Collected<Error: Classify>,
{
    combine(first, second, fcinfo, |kept: &mut Collector<S>, other| {
        kept.merge_collector(other).map_err(from_analytics)
    })
}

/// Raises outside of a wrapper.
#[cold]
fn fail<E: Classify>(error: E) -> ! {
    // SAFETY: the guard turns the error into PostgreSQL's, as it does at the end of every wrapper; the frames above hold
    // nothing that has to be dropped.
    unsafe {
        pg_sys::submodules::panic::pgrx_extern_c_guard(|| {
            crate::error::raise(from_analytics(error))
        })
    }
}

/// Changes an existing state by one float8 without leaving plain Rust; `None` where there is no state yet.
///
/// # Safety
/// `fcinfo` must be a call with an internal argument, which is NULL or made by [`keep`] of an `S`, and a float8.
#[inline]
pub(crate) unsafe fn step_in_place<S, E: Classify>(
    fcinfo: pg_sys::FunctionCallInfo,
    push: impl FnOnce(&mut S, f64) -> Result<(), E>,
) -> Option<pg_sys::Datum> {
    // SAFETY: the caller promises two arguments.
    let [state, value] = (unsafe { (*fcinfo).args.as_slice(2) }) else {
        return None;
    };
    if state.isnull {
        return None;
    }
    if !value.isnull {
        // SAFETY: the caller promises the state's type; only the executor knows the pointer and does not use it meanwhile.
        let kept = unsafe { &mut *state.value.cast_mut_ptr::<S>() };
        if let Err(error) = push(kept, f64::from_bits(value.value.value() as u64)) {
            fail(error);
        }
    }
    Some(state.value)
}

/// As [`step_in_place`] by two float8; a row with a NULL among them changes nothing.
///
/// # Safety
/// `fcinfo` must be a call with an internal argument, which is NULL or made by [`keep`] of an `S`, and two float8.
#[inline]
pub(super) unsafe fn step_in_place_by_two<S, E: Classify>(
    fcinfo: pg_sys::FunctionCallInfo,
    push: impl FnOnce(&mut S, f64, f64) -> Result<(), E>,
) -> Option<pg_sys::Datum> {
    // SAFETY: the caller promises three arguments.
    let [state, first, second] = (unsafe { (*fcinfo).args.as_slice(3) }) else {
        return None;
    };
    if state.isnull {
        return None;
    }
    if !(first.isnull || second.isnull) {
        // SAFETY: the caller promises the state's type; only the executor knows the pointer and does not use it meanwhile.
        let kept = unsafe { &mut *state.value.cast_mut_ptr::<S>() };
        let [first, second] =
            [first, second].map(|argument| f64::from_bits(argument.value.value() as u64));
        if let Err(error) = push(kept, first, second) {
            fail(error);
        }
    }
    Some(state.value)
}

/// The C entry point of the transition function `$entry`: [`step_in_place`], or the function named last, for all rows but
/// the first, which pgrx's wrapper of `$wrapped` handles, as it does whatever else is out of the ordinary.
macro_rules! in_place {
    ($entry:ident, $info:ident, $wrapped:ident, $state:ty, $push:expr) => {
        $crate::statistics::aggregate::in_place!(
            $entry,
            $info,
            $wrapped,
            $state,
            $push,
            step_in_place
        );
    };
    ($entry:ident, $info:ident, $wrapped:ident, $state:ty, $push:expr, $step:ident) => {
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
        /// Called by the server with (internal, float8), or (internal, float8, float8) for a step by two.
        // SAFETY: no other symbol of the library has this name.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C-unwind" fn $entry(
            fcinfo: ::pgrx::pg_sys::FunctionCallInfo,
        ) -> ::pgrx::pg_sys::Datum {
            // SAFETY: the SQL declaration has these argument types, and only the aggregate of this state uses it. Adding
            // a value to a state does not panic, so that nothing unwinds past this function but a guarded error.
            match unsafe { $crate::statistics::aggregate::$step::<$state, _>(fcinfo, $push) } {
                Some(state) => state,
                // SAFETY: the same call, passed on.
                None => unsafe { $wrapped(fcinfo) },
            }
        }
    };
}
pub(crate) use in_place;
