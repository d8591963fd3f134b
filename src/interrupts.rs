//! Cancel and timeout requests reach long loops of `analytics` through its progress hook.

use sop_analytics::progress::{Interrupted, Progress};

/// Polls PostgreSQL's interrupt flags; a pending cancel or timeout is raised by the server from inside
/// [`Progress::poll`].
pub(crate) struct Interrupts;

impl Progress for Interrupts {
    fn poll(&mut self) -> Result<(), Interrupted> {
        pgrx::check_for_interrupts!();
        Ok(())
    }
}
