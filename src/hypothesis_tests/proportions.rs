//! Proportions compared.

use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{self, Alternative};

use super::row::difference;
use crate::error::from_analytics;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn z_test_proportions(
        first_successes: Option<i64>,
        first_trials: Option<i64>,
        second_successes: Option<i64>,
        second_trials: Option<i64>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [difference, lower, upper] {
        let (Some(hits_1), Some(trials_1), Some(hits_2), Some(trials_2)) =
            (first_successes, first_trials, second_successes, second_trials)
        else {
            return Ok(None);
        };
        let (Some(level), Some(alternative)) = (level, alternative) else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let (first, second) = ((hits_1, trials_1), (hits_2, trials_2));
        let found = hypothesis_tests::z_test_proportions(first, second, level, alternative)
            .map_err(from_analytics)?;
        Ok(found.map(|found| (found.outcome, difference(found.difference, found.interval))))
    }
}

extension_sql!(
    r#"
ALTER FUNCTION z_test_proportions(bigint, bigint, bigint, bigint, float8, text) ROWS 1;
COMMENT ON FUNCTION z_test_proportions(bigint, bigint, bigint, bigint, float8, text) IS 'Pooled z-test of the difference of two proportions (first minus second) with Newcombe''s interval; effect_size is Cohen''s h; one row, of NULLs without trials or when nothing varies. Example: SELECT difference, p_value FROM z_test_proportions(45, 50, 30, 50)';
"#,
    name = "proportions",
    requires = [z_test_proportions]
);
