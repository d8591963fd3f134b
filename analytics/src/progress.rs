//! Cooperative cancellation: long loops ask now and then whether to go on.

use crate::error::{Classify, ErrorKind};

/// Raised when [`Progress::poll`] says that the caller no longer wants the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Classify for Interrupted {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Interrupted
    }
}

/// Asked at least every few thousand elementary steps by every function that may run long.
pub trait Progress {
    /// Returns `Err(Interrupted)` when the work should stop.
    fn poll(&mut self) -> Result<(), Interrupted>;
}

/// A [`Progress`] that never stops: for short inputs, tests and benches.
#[derive(Debug, Default, Clone, Copy)]
pub struct Uninterruptible;

impl Progress for Uninterruptible {
    fn poll(&mut self) -> Result<(), Interrupted> {
        Ok(())
    }
}
