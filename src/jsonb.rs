//! `jsonb` arguments and columns as `serde_json` values.
//!
//! A `jsonb` may nest deeper, and hold larger numbers, than the values of `serde_json`; that is the caller's error here,
//! where `pgrx::JsonB` panics.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum, IntoDatum};
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use serde_json::Value;

use crate::error::{PgResult, internal, invalid_parameter, raise};

/// A `jsonb` value.
#[derive(Debug)]
pub(crate) struct JsonB(pub(crate) Value);

impl FromDatum for JsonB {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _type_oid: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: the caller says that the datum is a jsonb, which is a varlena; jsonb_out wants it untoasted.
        let flat = unsafe { pg_sys::pg_detoast_datum(stored) };
        // SAFETY: jsonb_out takes one jsonb and returns a C string in the current memory context.
        let text =
            unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(flat.into())]) };
        let value = text
            .ok_or_else(|| internal("jsonb_out returned NULL"))
            .and_then(parse);
        // SAFETY: both were allocated above, unless the value was stored flat, and nothing refers to them any more.
        unsafe {
            if let Some(text) = text {
                pg_sys::pfree(text.as_ptr().cast_mut().cast());
            }
            if !std::ptr::eq(flat, stored) {
                pg_sys::pfree(flat.cast());
            }
        }
        match value {
            Ok(value) => Some(Self(value)),
            Err(report) => raise(report),
        }
    }
}

fn parse(text: &CStr) -> PgResult<Value> {
    let text = text
        .to_str()
        .map_err(|error| invalid_parameter(format!("jsonb is no UTF-8: {error}")))?;
    serde_json::from_str(text).map_err(|error| {
        invalid_parameter(format!("jsonb cannot be read: {error}"))
            .set_hint("Nest at most 127 levels deep, and keep numbers within the range of float8.")
    })
}

impl IntoDatum for JsonB {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        pgrx::JsonB(self.0).into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the value is returned as the datum of its SQL type.
unsafe impl BoxRet for JsonB {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            None => fcinfo.return_null(),
            // SAFETY: the datum is a jsonb.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
        }
    }
}

// SAFETY: the argument becomes an owned value.
unsafe impl<'fcx> ArgAbi<'fcx> for JsonB {
    unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> Self {
        // SAFETY: PostgreSQL passes arguments of the declared type.
        match unsafe { argument.unbox_arg_using_from_datum() } {
            Some(value) => value,
            None => raise(internal("NULL for an argument of type jsonb")),
        }
    }
}

// SAFETY: the datum is a jsonb.
unsafe impl SqlTranslatable for JsonB {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(JsonB);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

#[cfg(test)]
mod unit {
    use super::parse;

    #[test]
    fn what_serde_cannot_hold_is_an_error_of_the_caller() {
        assert!(parse(c"{\"a\": [1, null, \"x\"]}").is_ok());
        for beyond in ["1".repeat(400), "[".repeat(1000) + &"]".repeat(1000)] {
            let beyond = std::ffi::CString::new(beyond).unwrap();
            assert!(parse(&beyond).is_err());
        }
    }
}
