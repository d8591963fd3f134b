//! The backend's memory of who the caller is.
//!
//! Valid as long as everything it was worked out from is unchanged: the settings, the outer and the session user, the
//! claims of a gateway, (through invalidation messages) memberships and role grants, and until its token or membership
//! ends. Policies ask once per row: the check compares a few numbers and copies nothing.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;

use pgrx::PgMemoryContexts;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;

use super::context::{self, Context};
use crate::error::PgResult;
use crate::settings;

unsafe extern "C" {
    // pgrx guards every server function against `ereport`; these only read a variable or the clock, and the guard would
    // cost more than the whole look-up.
    #[link_name = "GetOuterUserId"]
    fn outer_user_id() -> pg_sys::Oid;
    #[link_name = "GetSessionUserId"]
    fn session_user_id() -> pg_sys::Oid;
    #[link_name = "GetCurrentTimestamp"]
    fn current_timestamp() -> pg_sys::TimestampTz;
    #[link_name = "GetCurrentStatementStartTimestamp"]
    fn statement_start() -> pg_sys::TimestampTz;
}

/// What a context was worked out from.
struct Key {
    outer_user: pg_sys::Oid,
    session_user: pg_sys::Oid,
    /// Of the settings: [`settings::identity_generation`].
    generation: u64,
    /// `request.jwt.claims`, only for sessions of gateway roles.
    claims: Option<Vec<u8>>,
}

struct Entry {
    key: Key,
    context: Context,
    /// `context.current` where a datum may point to until the transaction ends.
    current: Option<pg_sys::Datum>,
    /// The start of the statement for which the invalidation messages were read last.
    heard_at: pg_sys::TimestampTz,
}

/// A context that holds whoever the caller is.
struct PinnedContext {
    context: Context,
    current: Option<pg_sys::Datum>,
    role: pg_sys::Oid,
}

thread_local! {
    static ENTRY: RefCell<Option<Entry>> = const { RefCell::new(None) };
    static PINNED: RefCell<Option<PinnedContext>> = const { RefCell::new(None) };
    /// How often something was announced on which an entry depends.
    static ANNOUNCED: Cell<u64> = const { Cell::new(0) };
}

/// How often a look-up is repeated because something was announced while it ran.
const ATTEMPTS: usize = 5;

/// A uuid that lives in the transaction's memory: returned without allocating.
pub(crate) struct CachedUuid(Option<pg_sys::Datum>);

// SAFETY: the datum points to 16 bytes in TopTransactionContext, which outlives every use of a function's result.
unsafe impl BoxRet for CachedUuid {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.0 {
            None => fcinfo.return_null(),
            // SAFETY: see the impl.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
        }
    }
}

// SAFETY: the datum is a uuid.
unsafe impl SqlTranslatable for CachedUuid {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(CachedUuid);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("uuid"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("uuid")));
}

/// The current restaurant for a policy: a few comparisons when nothing has changed.
pub(crate) fn current_restaurant() -> PgResult<CachedUuid> {
    if let Some(pinned) = PINNED.with_borrow(|pinned| pinned.as_ref().map(|pinned| pinned.current))
    {
        return Ok(CachedUuid(pinned));
    }
    refresh()?;
    Ok(ENTRY.with_borrow(|entry| CachedUuid(entry.as_ref().and_then(|entry| entry.current))))
}

/// Calls `read` with the caller's context. `read` must not run statements: they may ask for the context themselves.
pub(crate) fn with<T>(read: impl FnOnce(&Context) -> T) -> PgResult<T> {
    if let Some(context) =
        PINNED.with_borrow(|pinned| pinned.as_ref().map(|pinned| pinned.context.clone()))
    {
        return Ok(read(&context));
    }
    refresh()?;
    ENTRY.with_borrow(|entry| match entry {
        Some(entry) => Ok(read(&entry.context)),
        None => Err(crate::error::internal(
            "the caller's context was dropped while it was read",
        )),
    })
}

/// Reads what other sessions have announced, once a statement: [`forget`] is called when a membership or a role changed. A
/// statement whose relations are locked and whose catalogue rows are cached would not read it otherwise.
fn hear(statement: pg_sys::TimestampTz) {
    let heard = ENTRY.with_borrow(|entry| {
        entry
            .as_ref()
            .is_none_or(|entry| entry.heard_at == statement)
    });
    if heard {
        return;
    }
    // SAFETY: inside a transaction, where the server itself does this whenever it takes a lock.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    ENTRY.with_borrow_mut(|entry| {
        if let Some(entry) = entry {
            entry.heard_at = statement;
        }
    });
}

fn refresh() -> PgResult<()> {
    // SAFETY: each reads one variable of this backend and cannot fail.
    let (outer_user, session_user, statement) =
        unsafe { (outer_user_id(), session_user_id(), statement_start()) };
    hear(statement);
    let valid = ENTRY.with_borrow(|entry| {
        entry.as_ref().is_some_and(|entry| {
            let key = &entry.key;
            key.outer_user == outer_user
                && key.session_user == session_user
                && key.generation == settings::identity_generation()
                && (key.claims.is_none() || key.claims.as_deref() == Some(&*claims()))
                && entry.context.expires_at.is_none_or(|end| now() < end)
        })
    });
    if valid {
        return Ok(());
    }
    let key = Key {
        outer_user,
        session_user,
        generation: settings::identity_generation(),
        claims: is_gateway(session_user).then(claims),
    };
    let context = look_up_undisturbed(&key)?;
    let current = transaction_datum(&context);
    ENTRY.set(Some(Entry {
        key,
        context,
        current,
        heard_at: statement,
    }));
    Ok(())
}

fn now() -> pg_sys::TimestampTz {
    // SAFETY: reads the clock and cannot fail.
    unsafe { current_timestamp() }
}

/// The current restaurant where a datum may point to until the transaction ends.
fn transaction_datum(context: &Context) -> Option<pg_sys::Datum> {
    let id = context.current?;
    // SAFETY: switches back when the closure returns; the allocation lives as long as the transaction, and whoever keeps
    // the datum forgets it at the transaction's end.
    unsafe { PgMemoryContexts::TopTransactionContext.switch_to(|_| id.into_datum()) }
}

/// Answers with this context, whoever the caller is, until the guard is dropped: a job runs as the one who submitted it.
pub(crate) fn pin(context: Context, role: pg_sys::Oid) -> Pinned {
    let current = transaction_datum(&context);
    PINNED.set(Some(PinnedContext {
        context,
        current,
        role,
    }));
    Pinned(())
}

/// The role that acts: the outer user, or the one whose job is running.
pub(crate) fn acting_role() -> pg_sys::Oid {
    let pinned = PINNED.with_borrow(|pinned| pinned.as_ref().map(|pinned| pinned.role));
    // SAFETY: reads one variable of this backend and cannot fail.
    pinned.unwrap_or_else(|| unsafe { outer_user_id() })
}

/// While it lives, [`pin`]'s context is the caller's.
pub(crate) struct Pinned(());

impl Drop for Pinned {
    fn drop(&mut self) {
        PINNED.set(None);
    }
}

/// A look-up that began before a change and ends after its announcement would be kept, and nothing would drop it.
fn look_up_undisturbed(key: &Key) -> PgResult<Context> {
    let mut attempt = 1;
    loop {
        let announced = ANNOUNCED.get();
        let context = context::look_up(key.outer_user, key.claims.as_deref(), now())?;
        if ANNOUNCED.get() == announced || attempt == ATTEMPTS {
            return Ok(context);
        }
        attempt += 1;
    }
}

/// Whether `sop_ml.gateway_roles` lists the session's login role.
fn is_gateway(session_user: pg_sys::Oid) -> bool {
    let listed = settings::gateway_roles();
    if listed.is_empty() {
        return false;
    }
    // SAFETY: a catalogue look-up inside a transaction; NULL when the role was dropped meanwhile.
    let name = unsafe {
        let name = pg_sys::GetUserNameFromId(session_user, true);
        if name.is_null() {
            return false;
        }
        CStr::from_ptr(name).to_bytes().to_vec()
    };
    listed
        .split(|byte| *byte == b',')
        .any(|role| role.trim_ascii() == name)
}

/// The convention of PostgREST and Supabase: the verified claims of the request as JSON.
fn claims() -> Vec<u8> {
    // SAFETY: the name is a constant; a missing setting gives NULL; the value is copied at once.
    unsafe {
        let value = pg_sys::GetConfigOption(c"request.jwt.claims".as_ptr(), true, false);
        if value.is_null() {
            Vec::new()
        } else {
            CStr::from_ptr(value).to_bytes().to_vec()
        }
    }
}

fn forget() {
    ANNOUNCED.set(ANNOUNCED.get().wrapping_add(1));
    // A callback may run while an error unwinds through a reader: then the borrow is released before the next statement,
    // and the end of the transaction forgets again.
    ENTRY.with(|entry| {
        if let Ok(mut entry) = entry.try_borrow_mut() {
            *entry = None;
        }
    });
}

#[pg_guard]
unsafe extern "C-unwind" fn on_transaction_event(
    _event: pg_sys::XactEvent::Type,
    _argument: *mut core::ffi::c_void,
) {
    forget();
}

#[pg_guard]
unsafe extern "C-unwind" fn on_relation_change(_argument: pg_sys::Datum, _relation: pg_sys::Oid) {
    // Which relation it was is not worth a look-up: DDL is rare, and so are membership changes.
    forget();
}

#[pg_guard]
unsafe extern "C-unwind" fn on_role_change(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    forget();
}

/// Hooks the cache into the ends of transactions and into invalidation messages; called once per backend.
pub(crate) fn register() {
    // SAFETY: the callbacks are guarded, live as long as the library, and take no argument.
    unsafe {
        pg_sys::RegisterXactCallback(Some(on_transaction_event), std::ptr::null_mut());
        pg_sys::CacheRegisterRelcacheCallback(Some(on_relation_change), pg_sys::Datum::from(0));
        for cache in [
            pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM,
            pg_sys::SysCacheIdentifier::AUTHOID,
        ] {
            pg_sys::CacheRegisterSyscacheCallback(
                cache as i32,
                Some(on_role_change),
                pg_sys::Datum::from(0),
            );
        }
    }
}
