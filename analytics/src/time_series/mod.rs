//! Time series as they are drawn, filled and put away.
//!
//! [`downsample`] keeps the points that show a line's shape, [`gap_fill`] gives the empty buckets of a grid a value and says
//! which ones it gave, and [`archive`] packs rows into bundles that are small and notice any damage.
//!
//! Times are microseconds from any fixed origin.

pub mod archive;
mod downsample;
mod gap_fill;

pub use downsample::{
    Downsample, DownsampleError, DownsampleMethod, DownsampleOptions, downsample,
};
pub use gap_fill::{FillMethod, FilledBucket, GapFill, GapFillError, GapFillOptions, gap_fill};
