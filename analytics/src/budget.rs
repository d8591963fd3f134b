//! A bound on how much a caller's data may occupy in memory.

use crate::error::{Classify, ErrorKind};

/// More data than the bound allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the input needs more than {limit} bytes of memory")]
pub struct BudgetExceeded {
    /// The bound in bytes.
    pub limit: usize,
}

impl Classify for BudgetExceeded {
    fn kind(&self) -> ErrorKind {
        ErrorKind::LimitExceeded
    }

    fn hint(&self) -> Option<String> {
        Some("Narrow the time range or raise sop_ml.max_state_mb.".to_owned())
    }
}

/// Counts bytes down from a bound; whoever keeps rows charges them as they arrive, before the next is read.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: usize,
    used: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, used: 0 }
    }

    /// Takes `bytes` from the budget.
    ///
    /// # Errors
    /// [`BudgetExceeded`] when that is more than what is left.
    pub const fn charge(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.limit {
            return Err(BudgetExceeded { limit: self.limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_itself_still_fits() {
        let mut budget = Budget::new(10);
        assert_eq!(budget.charge(10), Ok(()));
        assert_eq!(budget.charge(1), Err(BudgetExceeded { limit: 10 }));
        assert_eq!(budget.charge(usize::MAX), Err(BudgetExceeded { limit: 10 }));
    }
}
