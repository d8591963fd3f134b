//! Adjustment of many p-values.

use pgrx::datum::Array;
use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{self, Adjustment};

use crate::arrays::optional_values;
use crate::error::{PgResult, from_analytics};
use crate::interrupts::Interrupts;

#[pg_extern(immutable, strict, parallel_safe)]
fn adjust_p_values(
    p: Array<'_, f64>,
    method: default!(&str, "'benjamini_hochberg'"),
) -> PgResult<Vec<Option<f64>>> {
    let method = Adjustment::named(method).map_err(from_analytics)?;
    let p = optional_values(p, "p")?;
    hypothesis_tests::adjust_p_values(&p, method, &mut Interrupts).map_err(from_analytics)
}

extension_sql!(
    r#"
ALTER FUNCTION adjust_p_values(float8[], text) COST 1000;
COMMENT ON FUNCTION adjust_p_values(float8[], text) IS 'p-values adjusted for their number, each at its place; NULL elements stay NULL and do not count; method is bonferroni, sidak, holm, hochberg, hommel, benjamini_hochberg or benjamini_yekutieli. Example: adjust_p_values(array_agg(p_value ORDER BY id), ''holm'')';
"#,
    name = "multiple_testing",
    requires = [adjust_p_values]
);
