//! What all aggregates with an internal state share.
//!
//! A state lives in the memory context of its aggregate, made there by the first row and dropped with the context. The
//! server's context is looked up only when a state is made: the transition of every further row is plain Rust.

use pgrx::datum::Internal;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use sop_analytics::codec::Codec;

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
pub(super) fn state_of<S>(state: &Internal) -> Option<&S> {
    // SAFETY: `state` was made by `keep` or `deserialize` of the same aggregate, hence of type `S`.
    unsafe { state.get::<S>() }
}

/// One step of a transition: changes the state in place, or makes the first one.
#[inline]
pub(super) fn transition<S>(
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
