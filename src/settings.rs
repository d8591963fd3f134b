//! Settings (GUCs): their names, defaults, and who may set them.

use std::ffi::{CStr, CString};

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

/// The restaurant that this transaction works for, chosen among those the caller has access to.
static RESTAURANT_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Login roles whose clients cannot run SQL of their own: their claims are believed.
static GATEWAY_ROLES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Upper bound for the memory that one function call or one aggregate state may take.
static MAX_STATE_MB: GucSetting<i32> = GucSetting::<i32>::new(64);

/// Defines the settings; called once when the library is loaded.
pub(crate) fn register() {
    GucRegistry::define_string_guc(
        c"sop_ml.restaurant_id",
        c"The restaurant that this transaction works for.",
        c"One of the restaurants that the caller has access to; set it with SET LOCAL. Choosing another restaurant \
          than those gives no access.",
        &RESTAURANT_ID,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"sop_ml.gateway_roles",
        c"Login roles whose request.jwt.claims or sop_ml.restaurant_id are believed.",
        c"Comma-separated. Only for roles whose clients cannot run SQL of their own, such as the authenticator of a REST \
          gateway.",
        &GATEWAY_ROLES,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"sop_ml.max_state_mb",
        c"Upper bound for the memory of one function call or one aggregate state, in megabytes.",
        c"A call that would need more fails with SQLSTATE 54000 instead of endangering the server.",
        &MAX_STATE_MB,
        1,
        16_384,
        GucContext::Userset,
        GucFlags::UNIT_MB,
    );
    // SAFETY: the argument is a constant C string; the call only records the prefix.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"sop_ml".as_ptr()) };
}

/// `sop_ml.max_state_mb` in bytes.
pub(crate) fn max_state_bytes() -> usize {
    usize::try_from(MAX_STATE_MB.get()).unwrap_or(1) * 1024 * 1024
}

/// `sop_ml.restaurant_id` as stored, without copying; empty when unset.
pub(crate) fn restaurant_id() -> &'static [u8] {
    bytes(&RESTAURANT_ID)
}

/// `sop_ml.gateway_roles` as stored, without copying; empty when unset.
pub(crate) fn gateway_roles() -> &'static [u8] {
    bytes(&GATEWAY_ROLES)
}

/// The bytes of a string setting. They are valid until the setting changes, so callers compare or copy at once and keep
/// nothing.
fn bytes(setting: &'static GucSetting<Option<CString>>) -> &'static [u8] {
    // SAFETY: PostgreSQL keeps the variable pointing at NULL or at a NUL-terminated string; settings change only between
    // calls of this single-threaded backend, and no caller keeps the slice across one.
    unsafe {
        let pointer = *setting.as_ptr();
        if pointer.is_null() {
            &[]
        } else {
            CStr::from_ptr(pointer).to_bytes()
        }
    }
}
