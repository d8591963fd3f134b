//! Time series as they are bucketed, filled, drawn and put away.
//!
//! [`local_bucket`] tells the buckets of a place's own days and hours, [`bucket_means`] puts readings into them, [`gap_fill`]
//! gives the empty ones a value and says which ones it gave, [`downsample`] keeps the points that show a line's shape, and
//! [`archive`] packs rows into bundles that are small and notice any damage.
//!
//! Times are microseconds from any fixed origin; buckets of local time count them from 2000-01-01 00:00 UTC.

pub mod archive;
mod downsample;
mod gap_fill;
mod grid;
pub mod local_bucket;

pub use downsample::{
    Downsample, DownsampleError, DownsampleMethod, DownsampleOptions, downsample,
};
pub use gap_fill::{FillMethod, FilledBucket, GapFill, GapFillError, GapFillOptions, gap_fill};
pub use grid::{Grid, GridError, bucket_means};
