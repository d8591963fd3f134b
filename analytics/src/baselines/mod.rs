//! What a metric should be: computed from its own history, its weekdays and hours, its sisters, or its peers.
//!
//! Every method gives a [`Baseline`]: a value, and bounds within which the next period should lie at 95 %. The bounds are
//! `value ± t · s · √(1 + 1/n)` with Student's t, where each method says what `s`, `n` and the degrees of freedom are.

mod options;
mod peers;
mod seasonal;
mod shrinkage;
mod smoothing;

pub use options::{BaselineOptions, CheckedOptions, Method, OptionsError};
pub use peers::{
    MIN_PEERS, PEER_QUANTILES, bounded, percentile_rank, quantile, round_down, rounded,
};
pub use seasonal::{MIN_PERIODS_OF_SEGMENT, seasonal};
pub use shrinkage::{Group, MIN_GROUPS, Shrunken, shrunken};
pub use smoothing::{ewma, mean_baseline};

use crate::aggregation::Baseline;
use crate::statistics::special::t_two_sided_critical;

/// Confidence of the bounds.
const CONFIDENCE: f64 = 0.95;

/// A baseline with bounds for one new period around a centre that rests on `n` periods.
fn predicted(value: f64, stddev: f64, effective_n: f64, freedom: f64, n: usize) -> Baseline {
    let reach =
        t_two_sided_critical(CONFIDENCE, freedom) * stddev * (1.0 + 1.0 / effective_n).sqrt();
    Baseline {
        value,
        lower: value - reach,
        upper: value + reach,
        stddev,
        n,
    }
}
