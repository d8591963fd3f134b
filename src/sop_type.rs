//! Base types: a Rust state with our own binary layout as an SQL type.
//!
//! [`sop_type!`] takes a state of `analytics` that has a binary form ([`sop_analytics::codec::Codec`]) and a text form
//! ([`sop_analytics::codec::TextForm`]) and makes a newtype of it that SQL functions can take and return, together with
//! the eight C functions that `CREATE TYPE`, its casts and its `=` need. `sql/extension/types.sql` holds the statements; it
//! `creates` the types, so that everything that mentions one comes after it.

use pgrx::datum::IntoDatum;
use pgrx::pg_sys;
use sop_analytics::codec::{Codec, CodecError};

use crate::error::{PgResult, from_analytics};

/// Reads a stored value, detoasted where necessary.
///
/// # Safety
/// `datum` must be a varlena of the type that `S` encodes.
pub(crate) unsafe fn decode<S: Codec>(datum: pg_sys::Datum) -> Result<S, CodecError> {
    let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller promises a varlena; short headers are allowed, so nothing is copied that is not compressed or
    // out of line.
    let flat = unsafe { pg_sys::pg_detoast_datum_packed(stored) };
    // SAFETY: `flat` is an untoasted varlena that lives until it is freed below.
    let state = S::decode(unsafe { pgrx::varlena_to_byte_slice(flat) });
    if !std::ptr::eq(flat, stored) {
        // SAFETY: detoasting allocated a copy that nothing refers to any more.
        unsafe { pg_sys::pfree(flat.cast()) };
    }
    state
}

/// The value as a varlena in the current memory context.
pub(crate) fn encode<S: Codec>(state: &S) -> Option<pg_sys::Datum> {
    state.encode().into_datum()
}

/// Reads what a client sends in binary and tells the server that all of it was read.
pub(crate) fn receive<S: Codec>(mut message: pgrx::datum::Internal) -> PgResult<S> {
    // SAFETY: PostgreSQL calls receive functions, which SQL cannot call, with a StringInfo.
    let buffer = unsafe { message.get_mut::<pg_sys::StringInfoData>() }
        .ok_or_else(|| crate::error::internal("receive function called without a message"))?;
    let length = usize::try_from(buffer.len - buffer.cursor).unwrap_or(0);
    let start = usize::try_from(buffer.cursor).unwrap_or(0);
    // SAFETY: a StringInfo has `len` readable bytes at `data`, and `cursor` lies within them.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.data.cast::<u8>().add(start), length) };
    let state = S::decode(bytes).map_err(from_analytics)?;
    buffer.cursor = buffer.len;
    Ok(state)
}

/// Makes a base type of a state; see the module's documentation.
macro_rules! sop_type {
    (
        $(#[$doc:meta])*
        $name:ident($state:ty), sql_name = $sql_name:literal,
        input = $input:ident, output = $output:ident,
        receive = $receive:ident, send = $send:ident,
        from_bytea = $from_bytea:ident, to_bytea = $to_bytea:ident,
        equal = $equal:ident, not_equal = $not_equal:ident
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub(crate) $state);

        impl ::pgrx::datum::FromDatum for $name {
            unsafe fn from_polymorphic_datum(
                datum: ::pgrx::pg_sys::Datum,
                is_null: bool,
                _type_oid: ::pgrx::pg_sys::Oid,
            ) -> Option<Self> {
                if is_null {
                    return None;
                }
                // SAFETY: the caller says that the datum is of this type, which is a varlena.
                match unsafe { $crate::sop_type::decode::<$state>(datum) } {
                    Ok(state) => Some(Self(state)),
                    Err(error) => $crate::error::raise($crate::error::from_analytics(error)),
                }
            }
        }

        impl ::pgrx::datum::IntoDatum for $name {
            fn into_datum(self) -> Option<::pgrx::pg_sys::Datum> {
                $crate::sop_type::encode(&self.0)
            }

            fn type_oid() -> ::pgrx::pg_sys::Oid {
                ::pgrx::wrappers::regtypein(concat!("sop_ml.", $sql_name))
            }
        }

        // SAFETY: the value is returned as a varlena in the caller's memory context, which is what the SQL type is.
        unsafe impl ::pgrx::callconv::BoxRet for $name {
            unsafe fn box_into<'fcx>(
                self,
                fcinfo: &mut ::pgrx::callconv::FcInfo<'fcx>,
            ) -> ::pgrx::datum::Datum<'fcx> {
                match ::pgrx::datum::IntoDatum::into_datum(self) {
                    None => fcinfo.return_null(),
                    // SAFETY: the datum is of the declared return type.
                    Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
                }
            }
        }

        // SAFETY: the argument is decoded into an owned value and validated on the way.
        unsafe impl<'fcx> ::pgrx::callconv::ArgAbi<'fcx> for $name {
            unsafe fn unbox_arg_unchecked(argument: ::pgrx::callconv::Arg<'_, 'fcx>) -> Self {
                // SAFETY: PostgreSQL passes arguments of the declared type.
                match unsafe { argument.unbox_arg_using_from_datum() } {
                    Some(value) => value,
                    None => $crate::error::raise($crate::error::internal(concat!(
                        "NULL for an argument of type ",
                        $sql_name
                    ))),
                }
            }
        }

        // SAFETY: as above; elements of an array are decoded into owned values, too.
        unsafe impl ::pgrx::datum::UnboxDatum for $name {
            type As<'src> = $name;

            unsafe fn unbox<'src>(datum: ::pgrx::datum::Datum<'src>) -> Self::As<'src>
            where
                Self: 'src,
            {
                // SAFETY: the caller says that the datum is of this type, which is a varlena.
                match unsafe { $crate::sop_type::decode::<$state>(datum.sans_lifetime()) } {
                    Ok(state) => Self(state),
                    Err(error) => $crate::error::raise($crate::error::from_analytics(error)),
                }
            }
        }

        // SAFETY: the SQL type of this name is made by this extension with this type's functions.
        unsafe impl ::pgrx::pgrx_sql_entity_graph::metadata::SqlTranslatable for $name {
            const TYPE_IDENT: &'static str = ::pgrx::pgrx_resolved_type!($name);
            const TYPE_ORIGIN: ::pgrx::pgrx_sql_entity_graph::metadata::TypeOrigin =
                ::pgrx::pgrx_sql_entity_graph::metadata::TypeOrigin::ThisExtension;
            const ARGUMENT_SQL: Result<
                ::pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef,
                ::pgrx::pgrx_sql_entity_graph::metadata::ArgumentError,
            > = Ok(::pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef::literal($sql_name));
            const RETURN_SQL: Result<
                ::pgrx::pgrx_sql_entity_graph::metadata::ReturnsRef,
                ::pgrx::pgrx_sql_entity_graph::metadata::ReturnsError,
            > = Ok(::pgrx::pgrx_sql_entity_graph::metadata::ReturnsRef::One(
                ::pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef::literal($sql_name),
            ));
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $input(text: &::core::ffi::CStr) -> $crate::error::PgResult<$name> {
            let text = $crate::encoding::json(text, $sql_name)?;
            <$state as ::sop_analytics::codec::TextForm>::from_text(text)
                .map($name)
                .map_err($crate::error::from_analytics)
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $output(value: $name) -> ::std::ffi::CString {
            // JSON escapes NUL, so the text cannot contain one.
            ::std::ffi::CString::new(::sop_analytics::codec::TextForm::to_text(&value.0))
                .unwrap_or_default()
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $receive(message: ::pgrx::datum::Internal) -> $crate::error::PgResult<$name> {
            $crate::sop_type::receive(message).map($name)
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $send(value: $name) -> Vec<u8> {
            ::sop_analytics::codec::Codec::encode(&value.0)
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $from_bytea(bytes: &[u8]) -> $crate::error::PgResult<$name> {
            <$state as ::sop_analytics::codec::Codec>::decode(bytes)
                .map($name)
                .map_err($crate::error::from_analytics)
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $to_bytea(value: $name) -> Vec<u8> {
            ::sop_analytics::codec::Codec::encode(&value.0)
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $equal(left: $name, right: $name) -> bool {
            use ::sop_analytics::codec::Codec;
            // Equal states have equal bytes, also where NaN is part of them.
            left.0.encode() == right.0.encode()
        }

        #[::pgrx::pg_extern(immutable, strict, parallel_safe, sql = false)]
        fn $not_equal(left: $name, right: $name) -> bool {
            !$equal(left, right)
        }
    };
}
