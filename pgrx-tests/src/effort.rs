//! How much a heavy test does: a quick form in `make test`, the full figures in `make torture` and `make fuzz`.

/// `quick`, or `full` when `SOP_ML_EFFORT=full` is set.
///
/// # Panics
/// When the variable has another value than `quick` or `full`: a typing error must not pass as a full run.
#[must_use]
pub fn figure(quick: usize, full: usize) -> usize {
    match std::env::var("SOP_ML_EFFORT").as_deref() {
        Err(_) | Ok("" | "quick") => quick,
        Ok("full") => full,
        Ok(other) => panic!("SOP_ML_EFFORT is quick or full, not {other}"),
    }
}

/// The seed of randomised tests: `SOP_ML_SEED`, else 1. Tests print it, so that a failure can be repeated.
///
/// # Panics
/// When the variable is no number.
#[must_use]
pub fn seed() -> u64 {
    std::env::var("SOP_ML_SEED").map_or(1, |text| text.parse().expect("SOP_ML_SEED is a number"))
}
