//! Tests by ranks.

use pgrx::datum::Array;
use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{self, Alternative};

use crate::arrays::values;
use crate::error::from_analytics;
use crate::interrupts::Interrupts;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn mann_whitney_test(
        first_sample: Option<Array<'_, f64>>,
        second_sample: Option<Array<'_, f64>>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [] {
        let (Some(first), Some(second), Some(level), Some(alternative)) =
            (first_sample, second_sample, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let (first, second) = (values(first, "first_sample")?, values(second, "second_sample")?);
        let found =
            hypothesis_tests::mann_whitney_test(&first, &second, level, alternative, &mut Interrupts)
                .map_err(from_analytics)?;
        Ok(found.map(|outcome| (outcome, [])))
    }
}

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn wilcoxon_signed_rank_test(
        differences: Option<Array<'_, f64>>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [] {
        let (Some(differences), Some(level), Some(alternative)) = (differences, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let differences = values(differences, "differences")?;
        let found = hypothesis_tests::wilcoxon_signed_rank_test(
            &differences,
            level,
            alternative,
            &mut Interrupts,
        )
        .map_err(from_analytics)?;
        Ok(found.map(|outcome| (outcome, [])))
    }
}

extension_sql!(
    r#"
ALTER FUNCTION mann_whitney_test(float8[], float8[], float8, text) ROWS 1 COST 1000;
ALTER FUNCTION wilcoxon_signed_rank_test(float8[], float8, text) ROWS 1 COST 1000;
COMMENT ON FUNCTION mann_whitney_test(float8[], float8[], float8, text) IS 'Mann-Whitney U test that one sample tends to be larger; statistic is U of the first, effect_size Cliff''s delta; one row, of NULLs when a sample is empty. Example: SELECT p_value FROM mann_whitney_test(''{1,2,3}'', ''{2,3,4,9}'')';
COMMENT ON FUNCTION wilcoxon_signed_rank_test(float8[], float8, text) IS 'Wilcoxon''s signed-rank test of paired differences; zeros are dropped; effect_size is the rank-biserial correlation; one row, of NULLs when no difference is left. Example: SELECT p_value FROM wilcoxon_signed_rank_test(''{1,-2,3,4}'')';
"#,
    name = "ranks",
    requires = [mann_whitney_test, wilcoxon_signed_rank_test]
);
