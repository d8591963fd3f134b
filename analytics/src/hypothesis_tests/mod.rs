//! Tests of significance with their effect sizes, and what to do with many p-values at once.
//!
//! One concept a file. A test takes summaries where they are enough, slices where it needs the values themselves.

pub mod multiple_testing;

pub use multiple_testing::{Adjustment, AdjustmentError, adjust_p_values};
