//! Benchmarks of `sop_ml`; `make bench` runs them all.
//!
//! `benches/` measures the pure functions of `sop-analytics` with criterion. `sql/` measures the extension in a server,
//! each figure side by side with what PostgreSQL itself offers for the same question, in one run: ratios travel between
//! machines, times do not.

/// A series without a period, the same on every run: values spread over (0, 1) by the golden ratio.
#[must_use]
pub fn series(length: u32) -> Vec<f64> {
    (0..length)
        .map(|index| (f64::from(index) * 0.618_033_988_749_894_9).fract())
        .collect()
}
