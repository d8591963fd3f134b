//! `regclass` arguments: the identity of a relation, without a lock and without a look at it.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

/// A relation named by the caller; whether it still exists and may be read is asked with the caller's rights later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegClass(pg_sys::Oid);

impl RegClass {
    /// Its object id.
    pub(crate) fn oid(self) -> pg_sys::Oid {
        self.0
    }
}

// SAFETY: regclass is passed exactly as oid is.
unsafe impl<'fcx> ArgAbi<'fcx> for RegClass {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see the impl.
        Self(unsafe { pg_sys::Oid::unbox_arg_unchecked(arg) })
    }
}

// SAFETY: the datum is an oid.
unsafe impl SqlTranslatable for RegClass {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(RegClass);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Ok(SqlMappingRef::literal("regclass"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("regclass")));
}
