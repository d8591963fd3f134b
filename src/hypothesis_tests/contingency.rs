//! Counts: shares, tables.

use pgrx::datum::Array;
use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{self, Alternative, HypothesisError};

use crate::arrays::{table, values};
use crate::error::from_analytics;
use crate::interrupts::Interrupts;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn chi_square_test(
        observed: Option<Array<'_, i64>>,
        expected: default!(Option<Array<'_, f64>>, "NULL"),
        level: default!(Option<f64>, 0.95),
    ) -> [smallest_expected] {
        let expected = expected
            .map(|expected| values(expected, "expected"))
            .transpose()?;
        let (Some(observed), Some(level)) = (observed, level) else {
            return Ok(None);
        };
        let (observed, columns) = table(observed, "observed")?;
        let found = match (columns, &expected) {
            (None, _) => {
                hypothesis_tests::chi_square_counts(&observed, expected.as_deref(), level)
            }
            (Some(_), Some(_)) => Err(HypothesisError::ExpectedOfTable),
            (Some(columns), None) => {
                hypothesis_tests::chi_square_contingency(&observed, columns, level, &mut Interrupts)
            }
        };
        let found = found.map_err(from_analytics)?;
        Ok(found.map(|found| (found.outcome, [Some(found.smallest_expected)])))
    }
}

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn fisher_test(
        counts: Option<Array<'_, i64>>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [] {
        let (Some(counts), Some(level), Some(alternative)) = (counts, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let (counts, columns) = table(counts, "counts")?;
        let columns = columns.unwrap_or(counts.len());
        let (&[a, b, c, d], 2) = (counts.as_slice(), columns) else {
            let rows = counts.len().checked_div(columns).unwrap_or(0);
            return Err(from_analytics(HypothesisError::NotTwoByTwo { rows, columns }));
        };
        let found = hypothesis_tests::fisher_test([a, b, c, d], level, alternative, &mut Interrupts)
            .map_err(from_analytics)?;
        Ok(found.map(|outcome| (outcome, [])))
    }
}

extension_sql!(
    r#"
ALTER FUNCTION chi_square_test(bigint[], float8[], float8) ROWS 1;
ALTER FUNCTION fisher_test(bigint[], float8, text) ROWS 1 COST 1000;
COMMENT ON FUNCTION chi_square_test(bigint[], float8[], float8) IS 'Pearson''s chi-square test: of counts against expected counts or weights (scaled to the observed total; NULL for equal shares), or of the independence of the rows and columns of a two-dimensional array; effect_size is Cohen''s w or Cramér''s V; one row, of NULLs when nothing was observed. Example: SELECT p_value FROM chi_square_test(''{{30,10},{20,40}}'')';
COMMENT ON FUNCTION fisher_test(bigint[], float8, text) IS 'Fisher''s exact test of a two-by-two table; statistic is the sample odds ratio, effect_size the conditional one with its exact interval; one row, of NULLs when a row or column is empty. Example: SELECT p_value FROM fisher_test(''{{8,2},{1,5}}'')';
"#,
    name = "contingency",
    requires = [chi_square_test, fisher_test]
);
