//! What a `percentile_sketch` answers.

use pgrx::datum::Array;
use pgrx::prelude::*;

use super::types::PercentileSketch;
use crate::arrays::values;
use crate::error::{PgResult, from_analytics};

#[pg_extern(immutable, strict, parallel_safe)]
fn approx_percentile(fraction: f64, sketch: PercentileSketch) -> PgResult<Option<f64>> {
    sketch.0.percentile(fraction).map_err(from_analytics)
}

#[pg_extern(immutable, strict, parallel_safe)]
fn approx_percentile_array(
    fractions: Array<'_, f64>,
    sketch: PercentileSketch,
) -> PgResult<Vec<Option<f64>>> {
    let fractions = values(fractions, "fractions")?;
    sketch.0.percentiles(&fractions).map_err(from_analytics)
}

#[pg_extern(immutable, strict, parallel_safe, name = "num_vals")]
fn percentile_num_vals(sketch: PercentileSketch) -> i64 {
    sketch.0.n().cast_signed()
}

#[pg_extern(immutable, strict, parallel_safe, name = "min_val")]
fn percentile_min_val(sketch: PercentileSketch) -> Option<f64> {
    sketch.0.min()
}

#[pg_extern(immutable, strict, parallel_safe, name = "max_val")]
fn percentile_max_val(sketch: PercentileSketch) -> Option<f64> {
    sketch.0.max()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn relative_error(sketch: PercentileSketch) -> f64 {
    sketch.0.relative_error()
}

extension_sql!(
    r#"
COMMENT ON FUNCTION approx_percentile(float8, percentile_sketch) IS 'The value below which the given fraction (0 to 1) of the values lies, within relative_error(sketch) of percentile_cont. Example: approx_percentile(0.95, percentile_agg(duration))';
COMMENT ON FUNCTION approx_percentile_array(float8[], percentile_sketch) IS 'Several percentiles at once, in the order of the fractions. Example: approx_percentile_array(''{0.5,0.9,0.99}'', percentile_agg(duration))';
COMMENT ON FUNCTION num_vals(percentile_sketch) IS 'How many values. Example: num_vals(percentile_agg(duration))';
COMMENT ON FUNCTION min_val(percentile_sketch) IS 'The smallest value, exactly. Example: min_val(percentile_agg(duration))';
COMMENT ON FUNCTION max_val(percentile_sketch) IS 'The largest value, exactly. Example: max_val(percentile_agg(duration))';
COMMENT ON FUNCTION relative_error(percentile_sketch) IS 'The error bound that holds for this sketch: 0 up to 64 values, its target beyond, more when values span very many orders of magnitude. Example: relative_error(percentile_agg(duration))';
"#,
    name = "percentile_accessors",
    requires = [
        approx_percentile,
        approx_percentile_array,
        percentile_num_vals,
        percentile_min_val,
        percentile_max_val,
        relative_error
    ]
);
