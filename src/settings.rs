//! Settings (GUCs): their names, defaults, and who may set them.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::{pg_guard, pg_sys};

use crate::tenancy;

/// The restaurant that this transaction works for, chosen among those the caller has access to.
static RESTAURANT_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Login roles whose clients cannot run SQL of their own: their claims are believed.
static GATEWAY_ROLES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// The signed token that says who the caller is.
static JWT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// The public keys that tokens are verified with.
static JWKS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// What tokens must name as their audience; empty accepts any.
static JWT_AUDIENCE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Upper bound for the memory that one function call or one aggregate state may take.
static MAX_STATE_MB: GucSetting<i32> = GucSetting::<i32>::new(64);

/// Grows whenever a setting that decides who the caller is may have changed.
static IDENTITY_GENERATION: AtomicU64 = AtomicU64::new(0);

/// A text setting that decides who the caller is.
struct Identity {
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    context: GucContext,
    flags: GucFlags,
    check: pg_sys::GucStringCheckHook,
}

fn identities() -> [Identity; 5] {
    [
        Identity {
            name: c"sop_ml.restaurant_id",
            short: c"The restaurant that this transaction works for.",
            long: c"One of the restaurants that the caller has access to; set it with SET LOCAL. Choosing another \
                    restaurant than those gives no access.",
            setting: &RESTAURANT_ID,
            context: GucContext::Userset,
            flags: GucFlags::default(),
            check: None,
        },
        Identity {
            name: c"sop_ml.jwt",
            short: c"A signed token (JWT) that says who the caller is; set it with SET LOCAL.",
            long: c"Verified with the public keys in sop_ml.jwks. An invalid or expired token is an error (SQLSTATE \
                    42501) of every statement that needs a context.",
            setting: &JWT,
            context: GucContext::Userset,
            flags: GucFlags::NO_SHOW_ALL,
            check: None,
        },
        Identity {
            name: c"sop_ml.jwks",
            short: c"The public keys (JWK set) that tokens are verified with.",
            long: c"Ed25519, P-256 and RSA keys; several for rotation. Public keys only.",
            setting: &JWKS,
            context: GucContext::Suset,
            flags: GucFlags::default(),
            check: Some(check_jwks),
        },
        Identity {
            name: c"sop_ml.jwt_audience",
            short: c"What a token must name in its claim aud.",
            long: c"Empty accepts tokens for any audience: right only when the issuer signs for this database alone.",
            setting: &JWT_AUDIENCE,
            context: GucContext::Suset,
            flags: GucFlags::default(),
            check: None,
        },
        Identity {
            name: c"sop_ml.gateway_roles",
            short: c"Login roles whose request.jwt.claims or sop_ml.restaurant_id are believed.",
            long: c"Comma-separated. Only for roles whose clients cannot run SQL of their own, such as the \
                    authenticator of a REST gateway.",
            setting: &GATEWAY_ROLES,
            context: GucContext::Suset,
            flags: GucFlags::default(),
            check: None,
        },
    ]
}

/// Defines the settings; called once when the library is loaded.
pub(crate) fn register() {
    for identity in identities() {
        // SAFETY: both hooks live as long as the library; `check_jwks` is guarded and `identity_changed` cannot fail.
        unsafe {
            GucRegistry::define_string_guc_with_hooks(
                identity.name,
                identity.short,
                identity.long,
                identity.setting,
                identity.context,
                identity.flags,
                identity.check,
                Some(identity_changed),
                None,
            );
        }
    }
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
    unsafe { pg_sys::MarkGUCPrefixReserved(c"sop_ml".as_ptr()) };
}

/// Runs in the middle of assignments, also while a transaction is being rolled back: it must do nothing that can fail.
unsafe extern "C-unwind" fn identity_changed(_value: *const c_char, _extra: *mut c_void) {
    IDENTITY_GENERATION.fetch_add(1, Ordering::Relaxed);
}

#[pg_guard]
unsafe extern "C-unwind" fn check_jwks(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a pointer to NULL or to a NUL-terminated string.
    let text = unsafe {
        if (*value).is_null() {
            return true;
        }
        CStr::from_ptr(*value).to_string_lossy()
    };
    match tenancy::check_keys(&text) {
        Ok(()) => true,
        Err(problem) => {
            // SAFETY: the server reads and frees the text when it reports the refused value.
            unsafe {
                pg_sys::GUC_check_errdetail_string =
                    pgrx::PgMemoryContexts::CurrentMemoryContext.pstrdup(&problem);
            }
            false
        }
    }
}

/// Changes whenever one of the settings that decide who the caller is may have changed.
pub(crate) fn identity_generation() -> u64 {
    IDENTITY_GENERATION.load(Ordering::Relaxed)
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

/// `sop_ml.jwt` as stored, without copying; empty when unset.
pub(crate) fn jwt() -> &'static [u8] {
    bytes(&JWT)
}

/// `sop_ml.jwks` as stored, without copying; empty when unset.
pub(crate) fn jwks() -> &'static [u8] {
    bytes(&JWKS)
}

/// `sop_ml.jwt_audience` as stored, without copying; empty when unset.
pub(crate) fn jwt_audience() -> &'static [u8] {
    bytes(&JWT_AUDIENCE)
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
