//! Means compared, from summaries.

use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{self, Alternative};

use super::row::difference;
use crate::error::from_analytics;
use crate::statistics::types::StatsSummary;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn welch_t_test(
        first_summary: Option<StatsSummary>,
        second_summary: Option<StatsSummary>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [difference, lower, upper] {
        let (Some(first), Some(second), Some(level), Some(alternative)) =
            (first_summary, second_summary, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let found = hypothesis_tests::welch_t_test(&first.0, &second.0, level, alternative)
            .map_err(from_analytics)?;
        Ok(found.map(|found| (found.outcome, difference(found.difference, found.interval))))
    }
}

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn paired_t_test(
        differences_summary: Option<StatsSummary>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [difference, lower, upper] {
        let (Some(differences), Some(level), Some(alternative)) =
            (differences_summary, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let found = hypothesis_tests::paired_t_test(&differences.0, level, alternative)
            .map_err(from_analytics)?;
        Ok(found.map(|found| (found.outcome, difference(found.difference, found.interval))))
    }
}

extension_sql!(
    r#"
ALTER FUNCTION welch_t_test(stats_summary, stats_summary, float8, text) ROWS 1;
ALTER FUNCTION paired_t_test(stats_summary, float8, text) ROWS 1;
COMMENT ON FUNCTION welch_t_test(stats_summary, stats_summary, float8, text) IS 'Welch''s t-test of the difference of two means (first minus second) with its interval; effect_size is Hedges'' g; one row, of NULLs when a group has fewer than two values or nothing varies. Example: SELECT difference, p_value FROM welch_t_test(this_week, last_week)';
COMMENT ON FUNCTION paired_t_test(stats_summary, float8, text) IS 'Student''s t-test that paired differences have mean 0, from their summary, with the interval of the mean difference; effect_size is Hedges'' g of the differences; one row, of NULLs below two values or when nothing varies. Example: SELECT difference, p_value FROM paired_t_test(summary_of_differences)';
"#,
    name = "t_tests",
    requires = [welch_t_test, paired_t_test]
);
