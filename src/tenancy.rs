//! x
pub(crate) fn register() {}
